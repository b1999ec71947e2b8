//! Owns the state of every step while a graph runs: what waits, runs and has ended.
//! Must not touch threads, clock or IO; the coordinator feeds it.

use std::collections::BTreeMap;

use super::Outcome;
use super::outline::{EdgeKind, Link, Outline, Role};
use super::ready::{Ready, index32};

/// Seconds that a step without an estimate counts for.
const UNKNOWN_SECONDS: f64 = 1.0;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
    Ended(Outcome),
}

/// Lanes a step keeps when it ends well, or gives back for the step that kept them.
#[derive(Debug, Default)]
struct Bracket {
    /// It enters backup mode: a cancelled run must not.
    enters: bool,
    keeps: Vec<u32>,
    returns: Vec<u32>,
}

/// Which steps may run now, and what a step's end allows or forbids.
///
/// Priority is the longest remaining path, ties by index; a lane is never claimed beyond its
/// depth; each step ends in exactly one of done, failed, skipped.
#[derive(Debug)]
pub struct Schedule {
    /// Edges by source: `edges[starts[s]..starts[s + 1]]`.
    starts: Vec<u32>,
    edges: Vec<(u32, EdgeKind)>,
    /// Edges into a step whose source has not ended.
    open_inputs: Vec<u32>,
    state: Vec<State>,
    claims: Vec<Box<[u32]>>,
    brackets: BTreeMap<usize, Bracket>,
    order: Vec<u32>,
    ready: Ready,
    running: usize,
    left: usize,
    skipped_at_start: Vec<usize>,
}

