//! `planc demo`: a real database is backed up while it is written, loses a table to a mistake,
//! is destroyed, and comes back as it was just before. Every line it prints with a `$` is run
//! exactly as printed, so that the user can repeat each by hand.

mod files;
mod sample;
mod story;

use std::path::PathBuf;

use super::exit::{CliError, Exit};

/// Watch a real database being backed up, destroyed and recovered to an exact transaction
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to make; it must not exist yet
    #[arg(long, default_value = "demo", value_name = "FOLDER")]
    dir: PathBuf,
    /// Seed of the sample data
    #[arg(long, default_value_t = 1996)]
    seed: u64,
}

/// Plays the demo.
///
/// # Errors
/// When a step does not do what it promises; the folder is left for a look.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    story::play(&args.dir, args.seed)
}
