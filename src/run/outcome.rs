//! Owns what a run did, as data: gathered from the facts while it runs, rendered by `report`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::event::EventKind;
use super::message::{Record, StepDone, StepFailure};
use super::paces;
use super::timing::{self, Timed};
use crate::facts::holdings::{JobHistory, Method, fetching};
use crate::graph::step::{StepGraph, StepId, StepKind};
use crate::schedule::Outcome;

/// What a run did.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Steps by how they ended, by index; `done` counts those done by an earlier process too.
    pub steps: Vec<StepReport>,
    /// True when it was stopped on request.
    pub cancelled: bool,
    /// Copies that were asked for and do not exist, with the cause.
    pub missing: Vec<Missing>,
    /// Damaged copies that another device replaced.
    pub healed: Vec<Healed>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Services whose log chain was found broken and which still need a fresh full, with the cause.
    pub broken_chains: Vec<(String, String)>,
    /// Services whose log chain was found broken and which this run copied afresh, with the cause.
    pub mended_chains: Vec<(String, String)>,
    /// What `finish within` bounds, with what it took.
    pub timed: Vec<Timed>,
    /// Objects stored by this run, with the devices that took them.
    pub stored: BTreeMap<String, BTreeSet<String>>,
    /// Copies (object, device) that this run condemned or deleted.
    pub gone: Vec<(String, String)>,
    /// Contacts to be told.
    pub contacts: Vec<String>,
    /// Jobs of which every step was done, and how fast log and tables came, for the catalog.
    pub jobs: Vec<JobHistory>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a run ended as a whole, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything asked for is done; a copy that is missing is not due yet.
    Good,
    /// A step failed, a copy that is due does not exist, or it took too long.
    Bad,
    /// Stopped on request before its end; it can be resumed.
    Stopped,
}

/// How one step ended.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// How; none only while the run goes on.
    pub outcome: Option<Outcome>,
    /// True when an earlier process did it.
    pub earlier: bool,
    /// True when it was left to a later run, because its device is gone.
    pub left: bool,
    /// Bytes moved.
    pub bytes: u64,
    /// How long it took, all tries.
    pub elapsed: Duration,
    /// When it ended, from the beginning of the run.
    pub ended: Duration,
    /// What it says of itself.
    pub result: Option<String>,
    /// How much of the time of its last try grew with the bytes; none when it cannot tell.
    pub paced: Option<Duration>,
    /// Why it failed.
    pub failure: Option<StepFailure>,
}

/// A copy that does not exist although it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// What: the subject of the step.
    pub subject: String,
    /// The part or range of log; empty for a shipment of several.
    pub object: String,
    /// The job that wants it.
    pub job: String,
    /// Where.
    pub device: String,
    /// Why.
    pub cause: String,
    /// True when the device is only slow: it is caught up with at once.
    pub slow: bool,
    /// Devices that hold it.
    pub held: Vec<String>,
    /// What has become of the promise of the copy.
    pub standing: Standing,
}

/// How it stands with the promise of a copy that does not exist yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is broken: the copy should exist by now, or nothing is known of it.
    #[default]
    Broken,
    /// It holds until then.
    Until(Timestamp),
    /// It holds, and no time is set for it.
    Untimed,
}

/// A damaged copy that was replaced on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Device with the damaged copy.
    pub device: String,
    /// The object.
    pub object: String,
    /// Device that gave the good bytes.
    pub by: String,
}

impl RunReport {
    /// Steps done, failed and skipped; those that are left to a later run do not count.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        counts(&self.steps)
    }

    /// How the run ended as a whole.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (_, failed, skipped) = self.counts();
        let in_time = !self.timed.iter().any(Timed::is_late);
        let mut missing = self.missing.iter();
        let kept = missing.all(|missing| missing.standing != Standing::Broken);
        let clean = failed == 0 && kept && in_time;
        match (self.cancelled, clean) {
            (true, _) if failed + skipped > 0 => Verdict::Stopped,
            (_, true) => Verdict::Good,
            (_, false) => Verdict::Bad,
        }
    }
}

