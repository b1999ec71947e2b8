//! Owns the backups of a play: every run is compiled for the copies that exist then, and played
//! by the executor's own schedule. Must not know losses.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::chance::Chance;
use super::truth::{Day, Truth};
use crate::check::CheckedPlan;
use crate::estimate;
use crate::estimate::makespan::bounds;
use crate::facts::holdings::{Holdings, JobHistory, Method, PartHolding};
use crate::graph::step::{Intent, StepGraph, StepKind};
use crate::graph::{self, GraphError};
use crate::resolve::plan::{ComponentId, DeviceId};
use crate::schedule::Outline;

/// Copies of a component that stay in view of the planner; older ones change nothing.
const IN_VIEW: usize = 12;
const DAY: f64 = 86_400.0;

/// One copy of a component. Times are seconds after the beginning of the play.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) method: Method,
    /// The moment it shows: when reading began.
    pub(super) shows: f64,
    /// When reading ended: log up to here makes it consistent.
    pub(super) ended: f64,
    /// When it was whole on each device.
    pub(super) at: Vec<(DeviceId, f64)>,
    /// The copy it builds on, by index.
    pub(super) base: Option<usize>,
    pub(super) bytes: Option<f64>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Seconds after the beginning of the play.
    pub begin: f64,
    /// Seconds it took.
    pub seconds: f64,
    /// No order of its steps is shorter (Q4).
    pub bound: f64,
    /// Its steps.
    pub steps: usize,
}

/// All runs of a play with what they made.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) parts: Vec<Part>,
    pub(super) by_component: BTreeMap<ComponentId, Vec<usize>>,
    pub(super) done: Vec<Run>,
    /// Steps whose length is not known and that therefore took no time.
    pub(super) unknown: usize,
    writes: BTreeMap<DeviceId, Writes>,
}

/// When a device was written.
#[derive(Debug, Default)]
struct Writes {
    /// Begin and end of each copy, by its begin once all are there.
    spans: Vec<(f64, f64)>,
    /// Seconds of the longest.
    longest: f64,
}

impl Runs {
    /// How many copies were written to a device at some time between two moments.
    pub(super) fn writers(&self, device: DeviceId, (from, to): (f64, f64)) -> u32 {
        let Some(writes) = self.writes.get(&device) else {
            return 0;
        };
        let begun = writes.spans.partition_point(|span| span.0 < to);
        let near = writes.spans[..begun].iter().rev();
        let near = near.take_while(|span| span.0 >= from - writes.longest);
        let count = near.filter(|span| span.1 > from).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn writes(&mut self, device: Option<DeviceId>, span: (f64, f64)) {
        if let Some(device) = device {
            let writes = self.writes.entry(device).or_default();
            writes.spans.push(span);
            writes.longest = writes.longest.max(span.1 - span.0);
        }
    }
}

/// What a play stands on.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a CheckedPlan,
    pub(super) truth: &'a Truth<'a>,
    pub(super) begin: Timestamp,
    pub(super) seed: u64,
    /// Whether devices are slow or away at times.
    pub(super) mishaps: bool,
}

