//! `planc schema`: the JSON Schema of what machines read from planc or write for it.

use std::io::Write;

use clap::ValueEnum;

use crate::cli::exit::{CliError, Exit};
use crate::report::schema::{self, Subject};

/// Arguments of `planc schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the schema is of.
    #[arg(value_enum)]
    of: Of,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    /// What `planc check --format json` prints.
    Diagnostics,
    /// The inventory beside a plan.
    Inventory,
    /// What `planc show resolved --format json` prints.
    Resolved,
    /// The measured facts beside an inventory.
    Facts,
}

/// Prints the schema.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let subject = match args.of {
        Of::Diagnostics => Subject::Diagnostics,
        Of::Inventory => Subject::Inventory,
        Of::Resolved => Subject::Resolved,
        Of::Facts => Subject::Facts,
    };
    write!(std::io::stdout().lock(), "{}", schema::text(subject))?;
    Ok(Exit::Ok)
}
