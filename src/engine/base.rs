//! Owns what a copy of changes builds on, and what came of asking for one.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::EndedBackup;
use crate::facts::holdings::Position;

/// The part that an incremental one builds on, as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseCopy {
    /// Its id.
    pub part: String,
    /// Identity of the source that it is a copy of.
    pub identity: String,
    /// Positions and notes of its bracket.
    pub ended: EndedBackup,
    /// Bytes of its entries as they are stored, by path, in the order of the part.
    pub files: IndexMap<String, u64>,
    /// BLAKE3 of each window of 1 MiB of the longer files, where it is known, by path.
    pub windows: BTreeMap<String, Vec<Option<blake3::Hash>>>,
}

/// Gives the stored piece of log that begins at a position; none when it cannot be had.
pub type StoredLog<'a> = &'a mut dyn FnMut(&Position) -> Option<Vec<u8>>;

/// What a session read that was asked for the changes since another part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selective {
    /// Why everything was read: the copy stands alone then.
    pub whole: Option<String>,
    /// What was read, for the report.
    pub told: String,
}
