//! Owns a graph while it is being compiled: gives out lanes, ids and indices.
//! Must not know what the steps mean.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::error::GraphError;
use super::ids::StepIds;
use super::order;
use super::step::{
    Edge, EdgeKind, Estimate, FORMAT, Lane, Limit, OnFailure, Step, StepGraph, StepKind,
};
use super::taking;
use super::world::World;
use crate::quantity::Duration;

/// How often a step that meets a passing error is tried again.
pub const RETRIES: u32 = 3;

/// Steps, edges and lanes so far.
#[derive(Debug)]
pub(super) struct Draft {
    ids: StepIds,
    lanes: Vec<Lane>,
    lane_of: BTreeMap<String, u32>,
    steps: Vec<Step>,
    edges: Vec<Edge>,
    limits: Vec<Limit>,
}

/// A step without the parts that the draft gives it.
#[derive(Debug)]
pub(super) struct NewStep {
    pub(super) kind: StepKind,
    pub(super) subject: String,
    pub(super) lanes: Vec<u32>,
    pub(super) estimate: Estimate,
    pub(super) why: String,
}

impl Draft {
    pub(super) fn new(world: &World<'_>) -> Self {
        Self {
            ids: StepIds::new(&world.plan.hash, &world.run),
            lanes: Vec::new(),
            lane_of: BTreeMap::new(),
            steps: Vec::new(),
            edges: Vec::new(),
            limits: Vec::new(),
        }
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Bounds the time of a job, or of the whole graph.
    pub(super) fn limit(&mut self, job: Option<String>, within: Duration) {
        self.limits.push(Limit {
            job,
            within_ms: within.0,
        });
    }

    /// The index of a lane; it comes to be at first use.
    pub(super) fn lane(&mut self, name: String, depth: u32) -> u32 {
        if let Some(lane) = self.lane_of.get(&name) {
            return *lane;
        }
        let index = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        self.lane_of.insert(name.clone(), index);
        self.lanes.push(Lane {
            name,
            depth: depth.max(1),
        });
        index
    }

    /// Adds a step and returns its index.
    pub(super) fn add(&mut self, new: NewStep) -> u32 {
        let mut lanes = new.lanes;
        lanes.sort_unstable();
        lanes.dedup();
        self.steps.push(Step {
            id: self.ids.give(&new.kind, &new.subject),
            on_failure: on_failure(&new.kind),
            kind: new.kind,
            subject: new.subject,
            lanes,
            estimate: new.estimate,
            why: new.why,
        });
        u32::try_from(self.steps.len() - 1).unwrap_or(u32::MAX)
    }

    /// Indices of the steps so far of these kinds.
    pub(super) fn steps_that(&self, wanted: impl Fn(&StepKind) -> bool) -> Vec<u32> {
        let steps = (0u32..).zip(&self.steps);
        let found = steps.filter(|(_, step)| wanted(&step.kind));
        found.map(|(index, _)| index).collect()
    }

    /// Indices of the steps so far that no other waits for.
    pub(super) fn ends(&self) -> Vec<u32> {
        let waited: BTreeSet<u32> = self.edges.iter().map(|edge| edge.from).collect();
        let steps = (0u32..).zip(&self.steps).map(|(index, _)| index);
        steps.filter(|index| !waited.contains(index)).collect()
    }

    /// Adds an edge; the reason says why `to` waits for `from`.
    pub(super) fn edge(&mut self, from: u32, to: u32, kind: EdgeKind, why: &'static str) {
        self.edges.push(Edge {
            from,
            to,
            kind,
            why: why.into(),
        });
    }

    /// The whole graph: steps in an order in which they could run, edges sorted.
    pub(super) fn finish(self, world: &World<'_>) -> Result<StepGraph, GraphError> {
        let plan = world.plan;
        let mut graph = StepGraph {
            format: FORMAT.into(),
            plan: plan.name.clone(),
            environment: plan.environment.clone(),
            plan_hash: plan.hash.clone(),
            run: world.run.clone(),
            intent: world.intent.clone(),
            now: world.now,
            lanes: self.lanes,
            steps: self.steps,
            edges: self.edges,
            limits: self.limits,
        };
        taking::mark(world, &mut graph.steps);
        order::check(&graph)?;
        if graph.edges.iter().any(|edge| edge.from >= edge.to) {
            put_in_order(&mut graph);
        }
        graph
            .edges
            .sort_by_key(|edge| (edge.to, edge.from, edge.kind));
        graph.edges.dedup();
        Ok(graph)
    }
}

fn on_failure(kind: &StepKind) -> OnFailure {
    match kind {
        StepKind::FetchPart { .. } | StepKind::ReplayLog { .. } => OnFailure::Alternate,
        StepKind::BeginBackup { .. }
        | StepKind::CopyPart { .. }
        | StepKind::CommitPart { .. }
        | StepKind::ArchiveLog { .. }
        | StepKind::MergeStored { .. }
        | StepKind::CopyStored { .. }
        | StepKind::VerifyStored { .. }
        | StepKind::Condemn { .. }
        | StepKind::DeleteStored { .. }
        | StepKind::Reprieve { .. } => OnFailure::Retry(RETRIES),
        _ => OnFailure::Abort,
    }
}

/// Renumbers steps so that edges point forward; otherwise they keep the order they came in.
fn put_in_order(graph: &mut StepGraph) {
    let count = graph.steps.len();
    let mut open = vec![0u32; count];
    let mut targets: Vec<Vec<u32>> = vec![Vec::new(); count];
    for edge in &graph.edges {
        open[edge.to as usize] += 1;
        targets[edge.from as usize].push(edge.to);
    }
    let free = (0u32..).zip(&open).filter(|(_, open)| **open == 0);
    let mut ready: BinaryHeap<Reverse<u32>> = free.map(|(step, _)| Reverse(step)).collect();
    let mut place = vec![0u32; count];
    let mut next = 0;
    while let Some(Reverse(step)) = ready.pop() {
        place[step as usize] = next;
        next += 1;
        for to in &targets[step as usize] {
            open[*to as usize] -= 1;
            if open[*to as usize] == 0 {
                ready.push(Reverse(*to));
            }
        }
    }
    let mut steps: Vec<(u32, Step)> = place.iter().copied().zip(graph.steps.drain(..)).collect();
    steps.sort_by_key(|(place, _)| *place);
    graph.steps = steps.into_iter().map(|(_, step)| step).collect();
    for edge in &mut graph.edges {
        (edge.from, edge.to) = (place[edge.from as usize], place[edge.to as usize]);
    }
}
