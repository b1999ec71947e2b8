//! Completion: clauses of the block, the next words of a clause, and names that fit there. What
//! comes next is read off the form of the clause in the table of words.

mod form;
mod offer;

use gen_lsp_types::{
    CompletionItem, CompletionItemTextEdit, CompletionList, CompletionParams, CompletionResponse,
    Position, Range, TextEdit,
};

use crate::lsp::unit::Unit;
use crate::lsp::workspace::{Workspace, is_plan};
use crate::lsp::{blocks, place};
use crate::source::FileId;
use crate::syntax::scan::{Token, TokenKind, tokens};
use offer::Offers;

/// What can be written at a place.
pub(super) fn complete(
    workspace: &mut Workspace,
    params: &CompletionParams,
) -> Option<CompletionResponse> {
    let at = &params.text_document_position_params;
    let path = place::path_of(&at.text_document.uri.0);
    let path = path.filter(|path| is_plan(path))?;
    let (unit, id) = workspace.unit_of(&path)?;
    let byte = place::offset(unit.sources.file(id), at.position);
    let typed = Typed::at(unit, id, byte)?;
    let items = offers(unit, id, byte, &typed).items();
    let start = place::position(unit.sources.file(id), typed.start);
    let items = items
        .into_iter()
        .map(|item| placed(item, start, at.position));
    Some(CompletionResponse::CompletionList(CompletionList {
        is_incomplete: false,
        items: items.collect(),
        ..CompletionList::default()
    }))
}

/// The statement before a place, as far as it is written.
struct Typed {
    /// Whole words, commas among them.
    words: Vec<String>,
    /// The beginning of the word at the place.
    partial: String,
    /// Where that begins.
    start: usize,
}

impl Typed {
    /// None inside of comments and texts.
    fn at(unit: &Unit, id: FileId, byte: usize) -> Option<Self> {
        let text = unit.sources.file(id).text();
        let before: Vec<Token> = tokens(text)
            .into_iter()
            .filter(|t| t.start < byte)
            .collect();
        let last = before.last();
        let inside = |token: &&Token| byte <= token.end;
        let closed = |token: &&Token| token.kind == TokenKind::Text && byte == token.end;
        match last.filter(inside).filter(|token| !closed(token)) {
            Some(token) if matches!(token.kind, TokenKind::Comment | TokenKind::Text) => {
                return None;
            }
            _ => {}
        }
        let word = last.filter(|token| token.kind == TokenKind::Word && byte <= token.end);
        let start = word.map_or(byte, |token| token.start);
        let ends = |token: &Token| {
            matches!(
                token.kind,
                TokenKind::Newline | TokenKind::Open | TokenKind::Close
            )
        };
        let first = before.iter().rposition(ends).map_or(0, |at| at + 1);
        let statement = before[first..].iter().filter(|token| token.end <= start);
        Some(Self {
            words: statement.map(|token| token.text(text).to_owned()).collect(),
            partial: text.get(start..byte).unwrap_or_default().to_owned(),
            start,
        })
    }
}

fn offers<'u>(unit: &'u Unit, id: FileId, byte: usize, typed: &Typed) -> Offers<'u> {
    let mut offers = Offers::new(unit, id, byte);
    let file = unit.sources.file(id);
    let around = unit.ast(id).map(|ast| blocks::around(ast, file, byte));
    let block = around.and_then(|around| around.first().map(|block| block.word));
    let block = block.unwrap_or("file");
    if typed.partial.starts_with('$') {
        offers.variables();
    } else if typed.words.is_empty() {
        offers.clauses(block);
    } else {
        form::next(block, &typed.words, &mut offers);
    }
    offers
}

/// The item replaces what was typed of the word.
fn placed(mut item: CompletionItem, start: Position, end: Position) -> CompletionItem {
    let new_text = item
        .insert_text
        .take()
        .unwrap_or_else(|| item.label.clone());
    let range = Range { start, end };
    item.text_edit = Some(CompletionItemTextEdit::TextEdit(TextEdit {
        range,
        new_text,
    }));
    item
}
