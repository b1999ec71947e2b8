//! Owns which errors stand in the way of what a plan is wanted for. A promise that is broken, or an
//! allowance that ended last night, must not keep anybody from what is stored.

use crate::diagnostic::{Code, Diagnostic};

use super::{is_error, rule};

/// What a plan is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// New work by the plan, as it promises: every error stands in the way, but that something is
    /// absent where it was surveyed.
    Work,
    /// What is stored is looked at, kept up or brought back, and log goes on being archived: only
    /// errors stand in the way by which the plan could mean something else, or by which carrying
    /// out a recovery does harm.
    Rescue,
}

/// Errors that could be allowed, by which a recovery as written spoils what is live: something is
/// relocated onto it (P0902), restored beside it (P0904), set back in part (P0905), changed by a
/// probe (P0911), promoted beside it (P0914) or overwritten unasked (P0917).
const HARMFUL: [Code; 6] = [
    Code(902),
    Code(904),
    Code(905),
    Code(911),
    Code(914),
    Code(917),
];

/// What the plan names was not there when the instance was surveyed. Who copies it asks the server
/// itself, and all else is copied all the same.
const ABSENT: Code = Code(205);

/// An allowance that is past its last day.
const EXPIRED: Code = Code(1202);

impl Purpose {
    /// Whether a finding stands in the way.
    #[must_use]
    pub fn forbids(self, finding: &Diagnostic) -> bool {
        let code = finding.code;
        let judges_promises =
            code == EXPIRED || rule::find(code).is_some_and(|rule| rule.allowable);
        let passed = match self {
            Self::Work => code == ABSENT,
            Self::Rescue => judges_promises && !HARMFUL.contains(&code),
        };
        is_error(finding) && !passed
    }
}