fn counts(steps: &[StepReport]) -> (usize, usize, usize) {
    let count = |wanted| {
        let asked = steps.iter().filter(|step| !step.left);
        asked.filter(|step| step.outcome == Some(wanted)).count()
    };
    (
        count(Outcome::Done),
        count(Outcome::Failed),
        count(Outcome::Skipped),
    )
}

/// Gathers the report while the run goes on.
pub(super) struct Collector {
    report: RunReport,
    began: Instant,
    subjects: BTreeMap<StepId, usize>,
    names: Vec<String>,
    // part or log, and job, of the steps that store something
    stores: Vec<(String, String)>,
    broken: Vec<BrokenChain>,
}

/// A log chain that was found broken.
struct BrokenChain {
    service: String,
    detail: String,
    /// Components that had not been begun then: a copy of one begins the new chain.
    ahead: BTreeSet<String>,
}

impl Collector {
    pub(super) fn new(graph: &StepGraph, done: &[usize]) -> Self {
        let blank = StepReport {
            outcome: None,
            earlier: false,
            left: false,
            bytes: 0,
            elapsed: Duration::ZERO,
            ended: Duration::ZERO,
            result: None,
            paced: None,
            failure: None,
        };
        let mut steps = vec![blank; graph.steps.len()];
        for index in done {
            steps[*index].outcome = Some(Outcome::Done);
            steps[*index].earlier = true;
        }
        Self {
            report: RunReport {
                steps,
                cancelled: false,
                missing: Vec::new(),
                healed: Vec::new(),
                warnings: Vec::new(),
                broken_chains: Vec::new(),
                mended_chains: Vec::new(),
                timed: Vec::new(),
                stored: BTreeMap::new(),
                gone: Vec::new(),
                contacts: Vec::new(),
                jobs: Vec::new(),
                elapsed: Duration::ZERO,
            },
            began: Instant::now(),
            subjects: BTreeMap::new(),
            names: Vec::new(),
            stores: Vec::new(),
            broken: Vec::new(),
        }
        .named(graph)
    }

    fn named(mut self, graph: &StepGraph) -> Self {
        let ids = graph.steps.iter().enumerate();
        self.subjects = ids.map(|(index, step)| (step.id, index)).collect();
        let names = graph.steps.iter().map(|step| step.subject.clone());
        self.names = names.collect();
        self.stores = stores(graph);
        self
    }

    /// What a step stores, when a device does not get it.
    fn wanted(&self, step: StepId) -> Missing {
        let index = self.subjects.get(&step);
        let stored = index.and_then(|index| self.stores.get(*index));
        let (object, job) = stored.cloned().unwrap_or_default();
        Missing {
            subject: self.subject(step),
            object,
            job,
            ..Missing::default()
        }
    }

    fn subject(&self, step: StepId) -> String {
        let index = self.subjects.get(&step);
        let name = index.and_then(|index| self.names.get(*index));
        name.cloned().unwrap_or_default()
    }

    pub(super) fn fact(&mut self, kind: &EventKind) {
        match kind {
            EventKind::DeviceLost {
                step,
                device,
                cause,
            } => {
                let missing = Missing {
                    device: device.clone(),
                    cause: cause.clone(),
                    ..self.wanted(*step)
                };
                self.missing(missing);
            }
            EventKind::DeviceBehind { step, device } => {
                let missing = Missing {
                    device: device.clone(),
                    cause: "it was too slow; it is finished from a stored copy".to_owned(),
                    slow: true,
                    ..self.wanted(*step)
                };
                self.missing(missing);
            }
            EventKind::Healed {
                device, object, by, ..
            } => self.report.healed.push(Healed {
                device: device.clone(),
                object: object.clone(),
                by: by.clone(),
            }),
            EventKind::Warned { step, message } => {
                let subject = self.subject(*step);
                self.report.warnings.push(format!("{subject}: {message}"));
            }
            _ => {}
        }
    }

    /// Keeps a missing copy once, however often its step was tried; the last cause counts.
    fn missing(&mut self, missing: Missing) {
        let all = &mut self.report.missing;
        all.retain(|known| (&known.subject, &known.device) != (&missing.subject, &missing.device));
        all.push(missing);
    }

