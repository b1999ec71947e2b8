//! Laws of the schedule, on random graphs, lanes, outcomes and cancellations.

use planc::graph::order;
use planc::graph::step::{EdgeKind, StepGraph, StepKind};
use planc::schedule::{Outcome, Schedule};
use proptest::prelude::*;

use super::schedule::graph;

/// A random case: a graph, how each step ends, which running step ends next, when to cancel.
#[derive(Debug, Clone)]
struct Case {
    graph: StepGraph,
    fails: Vec<bool>,
    picks: Vec<usize>,
    cancel_at: Option<usize>,
    done: Vec<usize>,
}

fn kind() -> impl Strategy<Value = EdgeKind> {
    prop_oneof![
        5 => Just(EdgeKind::Success),
        1 => Just(EdgeKind::Failure),
        3 => Just(EdgeKind::Always),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (1usize..30).prop_flat_map(|count| {
        let top = u32::try_from(count).expect("small");
        let steps = prop::collection::vec((prop::collection::vec(0u32..3, 0..3), 0u32..9), count);
        (
            (prop::collection::vec(1u32..4, 3), steps),
            prop::collection::vec((0..top, 0..top, kind()), 0..count * 2),
            prop::collection::vec(prop::bool::weighted(0.2), count),
            prop::collection::vec(0usize..8, count * 2),
            prop::option::weighted(0.5, 0..count * 2),
            prop::collection::vec(0..count, 0..2),
        )
            .prop_map(|((depths, steps), edges, fails, picks, cancel_at, done)| {
                let names = ["device/a", "disk/b", "host/c"];
                let lanes: Vec<_> = names.into_iter().zip(depths).collect();
                let steps = steps.into_iter().map(|(mut lanes, seconds)| {
                    lanes.sort_unstable();
                    lanes.dedup();
                    (StepKind::Barrier, lanes, Some(f64::from(seconds)))
                });
                let forward = edges.into_iter().filter(|(a, b, _)| a != b);
                let forward: Vec<_> = forward.map(|(a, b, k)| (a.min(b), a.max(b), k)).collect();
                let graph = graph(&lanes, steps.collect(), &forward);
                Case {
                    graph,
                    fails,
                    picks,
                    cancel_at,
                    done,
                }
            })
    })
}

/// What a run of a case showed.
struct Played {
    ends: Vec<Vec<Outcome>>,
    began: Vec<bool>,
    /// Steps that had begun when the run was cancelled.
    begun_at_cancel: Option<Vec<bool>>,
}

fn play(case: &Case) -> Played {
    let count = case.graph.steps.len();
    let mut schedule = Schedule::new(&case.graph, &case.done);
    let mut ends = vec![Vec::new(); count];
    let mut began = vec![false; count];
    let mut begun_at_cancel = None;
    for step in &case.done {
        (ends[*step], began[*step]) = (vec![Outcome::Done], true);
    }
    let skip = |ends: &mut Vec<Vec<Outcome>>, steps: &[usize]| {
        for step in steps {
            ends[*step].push(Outcome::Skipped);
        }
    };
    skip(&mut ends, schedule.skipped_at_start());
    let mut running: Vec<usize> = Vec::new();
    let mut events = 0;
    loop {
        if case.cancel_at == Some(events) {
            begun_at_cancel = Some(began.clone());
            skip(&mut ends, &schedule.cancel());
        }
        while let Some(step) = schedule.take() {
            assert!(!began[step], "step {step} was taken twice");
            assert_inputs(case, &ends, step);
            began[step] = true;
            running.push(step);
            assert_lanes(case, &running);
        }
        let Some(pick) = case.picks.get(events % case.picks.len().max(1)) else {
            break;
        };
        if running.is_empty() {
            break;
        }
        let step = running.swap_remove(pick % running.len());
        let outcome = if case.fails[step] {
            Outcome::Failed
        } else {
            Outcome::Done
        };
        ends[step].push(outcome);
        skip(&mut ends, &schedule.finish(step, outcome));
        events += 1;
    }
    assert!(schedule.is_done(), "the schedule starved: {ends:?}");
    Played {
        ends,
        began,
        begun_at_cancel,
    }
}

/// No step before its inputs, and only after ends that its edges let pass.
fn assert_inputs(case: &Case, ends: &[Vec<Outcome>], step: usize) {
    for edge in case
        .graph
        .edges
        .iter()
        .filter(|edge| edge.to as usize == step)
    {
        let end = ends[edge.from as usize].first().copied();
        let fine = match edge.kind {
            EdgeKind::Success => end == Some(Outcome::Done),
            EdgeKind::Failure => end == Some(Outcome::Failed),
            EdgeKind::Always => end.is_some(),
        };
        assert!(
            fine,
            "step {step} began though {} ended {end:?} ({:?})",
            edge.from, edge.kind
        );
    }
}

fn assert_lanes(case: &Case, running: &[usize]) {
    for (index, lane) in (0u32..).zip(&case.graph.lanes) {
        let claims = |step: &&usize| case.graph.steps[**step].lanes.contains(&index);
        let claimed = running.iter().filter(claims).count();
        assert!(
            claimed <= lane.depth as usize,
            "{} holds {claimed}",
            lane.name
        );
    }
}

/// A step that is called for by an always-edge runs, whatever else happens.
fn assert_always(case: &Case, played: &Played) {
    for step in 0..case.graph.steps.len() {
        let into: Vec<_> = (case.graph.edges.iter())
            .filter(|edge| edge.to as usize == step)
            .collect();
        let always = into.iter().any(|edge| edge.kind == EdgeKind::Always);
        let open = into.iter().all(|edge| {
            let end = played.ends[edge.from as usize][0];
            match edge.kind {
                EdgeKind::Success => end == Outcome::Done,
                EdgeKind::Failure => end == Outcome::Failed,
                EdgeKind::Always => true,
            }
        });
        let touched = match &played.begun_at_cancel {
            Some(begun) => into.iter().any(|edge| begun[edge.from as usize]),
            None => true,
        };
        if always && open && touched {
            assert!(played.began[step], "always step {step} did not run");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_step_ends_once_and_in_order(case in case()) {
        prop_assert!(order::check(&case.graph).is_ok());
        let played = play(&case);
        for (step, ends) in played.ends.iter().enumerate() {
            prop_assert_eq!(ends.len(), 1, "step {} ended {:?}", step, ends);
            prop_assert_eq!(played.began[step], ends[0] != Outcome::Skipped);
        }
        assert_always(&case, &played);
    }

    #[test]
    fn the_most_urgent_runnable_step_is_taken(case in case()) {
        // one at a time, nothing fails: each step taken has the longest remaining path
        let mut case = case;
        for lane in &mut case.graph.lanes { lane.depth = 1; }
        let rest = remaining(&case.graph);
        let mut schedule = Schedule::new(&case.graph, &[]);
        let mut ended = vec![false; case.graph.steps.len()];
        for step in schedule.skipped_at_start() { ended[*step] = true; }
        while let Some(step) = schedule.take() {
            for other in 0..ended.len() {
                let waits = case.graph.edges.iter()
                    .any(|edge| edge.to as usize == other && !ended[edge.from as usize]);
                let equal_but_first = rest[other] >= rest[step] && other < step;
                let better = rest[other] > rest[step] || equal_but_first;
                prop_assert!(ended[other] || waits || !better, "{} before {}", step, other);
            }
            ended[step] = true;
            for skipped in schedule.finish(step, Outcome::Done) { ended[skipped] = true; }
        }
        prop_assert!(schedule.is_done());
    }
}

fn remaining(graph: &StepGraph) -> Vec<f64> {
    let mut rest = vec![0.0; graph.steps.len()];
    for step in (0..rest.len()).rev() {
        let out = graph.edges.iter().filter(|edge| edge.from as usize == step);
        let after = out.map(|edge| rest[edge.to as usize]).fold(0.0, f64::max);
        rest[step] = graph.steps[step].estimate.seconds.unwrap_or(1.0) + after;
    }
    rest
}
