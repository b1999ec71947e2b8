//! PostgreSQL: hot backup by parts, the log archive, and recovery.
//!
//! The files from `facts` to `label` are pure: they read and write PostgreSQL's own formats from
//! bytes and never open anything. The others talk to a server or its folders.

// formats: pure
pub mod blocks;
pub mod chains;
pub mod changes;
pub mod commits;
mod configuration;
pub mod control;
mod crossing;
pub mod facts;
pub mod history;
pub mod inspect;
pub mod label;
mod landing;
pub mod lostfiles;
pub mod lsn;
#[cfg(test)]
mod made_log;
pub mod page;
pub mod patch;
pub mod records;
pub mod rounds;
pub mod stream;
pub mod target;
pub mod walfile;

// a server and its files
pub mod ahead;
pub mod amcheck;
pub mod archive;
pub mod archived;
mod archiver;
mod arrival;
mod aside;
pub mod assemble;
pub mod backup;
pub mod base;
mod blank;
mod brought;
pub mod component;
pub mod connect;
pub mod dumps;
mod ended;
pub mod engine;
pub mod extract;
mod fence;
pub mod fetch;
pub mod files;
pub mod find;
mod foresight;
pub mod glance;
mod ground;
mod handover;
mod hollow;
pub mod increment;
pub mod inplace;
pub mod instance;
mod layers;
mod leads;
pub mod logical;
pub mod merge;
pub mod names;
mod needs;
pub mod notes;
mod opening;
mod over;
mod pages;
mod parents;
mod paste;
mod pieces;
mod positions;
mod prepared;
pub mod push;
pub mod read;
pub mod readahead;
pub mod receive;
mod receiver;
pub mod replay;
pub mod restore;
pub mod scope;
mod scratch;
mod sender;
pub mod server;
mod since;
pub mod slots;
pub mod sound;
mod space;
mod spoilt;
pub mod spool;
pub mod standing;
mod statistics;
mod subscribed;
mod summaries;
mod survey;
mod switch;
pub mod tables;
mod tail;
pub mod tls;
mod undo;
mod whole;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::engine::{EngineError, SourceSpec, TableSet};
use component::Component;
use connect::Connect;

/// Where a cluster is and how it is split into parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostgresSpec {
    /// The service's name.
    pub service: String,
    /// Connection fields of the inventory.
    pub connect: Connect,
    /// The data directory, when the role may not ask the server for it.
    pub data_directory: Option<PathBuf>,
    /// Components that are backed up as parts of their own; base leaves them out.
    pub apart: BTreeSet<Component>,
    /// Folder with the programs of the server's version; else where packages put them.
    pub programs: Option<PathBuf>,
    /// What the components are that can be dumped, by key.
    pub sets: BTreeMap<String, TableSet>,
}

impl PostgresSpec {
    /// From what the plan and the inventory say.
    ///
    /// # Errors
    /// When a component that is to be a part of its own is none.
    pub fn of(spec: &SourceSpec) -> Result<Self, EngineError> {
        let apart = spec.apart.iter().map(|key| Component::parse(key));
        Ok(Self {
            service: spec.service.clone(),
            connect: spec.connect.clone(),
            data_directory: spec.path.clone(),
            apart: apart.collect::<Result<_, _>>()?,
            programs: spec.programs.clone(),
            sets: spec.sets.clone(),
        })
    }
}

/// What is wrong with bytes or text in one of PostgreSQL's formats. Lowercase fragments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Fewer bytes than the format has.
    #[error("{what} has {found} bytes instead of {expected}")]
    Length {
        /// What was read.
        what: &'static str,
        /// Bytes that belong there.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// A checksum does not fit.
    #[error("{what} has checksum {found:#010x}, its content gives {expected:#010x}")]
    Checksum {
        /// What was read.
        what: &'static str,
        /// Computed.
        expected: u32,
        /// Stored.
        found: u32,
    },
    /// The version is not in the table.
    #[error("{found} is not supported; planc knows PostgreSQL {known}")]
    UnknownVersion {
        /// What the bytes say.
        found: String,
        /// Major versions that are known.
        known: String,
    },
    /// A text is not what its grammar asks.
    #[error("`{text}` is not {expected}")]
    Text {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        text: String,
    },
    /// Two things that must agree do not.
    #[error("{what} is {found} instead of {expected}")]
    Differs {
        /// What.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl FormatError {
    fn text(expected: &'static str, text: &str) -> Self {
        Self::Text {
            expected,
            text: text.chars().take(80).collect(),
        }
    }

    fn differs(what: &'static str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Differs {
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// The engine's error for the thing that was read, usually a path.
    #[must_use]
    pub fn of(self, what: impl fmt::Display) -> EngineError {
        EngineError::Damaged {
            what: what.to_string(),
            detail: self.to_string(),
        }
    }
}

/// Reads little-endian integers at fixed places of a buffer whose length was checked before.
fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], FormatError> {
    let found = bytes.get(offset..offset.saturating_add(N));
    found
        .and_then(|slice| slice.try_into().ok())
        .ok_or(FormatError::Length {
            what: "the buffer",
            expected: offset.saturating_add(N) as u64,
            found: bytes.len() as u64,
        })
}
