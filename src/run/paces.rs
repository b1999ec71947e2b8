//! Owns what a run teaches of replay and extraction: how fast log and tables came, and what that
//! takes whatever there is of them. Must not know who measured; the steps' reports tell.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::StepReport;
use crate::facts::holdings::{
    JobHistory, beside, checking, examining, extracting, replaying, replaying_to_take,
};
use crate::graph::step::{Step, StepGraph, StepKind};
use crate::graph::taking::chosen;
use crate::schedule::Outcome;

/// Is what was damaged written over, so that less is done than for a copy of its own?
pub(super) fn writes_over_old(graph: &StepGraph) -> bool {
    graph.steps.iter().any(|step| {
        let kind = &step.kind;
        matches!(
            kind,
            StepKind::PrepareDelta { .. } | StepKind::PrepareInPlace { .. }
        )
    })
}

/// What was seen of one kind of work.
#[derive(Default)]
struct Seen {
    bytes: u64,
    paced: Duration,
    rest: Duration,
}

/// What this process did to its end, by kind of work: bytes with the time that grew with them, and
/// the rest of the time. What has no bytes is one time.
pub(super) fn of(graph: &StepGraph, reports: &[StepReport]) -> Vec<JobHistory> {
    if writes_over_old(graph) {
        return Vec::new();
    }
    let mut works: BTreeMap<String, Seen> = BTreeMap::new();
    for (step, report) in graph.steps.iter().zip(reports) {
        let done = report.outcome == Some(Outcome::Done) && !report.earlier;
        let Some((work, bytes)) = work(graph, step, report).filter(|_| done) else {
            continue;
        };
        let paced = report.paced.unwrap_or(report.elapsed).min(report.elapsed);
        let seen = works.entry(work).or_default();
        seen.bytes += bytes;
        seen.paced += paced;
        seen.rest += report.elapsed.saturating_sub(paced);
    }
    let works = works.into_iter();
    works
        .flat_map(|(work, seen)| entries(graph, work, &seen))
        .collect()
}

/// The kind of work, and its bytes.
fn work(graph: &StepGraph, step: &Step, report: &StepReport) -> Option<(String, u64)> {
    match &step.kind {
        // counted as the estimate counts it: it is what the rate is for
        StepKind::ReplayLog {
            service,
            target,
            to_take,
            ..
        } => {
            let named = if *to_take {
                replaying_to_take(service, chosen(&graph.steps, target))
            } else {
                replaying(service)
            };
            Some((named, step.estimate.bytes?))
        }
        StepKind::Extract { service, .. } => Some((extracting(service), report.bytes)),
        StepKind::CheckRestored { service, .. } => Some((checking(service), 0)),
        StepKind::Examine { service, .. } => Some((examining(service), 0)),
        _ => None,
    }
}

fn entries(graph: &StepGraph, work: String, seen: &Seen) -> Vec<JobHistory> {
    let entry = |job, time: Duration| JobHistory {
        job,
        method: None,
        began: graph.now,
        seconds: time.as_secs_f64(),
        bytes: 0,
    };
    if seen.bytes == 0 {
        return vec![entry(work, seen.paced + seen.rest)];
    }
    let rest = entry(beside(&work), seen.rest);
    let paced = JobHistory {
        bytes: seen.bytes,
        ..entry(work, seen.paced)
    };
    vec![paced, rest]
}
