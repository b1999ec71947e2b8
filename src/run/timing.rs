//! Owns how long jobs and recoveries took, compared with what `finish within` promises.

use std::collections::BTreeSet;
use std::time::Duration;

use super::outcome::RunReport;
use crate::graph::step::{StepGraph, StepKind};

/// Something whose time is bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The job; none for the whole run.
    pub job: Option<String>,
    /// How long it took, earlier processes of a resumed run included.
    pub took: Duration,
    /// How long it may take.
    pub within: Duration,
}

impl Timed {
    /// True when it took longer than it may.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.took > self.within
    }
}

/// What the limits of a graph bound, with what it took so far.
pub(super) fn times(graph: &StepGraph, report: &RunReport, before: Duration) -> Vec<Timed> {
    let timed = graph.limits.iter().filter_map(|limit| {
        let took = match &limit.job {
            None => report.elapsed + before,
            Some(job) => job_time(graph, report, job, before)?,
        };
        Some(Timed {
            job: limit.job.clone(),
            took,
            within: Duration::from_millis(limit.within_ms),
        })
    });
    timed.collect()
}

/// From the beginning of a job's first step to the end of its last; none when none was done.
fn job_time(
    graph: &StepGraph,
    report: &RunReport,
    job: &str,
    before: Duration,
) -> Option<Duration> {
    let own = steps_of(graph, job);
    let own = || own.iter().map(|step| &report.steps[*step]);
    let ended = || own().filter(|step| step.outcome.is_some() && !step.ended.is_zero());
    let last = ended().map(|step| step.ended).max()?;
    let first = ended()
        .map(|step| step.ended.saturating_sub(step.elapsed))
        .min()?;
    if own().any(|step| step.earlier) {
        return Some(last + before);
    }
    Some(last.saturating_sub(first))
}

/// The steps of a job, by index: what it copies, commits, ships.
fn steps_of(graph: &StepGraph, wanted: &str) -> Vec<usize> {
    let mut parts: BTreeSet<(&str, &str)> = BTreeSet::new();
    for step in &graph.steps {
        if let StepKind::CommitPart {
            part,
            component,
            job,
            ..
        } = &step.kind
            && job == wanted
        {
            parts.insert((component, part));
        }
    }
    let begins = |component: &str| parts.iter().any(|(own, _)| *own == component);
    let copies = |part: &str| parts.iter().any(|(_, own)| *own == part);
    let steps = graph.steps.iter().enumerate();
    let own = steps.filter(|(_, step)| match &step.kind {
        StepKind::BeginBackup { component, .. } => begins(component),
        StepKind::CopyPart { part, .. } | StepKind::EndBackup { part, .. } => copies(part),
        StepKind::CommitPart { job, .. }
        | StepKind::ArchiveLog { job, .. }
        | StepKind::CopyStored { job, .. } => job == wanted,
        _ => false,
    });
    own.map(|(index, _)| index).collect()
}
