//! Commands of GitHub workflows: annotations at the lines, and a step summary with the rest,
//! because a host shows at most ten annotations of a level for a step.

use std::cmp::{Ordering, Reverse};
use std::fmt::Write as _;

use crate::check::proof::Row;
use crate::check::rule;
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::findings::{Judged, sentence, tally};

const PER_LEVEL: usize = 10;
/// A host refuses a summary of more than 1 MiB; this leaves room for what else a step says.
const SUMMARY_BYTES: usize = 900 * 1024;
/// Promises of a summary; a fleet makes more than anybody reads.
const PROMISES: usize = 200;

/// Annotations, errors first, at most ten of a level. Allowed findings are left out.
#[must_use]
pub fn github(judged: &[Judged]) -> String {
    let mut out = String::new();
    let mut left = 0;
    for (severity, command) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Advice, "notice"),
    ] {
        let all = open(judged).into_iter();
        let all: Vec<_> = all.filter(|(_, f)| rule::level(f) == severity).collect();
        left += all.len().saturating_sub(PER_LEVEL);
        for (plan, finding) in all.into_iter().take(PER_LEVEL) {
            out.push_str(&annotation(plan, finding, command));
        }
    }
    if left > 0 {
        // writing to a string cannot fail
        let _ = writeln!(
            out,
            "{left} more findings stand in the summary of this step"
        );
    }
    out
}

/// What no `allow` silences: gravest first, and of these the promise that is missed most.
fn open(judged: &[Judged]) -> Vec<(&Judged, &Diagnostic)> {
    let open = judged
        .iter()
        .flat_map(|plan| plan.open().map(move |finding| (plan, finding)));
    let mut open: Vec<_> = open.collect();
    open.sort_by(|(_, a), (_, b)| {
        let worst = || excess(b).partial_cmp(&excess(a)).unwrap_or(Ordering::Equal);
        rule::level(a).cmp(&rule::level(b)).then_with(worst)
    });
    open
}

/// How many times the promised bound is passed; 0 for what is no promise. For a promise of at
/// least so much the share that is kept is turned round.
fn excess(finding: &Diagnostic) -> f64 {
    let Some(proof) = &finding.proof else {
        return 0.0;
    };
    let (limit, found) = (proof.limit.max(f64::MIN_POSITIVE), proof.found);
    (found / limit).max(limit / found.max(f64::MIN_POSITIVE))
}

fn annotation(judged: &Judged, finding: &Diagnostic, command: &str) -> String {
    let span = finding.span();
    let file = judged.sources.file(span.file);
    let (start, end) = (
        file.place(span.start as usize),
        file.place(span.end as usize),
    );
    let path = property(file.path());
    let (line, column, end_line) = (start.line, start.column, end.line);
    let text = data(&sentence(finding));
    let code = finding.code;
    format!(
        "::{command} file={path},line={line},endLine={end_line},col={column},title={code}::{text}\n"
    )
}

/// Escapes the text after `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Markdown with how the promises came out and with the findings, gravest first.
#[must_use]
pub fn step_summary(judged: &[Judged]) -> String {
    let mut out = format!("### planc: {}\n", tally(judged));
    out.push_str(&promises(judged));
    let all = open(judged);
    if !all.is_empty() {
        out.push_str("\n| level | code | place | finding |\n|---|---|---|---|\n");
    }
    for (at, (plan, finding)) in all.iter().enumerate() {
        let row = row(plan, finding);
        if out.len() + row.len() > SUMMARY_BYTES {
            let left = all.len() - at;
            let _ = writeln!(out, "\n{left} more; `planc check --format short` lists all");
            break;
        }
        out.push_str(&row);
    }
    out
}

/// One row a promise, broken ones first; without a promise nothing.
fn promises(judged: &[Judged]) -> String {
    let rows = judged.iter().flat_map(|plan| &plan.proofs);
    let mut rows: Vec<&Row> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_key(|row| Reverse(row.verdict));
    let mut out =
        String::from("| verdict | service | promise | found | why |\n|---|---|---|---|---|\n");
    let total = rows.len();
    for row in rows.into_iter().take(PROMISES) {
        let service = match row.environment.as_str() {
            "" => cell(&row.service),
            environment => cell(&format!("{} ({environment})", row.service)),
        };
        let found = row
            .found
            .map(|found| row.unit.words(found))
            .unwrap_or_default();
        let (verdict, words) = (row.verdict.word(), cell(&row.words));
        let reason = cell(&row.reason);
        // writing to a string cannot fail
        let _ = writeln!(
            out,
            "| {verdict} | {service} | {words} | {found} | {reason} |"
        );
    }
    if total > PROMISES {
        let left = total - PROMISES;
        let _ = writeln!(out, "\n{left} more promises; `--format json` lists all");
    }
    out
}

fn row(plan: &Judged, finding: &Diagnostic) -> String {
    let line = plan.sources.place(finding.span()).line;
    let path = cell(plan.sources.file(finding.span().file).path());
    let (level, code) = (rule::level(finding), finding.code);
    let text = cell(&sentence(finding));
    format!("| {level} | {code} | {path}:{line} | {text} |\n")
}

/// Text that cannot end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_annotation_early() {
        assert_eq!(data("50%\nnext"), "50%25%0Anext");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
    }
}
