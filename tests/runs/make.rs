//! Small graphs and observers for the tests of runs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use planc::engine::SourceSpec;
use planc::facts::holdings::Method;
use planc::graph::step::{
    Edge, EdgeKind, Estimate, FORMAT, Intent, Lane, OnFailure, Step, StepGraph, StepId, StepKind,
};
use planc::resolve::plan::{Codec, EngineKind};
use planc::run::event::{EventKind, RunEvent};
use planc::run::{Context, Observer, RunEnvironment, RunReport};

/// The tree `docs` below a folder.
pub(super) fn source(folder: &Path) -> SourceSpec {
    SourceSpec {
        service: "docs".to_owned(),
        engine: EngineKind::Files,
        path: Some(folder.join("docs")),
        programs: None,
        state_dir: folder.join("state"),
        connect: BTreeMap::new(),
        apart: BTreeSet::new(),
        sets: BTreeMap::new(),
    }
}

/// A graph of steps with edges; lanes as given.
pub(super) fn graph(kinds: Vec<StepKind>, edges: &[(u32, u32, EdgeKind)]) -> StepGraph {
    let steps = kinds.into_iter().zip(1u64..);
    StepGraph {
        format: FORMAT.to_owned(),
        plan: "test".to_owned(),
        environment: String::new(),
        plan_hash: "plan-hash".to_owned(),
        run: "run-1".to_owned(),
        intent: Intent::File,
        now: "2026-01-01T00:00:00Z".parse().expect("time"),
        lanes: Vec::new(),
        steps: steps.map(|(kind, id)| step(kind, id)).collect(),
        edges: edges.iter().map(|edge| edge_of(*edge)).collect(),
        limits: Vec::new(),
    }
}

fn edge_of((from, to, kind): (u32, u32, EdgeKind)) -> Edge {
    Edge {
        from,
        to,
        kind,
        why: "".into(),
    }
}

fn step(kind: StepKind, id: u64) -> Step {
    Step {
        id: StepId(id),
        kind,
        subject: format!("s{id}"),
        lanes: Vec::new(),
        estimate: Estimate::default(),
        why: String::new(),
        on_failure: OnFailure::Abort,
    }
}

/// The bracket of one full part, stored plain on some devices: begin, copy, end, commit.
pub(super) fn bracket(component: &str, part: &str, job: &str, devices: &[&str]) -> [StepKind; 4] {
    let (component, part) = (component.to_owned(), part.to_owned());
    let devices: Vec<String> = devices.iter().map(|name| (*name).to_owned()).collect();
    let method = Method::PhysicalFull;
    [
        StepKind::BeginBackup {
            component: component.clone(),
            method,
            changed_since: None,
            base: None,
        },
        StepKind::CopyPart {
            component: component.clone(),
            part: part.clone(),
            method,
            base: None,
            devices: devices.clone(),
            codec: Codec::None,
            key: None,
            throttle: None,
            memory: None,
        },
        StepKind::EndBackup {
            component: component.clone(),
            part: part.clone(),
        },
        StepKind::CommitPart {
            component,
            part,
            job: job.to_owned(),
            devices,
        },
    ]
}

/// The edges of a bracket whose first step is `at`.
pub(super) fn bracket_edges(at: u32) -> [(u32, u32, EdgeKind); 5] {
    [
        (at, at + 1, EdgeKind::Success),
        (at, at + 2, EdgeKind::Success),
        (at + 1, at + 2, EdgeKind::Always),
        (at + 1, at + 3, EdgeKind::Success),
        (at + 2, at + 3, EdgeKind::Success),
    ]
}

/// A program and its arguments, separated by blanks.
pub(super) fn exec(line: &str) -> StepKind {
    let argv = line.split(' ').map(str::to_owned).collect();
    StepKind::Exec { argv }
}

/// A shell script.
pub(super) fn script(text: String) -> StepKind {
    let argv = vec!["sh".to_owned(), "-c".to_owned(), text];
    StepKind::Exec { argv }
}

/// Puts every step on one lane of this depth.
pub(super) fn on_lane(mut graph: StepGraph, name: &str, depth: u32) -> StepGraph {
    graph.lanes = vec![Lane {
        name: name.to_owned(),
        depth,
    }];
    for step in &mut graph.steps {
        step.lanes = vec![0];
    }
    graph
}

/// The facts of a run in words, without what differs from run to run.
#[derive(Clone, Default)]
pub(super) struct Log(pub Rc<RefCell<Vec<String>>>);

impl Observer for Log {
    fn event(&mut self, event: &RunEvent) {
        let line = match &event.kind {
            EventKind::RunBegan { steps, resumed, .. } => {
                format!("run began: {steps} steps, resumed {resumed}")
            }
            EventKind::StepBegan { step, attempt } => format!("{} began, try {attempt}", step.0),
            EventKind::AttemptFailed {
                step,
                cause,
                wait_ms,
                ..
            } => format!("{} failed a try, waits {wait_ms} ms: {cause}", step.0),
            EventKind::StepEnded {
                step,
                outcome,
                cause,
                ..
            } => {
                let cause = cause
                    .as_ref()
                    .map_or_else(String::new, |c| format!(": {c}"));
                format!("{} {outcome:?}{cause}", step.0).to_lowercase()
            }
            EventKind::Progressed { .. } => return,
            EventKind::Late { job, .. } => format!("late: {job:?}"),
            EventKind::DeviceLost {
                step,
                device,
                cause,
            } => format!("{} lost {device}: {cause}", step.0),
            EventKind::DeviceDropped { device, cause } => format!("gave up {device}: {cause}"),
            EventKind::DeviceBehind { step, device } => format!("{} left {device} behind", step.0),
            EventKind::Healed {
                device, object, by, ..
            } => format!("healed {object} on {device} by {by}"),
            EventKind::Warned { message, .. } => format!("warned: {message}"),
            EventKind::Cancelled { by } => format!("cancelled by {by}"),
            EventKind::RunEnded {
                done,
                failed,
                skipped,
            } => format!("run ended: {done} done, {failed} failed, {skipped} skipped"),
        };
        self.0.borrow_mut().push(line);
    }
}

/// Runs a graph with nothing but a log.
pub(super) fn run(graph: StepGraph, context: Context) -> (RunReport, Vec<String>) {
    let log = Log::default();
    let environment = RunEnvironment {
        observers: vec![Box::new(log.clone())],
        ..RunEnvironment::default()
    };
    let report = planc::run::execute(Arc::new(graph), Arc::new(context), environment);
    let lines = log.0.borrow().clone();
    (report.expect("the run ends"), lines)
}