impl Schedule {
    /// Prepares a graph. Steps in `done` (by index) count as ended well before the run.
    ///
    /// # Panics
    /// Never. Edges and lanes that do not exist are ignored and steps on a circle are skipped;
    /// `graph::order::check` refuses such graphs before.
    #[must_use]
    pub fn new<'a>(graph: impl Into<Outline<'a>>, done: &[usize]) -> Self {
        Self::of(&graph.into(), done)
    }

    /// As [`Self::new`], of an outline that is still needed.
    #[must_use]
    pub fn of(graph: &Outline<'_>, done: &[usize]) -> Self {
        let count = graph.steps.len();
        let (starts, edges) = by_source(count, &graph.edges);
        let mut open_inputs = vec![0; count];
        for (to, _) in &edges {
            open_inputs[*to as usize] += 1;
        }
        let order = topological(&starts, &edges, &open_inputs);
        let by_rank = by_urgency(graph, &starts, &edges, &order);
        let (claims, brackets) = claims(graph);
        let depth = graph.lanes.iter().map(|lane| lane.depth.max(1)).collect();
        let ready = Ready::new(depth, claims.iter().map(AsRef::as_ref), by_rank);
        let mut schedule = Self {
            starts,
            edges,
            open_inputs,
            state: vec![State::Waiting; count],
            claims,
            brackets,
            order,
            ready,
            running: 0,
            left: count,
            skipped_at_start: Vec::new(),
        };
        schedule.start(done);
        schedule
    }

    /// The next step that can run now, claiming its lanes; none when all are waiting or ended.
    pub fn take(&mut self) -> Option<usize> {
        let mut taken = self.ready.take();
        if taken.is_none() && self.running == 0 && self.ready.waiting() > 0 {
            // a bracket that nothing closes must not stop the run for ever
            self.ready.give_back_all();
            taken = self.ready.take();
        }
        let step = taken?;
        self.state[step] = State::Running;
        self.running += 1;
        Some(step)
    }

    /// Ends a step that was taken: frees its lanes and returns the steps that are skipped by it,
    /// by index. A step that does not run is left as it is.
    pub fn finish(&mut self, step: usize, outcome: Outcome) -> Vec<usize> {
        if self.state.get(step) != Some(&State::Running) {
            return Vec::new();
        }
        self.running -= 1;
        self.give_lanes_back(step, outcome);
        let mut skipped = Vec::new();
        self.end(step, outcome, &mut skipped);
        skipped.sort_unstable();
        skipped
    }

    /// Skips everything that has not begun and returns it by index, except what an always-edge
    /// still calls for: a step with an always-edge is kept when something before it has begun
    /// and none of its other edges is already lost. Backup mode is never entered any more.
    pub fn cancel(&mut self) -> Vec<usize> {
        let kept = self.called_for();
        self.ready.clear();
        let mut skipped = Vec::new();
        for (step, kept) in kept.into_iter().enumerate() {
            let not_begun = matches!(self.state[step], State::Waiting | State::Ready);
            if not_begun && !kept {
                self.state[step] = State::Ended(Outcome::Skipped);
                self.left -= 1;
                skipped.push(step);
            } else if self.state[step] == State::Ready {
                self.ready.push(step);
            }
        }
        let mut more = Vec::new();
        for step in &skipped {
            self.settle(*step, &mut more);
        }
        skipped.append(&mut more);
        skipped.sort_unstable();
        skipped
    }

    /// True when every step has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// How many steps run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// How a step ended; none while it waits or runs.
    #[must_use]
    pub fn outcome(&self, step: usize) -> Option<Outcome> {
        match self.state.get(step) {
            Some(State::Ended(outcome)) => Some(*outcome),
            _ => None,
        }
    }

    /// Steps that were skipped before the first one began, by index: the failure-edge of a step
    /// that counts as done will never be taken.
    #[must_use]
    pub fn skipped_at_start(&self) -> &[usize] {
        &self.skipped_at_start
    }

    fn start(&mut self, done: &[usize]) {
        for step in done {
            if self.state.get(*step) == Some(&State::Waiting) {
                self.state[*step] = State::Ended(Outcome::Done);
                self.left -= 1;
            }
        }
        let mut skipped = self.skip_circles();
        for step in 0..self.state.len() {
            if self.state[step] == State::Waiting && self.open_inputs[step] == 0 {
                self.state[step] = State::Ready;
                self.ready.push(step);
            }
        }
        for step in done {
            if *step < self.state.len() {
                self.settle(*step, &mut skipped);
            }
        }
        self.hold_open_brackets(done);
        skipped.sort_unstable();
        self.skipped_at_start = skipped;
    }

    fn skip_circles(&mut self) -> Vec<usize> {
        if self.order.len() == self.state.len() {
            return Vec::new();
        }
        let mut on_circle = vec![true; self.state.len()];
        for step in &self.order {
            on_circle[*step as usize] = false;
        }
        let steps = (0..self.state.len()).filter(|step| on_circle[*step]);
        let steps: Vec<usize> = steps
            .filter(|step| self.state[*step] == State::Waiting)
            .collect();
        for step in &steps {
            self.state[*step] = State::Ended(Outcome::Skipped);
            self.left -= 1;
        }
        steps
    }

    /// Backup mode that an earlier process entered and did not leave still counts.
    fn hold_open_brackets(&mut self, done: &[usize]) {
        for step in done {
            let Some(bracket) = self.brackets.get(step) else {
                continue;
            };
            bracket.keeps.iter().for_each(|lane| self.ready.hold(*lane));
            for lane in &bracket.returns {
                self.ready.give_back(*lane);
            }
        }
    }

    fn give_lanes_back(&mut self, step: usize, outcome: Outcome) {
        let bracket = self.brackets.get(&step);
        let keeps = bracket.filter(|_| outcome == Outcome::Done);
        let keeps = keeps.map_or(&[] as &[u32], |bracket| &bracket.keeps);
        for lane in &self.claims[step] {
            if !keeps.contains(lane) {
                self.ready.give_back(*lane);
            }
        }
        for lane in bracket.map_or(&[] as &[u32], |bracket| &bracket.returns) {
            self.ready.give_back(*lane);
        }
    }

    fn end(&mut self, step: usize, outcome: Outcome, skipped: &mut Vec<usize>) {
        self.state[step] = State::Ended(outcome);
        self.left -= 1;
        self.settle(step, skipped);
    }

    /// Follows the edges of a step that has ended.
    fn settle(&mut self, ended: usize, skipped: &mut Vec<usize>) {
        let mut work = vec![ended];
        while let Some(from) = work.pop() {
            let State::Ended(outcome) = self.state[from] else {
                continue;
            };
            for at in self.starts[from]..self.starts[from + 1] {
                let (to, kind) = self.edges[at as usize];
                let to = to as usize;
                if self.state[to] != State::Waiting {
                    continue;
                }
                self.open_inputs[to] -= 1;
                if !lets_go(kind, outcome) {
                    self.state[to] = State::Ended(Outcome::Skipped);
                    self.left -= 1;
                    skipped.push(to);
                    work.push(to);
                } else if self.open_inputs[to] == 0 {
                    self.state[to] = State::Ready;
                    self.ready.push(to);
                }
            }
        }
    }

    /// Which steps that have not begun are still wanted after a cancellation.
    fn called_for(&self) -> Vec<bool> {
        let mut calls = vec![Call::default(); self.state.len()];
        let mut kept = vec![false; self.state.len()];
        for step in &self.order {
            let step = *step as usize;
            let not_begun = matches!(self.state[step], State::Waiting | State::Ready);
            let enters = self
                .brackets
                .get(&step)
                .is_some_and(|bracket| bracket.enters);
            kept[step] = not_begun && !enters && calls[step].is_wanted();
            for at in self.starts[step]..self.starts[step + 1] {
                let (to, kind) = self.edges[at as usize];
                calls[to as usize].see(kind, self.state[step], kept[step]);
            }
        }
        kept
    }
}

/// What the edges into a step say after a cancellation.
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    always: bool,
    lost: bool,
    begun: bool,
}

impl Call {
    fn is_wanted(self) -> bool {
        self.always && self.begun && !self.lost
    }

