//! Owns the words at the end of a run: what is now where, what went wrong, what to do next.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::progress::describe;
use crate::graph::length;
use crate::graph::step::{StepGraph, StepKind};
use crate::quantity::Bytes;
use crate::run::{Family, Missing, RunReport, Standing, StepReport, Timed};
use crate::schedule::Outcome;

/// No more steps than this are listed one by one.
const MOST_LINES: usize = 40;

/// The summary of a run, for people.
#[must_use]
pub fn summary(graph: &StepGraph, report: &RunReport) -> String {
    let mut out = String::new();
    head(&mut out, graph, report);
    steps(&mut out, graph, report);
    trouble(&mut out, graph, report);
    next(&mut out, graph, report);
    out
}

fn head(out: &mut String, graph: &StepGraph, report: &RunReport) {
    let (done, failed, skipped) = report.counts();
    let late = report.timed.iter().any(Timed::is_late);
    let word = match (report.cancelled, failed, report.missing.is_empty()) {
        (true, ..) if failed + skipped > 0 => "stopped",
        (_, 0, true) if late => "done, but late",
        (_, 0, true) => "done",
        (_, 0, false) => "done, but under-replicated",
        _ => "failed",
    };
    let time = seconds(report.elapsed);
    let plan = &graph.plan;
    let planned = planned(graph, report).unwrap_or_default();
    let text = format!("run {} of {plan}: {word} in {time}{planned}", graph.run);
    line(out, &text);
    if failed + skipped > 0 {
        let counts = format!("  {done} steps done, {failed} failed, {skipped} skipped");
        line(out, &counts);
    }
}

/// The estimate of the whole, where there was one and this process did all of it.
fn planned(graph: &StepGraph, report: &RunReport) -> Option<String> {
    let length = length::of(graph);
    let comparable = length.missing.is_empty() && !report.steps.iter().any(|step| step.earlier);
    (comparable && length.seconds > 0.0).then(|| format!(" (estimate {:.1} s)", length.seconds))
}

/// The steps that moved bytes or say something, with the estimate beside the measure.
fn steps(out: &mut String, graph: &StepGraph, report: &RunReport) {
    let all = graph.steps.iter().zip(&report.steps);
    let told: Vec<_> = all
        .filter(|(step, ended)| is_told(&step.kind, ended))
        .collect();
    for (step, ended) in told.iter().take(MOST_LINES) {
        let mut text = format!("  {}", describe(step));
        if ended.earlier {
            text += "  (done before)";
        } else {
            let _ = write!(text, "  {}", measured(ended));
        }
        if let Some(seconds) = step.estimate.seconds {
            let _ = write!(text, " (estimate {seconds:.1} s)");
        }
        if let Some(result) = &ended.result {
            let _ = write!(text, ": {result}");
        }
        line(out, &text);
    }
    if told.len() > MOST_LINES {
        line(out, &format!("  and {} more", told.len() - MOST_LINES));
    }
}

fn is_told(kind: &StepKind, ended: &StepReport) -> bool {
    let silent = matches!(
        kind,
        StepKind::BeginBackup { .. }
            | StepKind::EndBackup { .. }
            | StepKind::PrepareTarget { .. }
            | StepKind::PrepareInPlace { .. }
            | StepKind::PrepareDelta { .. }
            | StepKind::Exec { .. }
            | StepKind::Barrier
    );
    !silent && ended.outcome == Some(Outcome::Done)
}

fn measured(ended: &StepReport) -> String {
    match ended.bytes {
        0 => seconds(ended.elapsed),
        bytes => format!("{} in {}", Bytes(bytes), seconds(ended.elapsed)),
    }
}

fn trouble(out: &mut String, graph: &StepGraph, report: &RunReport) {
    for (step, ended) in graph.steps.iter().zip(&report.steps) {
        let Some(failure) = &ended.failure else {
            continue;
        };
        line(
            out,
            &format!("failed: {}: {}", describe(step), failure.cause),
        );
        if let Some(help) = &failure.help {
            line(out, &format!("  help: {help}"));
        }
    }
    for missing in &report.missing {
        let (subject, device) = (&missing.subject, &missing.device);
        line(
            out,
            &format!("missing on {device}: {subject}: {}", missing.cause),
        );
        line(out, &format!("  {}", standing(missing)));
    }
    for healed in &report.healed {
        let (object, device, by) = (&healed.object, &healed.device, &healed.by);
        let text = format!("damaged on {device}: {object}; the copy on {by} was used instead");
        line(out, &text);
    }
    for warning in &report.warnings {
        line(out, &format!("warning: {warning}"));
    }
    for timed in &report.timed {
        line(out, &time(timed));
    }
    for (service, detail) in &report.mended_chains {
        let text = format!(
            "the log chain of {service} was broken ({detail}); the new full begins another"
        );
        line(out, &text);
    }
    for (service, detail) in &report.broken_chains {
        line(
            out,
            &format!("the log chain of {service} is broken: {detail}"),
        );
    }
}

/// Which promise of a missing copy holds, and until when.
fn standing(missing: &Missing) -> String {
    let device = &missing.device;
    let held = match missing.held.as_slice() {
        [] => String::new(),
        held => format!("; it is on {}", held.join(", ")),
    };
    match missing.standing {
        Standing::Until(at) => {
            format!("the promise of a copy on {device} holds until {at:.0}{held}")
        }
        Standing::Untimed => format!("no time is promised for a copy on {device}{held}"),
        Standing::Broken => format!("BROKEN: the promise of a copy on {device}{held}"),
    }
}

/// What was promised to end in time, and whether it did.
fn time(timed: &Timed) -> String {
    let what = timed.job.as_deref().unwrap_or("the whole run");
    let (took, within) = (exactly(timed.took), exactly(timed.within));
    if timed.is_late() {
        format!("late: {what} took {took}; `finish within` promises {within}")
    } else {
        format!("in time: {what} took {took} of {within}")
    }
}

/// What to do next, when there is something.
fn next(out: &mut String, graph: &StepGraph, report: &RunReport) {
    let lost: BTreeSet<&str> = report
        .missing
        .iter()
        .map(|missing| missing.device.as_str())
        .collect();
    if !lost.is_empty() {
        let lost = lost.into_iter().collect::<Vec<_>>().join(", ");
        let text = format!(
            "next: repair {lost}; the next `planc run` copies what is missing from a stored copy"
        );
        line(out, &text);
    }
    if !report.healed.is_empty() {
        let text = "next: the next `planc run`, or `planc repair` now, puts good copies beside the \
                    damaged ones; `planc verify` shows how far the damage goes";
        line(out, text);
    }
    let (_, failed, skipped) = report.counts();
    let resume = Family::of(&graph.intent).command();
    if report.cancelled && failed + skipped > 0 {
        line(out, &format!("next: `{resume}` goes on from here"));
    } else if failed > 0 {
        line(out, &format!("next: cure the cause, then `{resume}`"));
    }
    let contacts: BTreeSet<&str> = report.contacts.iter().map(String::as_str).collect();
    for contact in contacts {
        line(
            out,
            &format!("tell {contact}: {} ended as above", graph.plan),
        );
    }
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    exactly(time)
}

/// In the language's own form.
fn exactly(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    crate::quantity::Duration(millis).to_string()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
