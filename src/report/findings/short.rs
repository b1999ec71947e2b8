//! One line a finding: `orders.plan:44:3: error[P0602]: …`, for editors and problem matchers.

use std::fmt::Write as _;

use crate::check::rule;
use crate::report::findings::Judged;

/// All findings that are not allowed, one line each.
#[must_use]
pub fn short(judged: &[Judged]) -> String {
    let mut out = String::new();
    for plan in judged {
        for finding in plan.open() {
            let span = finding.span();
            let place = plan.sources.place(span);
            let path = plan.sources.file(span.file).path();
            let level = rule::level(finding);
            let tag = match &*finding.environments {
                [] => String::new(),
                names => format!(" [env {}]", names.join(", ")),
            };
            let (line, column) = (place.line, place.column);
            let (code, message) = (finding.code, finding.message.replace('\n', " "));
            // writing to a string cannot fail
            let _ = writeln!(
                out,
                "{path}:{line}:{column}: {level}[{code}]: {message}{tag}"
            );
        }
    }
    out
}