impl Stage<'_> {
    pub(super) fn instant(&self, at: f64) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "a year fits")]
        let span = SignedDuration::from_millis((at * 1000.0).ceil() as i64);
        self.begin.checked_add(span).unwrap_or(self.begin)
    }

    fn seconds_of(&self, at: Timestamp) -> f64 {
        at.duration_since(self.begin).as_secs_f64()
    }

    /// Plays all runs that begin within so many seconds.
    ///
    /// # Errors
    /// When a run does not compile.
    pub(super) fn runs(&self, until: f64) -> Result<Runs, GraphError> {
        let mut played = Runs::default();
        let mut holdings = Holdings::default();
        let mut now = 0.0_f64;
        while let Some(next) = self.next(&holdings, now)?.filter(|next| *next <= until) {
            now = next.max(now);
            let at = self.instant(now);
            let graph = graph::build(self.plan, &holdings, self.plan.known(), &Intent::Due, at)?;
            let made = played.parts.len();
            let end = self.run(&graph, &mut holdings, &mut played, now);
            // a moment later at least: nothing is due twice at the same time
            let idle = played.parts.len() == made;
            now = end.max(now) + if idle { 3600.0 } else { 1.0 };
        }
        for writes in played.writes.values_mut() {
            writes.spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(played)
    }

    /// When the next backup is due; log is played apart.
    fn next(&self, holdings: &Holdings, now: f64) -> Result<Option<f64>, GraphError> {
        let due = graph::next_due(self.plan, holdings, self.instant(now))?;
        let backups = due.into_iter().take(self.plan.plan().backups.len());
        let next = backups.filter_map(|(_, at)| at).min();
        Ok(next.map(|at| self.seconds_of(at)))
    }

    /// Plays one graph; gives its end.
    fn run(
        &self,
        graph: &StepGraph,
        holdings: &mut Holdings,
        played: &mut Runs,
        begin: f64,
    ) -> f64 {
        let mut chance = Chance::of(self.seed, &[1, played.done.len() as u64]);
        let slow = self.slow(graph, &mut chance);
        let mut outline = Outline::from(graph);
        for (at, step) in graph.steps.iter().enumerate() {
            let day = self.day(days(graph, at, holdings), begin);
            let known = self.truth.seconds(step, holdings, day);
            played.unknown += usize::from(known.is_none());
            let lanes = step
                .lanes
                .iter()
                .filter_map(|lane| slow.get(*lane as usize));
            let factor = lanes.copied().fold(1.0, f64::max);
            outline.steps[at].seconds = Some(known.unwrap_or(0.0) * factor);
        }
        let run = estimate::play(&outline, 0.0);
        played.done.push(Run {
            begin,
            seconds: run.makespan,
            bound: bounds(&outline, 0.0).least(),
            steps: graph.steps.len(),
        });
        let bars = run.bars.into_iter();
        let bars: Vec<(f64, f64)> = bars
            .map(|bar| bar.map_or((begin, begin), |bar| (begin + bar.start, begin + bar.end)))
            .collect();
        self.record(graph, &bars, holdings, played);
        begin + run.makespan
    }

    /// What is copied at a moment; in calm weather nothing grows, so that proofs can be compared.
    fn day(&self, since_base: f64, at: f64) -> Day {
        let grown = if self.mishaps { at / DAY } else { 0.0 };
        Day { since_base, grown }
    }

    /// By how much each lane is slower than known in this run.
    fn slow(&self, graph: &StepGraph, chance: &mut Chance) -> Vec<f64> {
        let lanes = graph.lanes.iter();
        lanes
            .map(|_| {
                if self.mishaps && chance.happens(0.05) {
                    chance.between(1.0, 3.0)
                } else {
                    1.0
                }
            })
            .collect()
    }

    fn record(
        &self,
        graph: &StepGraph,
        bars: &[(f64, f64)],
        holdings: &mut Holdings,
        played: &mut Runs,
    ) {
        let began = graph.now;
        let mut read: BTreeMap<&str, (f64, f64, Method)> = BTreeMap::new();
        for (step, bar) in graph.steps.iter().zip(bars) {
            match &step.kind {
                StepKind::CopyPart {
                    part,
                    method,
                    devices,
                    ..
                } => {
                    read.insert(part, (bar.0, bar.1, *method));
                    for device in devices {
                        played.writes(self.truth.device(device), *bar);
                    }
                }
                StepKind::CopyStored { to, .. } => played.writes(self.truth.device(to), *bar),
                _ => {}
            }
        }
        for (step, (_, end)) in graph.steps.iter().zip(bars) {
            match &step.kind {
                StepKind::CommitPart {
                    component,
                    part,
                    job,
                    devices,
                } => {
                    let Some((shows, ended, method)) = read.get(part.as_str()) else {
                        continue;
                    };
                    let copy = Copy {
                        part,
                        component,
                        job,
                        devices,
                        method: *method,
                        read: (*shows, *ended),
                    };
                    self.keep(&copy, *end, began, holdings, played);
                }
                StepKind::CopyStored { object, to, .. } => {
                    let part = holdings.parts.iter_mut().find(|part| part.part == *object);
                    if let Some(part) = part {
                        part.devices.push(to.clone());
                    }
                }
                StepKind::VerifyStored { object, device, .. } => {
                    let at = self.instant(*end);
                    holdings.verified.push((object.clone(), device.clone(), at));
                }
                _ => {}
            }
        }
    }

    fn keep(
        &self,
        copy: &Copy<'_>,
        end: f64,
        began: Timestamp,
        holdings: &mut Holdings,
        played: &mut Runs,
    ) {
        let Some(component) = self.truth.component(copy.component) else {
            return;
        };
        let ids = copy
            .devices
            .iter()
            .filter_map(|name| self.truth.device(name));
        let own = played.by_component.entry(component).or_default();
        let before = own.iter().rev().copied();
        let builds_on = |at: &usize| match copy.method {
            Method::PhysicalIncremental => played.parts[*at].method != Method::Logical,
            Method::PhysicalDifferential => played.parts[*at].method == Method::PhysicalFull,
            Method::PhysicalFull | Method::Logical => false,
        };
        let base = before.into_iter().find(builds_on);
        let days = base.map_or(1.0, |at| (copy.read.0 - played.parts[at].shows) / DAY);
        let day = self.day(days, copy.read.0);
        let bytes = self.truth.volume(component, copy.method, day);
        own.push(played.parts.len());
        played.parts.push(Part {
            method: copy.method,
            shows: copy.read.0,
            ended: copy.read.1,
            at: ids.map(|id| (id, end)).collect(),
            base,
            bytes,
        });
        holdings
            .parts
            .push(holding(copy, self.instant(copy.read.0), bytes));
        forget(holdings, copy.component);
        let (job, method) = (copy.job.to_owned(), Some(copy.method));
        holdings
            .jobs
            .retain(|old| old.job != job || old.method != method);
        holdings.jobs.push(JobHistory {
            job,
            method,
            began,
            seconds: end - copy.read.0,
            bytes: 0,
        });
    }
}

