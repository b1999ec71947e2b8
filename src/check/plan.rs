//! Owns the checked plan: proof that no error is left that forbids what it is wanted for.
//! Constructed only by `check::check`.

use crate::facts::known::Known;
use crate::resolve::plan::ResolvedPlan;

/// A plan without errors that stand in the way of its purpose. Only this can be compiled to a
/// graph.
#[derive(Debug, Clone)]
pub struct CheckedPlan {
    plan: ResolvedPlan,
    known: Known,
}

impl CheckedPlan {
    /// Called by `check::check` when nothing stands against the plan.
    pub(in crate::check) fn new(plan: ResolvedPlan, known: Known) -> Self {
        Self { plan, known }
    }

    /// What was known when the plan was checked.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The resolved plan.
    #[must_use]
    pub fn plan(&self) -> &ResolvedPlan {
        &self.plan
    }
}
