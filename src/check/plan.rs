//! Owns the checked plan: proof that no finding at error level is left. Constructed only by
//! `check::check`.

use crate::resolve::plan::ResolvedPlan;

/// A plan without errors. Only this can be compiled to a graph.
#[derive(Debug, Clone)]
pub struct CheckedPlan {
    plan: ResolvedPlan,
}

impl CheckedPlan {
    /// Called by `check::check` when nothing stands against the plan.
    pub(in crate::check) fn new(plan: ResolvedPlan) -> Self {
        Self { plan }
    }

    /// The resolved plan.
    #[must_use]
    pub fn plan(&self) -> &ResolvedPlan {
        &self.plan
    }
}
