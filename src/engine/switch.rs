//! Owns the words for handing a primary's work over to its standby: what one act is asked, and what
//! came of it.

use std::time::Duration;

use super::{GoOn, SourceSpec};
use crate::graph::step::SwitchAct;

/// One act of a switchover.
pub struct SwitchWish<'a> {
    /// The standby that takes over.
    pub standby: &'a SourceSpec,
    /// What is done.
    pub act: &'a SwitchAct,
    /// The run, so that what it left can be told from what another one left.
    pub run: &'a str,
    /// How long each side may take.
    pub patience: Duration,
    /// Asked while a side is waited for.
    pub go_on: &'a GoOn,
}

/// What an act did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// The outcome in one line.
    pub told: String,
    /// What else people should know.
    pub notes: Vec<String>,
}

impl Switched {
    /// Nothing but an outcome.
    #[must_use]
    pub fn told(words: impl Into<String>) -> Self {
        Self {
            told: words.into(),
            notes: Vec::new(),
        }
    }
}
