//! Every quantity that can be told of a plan before anything runs, each as a sum of named terms
//! with what is not known (Q1 to Q22). Must not judge: rules compare with promises.
//!
//! The formulas are those of [`crate::estimate`]; here they get their inputs from the plan.

use crate::check::proof::{Row, Unit};
use crate::check::survival::{self, Matrix, Question};
use crate::check::{covered, retention};
use crate::estimate::{Agenda, Figure, Known, growth, trust};
use crate::outlook::paths::{self, WayBack};
use crate::resolve::plan::ResolvedPlan;

mod jobs;
mod ways;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Its number among the quantities.
    pub number: u8,
    /// What it is: `window of vulnerability`.
    pub name: &'static str,
    /// Of what: `orders_db after loss of site fra`.
    pub of: String,
    /// What it counts.
    pub unit: Unit,
    /// The sum.
    pub figure: Figure,
}

/// What all figures are computed from.
struct World<'a> {
    plan: &'a ResolvedPlan,
    known: &'a Known,
    agenda: Option<&'a Agenda<'a>>,
    matrix: &'a Matrix,
    ways: &'a [WayBack],
    rows: &'a [&'a Row],
}

/// Where figures are gathered.
#[derive(Default)]
struct Sheet {
    all: Vec<Quantity>,
}

impl Sheet {
    fn add(&mut self, number: u8, name: &'static str, of: String, unit: Unit, figure: Figure) {
        self.all.push(Quantity {
            number,
            name,
            of,
            unit,
            figure,
        });
    }
}

/// All figures of one environment, by number, then in the order of the plan. `rows` are its
/// promises.
#[must_use]
pub fn all(question: Question<'_>, rows: &[&Row]) -> Vec<Quantity> {
    let Question { plan, now, .. } = question;
    let known = Known::of(plan, question.facts);
    let matrix = survival::matrix(question);
    let ways = paths::ways_back(plan, &known, &matrix, now);
    let agenda = Agenda::of(plan, &known, now);
    let world = World {
        plan,
        known: &known,
        agenda: agenda.as_ref(),
        matrix: &matrix,
        ways: &ways,
        rows,
    };
    let mut sheet = Sheet::default();
    world.ways(&mut sheet);
    world.jobs(&mut sheet);
    kept(question, &mut sheet);
    trusted(question, &mut sheet);
    sheet.all.sort_by_key(|quantity| quantity.number);
    sheet.all
}

/// Q13 and Q15: what devices hold in the long run, and when they are full.
fn kept(question: Question<'_>, sheet: &mut Sheet) {
    for steady in retention::steady_state(question) {
        let of = steady.device.clone();
        let terms = steady.shares.iter();
        let figure = terms.fold(Figure::default(), |sum, (job, bytes)| {
            sum.plus(format!("kept by {job}"), *bytes)
        });
        sheet.add(13, "held in the long run", of.clone(), Unit::Bytes, figure);
        let Some(capacity) = steady.capacity else {
            let missing = Figure::unknown(format!("capacity of {of}"));
            sheet.add(15, "time until it is full", of, Unit::Seconds, missing);
            continue;
        };
        if let Some(days) = growth::first_beyond(&steady.growing, capacity) {
            let figure = Figure::of("growth as stated or measured", f64::from(days) * 86_400.0);
            sheet.add(15, "time until it is full", of, Unit::Seconds, figure);
        }
    }
}

/// Q21: what is copied of what there is.
fn trusted(question: Question<'_>, sheet: &mut Sheet) {
    let rows = covered::coverage(question);
    let sum = |all: bool| -> f64 {
        let rows = rows.iter().filter(|row| all || !row.by.is_empty());
        rows.filter_map(|row| row.size).sum()
    };
    let unmeasured = rows.iter().find(|row| row.size.is_none());
    let mut figure = match trust::share(sum(false), sum(true)) {
        Some(share) => Figure::of("bytes in a backup, of all bytes known", share),
        None => Figure::unknown("the size of any component"),
    };
    if let Some(row) = unmeasured {
        figure = figure.lacks(format!("size of {}", row.component));
    }
    let of = question.plan.name.clone();
    sheet.add(21, "coverage", of, Unit::Share, figure);
}
