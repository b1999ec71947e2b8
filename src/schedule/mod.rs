//! A step graph to a schedule: a state machine without threads, clock or IO.

pub mod outcome;

pub use outcome::Outcome;

use crate::graph::step::StepGraph;

/// Which steps may run now, and what a step's end allows or forbids.
///
/// Priority is the longest remaining path, ties by index; a lane is never claimed beyond its
/// depth; each step ends in exactly one of done, failed, skipped.
pub struct Schedule {
    _todo: (),
}

impl Schedule {
    /// Prepares a graph. Steps in `done` (by index) count as ended well before the run.
    ///
    /// # Panics
    /// Never for a graph that `graph::order::check` accepts.
    #[must_use]
    pub fn new(graph: &StepGraph, done: &[usize]) -> Self {
        let _ = (graph, done);
        todo!()
    }

    /// The next step that can run now, claiming its lanes; none when all are waiting or ended.
    pub fn take(&mut self) -> Option<usize> {
        todo!()
    }

    /// Ends a step that was taken: frees its lanes and returns the steps that are skipped by it.
    pub fn finish(&mut self, step: usize, outcome: Outcome) -> Vec<usize> {
        let _ = (step, outcome);
        todo!()
    }

    /// Skips everything that has not begun, except what an always-edge still calls for.
    pub fn cancel(&mut self) -> Vec<usize> {
        todo!()
    }

    /// True when every step has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        todo!()
    }
}
