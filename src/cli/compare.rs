//! `planc diff OLD NEW`: what a change does to promises, retention, schedule and steps. Reads
//! files or git revisions; never connects.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;

use crate::cli::args::NowArgs;
use crate::cli::exit::{CliError, Exit};
use crate::cli::files::Files;
use crate::cli::find;
use crate::cli::load::{self, Compiled};
use crate::outlook::diff::{self, Change, Effect, Side};
use crate::report::diff::{self as shown, Compared};
use crate::resolve::plan::ResolvedPlan;

/// Arguments of `planc diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What was: a plan file, a git revision, or `REVISION:FILE`.
    old: String,
    /// What is: a plan file, a git revision, or `REVISION:FILE`.
    new: String,
    /// The plan that is looked up in revisions; needed when there is more than one `*.plan`
    /// below the current folder.
    #[arg(long, short = 'p', value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Compare this environment only.
    #[arg(long, short = 'e', value_name = "NAME")]
    env: Option<String>,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    /// End with 1 when something got as bad as this.
    #[arg(long, value_enum, default_value_t = FailOn::Broken)]
    fail_on: FailOn,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines of text.
    Human,
    /// Markdown, for a comment on a pull request.
    Md,
    /// `planc-diff/1.0`.
    Json,
}

/// Levels of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Only a promise that held and is broken now.
    Broken,
    /// Also less promised, kept or proved than before.
    Worse,
    /// Nothing: the comparison is only shown.
    Never,
}

impl FailOn {
    fn includes(self, change: &Change) -> bool {
        match self {
            Self::Broken => change.effect == Effect::Broken,
            Self::Worse => change.effect.is_worse(),
            Self::Never => false,
        }
    }
}

/// Compares and reports.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let now = args.now.now();
    let old = read(args, &args.old, now)?;
    let new = read(args, &args.new, now)?;
    let changes = diff::compare(&sides(&old), &sides(&new), now);
    let range = format!("{}..{}", args.old, args.new);
    let compared = Compared {
        plan: &new.judged.plan,
        range: &range,
        changes: &changes,
        next_full: (next_full(&old, now), next_full(&new, now)),
    };
    let text = match args.format {
        Form::Human => shown::human(&compared),
        Form::Md => shown::markdown(&compared),
        Form::Json => shown::json(&compared),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    let fails = changes.iter().any(|change| args.fail_on.includes(change));
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

/// Compiles one side. A plan that cannot be understood cannot be compared.
fn read(args: &Args, side: &str, now: Timestamp) -> Result<Compiled, CliError> {
    let (files, path) = place(args, side)?;
    let compiled = load::compile_from(&files, &path, args.env.as_deref(), now)?;
    if compiled.environments().is_empty() {
        return Err(
            CliError::refused(format!("`{side}` has no environment to compare"))
                .help("`planc check` says what stands in the way"),
        );
    }
    Ok(compiled)
}

/// A file on the disk comes before a revision of the same name.
fn place(args: &Args, side: &str) -> Result<(Files, PathBuf), CliError> {
    if Path::new(side).is_file() {
        return Ok((Files::Disk, PathBuf::from(side)));
    }
    if let Some((revision, path)) = side.split_once(':') {
        return Ok((Files::at(revision)?, PathBuf::from(path)));
    }
    let files = Files::at(side)?;
    let other = [&args.old, &args.new]
        .into_iter()
        .find(|word| Path::new(word).is_file());
    let path = match (&args.plan, other) {
        (Some(path), _) => path.clone(),
        (None, Some(other)) => PathBuf::from(other),
        (None, None) => find::only_plan()?,
    };
    Ok((files, path))
}

fn sides(compiled: &Compiled) -> Vec<Side<'_>> {
    let environments = compiled.environments().into_iter();
    environments.map(|plan| side(compiled, plan)).collect()
}

fn side<'a>(compiled: &'a Compiled, plan: &'a ResolvedPlan) -> Side<'a> {
    Side {
        plan,
        rows: compiled.proofs_of(plan).collect(),
        facts: compiled.facts.get(&plan.environment),
        sources: &compiled.judged.sources,
    }
}

/// The next full copy of the first environment.
fn next_full(compiled: &Compiled, now: Timestamp) -> Option<String> {
    let environments = compiled.environments();
    diff::next_full(environments.first()?, now)
}
