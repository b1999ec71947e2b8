//! Owns how long a graph is expected to take as a whole, and which of its steps stand in the way of
//! saying it. Must not guess: people, programs and steps that move no data count nothing.

use super::order;
use super::step::{Step, StepGraph, StepKind};
use crate::estimate;

/// The expected length of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Length<'g> {
    /// Seconds; at least so many when something is missing.
    pub seconds: f64,
    /// Steps that move data and of which it is not known how long they take.
    pub missing: Vec<&'g Step>,
}

/// How long a graph is expected to take: its schedule played, or its longest chain by what is known.
#[must_use]
pub fn of(graph: &StepGraph) -> Length<'_> {
    let unknown = |step: &&Step| step.estimate.seconds.is_none() && moves_data(&step.kind);
    let missing: Vec<&Step> = graph.steps.iter().filter(unknown).collect();
    let seconds = if missing.is_empty() {
        estimate::simulate(graph, 0.0).makespan
    } else {
        order::check(graph).map_or(0.0, |order| order.critical_seconds)
    };
    Length { seconds, missing }
}

fn moves_data(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::CopyPart { .. }
            | StepKind::ArchiveLog { .. }
            | StepKind::MergeStored { .. }
            | StepKind::CopyStored { .. }
            | StepKind::VerifyStored { .. }
            | StepKind::FetchPart { .. }
            | StepKind::ReplayLog { .. }
            | StepKind::CheckRestored { .. }
            | StepKind::Examine { .. }
            | StepKind::Extract { .. }
            | StepKind::Undo { .. }
    )
}
