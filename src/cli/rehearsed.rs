//! Owns what is told of drills: the evidence that one leaves in the run log, and how each drill of
//! the plan stands by it. Must not run drills.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::exit::CliError;
use crate::cli::site::{Site, graph_error};
use crate::graph::due;
use crate::graph::step::{Intent, StepGraph, StepKind};
use crate::graph::{calendar, full_name};
use crate::media::rehearsal::Rehearsal;
use crate::report::columns::columns;
use crate::report::progress::describe;
use crate::resolve::plan::ResolvedPlan;
use crate::run::{RunReport, Timed, Verdict, host};
use crate::schedule::Outcome;

/// What a run leaves as evidence, when it was a drill of the plan that came to its end; one that
/// was stopped can be resumed.
pub(crate) fn evidence(
    plan: &ResolvedPlan,
    graph: &StepGraph,
    report: &RunReport,
) -> Option<Rehearsal> {
    let Intent::Recover { scenario, .. } = &graph.intent else {
        return None;
    };
    let mut drills = plan.drills.iter();
    let is_drill = drills.any(|drill| full_name(&drill.origin, &drill.name) == *scenario);
    let verdict = report.verdict();
    if !is_drill || verdict == Verdict::Stopped {
        return None;
    }
    let steps = || graph.steps.iter().zip(&report.steps);
    let done = || steps().filter(|(_, ended)| ended.outcome == Some(Outcome::Done));
    let restored = done().filter_map(|(step, _)| match &step.kind {
        StepKind::FetchPart { part, .. } => Some(part.clone()),
        _ => None,
    });
    let held = done().filter(|(step, _)| proves(&step.kind));
    let failed = steps().filter(|(_, ended)| ended.failure.is_some());
    let late = report.timed.iter().filter(|timed| timed.is_late());
    Some(Rehearsal {
        drill: scenario.clone(),
        passed: verdict == Verdict::Good,
        run: graph.run.clone(),
        began: graph.now,
        took_ms: u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        by: format!("{} on {}", user(), host()),
        restored: restored.collect(),
        held: held.map(|(step, _)| describe(step)).collect(),
        failed: failed
            .map(|(step, _)| describe(step))
            .chain(late.map(too_late))
            .collect(),
    })
}

fn proves(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::ReplayLog { .. }
            | StepKind::CheckRestored { .. }
            | StepKind::Examine { .. }
            | StepKind::Probe { .. }
    )
}

fn too_late(timed: &Timed) -> String {
    let (took, within) = (timed.took.as_secs(), timed.within.as_secs());
    format!("took {took} s; `finish within` promises {within} s")
}

/// The user by number, which nobody can choose, and by the name that the environment gives.
fn user() -> String {
    let number = rustix::process::geteuid().as_raw();
    match std::env::var("LOGNAME").or_else(|_| std::env::var("USER")) {
        Ok(name) if !name.is_empty() => format!("{name} (uid {number})"),
        _ => format!("uid {number}"),
    }
}

/// How a drill of the plan stands.
#[derive(Debug, Serialize)]
pub(crate) struct DrillStatus {
    drill: String,
    /// When it is due; `now` for what is due already. One that failed stays due.
    next: Option<Timestamp>,
    /// When the newest one that passed began.
    passed: Option<Timestamp>,
    /// The newest one.
    last: Option<Rehearsal>,
}

/// How every drill of the plan stands, by the drills of the run log, oldest first.
pub(crate) fn standings(
    site: &Site,
    all: &[Rehearsal],
    now: Timestamp,
) -> Result<Vec<DrillStatus>, CliError> {
    let plan = site.plan.plan();
    let calendar = calendar(plan).map_err(|error| graph_error(&error))?;
    let standings = plan.drills.iter().map(|drill| {
        let name = full_name(&drill.origin, &drill.name);
        let own = || all.iter().rev().filter(|one| one.drill == name);
        let passed = own().find(|one| one.passed).map(|one| one.began);
        let schedule = drill.schedule.as_ref();
        DrillStatus {
            next: schedule.and_then(|every| due::next_due(&calendar, every, passed, now)),
            passed,
            last: own().next().cloned(),
            drill: name,
        }
    });
    Ok(standings.collect())
}

impl DrillStatus {
    /// True when the newest one failed: it stays so until one passes.
    pub(crate) fn has_failed(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.passed)
    }

    /// One line; `age` puts a moment's age in words.
    pub(crate) fn words(&self, now: Timestamp, age: &dyn Fn(Timestamp) -> String) -> String {
        let drill = &self.drill;
        let next = match self.next {
            None => "never due".to_owned(),
            Some(next) if next <= now => "due now".to_owned(),
            Some(next) => format!("due {next:.0}"),
        };
        let Some(last) = &self.last else {
            return format!("drill {drill}: NEVER DONE; {next}");
        };
        let (ago, took) = (age(last.began), seconds(last));
        if last.passed {
            return format!("drill {drill}: passed {ago} ago in {took}; {next}");
        }
        let passed = match self.passed {
            Some(passed) => format!("last passed {} ago", age(passed)),
            None => "never passed".to_owned(),
        };
        let failed = last.failed.first().map_or("", String::as_str);
        format!("DRILL FAILED: {drill}, {ago} ago: {failed}; {passed}; {next}")
    }
}

fn seconds(one: &Rehearsal) -> String {
    format!("{:.1} s", Duration::from_millis(one.took_ms).as_secs_f64())
}

/// Drills as a table, oldest first, each with what failed below it.
pub(crate) fn table(all: &[Rehearsal]) -> String {
    if all.is_empty() {
        return "no drills\n".to_owned();
    }
    let mut text = String::new();
    let head = [
        "DRILL", "BEGAN", "VERDICT", "TOOK", "PARTS", "HELD", "RUN", "BY",
    ];
    let rows = all.iter().map(|one| {
        [
            one.drill.clone(),
            format!("{:.0}", one.began),
            if one.passed { "passed" } else { "FAILED" }.to_owned(),
            seconds(one),
            one.restored.len().to_string(),
            one.held.len().to_string(),
            one.run.clone(),
            one.by.clone(),
        ]
    });
    columns(&mut text, head, rows);
    let failed = all.iter().flat_map(|one| {
        let failed = one.failed.iter();
        failed.map(|failed| format!("run {}: failed: {failed}\n", one.run))
    });
    text.extend(failed);
    text
}
