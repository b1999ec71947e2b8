//! `planc-proof/1.0`: the matrix for machines. Times end in `_s` and are seconds.

use serde_json::{Value, json};

use crate::check::proof::{Outcome, Row};
use crate::check::survival::{Cell, Path, Stored};
use crate::estimate::Figure;
use crate::estimate::survive::Survival;
use crate::outlook::paths::WayBack;
use crate::report::proof::Shown;

/// One object for all environments.
#[must_use]
pub fn json(shown: &[Shown<'_>]) -> String {
    let document = json!({
        "format": "planc-proof/1.0",
        "planc": env!("CARGO_PKG_VERSION"),
        "environments": shown.iter().map(environment).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn environment(shown: &Shown<'_>) -> Value {
    let promises = shown.rows.iter();
    let paths = shown.paths.as_ref();
    json!({
        "plan": shown.matrix.plan,
        "environment": shown.matrix.environment,
        "promises": promises.map(|row| promise(shown, row)).collect::<Vec<_>>(),
        "survival": shown.matrix.cells.iter().map(cell).collect::<Vec<_>>(),
        "paths": paths.map(|paths| paths.iter().map(way_back).collect::<Vec<_>>()),
    })
}

fn promise(shown: &Shown<'_>, row: &Row) -> Value {
    json!({
        "service": row.service,
        "claim": row.claim,
        "words": row.words,
        "verdict": row.verdict,
        "reason": row.reason,
        "unit": row.unit,
        "limit": row.limit,
        "found": row.found,
        "terms": row.terms,
        "place": shown.place(row),
    })
}

fn cell(cell: &Cell) -> Value {
    let (path, recoveries): (_, &[String]) = match &cell.path {
        Path::Untouched => ("untouched", &[]),
        Path::Recovery(names) => ("recovery", names),
        Path::Restore => ("restore", &[]),
        Path::Lost => ("lost", &[]),
    };
    let promise =
        |(words, verdict): &(String, Outcome)| json!({"words": words, "verdict": verdict});
    json!({
        "service": cell.service,
        "components": cell.components,
        "loss": cell.loss.words(),
        "original": survival(cell.original),
        "copies": cell.copies.iter().map(stored).collect::<Vec<_>>(),
        "left": cell.left(),
        "path": path,
        "recoveries": recoveries,
        "from": cell.via,
        "data": cell.data.as_ref().map(figure),
        "time": cell.time.as_ref().map(figure),
        "promises": cell.promises.iter().map(promise).collect::<Vec<_>>(),
        "verdict": cell.verdict(),
    })
}

fn stored(copy: &Stored) -> Value {
    json!({
        "device": copy.device,
        "site": copy.site,
        "jobs": copy.jobs,
        "left": survival(copy.left),
        "readable": copy.readable,
    })
}

fn survival(left: Survival) -> &'static str {
    match left {
        Survival::No => "no",
        Survival::Maybe => "perhaps",
        Survival::Yes => "yes",
    }
}

/// With something missing the sum is a lower bound.
fn figure(figure: &Figure) -> Value {
    json!({
        "total_s": figure.total(),
        "terms": figure.terms,
        "missing": figure.missing,
    })
}

fn way_back(way: &WayBack) -> Value {
    match &way.graph {
        Ok(rehearsed) => json!({
            "name": way.name,
            "service": way.service,
            "losses": way.losses,
            "seconds": rehearsed.seconds,
            "steps_of_unknown_length": rehearsed.unknown,
            "graph": rehearsed.graph,
        }),
        Err(error) => json!({
            "name": way.name,
            "service": way.service,
            "losses": way.losses,
            "error": error.to_string(),
            "help": error.help(),
        }),
    }
}
