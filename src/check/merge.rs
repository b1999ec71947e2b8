//! Owns how findings of several environments become one list: the same finding in several
//! environments is one finding that names them. Must not fold what differs; `fold` does that.

use crate::check::fold;
use crate::diagnostic::Diagnostic;

/// Merges environments, and sorts by place and code.
/// `environments` are all that were checked; a finding that holds in all of them names none.
pub(in crate::check) fn merge(
    mut findings: Vec<Diagnostic>,
    environments: &[&str],
) -> Vec<Diagnostic> {
    findings.sort_by(|a, b| merge_key(a).cmp(&merge_key(b)));
    let mut merged: Vec<Diagnostic> = Vec::with_capacity(findings.len());
    for finding in findings {
        match merged.last_mut() {
            Some(last) if merge_key(last) == merge_key(&finding) => join(last, finding),
            _ => merged.push(finding),
        }
    }
    for finding in &mut merged {
        forget_when_all(finding, environments);
    }
    merged.sort_by(|a, b| fold::key(a).cmp(&fold::key(b)));
    merged
}

fn merge_key(finding: &Diagnostic) -> impl Ord + use<'_> {
    (
        finding.span(),
        finding.code,
        &finding.message,
        &finding.subject,
        finding.allowed.as_ref().map(|allowed| allowed.span),
    )
}

fn join(kept: &mut Diagnostic, other: Diagnostic) {
    if kept.environments.is_empty() || other.environments.is_empty() {
        kept.environments.clear();
        return;
    }
    for name in other.environments {
        if !kept.environments.contains(&name) {
            kept.environments.push(name);
        }
    }
}

fn forget_when_all(finding: &mut Diagnostic, environments: &[&str]) {
    let everywhere = environments
        .iter()
        .all(|name| finding.environments.iter().any(|found| found == name));
    if everywhere {
        finding.environments.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use crate::source::{FileId, Span};

    fn finding(environment: &str, subject: &str) -> Diagnostic {
        let span = Span::new(FileId(0), 4, 9);
        let mut finding = Diagnostic::new(Code(710), format!("of {subject}"), span, "");
        finding.environments = vec![environment.to_owned()];
        finding.subject(subject)
    }

    #[test]
    fn what_holds_everywhere_names_no_environment() {
        let found = vec![finding("prod", "a"), finding("staging", "a")];
        let merged = merge(found, &["prod", "staging"]);
        assert_eq!(merged.len(), 1);
        assert!(merged[0].environments.is_empty());
    }
}
