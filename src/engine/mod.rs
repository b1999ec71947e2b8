//! Databases and file trees: how each is read while it lives, and how it is put back.
//!
//! # Contract (held by `engine::contract`, which every engine and the fake pass)
//! - An engine never writes to its source except what its hot-backup procedure needs.
//! - [`Engine::begin`] enters backup mode; dropping the session leaves it (R22). A session is used
//!   by one thread at a time but may move between threads.
//! - [`BackupSession::copy`] reads the source once and hands every byte to the sink.
//! - [`BackupSession::end`] leaves backup mode and tells the positions; only then may the part be
//!   committed.
//! - [`Engine::archive`] hands committed log to the sink in order and forgets none of it before
//!   [`LogSink::put`] has returned: the sink returns after the bytes are durable (R1).
//! - A restore works in a folder of its own ([`Engine::restore`]) and never touches the target.
//! - Every error says whether trying again can help ([`EngineError::retry`]).

pub mod postgres;

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::capability::Capabilities;
use crate::facts::holdings::{Method, Position};
use crate::graph::step::RecoveryTarget;
use crate::resolve::plan::EngineKind;

/// Whether trying the same again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// The cause may pass.
    Later,
}

/// What goes wrong at a source or in a restored copy. Texts are lowercase fragments.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file cannot be opened, read or written.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The source is not what the inventory says.
    #[error("{path} is not {expected}: {found}")]
    NotASource {
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// The source is busy; waiting may help.
    #[error("{what} is busy: {cause}")]
    Busy {
        /// What.
        what: String,
        /// The engine's answer.
        cause: String,
    },
    /// The source changed in a way that spoils this attempt.
    #[error("{what} changed while it was read: {detail}")]
    Changed {
        /// What.
        what: String,
        /// How.
        detail: String,
    },
    /// The log continues nothing that is archived: the chain is broken.
    #[error("the log of {what} does not continue what is archived: {detail}")]
    ChainBroken {
        /// What.
        what: String,
        /// How it shows.
        detail: String,
    },
    /// The engine's own check says that the data is damaged.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// What.
        what: String,
        /// The check's words.
        detail: String,
    },
    /// The recovery target lies outside the log.
    #[error("the target was not reached: {0}")]
    NotReached(String),
    /// This engine cannot do it.
    #[error("{engine} cannot {what}")]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// What.
        what: String,
    },
    /// The engine's library or server refused.
    #[error("{what}: {cause}")]
    Refused {
        /// What was tried.
        what: String,
        /// The answer.
        cause: String,
    },
    /// The sink could not take the bytes; the device's error is inside.
    #[error(transparent)]
    Sink(#[from] crate::media::DeviceError),
}

impl EngineError {
    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. } | Self::Changed { .. } => Retry::Later,
            Self::Sink(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

/// Where a source is: what the inventory says of it, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// The service's name.
    pub service: String,
    /// Its engine.
    pub engine: EngineKind,
    /// File or folder, absolute.
    pub path: Option<PathBuf>,
    /// Folder that planc may use for state about this source, absolute.
    pub state_dir: PathBuf,
}

/// What a file of a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum EntryKind {
    /// A regular file with content.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored (bytes outside UTF-8 are percent-encoded).
        target: String,
    },
    /// A further name of an earlier file of this part.
    Hardlink {
        /// Path of that file.
        target: String,
    },
    /// A named pipe.
    Fifo,
}

/// Name and attributes of one file of a part. Paths are relative, `/`-separated, without `.` or
/// `..`; bytes outside UTF-8 and `%` are percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the part.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time: seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
}

/// Takes the content of a part. Implemented by the media pipeline and by fakes.
///
/// Order of calls: `entry`, then for a [`EntryKind::File`] any number of `read_from` and `hole`,
/// then `close`.
pub trait PartSink {
    /// Announces the next file, folder or link.
    ///
    /// # Errors
    /// When a device failed and no other is left.
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError>;

    /// Reads up to `limit` bytes from `source` until it ends, straight into the pipeline's own
    /// buffers; returns how many bytes came. `path` is for messages.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the source fails, [`EngineError::Sink`] when the devices do.
    fn read_from(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<u64, EngineError>;

    /// Adds a run of zeros that takes no space.
    ///
    /// # Errors
    /// As [`PartSink::entry`].
    fn hole(&mut self, length: u64) -> Result<(), EngineError>;

    /// Ends the file announced last.
    ///
    /// # Errors
    /// As [`PartSink::entry`].
    fn close(&mut self) -> Result<(), EngineError>;
}

/// What is known when a backup session ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBackup {
    /// The moment the copy shows (or is consistent at, after replay).
    pub taken_at: Timestamp,
    /// Where replay must begin.
    pub from: Option<Position>,
    /// How far replay must go at least.
    pub until: Option<Position>,
    /// What people should know: files that changed while they were read, damaged pages.
    pub warnings: Vec<String>,
    /// Engine data that a restore needs (label files and the like), by name.
    pub notes: std::collections::BTreeMap<String, String>,
}

