//! Schedules stepped by hand: brackets, cancellation, failure-edges, priorities, circles.

use planc::graph::order;
use planc::graph::step::{
    Edge, EdgeKind, Estimate, FORMAT, Intent, Lane, OnFailure, Step, StepGraph, StepId, StepKind,
};
use planc::schedule::{Outcome, Schedule};

/// A graph of steps with these lanes and edges.
pub(super) fn graph(
    lanes: &[(&str, u32)],
    steps: Vec<(StepKind, Vec<u32>, Option<f64>)>,
    edges: &[(u32, u32, EdgeKind)],
) -> StepGraph {
    let step = |(index, (kind, lanes, seconds)): (usize, (StepKind, Vec<u32>, Option<f64>))| Step {
        id: StepId(index as u64 + 1),
        kind,
        subject: format!("s{index}"),
        lanes,
        estimate: Estimate {
            seconds,
            bytes: None,
        },
        why: String::new(),
        on_failure: OnFailure::Abort,
    };
    let edge = |(from, to, kind): &(u32, u32, EdgeKind)| Edge {
        from: *from,
        to: *to,
        kind: *kind,
        why: "".into(),
    };
    StepGraph {
        format: FORMAT.into(),
        plan: "test".into(),
        environment: String::new(),
        plan_hash: String::new(),
        run: String::new(),
        intent: Intent::File,
        now: jiff::Timestamp::UNIX_EPOCH,
        lanes: (lanes.iter())
            .map(|(name, depth)| Lane {
                name: (*name).into(),
                depth: *depth,
            })
            .collect(),
        steps: steps.into_iter().enumerate().map(step).collect(),
        edges: edges.iter().map(edge).collect(),
        limits: Vec::new(),
    }
}

fn barriers(count: usize, edges: &[(u32, u32, EdgeKind)]) -> StepGraph {
    graph(
        &[],
        (0..count)
            .map(|_| (StepKind::Barrier, vec![], None))
            .collect(),
        edges,
    )
}

fn begin(component: &str) -> StepKind {
    StepKind::BeginBackup {
        component: component.into(),
        method: planc::facts::holdings::Method::PhysicalFull,
        changed_since: None,
        base: None,
    }
}

fn end(component: &str) -> StepKind {
    StepKind::EndBackup {
        component: component.into(),
        part: String::new(),
    }
}

const SUCCESS: EdgeKind = EdgeKind::Success;
const ALWAYS: EdgeKind = EdgeKind::Always;

/// begin 0, copy 1, end 2, commit 3
const BRACKET: [(u32, u32, EdgeKind); 5] = [
    (0, 1, SUCCESS),
    (0, 2, SUCCESS),
    (1, 2, ALWAYS),
    (1, 3, SUCCESS),
    (2, 3, SUCCESS),
];

#[test]
fn backup_mode_is_left_after_a_failed_copy() {
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!((schedule.take(), schedule.take()), (Some(0), None));
    assert_eq!(schedule.finish(0, Outcome::Done), [0_usize; 0]);
    assert_eq!(schedule.take(), Some(1));
    assert_eq!(schedule.finish(1, Outcome::Failed), [3]);
    assert_eq!(schedule.take(), Some(2));
    assert_eq!(schedule.finish(2, Outcome::Done), [0_usize; 0]);
    assert!(schedule.is_done());
}

#[test]
fn backup_mode_that_was_never_entered_is_not_left() {
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!(schedule.take(), Some(0));
    assert_eq!(schedule.finish(0, Outcome::Failed), [1, 2, 3]);
    assert!(schedule.is_done());
}

