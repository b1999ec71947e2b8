//! Owns the graphs behind the survival matrix: for every loss the recovery that would run, with
//! only the copies that the loss leaves. Must not judge whether that is fast enough.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::check::survival::{Cell, Matrix, Path};
use crate::estimate;
use crate::estimate::survive::Survival;
use crate::facts::known::Known;
use crate::graph::rehearse::Rehearsal;
use crate::graph::step::StepGraph;
use crate::graph::{GraphError, full_name};
use crate::resolve::plan::ResolvedPlan;

/// One way back after one loss.
#[derive(Debug, Clone)]
pub struct WayBack {
    /// `recovery lost_frankfurt`, `restore of notes`.
    pub name: String,
    /// The service.
    pub service: String,
    /// What was lost, in words; several losses that leave the same copies are one.
    pub losses: Vec<String>,
    /// What would run, with the seconds it takes as far as they are known.
    pub graph: Result<Rehearsed, GraphError>,
}

/// A graph with the time that its schedule takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// The graph.
    pub graph: StepGraph,
    /// Seconds by the executor's own schedule, steps of unknown length counted as nothing.
    pub seconds: f64,
    /// How many steps have no known length.
    pub unknown: usize,
}

/// Compiles every way back of a matrix, each once.
#[must_use]
pub fn ways_back(
    plan: &ResolvedPlan,
    known: &Known,
    matrix: &Matrix,
    now: Timestamp,
) -> Vec<WayBack> {
    let rehearsal = Rehearsal::new(plan, known, now);
    let mut ways: Vec<(BTreeSet<String>, WayBack)> = Vec::new();
    for cell in &matrix.cells {
        let gone = lost(cell);
        for (name, recovery) in names(cell) {
            let same = ways.iter_mut().find(|(devices, way)| {
                *devices == gone && way.name == name && way.service == cell.service
            });
            let loss = cell.loss.words();
            if let Some((_, way)) = same {
                if !way.losses.contains(&loss) {
                    way.losses.push(loss);
                }
                continue;
            }
            let graph = compile(plan, &rehearsal, cell, recovery.as_deref(), &gone);
            let way = WayBack {
                name,
                service: cell.service.clone(),
                losses: vec![loss],
                graph: graph.map(rehearsed),
            };
            ways.push((gone.clone(), way));
        }
    }
    ways.into_iter().map(|(_, way)| way).collect()
}

fn rehearsed(graph: StepGraph) -> Rehearsed {
    let played = estimate::simulate(&graph, 0.0);
    Rehearsed {
        graph,
        seconds: played.makespan,
        unknown: played.unknown,
    }
}

/// Devices whose copies are lost for sure.
fn lost(cell: &Cell) -> BTreeSet<String> {
    let lost = cell.copies.iter().filter(|copy| copy.left == Survival::No);
    lost.map(|copy| copy.device.clone()).collect()
}

fn names(cell: &Cell) -> Vec<(String, Option<String>)> {
    match &cell.path {
        Path::Untouched | Path::Lost => Vec::new(),
        Path::Restore => vec![(format!("restore of {}", cell.service), None)],
        Path::Recovery(names) => names
            .iter()
            .map(|name| (format!("recovery {name}"), Some(name.clone())))
            .collect(),
    }
}

fn compile(
    plan: &ResolvedPlan,
    rehearsal: &Rehearsal<'_>,
    cell: &Cell,
    recovery: Option<&str>,
    lost: &BTreeSet<String>,
) -> Result<StepGraph, GraphError> {
    let named = |name: &str| {
        let mut all = plan.recoveries.iter();
        all.find(|recovery| full_name(&recovery.origin, &recovery.name) == name)
    };
    match recovery.and_then(named) {
        Some(scenario) => rehearsal.recovery(scenario, lost),
        None => rehearsal.restoration(&cell.service, lost),
    }
}
