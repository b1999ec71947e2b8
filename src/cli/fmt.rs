//! `planc fmt`: rewrite plans in the one style.

use std::path::PathBuf;

use crate::cli::exit::{CliError, Exit};

/// Arguments of `planc fmt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plans; `-` reads standard input and writes standard output. Without any: every `*.plan`
    /// below the current folder.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; end with 1 when a file is not in the one style.
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change.
    #[arg(long)]
    diff: bool,
}

/// Formats the plans.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let _ = args;
    Err(CliError::refused("the formatter is not built yet"))
}
