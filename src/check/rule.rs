//! Owns what a rule is: its page, its level, and the table of all rules.
//! Must not check anything; each rule does that in its own file under `rules`.

use crate::check::rules::RULES;
use crate::diagnostic::{Code, Diagnostic, Severity};

/// A rule: one page of `planc explain`, one row of `planc explain --list`.
///
/// `bad` and `good` are whole plans in the small-file form of [`split_example`]; a test compiles
/// both: `bad` must give exactly this code, `good` nothing.
#[derive(Debug)]
pub struct Rule {
    /// The stable code.
    pub code: Code,
    /// Kebab-case name, also stable.
    pub name: &'static str,
    /// How grave it is.
    pub level: Severity,
    /// True when `allow` can silence it.
    pub allowable: bool,
    /// One line: what it catches.
    pub summary: &'static str,
    /// What is wrong, why it matters, when to allow it. A few sentences.
    pub explanation: &'static str,
    /// Smallest plan that raises it.
    pub bad: &'static str,
    /// The same plan, cured.
    pub good: &'static str,
}

/// Splits an example into its files. A line `--- NAME` begins a file; text before the first such
/// line is the plan `example.plan`. An example without an inventory file gets none.
#[must_use]
pub fn split_example(text: &str) -> Vec<(String, String)> {
    let mut files = vec![("example.plan".to_owned(), String::new())];
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            files.push((name.trim().to_owned(), String::new()));
        } else if let Some((_, body)) = files.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    files.retain(|(name, body)| name != "example.plan" || !body.trim().is_empty());
    files
}

/// The page of a code, when the rule exists in this version.
#[must_use]
pub fn find(code: Code) -> Option<&'static Rule> {
    let at = RULES.binary_search_by_key(&code, |rule| rule.code).ok()?;
    RULES.get(at).copied()
}

/// How grave a finding is: as its caller judges it, or else as the table says.
#[must_use]
pub fn level(finding: &Diagnostic) -> Severity {
    finding.level.unwrap_or_else(|| severity(finding.code))
}

/// How grave a code is. A code without a page counts as an error, so that it cannot be overlooked.
#[must_use]
pub fn severity(code: Code) -> Severity {
    find(code).map_or(Severity::Error, |rule| rule.level)
}
