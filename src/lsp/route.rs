//! Owns which question is answered by whom. Must not know how.

use gen_lsp_types::{
    CodeActionRequest, CodeLensRequest, CompletionRequest, DefinitionRequest,
    DocumentFormattingRequest, DocumentHighlightRequest, DocumentSymbolRequest,
    FoldingRangeRequest, HoverRequest, InlayHintRequest, PrepareRenameRequest, ReferencesRequest,
    RenameRequest, Request as Kind, SemanticTokensRequest,
};
use lsp_server::{ErrorCode, Request, Response};
use serde::Deserialize as _;

use crate::lsp::workspace::Workspace;
use crate::lsp::{
    actions, complete, definition, folding, format, hints, hover, lens, rename, symbols, tokens,
};

/// Answers a question, whatever it is.
pub(super) fn answer(workspace: &mut Workspace, request: Request) -> Response {
    let ask = Ask { workspace, request };
    match ask.request.method.as_str() {
        "textDocument/hover" => ask.by::<HoverRequest>(hover::hover),
        "textDocument/completion" => ask.by::<CompletionRequest>(complete::complete),
        "textDocument/definition" => ask.by::<DefinitionRequest>(definition::definition),
        "textDocument/references" => ask.by::<ReferencesRequest>(definition::references),
        "textDocument/documentHighlight" => {
            ask.by::<DocumentHighlightRequest>(definition::highlights)
        }
        "textDocument/prepareRename" => ask.may::<PrepareRenameRequest>(rename::prepare),
        "textDocument/rename" => ask.may::<RenameRequest>(rename::rename),
        "textDocument/formatting" => ask.may::<DocumentFormattingRequest>(format::format),
        "textDocument/codeAction" => ask.by::<CodeActionRequest>(actions::actions),
        "textDocument/codeLens" => ask.by::<CodeLensRequest>(lens::lenses),
        "textDocument/documentSymbol" => ask.by::<DocumentSymbolRequest>(symbols::symbols),
        "textDocument/foldingRange" => ask.by::<FoldingRangeRequest>(folding::folding),
        "textDocument/semanticTokens/full" => ask.by::<SemanticTokensRequest>(tokens::tokens),
        "textDocument/inlayHint" => ask.by::<InlayHintRequest>(hints::hints),
        other => {
            let message = format!("planc does not answer {other}");
            let code = ErrorCode::MethodNotFound as i32;
            Response::new_err(ask.request.id, code, message)
        }
    }
}

/// Why a question gets no answer; shown to the user by the editor.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

struct Ask<'w> {
    workspace: &'w mut Workspace,
    request: Request,
}

impl Ask<'_> {
    /// Answered by one who always has an answer, perhaps none.
    fn by<K: Kind>(self, handle: impl FnOnce(&mut Workspace, &K::Params) -> K::Result) -> Response {
        self.may::<K>(|workspace, params| Ok(handle(workspace, params)))
    }

    /// Answered by one who may refuse, with the reason.
    fn may<K: Kind>(
        self,
        handle: impl FnOnce(&mut Workspace, &K::Params) -> Result<K::Result, Refusal>,
    ) -> Response {
        let id = self.request.id;
        let params = match K::Params::deserialize(&self.request.params) {
            Ok(params) => params,
            Err(error) => {
                let message = format!("these are no parameters: {error}");
                return Response::new_err(id, ErrorCode::InvalidParams as i32, message);
            }
        };
        match handle(self.workspace, &params) {
            Ok(result) => Response::new_ok(id, result),
            Err(Refusal(message)) => {
                Response::new_err(id, ErrorCode::RequestFailed as i32, message)
            }
        }
    }
}
