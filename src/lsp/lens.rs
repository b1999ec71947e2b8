//! How each promise came out, above the clause that makes it, as the proofs say it.

use std::collections::BTreeMap;

use gen_lsp_types::{CodeLens, CodeLensParams, Command};

use crate::check::proof::{Outcome, Row};
use crate::lsp::place;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::source::{FileId, Span};

/// One line a promise of a file.
pub(super) fn lenses(workspace: &mut Workspace, params: &CodeLensParams) -> Option<Vec<CodeLens>> {
    let path = place::path_of(&params.text_document.uri.0)?;
    let (unit, id) = workspace.unit_of(&path)?;
    let mut clauses: BTreeMap<Span, Vec<&Row>> = BTreeMap::new();
    for row in unit.proofs.iter().filter(|row| row.span.file == id) {
        clauses.entry(row.span).or_default().push(row);
    }
    let clauses = clauses.into_iter();
    Some(
        clauses
            .map(|(span, rows)| lens(unit, id, span, &rows))
            .collect(),
    )
}

fn lens(unit: &Unit, id: FileId, span: Span, rows: &[&Row]) -> CodeLens {
    let title = summary(rows);
    CodeLens {
        range: place::range(unit.sources.file(id), span),
        // a lens without a command is not shown
        command: Some(Command {
            title,
            tooltip: None,
            command: String::new(),
            arguments: None,
        }),
        data: None,
    }
}

/// All verdicts on one clause: the same for all environments once, else one by one. A policy's
/// clause has one verdict a service; the worst of them is told, with their number.
pub(super) fn summary(rows: &[&Row]) -> String {
    let mut by_words: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for environment in environments(rows) {
        let of = rows.iter().filter(|row| row.environment == environment);
        let of: Vec<&Row> = of.copied().collect();
        let Some(worst) = of.iter().max_by_key(|row| row.verdict) else {
            continue;
        };
        let more = match of.len() {
            1 => String::new(),
            n => format!(" ({} is the worst of {n})", worst.service),
        };
        let words = format!("{}{more}", words(worst));
        by_words.entry(words).or_default().push(worst);
    }
    let same = by_words.len() == 1;
    let said = by_words.into_iter().map(|(words, rows)| {
        let names: Vec<&str> = rows.iter().map(|row| row.environment.as_str()).collect();
        if same {
            words
        } else {
            format!("{words} [{}]", names.join(", "))
        }
    });
    said.collect::<Vec<_>>().join(" · ")
}

fn environments<'r>(rows: &[&'r Row]) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.environment.as_str()) {
            names.push(&row.environment);
        }
    }
    names
}

/// `proved: 5min 4s of 10min`
pub(super) fn words(row: &Row) -> String {
    let verdict = row.verdict.word();
    let sized = row.found.zip(row.limit);
    match (row.verdict, sized) {
        (Outcome::Proved | Outcome::Broken, Some((found, limit))) => {
            let (found, limit) = (row.unit.words(found), row.unit.words(limit));
            format!("{verdict}: {found} of {limit}")
        }
        _ => format!("{verdict}: {}", row.reason),
    }
}
