//! Findings drawn for people, gravest class of trouble countable at the end.

use std::fmt::Write as _;

use crate::check::rule;
use crate::report::findings::{Judged, Tally};
use crate::report::render::{self, Style};

/// Draws at most `max` findings; says how many were left out. Allowed findings are only counted.
#[must_use]
pub fn human(judged: &[Judged], style: Style, max: usize) -> String {
    let open = judged
        .iter()
        .flat_map(|plan| plan.open().map(move |finding| (plan, finding)));
    let mut shown: Vec<_> = open.collect();
    let total = shown.len();
    if total > max {
        // when some have to be left out, these are not the gravest
        shown.sort_by_key(|(_, finding)| rule::level(finding));
        shown.truncate(max);
    }
    let mut out = String::new();
    for (plan, finding) in shown {
        out.push_str(&render::finding(&plan.sources, finding, style));
        out.push('\n');
    }
    if total > max {
        let left = total - max;
        // writing to a string cannot fail
        let _ = writeln!(out, "{left} more not shown; `--max {total}` shows all");
    }
    out
}

/// The last line: `2 plans: 1 error, 2 warnings, 1 allowed`.
#[must_use]
pub fn tally(judged: &[Judged]) -> String {
    let tally = Tally::of(judged);
    let counts = [
        (tally.error, "error", "errors"),
        (tally.warning, "warning", "warnings"),
        (tally.advice, "piece of advice", "pieces of advice"),
        (tally.allowed, "allowed", "allowed"),
        (tally.known, "known", "known"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    let subject = match judged {
        [one] => format!("plan {}", one.plan),
        many => format!("{} plans", many.len()),
    };
    let findings = if said.is_empty() {
        format!("{subject}: no findings\n")
    } else {
        format!("{subject}: {}\n", said.join(", "))
    };
    findings + &promises(judged)
}

/// How the promises came out; nothing when none is made.
fn promises(judged: &[Judged]) -> String {
    let sum = |count: fn(&Judged) -> usize| judged.iter().map(count).sum::<usize>();
    let (proved, broken) = (
        sum(|plan| plan.promises.proved),
        sum(|plan| plan.promises.broken),
    );
    let unknown = sum(|plan| plan.promises.unknown);
    if proved + broken + unknown == 0 {
        return String::new();
    }
    format!("promises: {proved} proved, {broken} broken, {unknown} unknown\n")
}
