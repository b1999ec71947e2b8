//! Owns backup and restore of a tree of files. Must not follow links and must not leave the root.
//!
//! # What is kept
//! Regular files with holes, folders, symbolic links, hard links, named pipes; mode, owner, group
//! and modification time of each, of the root too; their access lists, capabilities and the extended
//! attributes of users ([`extended`]). Sockets and device nodes are left out with a
//! warning. What is mounted below the root belongs to the tree.
//!
//! # Files that change while they are read
//! A tree has no backup mode. The rule (R17): of each file the bytes up to the length it had when
//! it was opened are read once; what was appended later is not read, and a file that shrank ends
//! where it ended when it was read. A file whose size or times moved meanwhile is kept as it was
//! read and named in the warnings. A file that vanished between listing and reading is left out
//! and named. A file or folder that cannot be read is an error, never an absence (R7).
//!
//! # A tree that is not mounted
//! An empty folder that is not the one of earlier copies is refused: copies of a mount point would
//! take the place of good ones.
//!
//! # Copies of what changed
//! An incremental or differential copy names everything in the tree and reads only files of which
//! it is not sure that they are as its base has them: same path, inode, length, modification and
//! change time as when the base read them, and settled by then ([`seen`]). Nobody can set a
//! change time, so a file that was touched at all is read in full. Of a longer one the windows of
//! 1 MiB are stored whose hash the base does not have. A write through a memory map moves the
//! times no later than when the page is written out.
//!
//! A live `SQLite` database in the tree is copied like any file, and may be torn: declare it as a
//! service of its own. One that is such a service of the same plan is left out with a warning:
//! reading it here would drop the locks that protect its log.

mod extended;
mod layer;
mod read;
mod restore;
mod seen;
mod state;
mod survey;
mod walk;
mod windows;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::log::{Archived, LogRange, LogSink, TransactionSummary};
use super::{
    BackupSession, BaseCopy, Engine, EngineError, RestoreSession, SourceSpec, StoredLog, Survey,
    identity, target,
};
use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::EngineKind;

/// A tree of files.
#[derive(Debug)]
pub struct FilesEngine {
    root: PathBuf,
    state_dir: PathBuf,
}

impl FilesEngine {
    /// Takes the root from the inventory.
    ///
    /// # Errors
    /// When the inventory gives no path.
    pub fn new(spec: &SourceSpec) -> Result<Self, EngineError> {
        Ok(Self {
            root: spec.required_path()?.to_owned(),
            state_dir: spec.state_dir.clone(),
        })
    }

    /// The root, proven to be a folder.
    fn folder(&self) -> Result<&Path, EngineError> {
        let meta = std::fs::metadata(&self.root).map_err(EngineError::io("read", &self.root))?;
        if meta.is_dir() {
            return Ok(&self.root);
        }
        Err(EngineError::NotASource {
            path: self.root.clone(),
            expected: "a folder",
            found: "a file".to_owned(),
        })
    }

    fn unsupported(what: &str) -> EngineError {
        EngineError::Unsupported {
            engine: "files",
            what: what.to_owned(),
        }
    }
}

impl Engine for FilesEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Files
    }

    fn identity(&self) -> Result<String, EngineError> {
        let root = self.folder()?;
        if walk::is_empty(root)? && identity::is_another(root, &self.state_dir)? {
            return Err(EngineError::refused(
                format!("copy {}", root.display()),
                "it is empty, and not the folder that was copied before: mount what belongs \
                 there, or put a file into it",
            ));
        }
        identity::of(root, &self.state_dir)
    }

    fn size(&self, _component: &str) -> Result<u64, EngineError> {
        walk::size(self.folder()?)
    }

    fn survey(&self, _sample: Duration) -> Result<Survey, EngineError> {
        survey::ask(self.folder()?, SystemTime::now())
    }

    fn begin(
        &self,
        _component: &str,
        method: Method,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        self.takes(method)?;
        Ok(Box::new(read::TreeSession::new(self.folder()?, now)))
    }

    fn begin_changed(
        &self,
        _component: &str,
        base: &BaseCopy,
        _log: StoredLog<'_>,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        let known = seen::Base::of(base, &self.identity()?);
        let session = read::TreeSession::new(self.folder()?, now);
        Ok(Box::new(session.since(known)))
    }

    fn archive(
        &self,
        _after: Option<&Position>,
        _now: Timestamp,
        _sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError> {
        Err(Self::unsupported("archive a log: a tree of files has none"))
    }

    fn inspect(&self, _range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError> {
        Err(Self::unsupported(
            "list transactions: a tree of files has none",
        ))
    }

    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        Ok(Box::new(restore::TreeRestore::begin(staging)?))
    }

    fn check_target(&self, target: &Path) -> Result<(), EngineError> {
        target::refuse_inside(target, &self.root)?;
        target::refuse_content(target)
    }

    fn query(&self, _restored: &Path, _sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError> {
        Err(Self::unsupported("answer a query"))
    }
}
