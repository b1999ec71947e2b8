//! Owns where a line of a plan stands: the top of the file, or a kind of block, and which clauses
//! belong there.

use super::words::{self, WordPage};
use crate::similar;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The top of the file.
    File,
    /// In a `device`.
    Device,
    /// In a `service`.
    Service,
    /// In a `database`.
    Database,
    /// In `assume`.
    Assume,
    /// In a `backup`.
    Backup,
    /// In an `archive`.
    Archive,
    /// In `objectives`.
    Objectives,
    /// In a `drill`.
    Drill,
    /// In a `recovery`.
    Recovery,
    /// In a `switchover`.
    Switchover,
    /// In a `policy`.
    Policy,
    /// In an `apply`.
    Apply,
    /// In a `for each`.
    ForEach,
    /// In a block whose header could not be read.
    Any,
}

impl Place {
    /// All but the last.
    pub(super) const ALL: [Self; 14] = [
        Self::File,
        Self::Device,
        Self::Service,
        Self::Database,
        Self::Assume,
        Self::Backup,
        Self::Archive,
        Self::Objectives,
        Self::Drill,
        Self::Recovery,
        Self::Switchover,
        Self::Policy,
        Self::Apply,
        Self::ForEach,
    ];

    /// The block's name in the table of words.
    pub(super) fn block(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Device => "device",
            Self::Service => "service",
            Self::Database => "database",
            Self::Assume => "assume",
            Self::Backup => "backup",
            Self::Archive => "archive",
            Self::Objectives => "objectives",
            Self::Drill => "drill",
            Self::Recovery => "recovery",
            Self::Switchover => "switchover",
            Self::Policy => "policy",
            Self::Apply => "apply",
            Self::ForEach => "for each",
            Self::Any => "",
        }
    }

    /// The pages of the clauses that may stand there.
    pub(super) fn pages(self) -> Vec<&'static WordPage> {
        match self {
            Self::Any => words::WORDS
                .iter()
                .filter(|page| !page.blocks.is_empty())
                .collect(),
            _ => words::of_block(self.block()).collect(),
        }
    }

    /// The page of the clause that a line begins.
    pub(super) fn page(self, line: &str) -> Option<&'static WordPage> {
        match self {
            Self::Any => Self::ALL
                .iter()
                .find_map(|place| words::clause(place.block(), line)),
            _ => words::clause(self.block(), line),
        }
    }
}

/// The place inside the block that this header opens, as far as its first word tells.
pub(super) fn place_of(header: &str) -> Place {
    let first = header.split_whitespace().next().unwrap_or_default();
    let heads = Place::ALL
        .iter()
        .map(|place| place.block().split(' ').next().unwrap_or_default());
    let heads: Vec<&str> = heads.collect();
    let meant = similar::nearest(first, heads.iter().copied().skip(1));
    let at = meant.and_then(|meant| heads.iter().position(|head| *head == meant));
    at.map_or(Place::Any, |at| Place::ALL[at])
}
