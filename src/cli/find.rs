//! Owns which plans are meant when a command names none: those below the current folder. Opens no
//! file and follows no link to a folder, so that no circle of links can hold it.

use std::path::{Path, PathBuf};

use crate::cli::exit::CliError;
use crate::cli::load;
use crate::media::directory::IDENTITY;

/// The plans that are named, or else all below the current folder.
///
/// # Errors
/// As [`plans_below`], and when there is none.
pub(crate) fn named_or_all(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let found = plans_below(Path::new("."))?;
    if found.is_empty() {
        return Err(none("name a plan, or `-` to read one from standard input"));
    }
    Ok(found)
}

/// The only plan in the current folder, or else below it: where one stands beside what it is about,
/// nothing below is looked at, which may be large or a device that gives no answer.
///
/// # Errors
/// As [`plans_below`], and when there is none or more than one.
pub(crate) fn only_plan() -> Result<PathBuf, CliError> {
    let here = Path::new(".");
    let mut plans = plans_within(here, 1)?;
    if plans.len() != 1 {
        plans = plans_below(here)?;
    }
    match (plans.pop(), plans.len()) {
        (Some(plan), 0) => Ok(plan),
        (None, _) => Err(none("name one with `--plan FILE`")),
        (Some(last), others) => {
            let message = format!("{} plans below the current folder", others + 1);
            let help = format!(
                "name one with `--plan FILE`, for example {}",
                last.display()
            );
            Err(CliError::refused(message).help(help))
        }
    }
}

/// All `*.plan` files below a folder, in order; hidden folders, `target` and the folders of claimed
/// devices are left out.
///
/// # Errors
/// When a folder cannot be listed: a plan that is not seen is not known to be absent (R7).
pub fn plans_below(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    plans_within(folder, usize::MAX)
}

/// As [`plans_below`], so many folders deep and no deeper.
fn plans_within(folder: &Path, deepest: usize) -> Result<Vec<PathBuf>, CliError> {
    let skipped = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let ours = || name.starts_with('.') || name == "target" || is_device(entry.path());
        entry.depth() > 0 && entry.file_type().is_dir() && (entry.depth() == deepest || ours())
    };
    let walk = walkdir::WalkDir::new(folder).max_depth(deepest);
    let walk = walk.sort_by_file_name();
    let mut plans = Vec::new();
    for entry in walk.into_iter().filter_entry(|entry| !skipped(entry)) {
        let entry = match entry {
            Ok(entry) => entry,
            // a run that goes on meanwhile makes folders and removes them
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(unlisted(&error)),
        };
        if is_plan(entry.path()) {
            let path = entry.path();
            plans.push(path.strip_prefix("./").unwrap_or(path).to_path_buf());
        }
    }
    Ok(plans)
}

/// A file by that ending. Folders have no text, and a pipe would be waited for; what a link leads
/// to in vain counts, so that whoever reads it tells why.
fn is_plan(path: &Path) -> bool {
    let ending = path.extension().is_some_and(|ending| ending == "plan");
    ending && std::fs::metadata(path).map_or(true, |found| found.is_file())
}

fn is_device(folder: &Path) -> bool {
    folder.join(IDENTITY).exists()
}

fn is_gone(error: &walkdir::Error) -> bool {
    let cause = error.io_error().map(std::io::Error::kind);
    cause == Some(std::io::ErrorKind::NotFound) && error.depth() > 0
}

fn unlisted(error: &walkdir::Error) -> CliError {
    let folder = error.path().unwrap_or(Path::new(".")).display();
    let cause = error.io_error().map(load::cause);
    let cause = cause.unwrap_or_else(|| error.to_string());
    let message = format!("cannot look for plans in {folder}: {cause}");
    CliError::refused(message).help("name the plans, or make the folder readable")
}

fn none(help: &str) -> CliError {
    CliError::refused("no *.plan file below the current folder").help(help)
}
