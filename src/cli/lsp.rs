//! `planc lsp`: the language server, for editors.

use std::io::Write as _;

use crate::cli::exit::{CliError, Exit};
use crate::lsp;

/// Arguments of `planc lsp`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Talk on standard input and output, which is the only way there is; some editors say so.
    #[arg(long)]
    stdio: bool,
    /// Print the TextMate grammar instead, for editors that colour by themselves.
    #[arg(long, conflicts_with = "stdio")]
    textmate: bool,
}

/// Serves one editor.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    if args.textmate {
        write!(std::io::stdout().lock(), "{}", lsp::grammar())?;
        return Ok(Exit::Ok);
    }
    lsp::serve_stdio().map_err(|error| {
        CliError::failed(error).help("`planc lsp` is started by editors; see examples/editors")
    })?;
    Ok(Exit::Ok)
}
