//! What stands under the pointer: how a promise came out and by which sum, what a name means and
//! where it is declared, what a word of the language means.

use gen_lsp_types::{Hover, HoverParams, MarkupContent, MarkupKind};
use jiff::Timestamp;

use crate::check::proof::Row;
use crate::lsp::names::{NameKind, Occurrence};
use crate::lsp::route::Refusal;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::lsp::{hints, lens, opening, place};
use crate::source::FileId;
use crate::syntax::scan::{Token, TokenKind, tokens};
use crate::syntax::words::{self, WordPage};

/// The page for a place; none where nothing is to be said.
pub(super) fn hover(
    workspace: &mut Workspace,
    params: &HoverParams,
) -> Result<Option<Hover>, Refusal> {
    let at = &params.text_document_position_params;
    let Some(path) = place::path_of(&at.text_document.uri.0) else {
        return Ok(None);
    };
    let Some((unit, id)) = workspace.unit_of(&path) else {
        return Ok(None);
    };
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
        return Ok(None);
    }
    let content = MarkupContent::new(MarkupKind::Markdown, parts.join("\n\n---\n\n"));
    let range = name.map(|one| place::range(unit.sources.file(id), one.span));
    Ok(Some(Hover::new(content.into(), range)))
}

/// Every verdict on the clause at a place, with its sum.
fn proofs(unit: &Unit, id: FileId, byte: usize) -> Option<String> {
    let here = |row: &&Row| {
        let (start, end) = (row.span.start as usize, row.span.end as usize);
        row.span.file == id && start <= byte && byte <= end
    };
    let rows: Vec<&Row> = unit.proofs.iter().filter(here).collect();
    let first = rows.first()?;
    let mut out = format!("`{}`", first.words);
    const SHOWN: usize = 10;
    for row in rows.iter().take(SHOWN) {
        let of = match row.environment.as_str() {
            "" => row.service.clone(),
            environment => format!("{} in {environment}", row.service),
        };
        out.push_str(&format!("\n\n**{}** ({of})", lens::words(row)));
        for (name, value) in &row.terms {
            out.push_str(&format!("\n- {} {name}", row.unit.words(*value)));
        }
        if row.terms.is_empty() {
            out.push_str(&format!("\n- {}", row.reason));
        }
    }
    if rows.len() > SHOWN {
        out.push_str(&format!("\n\n{} more", rows.len() - SHOWN));
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
        out.push_str(&format!("\n\n```\n{text}\n```\n{path}, line {}", line + 1));
    }
    match one.symbol.kind {
        NameKind::Param | NameKind::Variable => {
            let values = hints::values(unit, &one.symbol);
            values
                .into_iter()
                .for_each(|values| out.push_str(&format!("\n\n{values}")));
        }
        NameKind::Window => {
            let next = opening::next(unit, name, Timestamp::now());
            next.into_iter()
                .for_each(|next| out.push_str(&format!("\n\n{next}")));
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