    pub(super) fn record(&mut self, record: &Record) {
        let (object, device) = match record {
            Record::Part(part, device) => (&part.header.part, device),
            Record::Log(log, device) => (&log.log, device),
            Record::Verified { .. } | Record::Tried { .. } | Record::Reprieved { .. } => return,
            // whoever looks for a copy that went must find who sent it: the tombstone is enough
            Record::Condemned { object, device, .. } | Record::Gone { object, device } => {
                self.report.gone.push((object.clone(), device.clone()));
                return;
            }
        };
        let holders = self.report.stored.entry(object.clone()).or_default();
        holders.insert(device.clone());
    }

    pub(super) fn warn(&mut self, text: String) {
        self.report.warnings.push(text);
    }

    pub(super) fn notify(&mut self, contact: &str) {
        self.report.contacts.push(contact.to_owned());
    }

    /// A chain was found broken; `ahead` are the components that are still to be copied.
    pub(super) fn chain_broken(
        &mut self,
        service: String,
        detail: String,
        ahead: BTreeSet<String>,
    ) {
        self.broken.push(BrokenChain {
            service,
            detail,
            ahead,
        });
    }

    pub(super) fn has_ended(&self, step: usize) -> bool {
        self.report.steps[step].outcome.is_some()
    }

    /// The steps that are done, also by an earlier process, by index.
    pub(super) fn done(&self) -> Vec<usize> {
        let steps = self.report.steps.iter().enumerate();
        let done = steps.filter(|(_, step)| step.outcome == Some(Outcome::Done));
        done.map(|(index, _)| index).collect()
    }

    /// A step was skipped; `left` when a later run makes up for what it waited for.
    pub(super) fn skipped(&mut self, step: usize, left: bool) {
        self.report.steps[step].left = left;
        self.report.steps[step].outcome = Some(Outcome::Skipped);
    }

    pub(super) fn ended(
        &mut self,
        step: usize,
        result: Result<StepDone, StepFailure>,
        elapsed: Duration,
    ) {
        let ended = self.began.elapsed();
        let report = &mut self.report.steps[step];
        report.elapsed = elapsed;
        report.ended = ended;
        match result {
            Ok(done) => {
                report.outcome = Some(Outcome::Done);
                report.bytes = done.bytes;
                report.result = done.result;
                report.paced = done.paced;
            }
            Err(failure) if failure.left => {
                report.outcome = Some(Outcome::Skipped);
                report.left = true;
            }
            Err(failure) => {
                report.outcome = Some(Outcome::Failed);
                report.failure = Some(failure);
            }
        }
    }

    pub(super) fn counts(&self) -> (usize, usize, usize) {
        counts(&self.report.steps)
    }

    /// Compares what took how long with what the plan promises; `before` is the time that earlier
    /// processes of the run took.
    pub(super) fn time(&mut self, graph: &StepGraph, before: Duration) -> &[Timed] {
        self.report.elapsed = self.began.elapsed();
        self.report.timed = timing::times(graph, &self.report, before);
        &self.report.timed
    }

    pub(super) fn finish(mut self, graph: &StepGraph, cancelled: bool) -> RunReport {
        self.report.cancelled = cancelled;
        self.report.elapsed = self.began.elapsed();
        self.report.jobs = histories(graph, &self.report);
        self.report
            .jobs
            .extend(paces::of(graph, &self.report.steps));
        for chain in std::mem::take(&mut self.broken) {
            let list = if is_copied(graph, &self.report, &chain.ahead) {
                &mut self.report.mended_chains
            } else {
                &mut self.report.broken_chains
            };
            list.push((chain.service, chain.detail));
        }
        self.report
    }
}

/// True when one of the components was copied as a whole.
fn is_copied(graph: &StepGraph, report: &RunReport, components: &BTreeSet<String>) -> bool {
    let methods = methods(graph);
    let mut steps = graph.steps.iter().zip(&report.steps);
    steps.any(|(step, ended)| match &step.kind {
        StepKind::CommitPart {
            component, part, ..
        } => {
            let full = methods.get(part.as_str()) == Some(&Method::PhysicalFull);
            let done = ended.outcome == Some(Outcome::Done) && !ended.earlier;
            full && done && components.contains(component)
        }
        _ => false,
    })
}

