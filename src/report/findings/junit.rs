//! JUnit XML, for continuous integration that shows findings as tests: one suite a plan, one case
//! a finding. Must not decide what fails; the caller does, as for the exit code.

use std::fmt::Write as _;

use crate::check::rule;
use crate::diagnostic::Diagnostic;
use crate::report::findings::{Judged, sentence};

/// All findings of all plans. What `fails` holds for is a failure; what the plan allows is
/// skipped, with the reason; the rest passes and says itself in its output.
#[must_use]
pub fn junit(judged: &[Judged], fails: &dyn Fn(&Diagnostic) -> bool) -> String {
    let suites: String = judged.iter().map(|plan| suite(plan, fails)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"planc\">\n{suites}</testsuites>\n"
    )
}

fn suite(plan: &Judged, fails: &dyn Fn(&Diagnostic) -> bool) -> String {
    let cases: String = plan.findings.iter().map(|f| case(plan, f, fails)).collect();
    let (cases, tests) = if plan.findings.is_empty() {
        // a suite without a case reads as one that did not run
        let class = attribute(&plan.plan);
        let case = format!("    <testcase classname=\"{class}\" name=\"no findings\"/>\n");
        (case, 1)
    } else {
        (cases, plan.findings.len())
    };
    let open = plan.findings.iter().filter(|f| f.allowed.is_none());
    let failures = open.filter(|f| fails(f)).count();
    let skipped = plan.findings.iter().filter(|f| f.allowed.is_some()).count();
    let name = attribute(&plan.plan);
    format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"{skipped}\">\n{cases}  </testsuite>\n"
    )
}

fn case(plan: &Judged, finding: &Diagnostic, fails: &dyn Fn(&Diagnostic) -> bool) -> String {
    let path = plan.sources.file(finding.span().file).path();
    let line = plan.sources.place(finding.span()).line;
    let (class, file) = (attribute(&plan.plan), attribute(path));
    let name = attribute(&format!("{} {}", finding.code, finding.message));
    let mut out = format!(
        "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{file}\" line=\"{line}\">\n"
    );
    let level = rule::level(finding);
    let message = attribute(&finding.message);
    let body = text(&format!("{path}:{line}: {level}: {}", sentence(finding)));
    // writing to a string cannot fail
    let _ = match &finding.allowed {
        Some(allowed) => {
            let because = attribute(&format!("allowed: {}", allowed.because));
            writeln!(out, "      <skipped message=\"{because}\"/>")
        }
        None if fails(finding) => {
            let code = finding.code;
            writeln!(
                out,
                "      <failure type=\"{code}\" message=\"{message}\">{body}</failure>"
            )
        }
        None => writeln!(out, "      <system-out>{body}</system-out>"),
    };
    out.push_str("    </testcase>\n");
    out
}

/// Text between tags.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\t' => out.push(c),
            // XML 1.0 has no way to write these
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// The value of an attribute, in which line breaks would be read as blanks.
fn attribute(value: &str) -> String {
    text(value)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_place() {
        assert_eq!(text("a<b>&\u{1}"), "a&lt;b&gt;&amp;\u{FFFD}");
        assert_eq!(attribute("\"x\"\n"), "&quot;x&quot;&#10;");
    }
}
