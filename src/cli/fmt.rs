//! `planc fmt`: rewrite plans in the one style. Comments and the order of clauses stay.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::args::read_stdin;
use crate::cli::exit::{CliError, Exit};
use crate::cli::{diff, find, fix, load};
use crate::syntax;

/// Arguments of `planc fmt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Plans; `-` reads standard input and writes standard output. Without any: every `*.plan`
    /// below the current folder, but for hidden folders, `target` and devices.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; name the files that are not in the one style, and end with 1 for any.
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change.
    #[arg(long)]
    diff: bool,
}

/// Formats the plans.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let files = find::named_or_all(&args.files)?;
    let mut different = false;
    for path in &files {
        different |= format(args, path)?;
    }
    let fails = different && args.check;
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

/// Formats one plan; true when it was not in the one style.
fn format(args: &Args, path: &Path) -> Result<bool, CliError> {
    let stdin = path.as_os_str() == "-";
    let (name, text) = if stdin {
        (load::STDIN.to_owned(), read_stdin()?)
    } else {
        load::read_plan(path)?
    };
    let formatted = syntax::format(&text)
        .map_err(|error| CliError::refused(format!("cannot format {name}: {error}")))?;
    let different = formatted != text;
    let mut out = std::io::stdout().lock();
    if args.diff && different {
        write!(out, "{}", diff::lines(&name, &text, &formatted))?;
    } else if args.check && different {
        writeln!(out, "{name}")?;
    } else if stdin && !args.check && !args.diff {
        write!(out, "{formatted}")?;
    } else if different {
        fix::replace(path, &formatted)?;
    }
    Ok(different)
}