#[test]
fn cancellation_leaves_backup_mode_wherever_it_strikes() {
    // before anything began
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!(schedule.cancel(), [0, 1, 2, 3]);
    assert!(schedule.is_done());
    // while it enters
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!(schedule.take(), Some(0));
    assert_eq!(schedule.cancel(), [1, 3]);
    assert_eq!(schedule.take(), None);
    assert_eq!(schedule.finish(0, Outcome::Done), [0_usize; 0]);
    assert_eq!(schedule.take(), Some(2));
    // between entering and copying, the copy already waiting for its lane
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!(schedule.take(), Some(0));
    schedule.finish(0, Outcome::Done);
    assert_eq!(schedule.cancel(), [1, 3]);
    assert_eq!(schedule.take(), Some(2));
    assert_eq!(schedule.cancel(), [0_usize; 0]);
    // it fails to enter after the cancellation
    let mut schedule = Schedule::new(&barriers(4, &BRACKET), &[]);
    assert_eq!(schedule.take(), Some(0));
    assert_eq!(schedule.cancel(), [1, 3]);
    assert_eq!(schedule.finish(0, Outcome::Failed), [2]);
    assert!(schedule.is_done());
}

#[test]
fn a_failure_edge_is_taken_after_failure_only() {
    let edges = [(0, 1, EdgeKind::Failure), (1, 2, SUCCESS)];
    let mut schedule = Schedule::new(&barriers(3, &edges), &[]);
    schedule.take();
    assert_eq!(schedule.finish(0, Outcome::Done), [1, 2]);
    let mut schedule = Schedule::new(&barriers(3, &edges), &[]);
    schedule.take();
    assert_eq!(schedule.finish(0, Outcome::Failed), [0_usize; 0]);
    assert_eq!(schedule.take(), Some(1));
    let schedule = Schedule::new(&barriers(3, &edges), &[0]);
    assert_eq!(schedule.skipped_at_start(), [1, 2]);
    assert!(schedule.is_done());
}

#[test]
fn the_longest_way_goes_first_and_a_full_lane_does_not_block_others() {
    let step = |lanes: &[u32], seconds| (StepKind::Barrier, lanes.to_vec(), Some(seconds));
    let steps = vec![
        step(&[0], 1.0),
        step(&[0], 5.0),
        step(&[0, 1], 4.0),
        step(&[1], 2.0),
        step(&[], 9.0),
    ];
    let mut schedule = Schedule::new(
        &graph(&[("a", 1), ("b", 1)], steps, &[(0, 4, SUCCESS)]),
        &[],
    );
    // step 0 leads to the long step 4: 10 s in all
    assert_eq!(schedule.take(), Some(0));
    assert_eq!(schedule.take(), Some(3));
    assert_eq!(schedule.take(), None);
    schedule.finish(3, Outcome::Done);
    assert_eq!(schedule.take(), None);
    schedule.finish(0, Outcome::Done);
    assert_eq!(schedule.take(), Some(4));
    assert_eq!(schedule.take(), Some(1));
    assert_eq!(schedule.take(), None);
    schedule.finish(1, Outcome::Done);
    assert_eq!(schedule.take(), Some(2));
}

#[test]
fn backup_mode_of_a_service_is_held_from_begin_to_end() {
    let steps = vec![
        (begin("a"), vec![0], None),
        (StepKind::Barrier, vec![], None),
        (end("a"), vec![0], None),
        (begin("b"), vec![0], None),
        (end("b"), vec![0], None),
    ];
    let edges = [
        (0, 1, SUCCESS),
        (0, 2, SUCCESS),
        (1, 2, ALWAYS),
        (3, 4, SUCCESS),
    ];
    let graph = graph(&[("backup-mode/x", 1)], steps, &edges);
    let mut schedule = Schedule::new(&graph, &[]);
    assert_eq!(schedule.take(), Some(0));
    schedule.finish(0, Outcome::Done);
    assert_eq!(schedule.take(), Some(1));
    assert_eq!(
        schedule.take(),
        None,
        "b must wait until a has left backup mode"
    );
    schedule.finish(1, Outcome::Failed);
    assert_eq!((schedule.take(), schedule.take()), (Some(2), None));
    schedule.finish(2, Outcome::Done);
    assert_eq!(schedule.take(), Some(3));
    // one that fails to enter holds nothing
    assert_eq!(schedule.finish(3, Outcome::Failed), [4]);
    assert!(schedule.is_done());
    // an earlier process entered and never left
    let mut schedule = Schedule::new(&graph, &[0]);
    assert_eq!((schedule.take(), schedule.take()), (Some(1), None));
}

