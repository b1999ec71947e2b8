//! Owns the contract of taking a copy: the bracket of backup mode and where the bytes go.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::base::Selective;
use super::piece::{InOrder, PieceSource};
use super::{EngineError, Entry};
use crate::facts::holdings::Position;

/// Takes the content of a part. Implemented by the media pipeline and by fakes.
///
/// Order of calls: `entry`, then for a [`EntryKind::File`] `read_pieces` or any number of
/// `read_from` and `hole`, then `close`.
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

    /// Takes `length` bytes of a file that can be read in any order: now, or later by several
    /// threads at once. They have been read when [`PartSink::settle`] returns.
    ///
    /// # Errors
    /// As [`PartSink::read_from`]; of reading later, `settle` tells.
    fn read_pieces(
        &mut self,
        source: Arc<dyn PieceSource>,
        length: u64,
        path: &Path,
    ) -> Result<(), EngineError> {
        let mut reader = InOrder::new(source.as_ref(), 0, length);
        self.read_from(&mut reader, length, path).map(drop)
    }

    /// Waits until everything that was handed over has been read.
    ///
    /// # Errors
    /// As [`PartSink::read_from`].
    fn settle(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

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
    pub notes: BTreeMap<String, String>,
}

/// Note of a part that holds pages as they were damaged at the source: a JSON object of files,
/// named below the folder of the part, and their blocks as a text like `7,9-12`.
pub const SPOILT: &str = "damaged-at-source";

impl EndedBackup {
    /// The pages that were damaged at the source: blocks by file. A note in a form of a later version
    /// is passed over: the copy itself is as good.
    #[must_use]
    pub fn spoilt(&self) -> BTreeMap<String, String> {
        let note = self.notes.get(SPOILT);
        let files = note.and_then(|text| serde_json::from_str(text).ok());
        files.unwrap_or_default()
    }
}

/// One bracket of backup mode for one component.
pub trait BackupSession: Send {
    /// A text that tells the state which this session copies from every other, when the engine can
    /// say so for sure: while it is equal, nothing changed. Asked before [`BackupSession::copy`].
    ///
    /// # Errors
    /// When the source cannot be looked at.
    fn state(&mut self) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    /// What was read, when only changes were asked for; asked after [`BackupSession::copy`].
    fn selective(&self) -> Option<Selective> {
        None
    }

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
