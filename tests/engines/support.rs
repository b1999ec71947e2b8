//! What the engine tests share: sources in a temporary folder, and short ways through the trait.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use planc::engine::memory::{MemoryLog, MemoryPart};
use planc::engine::sqlite::SqliteEngine;
use planc::engine::{
    Archived, EndedBackup, Engine, EngineError, LogRange, RestoreSession, SourceSpec,
};
use planc::facts::holdings::Method;
use planc::graph::step::RecoveryTarget;
use planc::resolve::plan::EngineKind;
use rusqlite::Connection;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + second, 0).unwrap()
}

pub(crate) fn spec(engine: EngineKind, path: &Path, state_dir: &Path) -> SourceSpec {
    SourceSpec {
        service: "notes".to_owned(),
        engine,
        path: Some(path.to_owned()),
        programs: None,
        state_dir: state_dir.to_owned(),
        connect: std::collections::BTreeMap::new(),
        apart: std::collections::BTreeSet::new(),
        sets: std::collections::BTreeMap::new(),
    }
}

/// A database in a temporary folder.
pub(crate) struct Database {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) writer: Connection,
}

impl Database {
    /// In WAL mode, without automatic checkpoints.
    pub(crate) fn new() -> Self {
        Self::with("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;")
    }

    pub(crate) fn with(pragmas: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let writer = connect(&path);
        writer.execute_batch(pragmas).unwrap();
        writer
            .execute_batch("CREATE TABLE ledger(id INTEGER PRIMARY KEY, note TEXT)")
            .unwrap();
        Self {
            folder,
            path,
            writer,
        }
    }

    pub(crate) fn engine(&self) -> SqliteEngine {
        let state = self.folder.path().join("state");
        SqliteEngine::new(&spec(EngineKind::Sqlite, &self.path, &state)).unwrap()
    }

    /// One transaction that adds one row.
    pub(crate) fn add(&self, note: &str) {
        self.writer
            .execute("INSERT INTO ledger(note) VALUES(?1)", [note])
            .unwrap();
    }
}

pub(crate) fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    connection
}

/// A full copy.
pub(crate) fn full(engine: &dyn Engine, now: i64) -> (MemoryPart, EndedBackup) {
    let mut session = engine
        .begin("notes/database/main", Method::PhysicalFull, at(now))
        .unwrap();
    let mut part = MemoryPart::default();
    session.copy(&mut part).unwrap();
    (part, session.end().unwrap())
}

/// An archive call that knows what the log in memory holds.
pub(crate) fn archive(engine: &dyn Engine, now: i64, log: &mut MemoryLog) -> Archived {
    let after = log.ranges.last().map(|range| range.until.clone());
    engine.archive(after.as_ref(), at(now), log).unwrap()
}

/// Restores into a new folder below `folder`; the folder and the session.
pub(crate) fn restore(
    engine: &dyn Engine,
    (part, ended): &(MemoryPart, EndedBackup),
    ranges: &[LogRange],
    until: &RecoveryTarget,
) -> Result<(tempfile::TempDir, Box<dyn RestoreSession>), EngineError> {
    let staging = tempfile::tempdir().unwrap();
    let mut session = engine.restore(staging.path())?;
    session.begin_part(ended)?;
    part.play(session.as_mut(), ended)?;
    for range in ranges {
        if session.apply(range, until)? {
            break;
        }
    }
    session.check()?;
    Ok((staging, session))
}

/// The notes of the restored ledger, in order.
pub(crate) fn notes(engine: &dyn Engine, restored: &Path) -> Vec<String> {
    let rows = engine
        .query(restored, "SELECT note FROM ledger ORDER BY id")
        .unwrap();
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}
