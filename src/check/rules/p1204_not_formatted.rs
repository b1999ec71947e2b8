//! P1204: the plan is not written as `planc fmt` writes it. Run once for all environments.

use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::{SourceMap, Span};
use crate::syntax::{self, ast::Ast};

pub(super) static RULE: Rule = Rule {
    code: Code(1204),
    name: "not-formatted",
    level: Severity::Advice,
    allowable: true,
    summary: "the plan is not written as `planc fmt` writes it",
    explanation: "One style for all plans keeps reviews about what changed: a promise is one line in \
        a diff, and never hidden among moved blanks. `planc fmt` rewrites blanks and \
        indentation only; words, comments and order stay.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store   on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
};

/// One finding a file. A text that cannot be formatted has other findings.
pub(in crate::check) fn findings(sources: &SourceMap, asts: &[Ast]) -> Vec<Diagnostic> {
    asts.iter()
        .filter_map(|ast| finding(sources, ast))
        .collect()
}

fn finding(sources: &SourceMap, ast: &Ast) -> Option<Diagnostic> {
    let file = sources.file(ast.file);
    // an older spelling has a finding of its own
    let formatted = syntax::lay_out(file.text()).ok()?;
    if formatted == file.text() {
        return None;
    }
    let lines = || file.text().lines().zip(formatted.lines());
    let first = lines().position(|(is, shall)| is != shall);
    let first = first.unwrap_or_else(|| file.line_count().saturating_sub(1));
    let start = file.line_start(first);
    let span = Span::new(ast.file, start, start + file.line(first).len());
    let message = format!("{} is not written as `planc fmt` writes it", file.path());
    let finding = Diagnostic::new(RULE.code, message, span, "the first line that differs");
    Some(finding.help("run `planc fmt`"))
}
