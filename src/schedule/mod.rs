//! The outline of a graph to a schedule: a state machine without threads, clock or IO.
//!
//! # When a step runs
//! Every edge into it must let go. A success-edge lets go when its source is done, a failure-edge
//! when its source failed, an always-edge when its source ended in any way, skipped included. As
//! soon as one edge can never let go the step is skipped, and so on along its own edges.
//!
//! A step that leaves backup mode therefore has a success-edge from the step that entered it and
//! an always-edge from the step that copies: it runs after failure and cancellation, but not
//! when backup mode was never entered.

pub mod outcome;
pub mod outline;
mod ready;
mod state;

pub use outcome::Outcome;
pub use outline::{EdgeKind, LaneShape, Link, Outline, Role, StepShape};
pub use state::Schedule;
