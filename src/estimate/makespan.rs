//! Owns the lower bound of a schedule's length (Q4): no order of the steps can be shorter.
//! Must not play the schedule; `simulate` does.

use crate::schedule::Outline;

/// The bounds one by one, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// The longest chain of steps that wait for each other.
    pub critical_path: f64,
    /// The lane with most work for each of its units.
    pub busiest_lane: f64,
}

impl Bounds {
    /// No schedule is shorter than this.
    #[must_use]
    pub fn least(self) -> f64 {
        self.critical_path.max(self.busiest_lane)
    }
}

/// The bounds of a graph; steps without an estimate count `default_seconds`. Circles count as if
/// their edges were not there.
#[must_use]
pub fn bounds(graph: &Outline<'_>, default_seconds: f64) -> Bounds {
    let seconds = graph.steps.iter();
    let seconds = seconds.map(|step| step.seconds.unwrap_or(default_seconds).max(0.0));
    let seconds: Vec<f64> = seconds.collect();
    Bounds {
        critical_path: critical_path(graph, &seconds),
        busiest_lane: busiest_lane(graph, &seconds),
    }
}

fn busiest_lane(graph: &Outline<'_>, seconds: &[f64]) -> f64 {
    let mut busy = vec![0.0; graph.lanes.len()];
    for (step, seconds) in graph.steps.iter().zip(seconds) {
        for lane in step.lanes {
            if let Some(busy) = busy.get_mut(*lane as usize) {
                *busy += seconds;
            }
        }
    }
    let each = busy.iter().zip(&graph.lanes);
    each.map(|(busy, lane)| busy / f64::from(lane.depth.max(1)))
        .fold(0.0, f64::max)
}

fn critical_path(graph: &Outline<'_>, seconds: &[f64]) -> f64 {
    let count = seconds.len();
    let (mut after, mut open) = (vec![Vec::new(); count], vec![0u32; count]);
    for edge in &graph.edges {
        let (from, to) = (edge.from as usize, edge.to as usize);
        if from < count && to < count {
            after[from].push(to);
            open[to] += 1;
        }
    }
    let mut begin = vec![0.0f64; count];
    let mut ready: Vec<usize> = (0..count).filter(|step| open[*step] == 0).collect();
    let mut longest = 0.0f64;
    while let Some(step) = ready.pop() {
        let end = begin[step] + seconds[step];
        longest = longest.max(end);
        for to in &after[step] {
            begin[*to] = begin[*to].max(end);
            open[*to] -= 1;
            if open[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::play;
    use crate::schedule::{EdgeKind, LaneShape, Link, Role, StepShape};

    /// Seconds and lanes of each step, with the step it waits for.
    type Drawn = Vec<(f64, [u32; 2], Option<u32>)>;

    fn outline<'a>(steps: &Drawn, lanes: &'a [[u32; 2]]) -> Outline<'a> {
        let shapes = steps
            .iter()
            .zip(lanes)
            .map(|((seconds, ..), lanes)| StepShape {
                seconds: Some(*seconds),
                lanes,
                role: Role::Plain,
            });
        let edges = (0u32..).zip(steps).filter_map(|(to, (_, _, before))| {
            let from = before.filter(|_| to > 0)? % to;
            let kind = EdgeKind::Success;
            Some(Link { from, to, kind })
        });
        let lane = LaneShape {
            depth: 2,
            bracket: false,
        };
        Outline {
            lanes: vec![lane; 8],
            steps: shapes.collect(),
            edges: edges.collect(),
        }
    }

    proptest! {
        /// No schedule is shorter than the bound, nor longer than all steps one by one.
        #[test]
        fn every_schedule_lies_between_its_bounds(
            steps in prop::collection::vec(
                (0.0..100.0, [0u32..5, 5u32..8], prop::option::of(any::<u32>())), 1..60)
        ) {
            let lanes: Vec<[u32; 2]> = steps.iter().map(|(_, lanes, _)| *lanes).collect();
            let outline = outline(&steps, &lanes);
            let makespan = play(&outline, 0.0).makespan;
            let least = bounds(&outline, 0.0).least();
            let most: f64 = steps.iter().map(|(seconds, ..)| seconds).sum();
            prop_assert!(makespan >= least - 1e-6, "{makespan} < {least}");
            prop_assert!(makespan <= most + 1e-6, "{makespan} > {most}");
        }
    }
}