/// A committed copy in the words of the graph.
struct Copy<'s> {
    part: &'s str,
    component: &'s str,
    job: &'s str,
    devices: &'s [String],
    method: Method,
    read: (f64, f64),
}

fn holding(copy: &Copy<'_>, taken_at: Timestamp, bytes: Option<f64>) -> PartHolding {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; saturates"
    )]
    let bytes = bytes.unwrap_or_default() as u64;
    PartHolding {
        part: copy.part.to_owned(),
        component: copy.component.to_owned(),
        job: copy.job.to_owned(),
        run: String::new(),
        method: copy.method,
        identity: "play".to_owned(),
        taken_at,
        from: None,
        until: None,
        base: None,
        bytes,
        stored_bytes: bytes,
        devices: copy.devices.to_vec(),
    }
}

/// Takes the oldest copy of a component out of view when there are many; the newest full stays.
fn forget(holdings: &mut Holdings, component: &str) {
    let own = holdings
        .parts
        .iter()
        .filter(|part| part.component == component);
    if own.count() > IN_VIEW {
        let full = |part: &PartHolding| {
            matches!(part.method, Method::PhysicalFull | Method::Logical)
                && part.component == component
        };
        let newest = holdings.parts.iter().rposition(full);
        let parts = holdings.parts.iter().enumerate();
        let oldest = parts
            .filter(|(at, part)| part.component == component && Some(*at) != newest)
            .map(|(at, _)| at)
            .next();
        if let Some(at) = oldest {
            let gone = holdings.parts.remove(at).part;
            holdings.verified.retain(|(part, ..)| *part != gone);
        }
    }
}

/// Days since the copy that an incremental step builds on.
fn days(graph: &StepGraph, step: usize, holdings: &Holdings) -> f64 {
    let StepKind::CopyPart { component, .. } = &graph.steps[step].kind else {
        return 1.0;
    };
    let newest = holdings
        .parts
        .iter()
        .rev()
        .find(|part| part.component == *component);
    newest.map_or(1.0, |part| {
        graph.now.duration_since(part.taken_at).as_secs_f64() / DAY
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_are_written_meanwhile_are_counted() {
        let (near, far) = (DeviceId::from_index(0), DeviceId::from_index(1));
        let mut runs = Runs::default();
        for span in [(0.0, 100.0), (10.0, 20.0), (90.0, 95.0)] {
            runs.writes(Some(near), span);
        }
        assert_eq!(runs.writers(near, (15.0, 16.0)), 2);
        // one that began long before still counts, one that ended or begins later does not
        assert_eq!(runs.writers(near, (50.0, 60.0)), 1);
        assert_eq!(runs.writers(near, (94.0, 99.0)), 2);
        assert_eq!(runs.writers(near, (100.0, 101.0)), 0);
        assert_eq!(runs.writers(far, (15.0, 16.0)), 0);
    }
}
