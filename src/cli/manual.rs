//! `planc completions` and `planc man`: both are made from the same argument definitions that
//! parse the command line.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::exit::{CliError, Exit};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell.
    shell: Shell,
}

/// Write the manual pages.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder for the pages; it must exist.
    dir: PathBuf,
}

/// Prints the completions to stdout.
pub(super) fn completions(args: &CompletionArgs) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "planc", &mut text);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &text)?;
    Ok(Exit::Ok)
}

/// Writes one page a command.
pub(super) fn pages(args: &ManArgs) -> Result<Exit, CliError> {
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(|error| {
        CliError::refused(format!("cannot write into {}: {error}", args.dir.display()))
            .help("name a folder that exists and can be written")
    })?;
    Ok(Exit::Ok)
}
