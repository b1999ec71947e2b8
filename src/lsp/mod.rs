//! The language server behind `planc lsp`: what editors ask about plans, answered by the same
//! stages that `planc check` runs. Open buffers lie over the files on disk; nothing is written,
//! started or connected to. One file a question; `route` says which.

mod actions;
mod blocks;
mod capabilities;
mod complete;
mod definition;
mod diagnostics;
mod documents;
mod folding;
mod format;
mod hints;
mod hover;
mod lens;
mod names;
mod opening;
mod place;
mod rename;
mod route;
mod server;
mod symbols;
mod textmate;
mod tokens;
mod unit;
mod workspace;

use lsp_server::Connection;

pub use server::{ServeError, serve};
pub use textmate::grammar;

/// Serves the editor at the other end of standard input and output until it says goodbye.
///
/// # Errors
/// When the editor breaks the protocol, leaves without a word, or the streams fail.
pub fn serve_stdio() -> Result<(), ServeError> {
    let (connection, threads) = Connection::stdio();
    let served = serve(&connection);
    // the writer ends when nobody can send to it any more
    drop(connection);
    threads.join().map_err(|_| ServeError::Gone)?;
    served
}
