//! Owns the conversation with one editor: handshake, the loop over messages, and when findings
//! are sent. Must not answer questions itself; `route` knows who does.

use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use gen_lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, PublishDiagnosticsParams,
};
use lsp_server::{Connection, Message, Notification, ProtocolError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::lsp::diagnostics::Published;
use crate::lsp::workspace::Workspace;
use crate::lsp::{capabilities, place, route};

/// Findings are sent when nothing was typed for so long …
const QUIET: Duration = Duration::from_millis(15);
/// … and at the latest so long after the first edit that they do not show.
const PATIENCE: Duration = Duration::from_millis(60);

/// Why a conversation ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The editor does not speak the protocol.
    #[error("the editor broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The editor is gone.
    #[error("the editor closed the connection")]
    Gone,
}

/// Serves one editor until it says goodbye.
///
/// # Errors
/// When the editor breaks the protocol or leaves without a word.
pub fn serve(connection: &Connection) -> Result<(), ServeError> {
    let (id, params) = connection.initialize_start()?;
    let answer = json!({
        "capabilities": capabilities::all(),
        "serverInfo": {"name": "planc", "version": env!("CARGO_PKG_VERSION")},
    });
    connection.initialize_finish(id, answer)?;
    let mut server = Server {
        connection,
        workspace: Workspace::default(),
        published: Published::default(),
        edited: None,
    };
    server.workspace.scan(&folders(&params));
    server.run()
}

/// The folders that the editor has open.
fn folders(params: &Value) -> Vec<String> {
    let many = params["workspaceFolders"].as_array();
    let many = many.into_iter().flatten().map(|folder| &folder["uri"]);
    let uris: Vec<&Value> = many.chain([&params["rootUri"]]).collect();
    let paths = uris
        .into_iter()
        .filter_map(Value::as_str)
        .filter_map(place::path_of);
    let mut paths: Vec<String> = paths.collect();
    paths.dedup();
    paths
}

struct Server<'c> {
    connection: &'c Connection,
    workspace: Workspace,
    published: Published,
    /// When the first edit came that no findings were sent for.
    edited: Option<Instant>,
}

impl Server<'_> {
    fn run(&mut self) -> Result<(), ServeError> {
        loop {
            let Some(message) = self.next()? else {
                self.publish()?;
                continue;
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    let response = route::answer(&mut self.workspace, request);
                    self.send(response.into())?;
                }
                Message::Notification(notification) => {
                    if self.take(&notification) && self.edited.is_none() {
                        self.edited = Some(Instant::now());
                    }
                }
                Message::Response(_) => {}
            }
        }
    }

    /// The next message; none when it is time to send findings.
    fn next(&self) -> Result<Option<Message>, ServeError> {
        let receiver = &self.connection.receiver;
        let Some(edited) = self.edited else {
            return receiver.recv().map(Some).map_err(|_| ServeError::Gone);
        };
        let left = PATIENCE.saturating_sub(edited.elapsed());
        match receiver.recv_timeout(QUIET.min(left)) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ServeError::Gone),
        }
    }

    fn send(&self, message: Message) -> Result<(), ServeError> {
        let sent = self.connection.sender.send(message);
        sent.map_err(|_| ServeError::Gone)
    }

    /// Sends the findings of what was edited.
    fn publish(&mut self) -> Result<(), ServeError> {
        self.edited = None;
        let mut mains = self.workspace.stale_mains();
        // a buffer that was closed without being saved leaves findings that are no longer true
        let shown = self.published.mains();
        mains.extend(shown.filter(|main| self.workspace.is_stale(main)).cloned());
        mains.sort_unstable();
        mains.dedup();
        for params in self.published.refresh(&mut self.workspace, &mains) {
            self.send(publication(&params))?;
        }
        Ok(())
    }

    /// Takes in what the editor tells; true when a text changed.
    fn take(&mut self, notification: &Notification) -> bool {
        let params = &notification.params;
        let changed: Vec<String> = match notification.method.as_str() {
            "textDocument/didOpen" => self.opened(params).into_iter().collect(),
            "textDocument/didChange" => self.changed(params).into_iter().collect(),
            "textDocument/didClose" => self.closed(params).into_iter().collect(),
            "workspace/didChangeWatchedFiles" => {
                let files = read::<DidChangeWatchedFilesParams>(params);
                let files = files.into_iter().flat_map(|params| params.changes);
                files
                    .filter_map(|file| place::path_of(&file.uri.0))
                    .collect()
            }
            _ => return false,
        };
        for path in &changed {
            self.workspace.touched(path);
        }
        !changed.is_empty()
    }

    fn opened(&mut self, params: &Value) -> Option<String> {
        let document = read::<DidOpenTextDocumentParams>(params)?.text_document;
        let path = place::path_of(&document.uri.0)?;
        let documents = &mut self.workspace.documents;
        documents.open(path.clone(), &document.text, document.version);
        Some(path)
    }

    fn changed(&mut self, params: &Value) -> Option<String> {
        let params = read::<DidChangeTextDocumentParams>(params)?;
        let document = &params.text_document;
        let path = place::path_of(&document.text_document_identifier.uri.0)?;
        let documents = &mut self.workspace.documents;
        documents.change(&path, &params.content_changes, document.version);
        Some(path)
    }

    fn closed(&mut self, params: &Value) -> Option<String> {
        let params = read::<DidCloseTextDocumentParams>(params)?;
        let path = place::path_of(&params.text_document.uri.0)?;
        self.workspace.documents.close(&path);
        Some(path)
    }
}

/// Parameters of the right form; a notification cannot be refused, so others are left aside.
fn read<T: DeserializeOwned>(params: &Value) -> Option<T> {
    T::deserialize(params).ok()
}

fn publication(params: &PublishDiagnosticsParams) -> Message {
    Notification::new("textDocument/publishDiagnostics".to_owned(), params).into()
}
