//! Owns the simulated run of a graph: the executor's own schedule, played with estimates for time.
//! Must not know what steps do, nor judge how good the schedule is; `makespan` bounds it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::schedule::{Outcome, Outline, Schedule};

/// When a step is expected to run, in seconds after the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Beginning.
    pub start: f64,
    /// End.
    pub end: f64,
}

/// What a run would look like if everything went well.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Seconds from the first beginning to the last end.
    pub makespan: f64,
    /// Seconds that each lane works, by its index; a lane with two units counts both.
    pub busy: Vec<f64>,
    /// When each step runs, by its index; none for steps that a good run skips.
    pub bars: Vec<Option<Bar>>,
    /// Steps without an estimate: the makespan is a lower bound when there is any.
    pub unknown: usize,
}

/// Plays the schedule. `default_seconds` stands in for what is not known: 0 gives a lower bound.
#[must_use]
pub fn simulate<'a>(graph: impl Into<Outline<'a>>, default_seconds: f64) -> Simulation {
    let graph = graph.into();
    play(&graph, default_seconds)
}

/// As [`simulate`], of an outline that is still needed.
#[must_use]
pub fn play(graph: &Outline<'_>, default_seconds: f64) -> Simulation {
    let mut schedule = Schedule::of(graph, &[]);
    let mut bars: Vec<Option<Bar>> = vec![None; graph.steps.len()];
    let mut busy = vec![0.0; graph.lanes.len()];
    let mut ends: BinaryHeap<Reverse<Moment>> = BinaryHeap::new();
    let mut now = 0.0;
    loop {
        while let Some(step) = schedule.take() {
            let seconds = graph.steps[step].seconds;
            let seconds = seconds.unwrap_or(default_seconds).max(0.0);
            let end = now + seconds;
            bars[step] = Some(Bar { start: now, end });
            for lane in graph.steps[step].lanes {
                if let Some(busy) = busy.get_mut(*lane as usize) {
                    *busy += seconds;
                }
            }
            ends.push(Reverse(Moment { at: end, step }));
        }
        let Some(Reverse(Moment { at, step })) = ends.pop() else {
            break;
        };
        now = at;
        schedule.finish(step, Outcome::Done);
    }
    let unknown = graph.steps.iter().filter(|step| step.seconds.is_none());
    Simulation {
        makespan: now,
        busy,
        bars,
        unknown: unknown.count(),
    }
}

/// The end of a step, ordered by time, then by step.
#[derive(Debug, PartialEq)]
struct Moment {
    at: f64,
    step: usize,
}

impl Eq for Moment {}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at
            .total_cmp(&other.at)
            .then(self.step.cmp(&other.step))
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{EdgeKind, LaneShape, Link, Role, StepShape};

    fn graph<'a>(seconds: &[Option<f64>], lanes: &'a [u32], edges: &[(u32, u32)]) -> Outline<'a> {
        let steps = seconds.iter().map(|seconds| StepShape {
            seconds: *seconds,
            lanes,
            role: Role::Plain,
        });
        let edges = edges.iter().map(|(from, to)| Link {
            from: *from,
            to: *to,
            kind: EdgeKind::Success,
        });
        Outline {
            lanes: vec![LaneShape {
                depth: 2,
                bracket: false,
            }],
            steps: steps.collect(),
            edges: edges.collect(),
        }
    }

    #[test]
    fn lanes_and_edges_stretch_the_run() {
        let seconds = [Some(3.0), Some(2.0), Some(2.0), None];
        let free = simulate(graph(&seconds, &[], &[]), 0.0);
        assert!((free.makespan - 3.0).abs() < 1e-9);
        assert_eq!(free.unknown, 1);
        let two_drives = simulate(graph(&seconds, &[0], &[]), 0.0);
        assert!((two_drives.makespan - 4.0).abs() < 1e-9);
        assert!((two_drives.busy[0] - 7.0).abs() < 1e-9);
        let chain = simulate(graph(&seconds, &[0], &[(0, 1), (1, 2), (2, 3)]), 1.0);
        assert!((chain.makespan - 8.0).abs() < 1e-9);
        assert_eq!(chain.bars[3].map(|bar| bar.start), Some(7.0));
    }
}
