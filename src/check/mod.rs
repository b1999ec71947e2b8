//! Resolved plans to one [`plan::CheckedPlan`] an environment, and the table of rules.

pub mod plan;
pub mod rule;
