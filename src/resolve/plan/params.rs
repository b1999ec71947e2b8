//! Owns which parameters the plan uses where, and what gave them their values.

use std::collections::BTreeMap;

use crate::source::Span;

/// What gave a parameter its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// Its default.
    Default,
    /// The value for this environment.
    Environment,
    /// `with` of the `apply`.
    With,
}

/// One `$name` of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamUse {
    /// The parameter.
    pub name: String,
    /// What gave it its value.
    pub given: Given,
    /// The value.
    pub value: Span,
}

/// Uses by the place of `$name`, and by the `apply` that the clause was expanded by.
pub type ParamUses = BTreeMap<(Span, Option<Span>), ParamUse>;
