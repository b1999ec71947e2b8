//! Owns hot copies and the log archive of one `SQLite` database file, and putting it back.
//!
//! # Rules towards the database
//! - Its bytes are read through the library's own connections only. Opening and closing the file
//!   or its `-shm` by hand would drop the locks of every connection of this process; the `-wal`
//!   carries no locks and is read directly.
//! - planc's connections never checkpoint when they close, so that planc leaves the log as it
//!   was. planc needs write permission on the file and its folder, as every reader in WAL mode.
//!
//! # A hot full copy
//! *WAL mode*: one read transaction is one snapshot whatever writers do, and no writer waits for
//! it. *Rollback modes*: a long read would hold up commits, so the online backup goes in short
//! steps with pauses; when a writer changed the database it begins again with longer steps, and
//! after 24 restarts it gives up and says so. In both, pages go to a temporary file in the state
//! folder (it needs the size of the database there), `integrity_check` reads that very file, and
//! only then is it handed on as the one entry `main.db`, complete without any log.
//!
//! # Positions
//! A position is the number of transactions committed since an *incarnation* began: one unbroken
//! history of one file, with a random id. To know what a snapshot holds, planc takes the write
//! lock for a moment. Then nobody commits; so the commits counted in the log file up to its end
//! are exactly what a read transaction begun at that moment sees. A full begun there is the state
//! after transaction N, and replay goes on with N + 1. Most of the counting is done before the
//! lock is taken, so that writers wait for the last few frames only.
//!
//! # Why no commit is ever missing
//! The log file is a sequence of generations. In one generation it only grows; a new one may
//! begin when every frame was copied to the database file and no reader needs the old ones.
//! - *While an engine value lives* (`planc run --watch`), it keeps a read transaction, the
//!   anchor. If frames were not yet copied when the anchor began, it forbids a new generation. If
//!   all were, one new generation may begin right behind the anchor's snapshot, or the file may
//!   be cut to nothing; but nothing is copied to the database file, hence nothing discarded,
//!   until planc moves the anchor. So the frames after the anchor are all there, in this
//!   generation or in the very next one. As a second proof, the database file must look as it
//!   did when the anchor began; if it does not, the chain is broken.
//! - *What lies before a new anchor* is captured before the write lock is dropped if the log was
//!   all copied: a writer may overwrite it then. Otherwise the anchor itself keeps it.
//! - *Between processes* nothing is held. The chain continues if the log file is still of the
//!   same generation and still holds the frame planc stopped at (same salts and checksum), or if
//!   planc had emptied the log and the database file was provably not written since: then
//!   everything that was committed is still in the log. Otherwise it is broken, for example by
//!   an application that closed its last connection, because that empties the log into the
//!   database file. `planc run --watch` is the way to archive without such breaks.
//! - *Broken* means: a new incarnation begins, and every call of `archive` says why, until a full
//!   of the new incarnation was taken. It is broken too when the file was replaced, the journal
//!   mode switched, planc's own record is lost, or the copies hold less than that record says.
//! - *The locks of the anchor belong to the process*, and closing any descriptor of the database
//!   or its `-shm` would drop them. `engine::live` lists these files, and the engine for trees
//!   of files leaves them out.
//!
//! # Checkpoints
//! When the log is long, planc empties it: store everything, move the anchor to the end, copy
//! pages without holding anyone up, take the write lock, put the rest (little) durably into the
//! outbox, copy it, anchor on the now fully copied log, release, truncate. If a writer comes
//! between the last two, the truncation fails and nothing is lost: the anchor covers it.
//! Applications may keep their own automatic checkpoints; while planc watches they cannot discard
//! log that is not captured. `wal_checkpoint(RESTART)` and `TRUNCATE` of others may answer "busy"
//! meanwhile.
//!
//! # Storing a range
//! A call ships what was committed when it began, in ranges of up to 32 MiB; a writer that never
//! stops cannot keep it from ending. A range goes durably into the outbox in the state folder,
//! then the state counts it, then the sink stores it, then it is struck off. After a crash the
//! same bytes are stored again under the same beginning, which is harmless; a range is never
//! built twice. The log format has no commit times: a transaction's time is the moment at which
//! planc first saw it committed, so its grain is the interval of calls, and it never goes back.
//!
//! # Limits
//! A transaction of more than 900 MiB breaks the chain. Overwriting the file in place (`cp backup
//! live`) is noticed by the log that no longer fits, not by the identity. Network file systems
//! without working locks are not supported, as `SQLite` itself says of WAL mode.

