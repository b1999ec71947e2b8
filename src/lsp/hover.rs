//! What stands under the pointer: how a promise came out and by which sum, what a name means and
//! where it is declared, what a word of the language means.

use std::fmt::Write as _;

use gen_lsp_types::{Hover, HoverParams, MarkupContent, MarkupKind};
use jiff::Timestamp;

use crate::check::proof::Row;
use crate::lsp::names::{NameKind, Occurrence};
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::lsp::{hints, lens, opening, place};
use crate::source::FileId;
use crate::syntax::scan::{Token, TokenKind, tokens};
use crate::syntax::words::{self, WordPage};

/// The page for a place; none where nothing is to be said.
pub(super) fn hover(workspace: &mut Workspace, params: &HoverParams) -> Option<Hover> {
    let at = &params.text_document_position_params;
    let path = place::path_of(&at.text_document.uri.0)?;
    let (unit, id) = workspace.unit_of(&path)?;
    let byte = place::offset(unit.sources.file(id), at.position);
    let name = unit.names().at(id, byte);
    let word = if name.is_none() {
        word(unit, id, byte)
    } else {
        None
    };
    let parts = [
        name.map(|one| named(unit, one)),
        word.map(|(page, _)| page_of(page)),
        proofs(unit, id, byte),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return None;
    }
    let content = MarkupContent::new(MarkupKind::Markdown, parts.join("\n\n---\n\n"));
    let range = name.map(|one| place::range(unit.sources.file(id), one.span));
    Some(Hover::new(content.into(), range))
}

/// Verdicts of one clause that are shown; a policy has one a service.
const SHOWN: usize = 10;

/// Every verdict on the clause at a place, with its sum.
fn proofs(unit: &Unit, id: FileId, byte: usize) -> Option<String> {
    let here = |row: &&Row| {
        let (start, end) = (row.span.start as usize, row.span.end as usize);
        row.span.file == id && start <= byte && byte <= end
    };
    let rows: Vec<&Row> = unit.proofs.iter().filter(here).collect();
    let first = rows.first()?;
    // writing to a string cannot fail
    let mut out = format!("`{}`", first.words);
    for row in rows.iter().take(SHOWN) {
        let of = match row.environment.as_str() {
            "" => row.service.clone(),
            environment => format!("{} in {environment}", row.service),
        };
        let _ = write!(out, "\n\n**{}** ({of})", lens::words(row));
        for (name, value) in &row.terms {
            let _ = write!(out, "\n- {} {name}", row.unit.words(*value));
        }
        if row.terms.is_empty() {
            let _ = write!(out, "\n- {}", row.reason);
        }
    }
    if rows.len() > SHOWN {
        let _ = write!(out, "\n\n{} more", rows.len() - SHOWN);
    }
    Some(out)
}

fn named(unit: &Unit, one: &Occurrence) -> String {
    let (kind, name) = (one.symbol.kind.word(), &one.symbol.name);
    let mut out = format!("{kind} **{name}**");
    let declared = unit
        .names()
        .of_symbol(&one.symbol)
        .filter(|one| one.declares);
    for place in declared {
        let file = unit.sources.file(place.span.file);
        let line = file.line_of(place.span.start as usize);
        let (path, text) = (short(file.path()), file.line(line).trim());
        let text = shortened(text);
        let _ = write!(out, "\n\n```\n{text}\n```\n{path}, line {}", line + 1);
    }
    match one.symbol.kind {
        NameKind::Param | NameKind::Variable => {
            if let Some(values) = hints::values(unit, &one.symbol) {
                let _ = write!(out, "\n\n{values}");
            }
        }
        NameKind::Window => {
            if let Some(next) = opening::next(unit, name, Timestamp::now()) {
                let _ = write!(out, "\n\n{next}");
            }
        }
        _ => {}
    }
    out
}

fn short(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A line of an inventory can be very long.
fn shortened(line: &str) -> String {
    const MOST: usize = 120;
    let mut text: String = line.chars().take(MOST).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    text
}

/// The page of the word at a place, and the word. A pair such as `store on` comes before `store`.
fn word(unit: &Unit, id: FileId, byte: usize) -> Option<(&'static WordPage, Token)> {
    let text = unit.sources.file(id).text();
    unit.ast(id)?;
    let all = tokens(text);
    let at = all
        .iter()
        .position(|token| token.start <= byte && byte <= token.end)?;
    // on the border of two tokens the pointer is on the word
    let at = if all[at].kind == TokenKind::Word {
        at
    } else {
        at + 1
    };
    let token = *all
        .get(at)
        .filter(|token| token.kind == TokenKind::Word && token.start <= byte)?;
    let pair = |first: usize| {
        let (first, second) = (all.get(first)?, all.get(first + 1)?);
        let pair = format!("{} {}", first.text(text), second.text(text));
        words::WORDS.iter().find(|page| page.word == pair)
    };
    let page = pair(at)
        .or_else(|| pair(at.checked_sub(1)?))
        .or_else(|| words::page(token.text(text)))?;
    Some((page, token))
}

/// The page of a word as markdown.
pub(super) fn page_of(page: &WordPage) -> String {
    let (word, doc, form, example) = (page.word, page.doc, page.form, page.example);
    format!("**{word}**: {doc}\n\n```\n{form}\n```\n\nfor example `{example}`")
}
