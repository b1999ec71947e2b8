//! Commands of GitHub workflows: annotations at the lines, and a step summary with everything,
//! because a host shows at most ten annotations of a level for a step.

use std::fmt::Write as _;

use crate::check::{Promises, rule};
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::findings::{Judged, tally};

const PER_LEVEL: usize = 10;

/// Annotations, errors first, at most ten of a level. Allowed findings are left out.
#[must_use]
pub fn github(judged: &[Judged]) -> String {
    let levels = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Advice, "notice"),
    ];
    let mut out = String::new();
    for (severity, command) in levels {
        let all = open(judged).filter(|(_, f)| rule::severity(f.code) == severity);
        for (plan, finding) in all.take(PER_LEVEL) {
            out.push_str(&annotation(plan, finding, command));
        }
    }
    out
}

fn open(judged: &[Judged]) -> impl Iterator<Item = (&Judged, &Diagnostic)> {
    judged.iter().flat_map(|plan| {
        let open = plan.findings.iter().filter(|f| f.allowed.is_none());
        open.map(move |finding| (plan, finding))
    })
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
    let text = data(&text(finding));
    let code = finding.code;
    format!(
        "::{command} file={path},line={line},endLine={end_line},col={column},title={code}::{text}\n"
    )
}

fn text(finding: &Diagnostic) -> String {
    let mut text = finding.message.clone();
    if !finding.environments.is_empty() {
        text = format!("{text} [env {}]", finding.environments.join(", "));
    }
    match &finding.help {
        Some(help) => format!("{text}\nhelp: {help}"),
        None => text,
    }
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

/// Markdown with every finding and how the promises came out.
#[must_use]
pub fn step_summary(judged: &[Judged]) -> String {
    let mut out = format!("### planc: {}\n", tally(judged));
    out.push_str("| plan | proved | broken | unknown |\n|---|---|---|---|\n");
    for plan in judged {
        let Promises {
            proved,
            broken,
            unknown,
        } = plan.promises;
        let name = cell(&plan.plan);
        // writing to a string cannot fail
        let _ = writeln!(out, "| {name} | {proved} | {broken} | {unknown} |");
    }
    if open(judged).next().is_some() {
        out.push_str("\n| level | code | place | finding |\n|---|---|---|---|\n");
    }
    let mut rows: Vec<_> = open(judged).collect();
    rows.sort_by_key(|(_, finding)| rule::severity(finding.code));
    for (plan, finding) in rows {
        let place = plan.sources.place(finding.span());
        let path = cell(plan.sources.file(finding.span().file).path());
        let (level, code) = (rule::severity(finding.code), finding.code);
        let text = cell(&text(finding));
        let line = place.line;
        let _ = writeln!(out, "| {level} | {code} | {path}:{line} | {text} |");
    }
    out
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