mod archive;
mod backup;
mod chain;
mod checkpoint;
mod connection;
mod payload;
mod query;
mod restore;
mod state;
mod survey;
mod wal;

#[cfg(test)]
mod wal_tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::log::{Archived, LogRange, LogSink, TransactionSummary};
use super::{
    BackupSession, Engine, EngineError, RestoreSession, SourceSpec, Survey, identity, live, target,
};
use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::EngineKind;
use chain::Chain;

/// Name of the database in a part.
const FILE: &str = "main.db";

/// Length of the log file from which planc empties it.
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// A database file. As long as the value lives, its log chain cannot be broken by others.
pub struct SqliteEngine {
    source: PathBuf,
    state_dir: PathBuf,
    checkpoint_bytes: u64,
    chain: Arc<Mutex<Chain>>,
    _hold: live::Hold,
}

impl SqliteEngine {
    /// Takes the path from the inventory; opens nothing.
    ///
    /// # Errors
    /// When the inventory gives no path.
    pub fn new(spec: &SourceSpec) -> Result<Self, EngineError> {
        let source = spec.required_path()?.to_owned();
        Ok(Self {
            chain: Arc::new(Mutex::new(Chain {
                source: source.clone(),
                state_dir: spec.state_dir.clone(),
                anchor: None,
            })),
            _hold: live::Hold::new(&source),
            source,
            state_dir: spec.state_dir.clone(),
            checkpoint_bytes: CHECKPOINT_BYTES,
        })
    }

    /// Empties the log when it is at least this long, instead of 4 MiB.
    #[must_use]
    pub fn with_checkpoint_at(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes = bytes;
        self
    }
}

fn lock(chain: &Mutex<Chain>) -> MutexGuard<'_, Chain> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine for SqliteEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Sqlite
    }

    fn identity(&self) -> Result<String, EngineError> {
        let connection = connection::open(&self.source)?;
        connection::journal_mode(&connection, &self.source)?;
        drop(connection);
        identity::of(&self.source, &self.state_dir)
    }

    fn size(&self, _component: &str) -> Result<u64, EngineError> {
        backup::bytes(&connection::open(&self.source)?, &self.source)
    }

    fn survey(&self, sample: Duration) -> Result<Survey, EngineError> {
        survey::ask(&self.source, sample)
    }

    fn begin(
        &self,
        _component: &str,
        method: Method,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        self.takes(method)?;
        Ok(Box::new(backup::Session::begin(self.chain.clone(), now)?))
    }

    fn archive(
        &self,
        after: Option<&Position>,
        now: Timestamp,
        sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError> {
        lock(&self.chain).archive(after, now, self.checkpoint_bytes, sink)
    }

    fn inspect(&self, range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError> {
        let payload = restore::open_range(range)?;
        let summary = |one: &payload::Transaction<'_>| TransactionSummary {
            position: Position {
                incarnation: range.until.incarnation.clone(),
                value: one.ordinal,
            },
            at: one.at,
            pages: one.pages.len() as u64,
        };
        Ok(payload.transactions.iter().map(summary).collect())
    }

    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        Ok(Box::new(restore::Restore::begin(staging)?))
    }

    fn check_target(&self, target: &Path) -> Result<(), EngineError> {
        let refuse = |cause: &str| {
            let what = format!("restore to {}", target.display());
            Err(EngineError::refused(what, cause))
        };
        for live in ["", "-wal", "-shm", "-journal"] {
            if !target::is_gone(&self.source) {
                target::refuse_inside(target, &connection::beside(&self.source, live))?;
            }
        }
        if target.is_dir() {
            return refuse("it is a folder; name the database file that is to be made");
        }
        target::refuse_content(target)?;
        for ending in ["-wal", "-shm", "-journal"] {
            if connection::beside(target, ending).exists() {
                return refuse("files of a database in use lie beside it");
            }
        }
        Ok(())
    }

    fn query(&self, restored: &Path, sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError> {
        query::query(restored, sql)
    }
}
