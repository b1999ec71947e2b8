//! Trees of plan files and the inventory to one [`plan::ResolvedPlan`] an environment.

pub mod plan;