    fn see(&mut self, kind: EdgeKind, source: State, source_kept: bool) {
        let alive = match source {
            State::Running => true,
            State::Ended(outcome) => lets_go(kind, outcome),
            State::Waiting | State::Ready => source_kept,
        };
        let begun = !matches!(source, State::Ended(Outcome::Skipped));
        self.always |= kind == EdgeKind::Always;
        self.lost |= kind != EdgeKind::Always && !alive;
        self.begun |= begun && (source_kept || !matches!(source, State::Waiting | State::Ready));
    }
}

/// Whether an edge lets its target go after this end of its source.
fn lets_go(kind: EdgeKind, outcome: Outcome) -> bool {
    match kind {
        EdgeKind::Success => outcome == Outcome::Done,
        EdgeKind::Failure => outcome == Outcome::Failed,
        EdgeKind::Always => true,
    }
}

/// Edges grouped by source, in their given order.
fn by_source(count: usize, edges: &[Link]) -> (Vec<u32>, Vec<(u32, EdgeKind)>) {
    let valid = |edge: &&Link| (edge.from as usize) < count && (edge.to as usize) < count;
    let mut starts = vec![0u32; count + 1];
    for edge in edges.iter().filter(valid) {
        starts[edge.from as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let total = starts.last().map_or(0, |total| *total as usize);
    let mut grouped = vec![(0, EdgeKind::Success); total];
    for edge in edges.iter().filter(valid) {
        let at = &mut next[edge.from as usize];
        grouped[*at as usize] = (edge.to, edge.kind);
        *at += 1;
    }
    (starts, grouped)
}

/// Steps so that every edge points forward; steps on or behind a circle are missing.
fn topological(starts: &[u32], edges: &[(u32, EdgeKind)], inputs: &[u32]) -> Vec<u32> {
    let mut open = inputs.to_vec();
    let mut order: Vec<u32> = (0..index32(open.len()))
        .filter(|step| open[*step as usize] == 0)
        .collect();
    let mut next = 0;
    while let Some(step) = order.get(next).map(|step| *step as usize) {
        next += 1;
        for (to, _) in &edges[starts[step] as usize..starts[step + 1] as usize] {
            open[*to as usize] -= 1;
            if open[*to as usize] == 0 {
                order.push(*to);
            }
        }
    }
    order
}

/// All steps, the one with the longest remaining path first, ties by index.
fn by_urgency(
    graph: &Outline<'_>,
    starts: &[u32],
    edges: &[(u32, EdgeKind)],
    order: &[u32],
) -> Vec<u32> {
    let mut rest = vec![0.0f64; graph.steps.len()];
    for step in order.iter().rev().map(|step| *step as usize) {
        let out = &edges[starts[step] as usize..starts[step + 1] as usize];
        let after = out.iter().map(|(to, _)| rest[*to as usize]);
        let own = graph.steps[step].seconds.unwrap_or(UNKNOWN_SECONDS);
        rest[step] = own.max(0.0) + after.fold(0.0, f64::max);
    }
    // what waits in backup mode goes before all else, so that it is left again soon
    let mut inside = vec![false; graph.steps.len()];
    for (step, shape) in graph.steps.iter().enumerate() {
        if shape.role == Role::Enters {
            let out = &edges[starts[step] as usize..starts[step + 1] as usize];
            for (to, _) in out {
                inside[*to as usize] = true;
            }
        }
    }
    let mut steps: Vec<u32> = (0..index32(graph.steps.len())).collect();
    steps.sort_by(|a, b| {
        let (one, other) = (*a as usize, *b as usize);
        inside[other]
            .cmp(&inside[one])
            .then(rest[other].total_cmp(&rest[one]))
            .then(a.cmp(b))
    });
    steps
}

/// What each step claims when it is taken, and which steps keep or return lanes of a bracket.
fn claims(graph: &Outline<'_>) -> (Vec<Box<[u32]>>, BTreeMap<usize, Bracket>) {
    let lanes = &graph.lanes;
    let in_bracket = |lane: &u32| (lanes.get(*lane as usize)).is_some_and(|lane| lane.bracket);
    let mut brackets: BTreeMap<usize, Bracket> = BTreeMap::new();
    let mut claims = Vec::with_capacity(graph.steps.len());
    for (index, step) in graph.steps.iter().enumerate() {
        let held = || step.lanes.iter().copied().filter(in_bracket).collect();
        match step.role {
            Role::Enters => {
                let bracket = brackets.entry(index).or_default();
                (bracket.enters, bracket.keeps) = (true, held());
            }
            Role::Leaves => {
                brackets.entry(index).or_default().returns = held();
                let rest = step.lanes.iter().copied().filter(|lane| !in_bracket(lane));
                claims.push(rest.collect());
                continue;
            }
            Role::Plain => {}
        }
        claims.push(step.lanes.into());
    }
    (claims, brackets)
}
