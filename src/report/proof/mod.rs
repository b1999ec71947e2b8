//! The survival matrix and the promises it stands on, for people, machines and paper.
//! Must not judge; verdicts come from `check`.

use crate::check::proof::{Outcome, Row, Unit};
use crate::check::survival::{Cell, Matrix, Path};
use crate::estimate::Figure;
use crate::outlook::paths::WayBack;
use crate::source::SourceMap;

mod html;
mod human;
mod json;

pub use html::html;
pub use human::human;
pub use json::json;

/// What is shown of one environment.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The matrix.
    pub matrix: Matrix,
    /// The promises of this environment.
    pub rows: Vec<Row>,
    /// The texts that promises point into.
    pub sources: &'a SourceMap,
    /// The graphs that would run; none when they were not asked for.
    pub paths: Option<Vec<WayBack>>,
}

impl Shown<'_> {
    /// `orders [prod]`
    fn title(&self) -> String {
        let Matrix {
            plan, environment, ..
        } = &self.matrix;
        if environment.is_empty() {
            plan.clone()
        } else {
            format!("{plan} [{environment}]")
        }
    }

    /// `2 proved, 1 broken, 0 unknown`; what the plan alone does not tell counts as unknown.
    fn tally(&self) -> String {
        let count = |outcomes: &[Outcome]| {
            let rows = self.rows.iter();
            rows.filter(|row| outcomes.contains(&row.verdict)).count()
        };
        let proved = count(&[Outcome::Proved]);
        let broken = count(&[Outcome::Broken]);
        let unknown = count(&[Outcome::Unknown, Outcome::Open]);
        format!("{proved} proved, {broken} broken, {unknown} unknown")
    }

    /// `orders.plan:43`
    fn place(&self, row: &Row) -> String {
        let path = self.sources.file(row.span.file).path();
        format!("{path}:{}", self.sources.place(row.span).line)
    }
}

/// A sum in seconds: `5min 4s`, `>= 1h (not known: …)`, `not known: …`; `everything` for nothing.
fn figure(figure: Option<&Figure>) -> String {
    let Some(figure) = figure else {
        return "everything".to_owned();
    };
    let total = figure.total();
    let words = Unit::Seconds.words(total);
    match &figure.missing {
        None => words,
        Some(missing) if total > 0.0 => format!(">= {words} (not known: {missing})"),
        Some(missing) => format!("not known: {missing}"),
    }
}

/// `15min between shipments + 6s to send the last of it`
fn terms(figure: &Figure) -> String {
    let terms = figure.terms.iter();
    let terms = terms.map(|(name, value)| format!("{} {name}", Unit::Seconds.words(*value)));
    terms.collect::<Vec<_>>().join(" + ")
}

/// How a cell comes back.
fn path(cell: &Cell) -> String {
    match &cell.path {
        Path::Untouched => "nothing to do".to_owned(),
        Path::Recovery(names) => names.join(", "),
        Path::Restore => format!("planc restore {}", cell.service),
        Path::Lost => "no way back".to_owned(),
    }
}

/// `rpo 10min for loss of site: proved`
fn promises(cell: &Cell) -> String {
    let promises = cell.promises.iter();
    let words = promises.map(|(words, outcome)| format!("{words}: {}", outcome.word()));
    words.collect::<Vec<_>>().join("; ")
}

/// `base, tablespace hot`: the components of a cell by short name, the first few of many.
fn components(cell: &Cell) -> String {
    const MOST: usize = 4;
    let short = |key: &String| match key.split_once('/') {
        Some((_, rest)) => rest.replacen('/', " ", 1).replace("base base", "base"),
        None => key.clone(),
    };
    let mut names: Vec<String> = cell.components.iter().take(MOST).map(short).collect();
    if cell.components.len() > MOST {
        names.push(format!("{} more", cell.components.len() - MOST));
    }
    names.join(", ")
}

/// `2 of 3: bucket, tapes`
fn copies(cell: &Cell) -> String {
    use crate::estimate::survive::Survival;
    let told = |copy: &crate::check::survival::Stored| match (copy.left, copy.readable) {
        (Survival::No, _) => None,
        (_, false) => Some(format!("{} (cannot be opened)", copy.device)),
        (Survival::Maybe, true) => Some(format!("{} (perhaps)", copy.device)),
        (Survival::Yes, true) => Some(copy.device.clone()),
    };
    let names: Vec<String> = cell.copies.iter().filter_map(told).collect();
    let count = format!("{} of {}", cell.left(), cell.copies.len());
    if names.is_empty() {
        count
    } else {
        format!("{count}: {}", names.join(", "))
    }
}
