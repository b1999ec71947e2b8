//! Owns whose copies are whose on devices that several plans and environments share.

use std::collections::BTreeSet;

use crate::media::manifest::{LogRecord, PartHeader};

/// Whose copies a catalog holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the plan.
    pub plan: String,
    /// Environment; empty when the plan names none.
    pub environment: String,
}

/// Service and identity of sources.
type Sources = BTreeSet<(String, String)>;

/// What tells the owner's copies from those of others. A log belongs to a source, not to a plan: it
/// is another's only when others have parts of its source and the owner has none.
#[derive(Debug)]
pub struct Belongings<'a> {
    owner: &'a Owner,
    /// Sources that the owner has parts of.
    own: Sources,
    /// Sources that others have parts of.
    foreign: Sources,
}

impl<'a> Belongings<'a> {
    /// Nothing is known yet but the owner.
    #[must_use]
    pub fn of(owner: &'a Owner) -> Self {
        Self {
            owner,
            own: Sources::new(),
            foreign: Sources::new(),
        }
    }

    /// The owner has parts of this source.
    pub fn add(&mut self, service: &str, identity: &str) {
        self.own.insert((service.to_owned(), identity.to_owned()));
    }

    /// Whether a part is the owner's; its source is remembered either way.
    pub fn part(&mut self, header: &PartHeader) -> bool {
        let owner = self.owner;
        let is_own = header.plan == owner.plan && header.environment == owner.environment;
        let sources = if is_own {
            &mut self.own
        } else {
            &mut self.foreign
        };
        sources.insert((header.service.clone(), header.identity.clone()));
        is_own
    }

    /// Whether a range of log counts as the owner's. Asked after all parts.
    #[must_use]
    pub fn log(&self, record: &LogRecord) -> bool {
        let source = (record.service.clone(), record.identity.clone());
        self.own.contains(&source) || !self.foreign.contains(&source)
    }
}
