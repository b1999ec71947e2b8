//! Owns how a step graph looks to the schedule.
//! Must not decide anything; lanes of backup mode are known by their name.

use super::step::{StepGraph, StepKind};
use crate::schedule::{LaneShape, Link, Outline, Role, StepShape};

/// Lanes of this prefix are held from the step that enters backup mode to the one that leaves it.
const BRACKET: &str = "backup-mode/";

impl<'a> From<&'a StepGraph> for Outline<'a> {
    fn from(graph: &'a StepGraph) -> Self {
        let lanes = graph.lanes.iter().map(|lane| LaneShape {
            depth: lane.depth,
            bracket: lane.name.starts_with(BRACKET),
        });
        let steps = graph.steps.iter().map(|step| StepShape {
            seconds: step.estimate.seconds,
            lanes: &step.lanes,
            role: match step.kind {
                StepKind::BeginBackup { .. } => Role::Enters,
                StepKind::EndBackup { .. } => Role::Leaves,
                _ => Role::Plain,
            },
        });
        let edges = graph.edges.iter().map(|edge| Link {
            from: edge.from,
            to: edge.to,
            kind: edge.kind,
        });
        Self {
            lanes: lanes.collect(),
            steps: steps.collect(),
            edges: edges.collect(),
        }
    }
}