/// One bracket of backup mode for one component.
pub trait BackupSession: Send {
    /// Hands every file of the component to the sink. May be called once.
    ///
    /// # Errors
    /// Then the session is spoilt; drop it.
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError>;

    /// Leaves backup mode. Also allowed when `copy` failed or was never called.
    ///
    /// # Errors
    /// When backup mode was lost on the way: the part must not be committed.
    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError>;
}

/// A gapless range of log, ready to be stored as one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRange {
    /// Where it begins, exclusive.
    pub from: Position,
    /// Where it ends, inclusive.
    pub until: Position,
    /// Time of the first transaction.
    pub first_at: Timestamp,
    /// Time of the last transaction.
    pub last_at: Timestamp,
    /// The engine's own encoding.
    pub payload: Vec<u8>,
}

/// Takes log. Returns only after the range is durable on every required device.
pub trait LogSink {
    /// Stores one range.
    ///
    /// # Errors
    /// Then nothing may be forgotten at the source.
    fn put(&mut self, range: LogRange) -> Result<(), EngineError>;
}

/// What an archive call did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The source's log position now, all of it stored.
    pub position: Option<Position>,
    /// Transactions stored by this call.
    pub transactions: u64,
    /// Set when the chain was found broken and a new incarnation begins: a full is needed now.
    pub broken: Option<String>,
}

/// A summary of one transaction in the log, for people who look for the bad one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionSummary {
    /// Its position: `until` of the state that includes it.
    pub position: Position,
    /// When it was committed, as exactly as the log tells.
    pub at: Timestamp,
    /// Pages it wrote.
    pub pages: u64,
}

/// A restored copy that is being built in a staging folder.
pub trait RestoreSession: Send {
    /// Receives one entry of a part.
    ///
    /// # Errors
    /// When the name is unsafe or the folder refuses.
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError>;

    /// Writes bytes of the entry announced last at `offset`.
    ///
    /// # Errors
    /// When the staging folder refuses.
    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError>;

    /// Ends the entry announced last; `length` is its full length, holes included.
    ///
    /// # Errors
    /// When the staging folder refuses.
    fn close(&mut self, length: u64) -> Result<(), EngineError>;

    /// All entries of the part have come. `notes` and positions are those of the manifest.
    ///
    /// # Errors
    /// When the whole is not what the engine needs.
    fn finish_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError>;

    /// Applies one range of log; ranges come in order. Stops by itself at the target; returns
    /// true when the target is reached and no further range is needed.
    ///
    /// # Errors
    /// [`EngineError::ChainBroken`] when the range does not continue the state.
    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError>;

    /// The position reached.
    fn position(&self) -> Option<Position>;

    /// Checks the copy by the engine's own means (`integrity_check`, hashes …) and makes it
    /// durable.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    fn check(&mut self) -> Result<(), EngineError>;

    /// Path inside the staging folder that is to be published under the target's name.
    fn result(&self) -> PathBuf;
}

/// A source of one kind. Object-safe; one value a service.
pub trait Engine: Send + Sync {
    /// Its kind.
    fn kind(&self) -> EngineKind;

    /// Its row of the capability table.
    fn capabilities(&self) -> Capabilities {
        crate::facts::capability::of(self.kind())
    }

    /// The source's identity (R11): the same as long as it is the same source, another one after
    /// a restore or a replacement. Read-only.
    ///
    /// # Errors
    /// When the source cannot be read or is something else.
    fn identity(&self) -> Result<String, EngineError>;

    /// Size of a component in bytes, for estimates and space checks.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn size(&self, component: &str) -> Result<u64, EngineError>;

    /// Enters backup mode for a component (its key).
    ///
    /// # Errors
    /// When the source cannot be read, is busy, or the method is not supported.
    fn begin(
        &self,
        component: &str,
        method: Method,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError>;

    /// Hands all log committed since `after` (the last position known to be stored) to the sink.
    ///
    /// # Errors
    /// When the source or the sink fails. A broken chain is no error: it is told in the answer.
    fn archive(
        &self,
        after: Option<&Position>,
        now: Timestamp,
        sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError>;

    /// Lists the transactions of a stored range.
    ///
    /// # Errors
    /// When the payload is not this engine's.
    fn inspect(&self, range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError>;

    /// Starts to build a restored copy in the empty folder `staging`.
    ///
    /// # Errors
    /// When the folder refuses.
    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError>;

    /// Refuses a target that exists with content or is the live source (R19).
    ///
    /// # Errors
    /// With the reason.
    fn check_target(&self, target: &Path) -> Result<(), EngineError>;

    /// Asks a restored copy a read-only question; rows as text, `None` for NULL.
    ///
    /// # Errors
    /// When the engine cannot, or refuses the query.
    fn query(&self, restored: &Path, sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError>;
}
