//! `planc lsp`: the language server, for editors.

use crate::cli::exit::{CliError, Exit};
use crate::lsp;

/// Arguments of `planc lsp`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Talk on standard input and output, which is the only way there is; some editors say so.
    #[arg(long)]
    stdio: bool,
}

/// Serves one editor.
pub(crate) fn run(_: &Args) -> Result<Exit, CliError> {
    lsp::serve_stdio().map_err(|error| {
        CliError::failed(error).help("`planc lsp` is started by editors; see examples/editors")
    })?;
    Ok(Exit::Ok)
}