/// The jobs of a graph of which every step was done, each with what it moved and how long that
/// took; what was read back counts as a job of its own. Work of an earlier process counts as done,
/// but says nothing of speed; nor does a restore that writes only what differs.
fn histories(graph: &StepGraph, report: &RunReport) -> Vec<JobHistory> {
    let over_old = paces::writes_over_old(graph);
    let methods = methods(graph);
    let copied = copied(graph, report);
    let mut jobs: BTreeMap<(String, Option<Method>), Option<JobHistory>> = BTreeMap::new();
    for (step, ended) in graph.steps.iter().zip(&report.steps) {
        let Some((job, method)) = job_of(&step.kind, &methods, over_old) else {
            continue;
        };
        let history = jobs.entry((job.clone(), method)).or_insert_with(|| {
            Some(JobHistory {
                job,
                method,
                began: graph.now,
                seconds: 0.0,
                bytes: 0,
            })
        });
        match history {
            Some(history) if ended.outcome == Some(Outcome::Done) => {
                // a commit knows what was stored, the copy what was read
                let moved = match &step.kind {
                    StepKind::CommitPart { part, .. } => copied.get(part.as_str()).copied(),
                    _ => Some((ended.elapsed, ended.bytes)),
                };
                if let Some((took, bytes)) = moved.filter(|_| !ended.earlier) {
                    history.seconds += took.as_secs_f64();
                    history.bytes += bytes;
                }
            }
            _ => *history = None,
        }
    }
    jobs.into_values().flatten().collect()
}

/// What each step stores, and the job that wants it; empty for the others.
fn stores(graph: &StepGraph) -> Vec<(String, String)> {
    let commits = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::CommitPart { part, job, .. } => Some((part.as_str(), job.as_str())),
        _ => None,
    });
    let jobs: BTreeMap<&str, &str> = commits.collect();
    let stores = graph.steps.iter().map(|step| match &step.kind {
        StepKind::CopyPart { part, .. } | StepKind::CommitPart { part, .. } => (
            part.as_str(),
            jobs.get(part.as_str()).copied().unwrap_or_default(),
        ),
        StepKind::CopyStored { object, job, .. } => (object.as_str(), job.as_str()),
        StepKind::ArchiveLog { job, .. } => ("", job.as_str()),
        _ => ("", ""),
    });
    let stores = stores.map(|(object, job)| (object.to_owned(), job.to_owned()));
    stores.collect()
}

/// How long each part was copied and how much of it was read, where this process did it.
fn copied<'g>(graph: &'g StepGraph, report: &RunReport) -> BTreeMap<&'g str, (Duration, u64)> {
    let steps = graph.steps.iter().zip(&report.steps);
    let copies = steps.filter_map(|(step, ended)| match &step.kind {
        StepKind::CopyPart { part, .. } if !ended.earlier => {
            Some((part.as_str(), (ended.elapsed, ended.bytes)))
        }
        _ => None,
    });
    copies.collect()
}

/// Method and part of the copying steps.
fn methods(graph: &StepGraph) -> BTreeMap<&str, Method> {
    let copies = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::CopyPart { part, method, .. } => Some((part.as_str(), *method)),
        _ => None,
    });
    copies.collect()
}

/// The job whose success depends on a step.
fn job_of(
    kind: &StepKind,
    methods: &BTreeMap<&str, Method>,
    over_old: bool,
) -> Option<(String, Option<Method>)> {
    match kind {
        StepKind::CommitPart { job, part, .. } => {
            Some((job.clone(), methods.get(part.as_str()).copied()))
        }
        StepKind::ArchiveLog { job, .. } => Some((job.clone(), None)),
        StepKind::FetchPart { service, from, .. } if !over_old => {
            Some((fetching(service, from), None))
        }
        _ => None,
    }
}