#[test]
fn a_circle_is_told_whole_and_never_run() {
    let edges = [
        (0, 1, SUCCESS),
        (1, 2, SUCCESS),
        (2, 3, SUCCESS),
        (3, 1, SUCCESS),
    ];
    let graph = barriers(5, &edges);
    let error = order::check(&graph).expect_err("a circle");
    assert_eq!(
        error.to_string(),
        "steps wait for each other in a circle: 1 (s1) -> 2 (s2) -> 3 (s3) -> 1 (s1)"
    );
    let mut schedule = Schedule::new(&graph, &[]);
    assert_eq!(schedule.skipped_at_start(), [1, 2, 3]);
    schedule.take();
    schedule.take();
    schedule.finish(0, Outcome::Done);
    schedule.finish(4, Outcome::Done);
    assert!(schedule.is_done());
}

#[test]
fn every_fault_of_a_graph_is_told_at_once() {
    let mut graph = barriers(2, &[(0, 7, SUCCESS)]);
    graph.steps[1].lanes = vec![3];
    graph.steps[1].id = graph.steps[0].id;
    graph.lanes.push(Lane {
        name: "nas".into(),
        depth: 0,
    });
    graph.format = "planc-graph/9".into();
    let error = order::check(&graph).expect_err("refused");
    assert_eq!(error.problems.len(), 5, "{error}");
}

#[test]
fn the_critical_path_is_the_longest_by_estimate() {
    let step = |seconds| (StepKind::Barrier, vec![], seconds);
    let steps = vec![
        step(Some(1.0)),
        step(Some(5.0)),
        step(Some(2.0)),
        step(None),
    ];
    let edges = [(0, 2, SUCCESS), (1, 2, SUCCESS), (0, 3, SUCCESS)];
    let order = order::check(&graph(&[], steps, &edges)).expect("sound");
    assert_eq!(order.critical_path, [1, 2]);
    assert!((order.critical_seconds - 7.0).abs() < 1e-9);
}

#[test]
fn a_long_chain_neither_recurses_nor_grows_quadratic() {
    let edges: Vec<_> = (1..100_000u32).map(|to| (to - 1, to, SUCCESS)).collect();
    let graph = barriers(100_000, &edges);
    assert_eq!(order::check(&graph).expect("sound").sequence.len(), 100_000);
    let mut schedule = Schedule::new(&graph, &[]);
    assert_eq!(schedule.take(), Some(0));
    assert_eq!(schedule.finish(0, Outcome::Failed).len(), 99_999);
    assert!(schedule.is_done());
}

#[test]
fn many_sets_of_lanes_share_one_device_one_at_a_time() {
    let count = 20_000u32;
    let lanes: Vec<(String, u32)> = std::iter::once(("device/nas".to_owned(), 1))
        .chain((0..count).map(|n| (format!("disk/{n}"), 1)))
        .collect();
    let lanes: Vec<(&str, u32)> = lanes.iter().map(|(n, d)| (n.as_str(), *d)).collect();
    let steps = (1..=count)
        .map(|n| (StepKind::Barrier, vec![0, n], None))
        .collect();
    let mut schedule = Schedule::new(&graph(&lanes, steps, &[]), &[]);
    // looking at every set for every step would hold the suite up for minutes
    while let Some(step) = schedule.take() {
        assert_eq!(schedule.take(), None);
        schedule.finish(step, Outcome::Done);
    }
    assert!(schedule.is_done());
}
