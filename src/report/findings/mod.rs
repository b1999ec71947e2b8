//! Findings for machines and terse terminals: `json` is the source of all other forms.
//! Must not judge; a finding's level is read from the table of rules.

use crate::check::{self, Promises, proof, rule};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::SourceMap;

mod baseline;
mod github;
mod human;
mod json;
mod junit;
mod sarif;
mod short;

pub use baseline::{Baseline, BaselineError};
pub use github::{github, step_summary};
pub use human::{human, tally};
pub use json::json;
pub use junit::junit;
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
    /// How many findings were left out because a baseline knows them.
    pub known: usize,
}

impl Judged {
    /// Folds what one cause brought about many times.
    pub fn fold(&mut self) {
        self.findings = check::fold(std::mem::take(&mut self.findings));
    }

    /// The findings that no `allow` silences.
    fn open(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().filter(|f| f.allowed.is_none())
    }
}

/// The message with its environments, and the next action on a line of its own.
fn sentence(finding: &Diagnostic) -> String {
    let mut text = finding.message.clone();
    if !finding.environments.is_empty() {
        text = format!("{text} [env {}]", finding.environments.join(", "));
    }
    match &finding.help {
        Some(help) => format!("{text}\nhelp: {help}"),
        None => text,
    }
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
    /// Left out because a baseline knows them.
    pub known: usize,
}

impl Tally {
    /// Counts the findings of all plans; what is folded counts once.
    #[must_use]
    pub fn of(judged: &[Judged]) -> Self {
        let mut tally = Self {
            known: judged.iter().map(|plan| plan.known).sum(),
            ..Self::default()
        };
        for finding in judged.iter().flat_map(|plan| &plan.findings) {
            let count = match rule::level(finding) {
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
