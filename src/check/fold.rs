//! Owns how very many findings become few lines to read, without losing how many there are: the
//! same clause failing for many instances of a policy, and the same sentence about a crowd of
//! things. Must not judge, and must not drop a finding that has a cause of its own.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;

/// How many examples a folded finding names.
const EXAMPLES: usize = 3;
/// From this many findings on, the same sentence about different things is one finding.
const CROWD: usize = 20;
/// Stands for the subject in a sentence that is compared with others.
const BLANK: &str = "\u{0}";

/// Folds findings sorted as `check` gives them. The first of its kind is kept, with a count of
/// the others in its message and in [`Diagnostic::folded`]; the order stays.
#[must_use]
pub fn fold(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    crowds(instances(findings))
}

/// What findings of one clause have in common.
pub(in crate::check) fn key(finding: &Diagnostic) -> impl Ord + use<'_> {
    (
        finding.span(),
        finding.code,
        &finding.environments,
        finding.allowed.as_ref().map(|allowed| allowed.span),
    )
}

/// Folds neighbours that say the same of different subjects at one place.
fn instances(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut folded: Vec<Diagnostic> = Vec::new();
    let mut examples: Vec<String> = Vec::new();
    for finding in findings {
        match folded.last_mut() {
            Some(last) if alike(last, &finding) => {
                last.folded += 1;
                if examples.len() < EXAMPLES {
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
    key(a) == key(b) && !a.subject.is_empty() && a.subject != b.subject
}

/// Says in the message how many more there are.
fn tell(finding: &mut Diagnostic, examples: &[String]) {
    if examples.is_empty() {
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

/// Folds the same sentence found again and again at different places.
fn crowds(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if findings.len() < CROWD {
        return findings;
    }
    let mut members: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if finding.folded == 0 {
            members.entry(sentence(finding)).or_default().push(at);
        }
    }
    members.retain(|_, at| at.len() >= CROWD);
    let crowds: Vec<Vec<usize>> = members.into_values().collect();
    let mut slots: Vec<Option<Diagnostic>> = findings.into_iter().map(Some).collect();
    for crowd in crowds {
        gather(&mut slots, &crowd);
    }
    slots.into_iter().flatten().collect()
}

/// What findings of a crowd have in common: everything but the place and the subject.
fn sentence(finding: &Diagnostic) -> impl Ord + use<> {
    let text = match finding.subject.as_str() {
        "" => finding.message.clone(),
        subject => finding.message.replace(subject, BLANK),
    };
    let allowed = finding.allowed.as_ref().map(|allowed| allowed.span);
    (finding.code, text, finding.environments.clone(), allowed)
}

/// Leaves the first of a crowd in its slot, with the next few as examples.
fn gather(slots: &mut [Option<Diagnostic>], crowd: &[usize]) {
    let mut members = crowd.iter();
    let Some(&first) = members.next() else { return };
    let Some(mut kept) = slots[first].take() else {
        return;
    };
    let others: Vec<Diagnostic> = members.filter_map(|at| slots[*at].take()).collect();
    kept.folded = others.len();
    for other in others.iter().take(EXAMPLES) {
        kept = kept.related(other.message.clone(), other.span(), "");
    }
    let suffix = format!(" (and {} more like it)", kept.folded);
    kept.message.push_str(&suffix);
    slots[first] = Some(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use crate::source::{FileId, Span};

    fn finding(at: usize, subject: &str) -> Diagnostic {
        let span = Span::new(FileId(0), at, at + 5);
        Diagnostic::new(Code(710), format!("of {subject}"), span, "").subject(subject)
    }

    #[test]
    fn instances_fold_to_a_count_and_three_examples() {
        let found = ["a", "b", "c", "d", "e", "f"].map(|name| finding(4, name));
        let folded = fold(found.into());
        assert_eq!(folded.len(), 1);
        assert_eq!(folded[0].folded, 5);
        assert_eq!(folded[0].message, "of a (and 5 more: `b`, `c`, `d`, …)");
    }

    #[test]
    fn ten_thousand_findings_of_one_cause_are_one() {
        let names: Vec<String> = (0..10_000).map(|n| format!("s{n:05}")).collect();
        let found = names
            .iter()
            .enumerate()
            .map(|(at, name)| finding(at * 10, name));
        let own = Diagnostic::new(Code(201), "something else", finding(7, "").span(), "");
        let mut all: Vec<Diagnostic> = found.collect();
        all.insert(1, own);
        let folded = fold(all);
        assert_eq!(folded.len(), 2);
        assert_eq!(folded[0].message, "of s00000 (and 9999 more like it)");
        assert_eq!(folded[0].folded, 9_999);
        assert_eq!(folded[0].related.len(), 3);
        assert_eq!(folded[1].code, Code(201));
    }

    #[test]
    fn a_few_of_a_kind_stay_apart() {
        let found: Vec<Diagnostic> = (0..CROWD - 1).map(|at| finding(at * 10, "x")).collect();
        assert_eq!(fold(found.clone()), found);
    }
}
