//! The matrix as text: promises first, then a table for each group of components.

use std::fmt::Write as _;

use crate::check::proof::Row;
use crate::check::survival::Cell;
use crate::graph::render::text;
use crate::outlook::paths::WayBack;
use crate::report::columns::columns;
use crate::report::proof::{Shown, components, copies, figure, path, promises};

/// Everything as text.
#[must_use]
pub fn human(shown: &Shown<'_>) -> String {
    let mut out = format!("{}: {}\n", shown.title(), shown.tally());
    if !shown.rows.is_empty() {
        out.push('\n');
        let head = ["PROMISE", "OF", "VERDICT", "FOUND", "WHY"];
        columns(&mut out, head, shown.rows.iter().map(promise));
    }
    let mut rest: &[Cell] = &shown.matrix.cells;
    while let Some(first) = rest.first() {
        let service = &first.service;
        let end = rest.iter().position(|cell| cell.service != *service);
        let (own, others) = rest.split_at(end.unwrap_or(rest.len()));
        table(&mut out, own);
        rest = others;
    }
    for way in shown.paths.iter().flatten() {
        way_back(&mut out, way);
    }
    out
}

fn promise(row: &Row) -> [String; 5] {
    let found = row.found.map(|found| row.unit.words(found));
    [
        row.words.clone(),
        row.service.clone(),
        row.verdict.word().to_owned(),
        found.unwrap_or_default(),
        row.reason.clone(),
    ]
}

/// The cells of one service.
fn table(out: &mut String, cells: &[Cell]) {
    let Some(first) = cells.first() else { return };
    let _ = writeln!(out, "\n{}", first.service);
    let head = [
        "LOSS",
        "COMPONENTS",
        "COPIES LEFT",
        "BACK FROM",
        "BY",
        "LOSES",
        "TIME",
        "PROMISED",
    ];
    let row = |cell: &Cell| {
        [
            cell.loss.words(),
            components(cell),
            copies(cell),
            cell.via.clone(),
            path(cell),
            figure(cell.data.as_ref()),
            figure(cell.time.as_ref()),
            promises(cell),
        ]
    };
    columns(out, head, cells.iter().map(row));
}

fn way_back(out: &mut String, way: &WayBack) {
    // writing to a string cannot fail
    let _ = writeln!(out, "\n{} after loss: {}", way.name, way.losses.join(", "));
    match &way.graph {
        Ok(rehearsed) => out.push_str(&text::text(&rehearsed.graph)),
        Err(error) => {
            let _ = writeln!(out, "does not compile: {error}\nhelp: {}", error.help());
        }
    }
}
