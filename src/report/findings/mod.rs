//! Findings for machines and terse terminals: `json` is the source of all other forms.
//! Must not judge; a finding's level is read from the table of rules.

use crate::check::{Promises, proof, rule};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::SourceMap;

mod github;
mod human;
mod json;
mod sarif;
mod short;

pub use github::{github, step_summary};
pub use human::{human, tally};
pub use json::json;
pub use sarif::sarif;
pub use short::short;

/// What was found in one plan.
#[derive(Debug)]
pub struct Judged {
    /// The plan's name; its path when it has none.
    pub plan: String,
    /// The environments that were judged; empty when the plan names none.
    pub environments: Vec<String>,
    /// The texts that findings point into.
    pub sources: SourceMap,
    /// Findings by place and code.
    pub findings: Vec<Diagnostic>,
    /// How the promises came out, over all environments.
    pub promises: Promises,
    /// The same one by one.
    pub proofs: Vec<proof::Row>,
}

/// Numbers of findings; allowed ones are counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// Advice.
    pub advice: usize,
    /// Silenced by `allow`.
    pub allowed: usize,
}

impl Tally {
    /// Counts findings.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            let count = match rule::severity(finding.code) {
                _ if finding.allowed.is_some() => &mut tally.allowed,
                Severity::Error => &mut tally.error,
                Severity::Warning => &mut tally.warning,
                Severity::Advice => &mut tally.advice,
            };
            *count += 1;
        }
        tally
    }
}
