//! Owns how findings of several environments and policy instances become few lines to read.
//! The same finding in several environments is one finding that names them; the same clause
//! failing for many instances of a policy is one finding with a count and three examples.

use crate::diagnostic::Diagnostic;

/// Merges environments, folds policy instances, and sorts by place and code.
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
    merged.sort_by(|a, b| fold_key(a).cmp(&fold_key(b)));
    fold(merged)
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

fn fold_key(finding: &Diagnostic) -> impl Ord + use<'_> {
    (
        finding.span(),
        finding.code,
        &finding.environments,
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

/// Folds neighbours that say the same of different subjects.
fn fold(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut folded: Vec<Diagnostic> = Vec::with_capacity(findings.len());
    let mut examples: Vec<String> = Vec::new();
    for finding in findings {
        match folded.last_mut() {
            Some(last) if alike(last, &finding) => {
                last.folded += 1;
                if examples.len() < 3 {
                    examples.push(finding.subject);
                }
            }
            last => {
                if let Some(last) = last {
                    tell(last, &examples);
                }
                examples.clear();
                folded.push(finding);
            }
        }
    }
    if let Some(last) = folded.last_mut() {
        tell(last, &examples);
    }
    folded
}

fn alike(a: &Diagnostic, b: &Diagnostic) -> bool {
    fold_key(a) == fold_key(b) && !a.subject.is_empty() && a.subject != b.subject
}

/// Says in the message how many more there are.
fn tell(finding: &mut Diagnostic, examples: &[String]) {
    if finding.folded == 0 {
        return;
    }
    let names: Vec<String> = examples.iter().map(|name| format!("`{name}`")).collect();
    let more = if finding.folded > names.len() {
        ", …"
    } else {
        ""
    };
    let suffix = format!(" (and {} more: {}{more})", finding.folded, names.join(", "));
    finding.message.push_str(&suffix);
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

    #[test]
    fn instances_fold_to_a_count_and_three_examples() {
        let found = ["a", "b", "c", "d", "e", "f"].map(|name| finding("prod", name));
        let merged = merge(found.into(), &["prod", "staging"]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].folded, 5);
        assert_eq!(merged[0].message, "of a (and 5 more: `b`, `c`, `d`, …)");
        assert_eq!(merged[0].environments, ["prod"]);
    }
}
