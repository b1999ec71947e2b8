//! The command line: one file a command. Reads arguments and files, calls the stages in order,
//! prints results to stdout and everything else to stderr.
//!
//! To add a command: its file with `Args` and `run`, its `mod` line here, its variant of
//! [`Command`] and its line in [`Command::run`].

use std::ffi::OsString;

use clap::{Parser, Subcommand};

pub mod args;
mod ask;
mod catalog;
mod catalog_file;
mod chains;
mod check;
mod commits;
mod compare;
mod demo;
mod derivation;
mod device;
mod diff;
mod drill;
pub mod exit;
mod expire;
mod explain;
pub mod files;
pub mod find;
mod fix;
mod fmt;
mod init;
mod inspect;
mod key;
mod learned;
mod list;
pub mod load;
mod log;
mod log_status;
mod lsp;
mod manual;
mod media;
mod merge;
mod output;
mod recover;
mod rehearsed;
mod repair;
mod restore;
mod run;
mod run_log;
mod schema;
mod show;
mod simulate;
mod site;
mod spoilt;
mod status;
mod strays;
mod stream;
mod survey;
mod switchover;
mod undo;
mod user;
mod verify;
mod wal;
mod watch;
mod worker;

use exit::{CliError, Exit};

/// A compiler for recovery: checks plans, compiles them to step graphs and runs those.
#[derive(Debug, Parser)]
#[command(
    name = "planc",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge plans: parse, resolve and prove. Opens nothing but the files named, never connects.
    Check(check::Args),
    /// Tell what a change of a plan does to its promises, retention, schedule and steps.
    Diff(compare::Args),
    /// Rewrite plans in the one style.
    Fmt(fmt::Args),
    /// Print the page of a check or of a word of the language.
    Explain(explain::Args),
    /// Show the steps of an intent as text, data or drawing.
    Show(show::Args),
    /// Serve an editor: findings while typing, completion, hover and the rest.
    Lsp(lsp::Args),
    /// Print the JSON Schema of what machines read from planc or write for it.
    Schema(schema::Args),
    /// Play the plan through a year with losses at random moments.
    Simulate(simulate::Args),
    /// Watch a real database being backed up, destroyed and recovered to an exact transaction.
    Demo(demo::Args),
    /// Write a first plan for a SQLite file or a folder.
    Init(init::Args),
    /// Print completions for a shell.
    Completions(manual::CompletionArgs),
    /// Write the manual pages.
    Man(manual::ManArgs),
    /// Run what is due, or the named jobs.
    Run(run::Args),
    /// Restore a service to a path that does not exist yet.
    Restore(restore::Args),
    /// Run a recovery of the plan.
    Recover(recover::Args),
    /// Hand a PostgreSQL primary's work over to its standby; never two primaries.
    Switchover(switchover::Args),
    /// Take back what one PostgreSQL transaction did; rows that were changed since are left alone.
    Undo(undo::Args),
    /// Rehearse: restore, replay, ask, throw away, and note how long it took.
    Drill(drill::Args),
    /// Read stored copies back and compare every hash.
    Verify(verify::Args),
    /// Put good copies beside damaged ones; nothing is deleted.
    Repair(repair::Args),
    /// Put chains of incremental parts together into fulls, from stored copies alone.
    Merge(merge::Args),
    /// Show what `retain` lets go, what stays and why; delete it with `--apply`.
    Expire(expire::Args),
    /// Tell how old the newest copies are and what is due.
    Status(status::Args),
    /// Measure services and devices, and write the facts file. Connects read-only.
    Survey(survey::Args),
    /// List what is where.
    List(list::Args),
    /// Look into the stored log.
    Log(log::Args),
    /// Claim and list devices.
    Device(device::Args),
    /// Volumes of volume sets: where each one is, what is carried today, labels, errors.
    Media(media::Args),
    /// Make, list, prove, rewrap and escrow keys.
    Key(key::Args),
    /// Rebuild or print the catalog.
    Catalog(catalog::Args),
}

impl Command {
    fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Check(args) => check::run(&args),
            Self::Diff(args) => compare::run(&args),
            Self::Fmt(args) => fmt::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Run(args) => run::run(&args),
            Self::Restore(args) => restore::run(&args),
            Self::Recover(args) => recover::run(&args),
            Self::Switchover(args) => switchover::run(&args),
            Self::Undo(args) => undo::run(&args),
            Self::Drill(args) => drill::run(&args),
            Self::Verify(args) => verify::run(&args),
            Self::Repair(args) => repair::run(&args),
            Self::Merge(args) => merge::run(&args),
            Self::Expire(args) => expire::run(&args),
            Self::Status(args) => status::run(&args),
            Self::Survey(args) => survey::run(&args),
            Self::List(args) => list::run(&args),
            Self::Log(args) => log::run(&args),
            Self::Device(args) => device::run(&args),
            Self::Media(args) => media::run(&args),
            Self::Key(args) => key::run(&args),
            Self::Catalog(args) => catalog::run(&args),
            Self::Show(args) => show::run(&args),
            Self::Lsp(args) => lsp::run(&args),
            Self::Schema(args) => schema::run(&args),
            Self::Simulate(args) => simulate::run(&args),
            Self::Demo(args) => demo::run(&args),
            Self::Init(args) => init::run(&args),
            Self::Completions(args) => manual::completions(&args),
            Self::Man(args) => manual::pages(&args),
        }
    }
}

/// Parses the arguments (the program's name first), runs the command, prints the final error.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = args.into_iter().collect();
    match Cli::try_parse_from(&words) {
        Ok(cli) => cli.command.run().unwrap_or_else(|error| {
            output::final_error(&error);
            error.exit
        }),
        Err(usage) => {
            // help and version are asked for and go to stdout; the rest is a refusal
            let asked = !usage.use_stderr();
            let printed = usage.print().is_ok();
            if asked && printed {
                Exit::Ok
            } else if wal::is_fetch(&words) {
                Exit::Undecided
            } else {
                Exit::Refused
            }
        }
    }
}
