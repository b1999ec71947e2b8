//! Owns what a schedule has to know of a graph: how long steps take, what they claim and what
//! they wait for. Must not know what a step does, so that a plan's weeks ahead can be played by
//! the same schedule that runs a graph.

use serde::{Deserialize, Serialize};

/// When an edge lets its target run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// After success.
    #[default]
    Success,
    /// After failure only; skipped otherwise.
    Failure,
    /// After success, failure, and cancellation.
    Always,
}

impl EdgeKind {
    /// True for the default.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Success
    }
}

/// What a step does to the lanes of a bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Nothing: it claims its lanes while it runs.
    #[default]
    Plain,
    /// It enters backup mode and keeps the bracket's lanes when it ends well.
    Enters,
    /// It leaves backup mode and gives the bracket's lanes back.
    Leaves,
}

/// A lane: how many steps may claim it at once, and whether brackets hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneShape {
    /// At least 1.
    pub depth: u32,
    /// True when it is held from the step that enters to the step that leaves.
    pub bracket: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepShape<'a> {
    /// How long it takes, as far as known.
    pub seconds: Option<f64>,
    /// Lanes by index.
    pub lanes: &'a [u32],
    /// What it does to brackets.
    pub role: Role,
}

/// An edge, by index of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The step that goes first.
    pub from: u32,
    /// The step that waits.
    pub to: u32,
    /// When it lets go.
    pub kind: EdgeKind,
}

/// Steps, lanes and edges of one graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outline<'a> {
    /// Lanes.
    pub lanes: Vec<LaneShape>,
    /// Steps.
    pub steps: Vec<StepShape<'a>>,
    /// Edges.
    pub edges: Vec<Link>,
}
