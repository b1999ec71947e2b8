//! Owns a scripted source for rehearsals and tests of runs: a small table of keys and values with
//! a log, which fails, waits and changes as it is told. It passes the same contract as the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::log::{Archived, LogRange, LogSink, TransactionSummary};
use super::{
    BackupSession, EndedBackup, Engine, EngineError, Entry, EntryKind, PartSink, RestoreSession,
    Retry, target,
};
use crate::facts::holdings::{Method, Position};
use crate::graph::step::RecoveryTarget;
use crate::resolve::plan::EngineKind;

const FILE: &str = "main.db";

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Engine::identity`].
    Identity,
    /// [`Engine::begin`].
    Begin,
    /// [`BackupSession::copy`].
    Copy,
    /// [`BackupSession::end`].
    End,
    /// [`Engine::archive`].
    Archive,
    /// [`Engine::restore`].
    Restore,
}

/// What goes wrong, and how slow it is.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The n-th call of a kind, counted from 1, fails in this way.
    pub failures: Vec<(Call, u32, Retry)>,
    /// Every call takes this long.
    pub delay: Duration,
    /// Committed in the middle of every copy; the copy must not show it.
    pub change_while_reading: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    ordinal: u64,
    at: Option<Timestamp>,
    key: String,
    value: String,
}

type Table = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Inner {
    table: Table,
    log: Vec<Change>,
    shipped: u64,
    incarnation: u32,
    broken: Option<String>,
    sessions: usize,
    calls: BTreeMap<Call, u32>,
    script: Script,
}

impl Inner {
    fn commit(&mut self, key: &str, value: &str) {
        self.table.insert(key.to_owned(), value.to_owned());
        self.log.push(Change {
            ordinal: self.log.len() as u64 + 1,
            at: None,
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }

    fn position(&self, value: u64) -> Position {
        Position {
            incarnation: format!("fake-{}", self.incarnation),
            value,
        }
    }
}

/// A source that exists in memory only. Clones are the same source.
#[derive(Debug, Clone)]
pub struct FakeEngine {
    live: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

impl FakeEngine {
    /// A source that pretends to live at `live`.
    #[must_use]
    pub fn new(live: &Path, script: Script) -> Self {
        let inner = Inner {
            script,
            ..Inner::default()
        };
        Self {
            live: live.to_owned(),
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits one transaction.
    pub fn commit(&self, key: &str, value: &str) {
        self.inner().commit(key, value);
    }

    /// What the source holds now.
    #[must_use]
    pub fn table(&self) -> BTreeMap<String, String> {
        self.inner().table.clone()
    }

    /// Sessions in backup mode.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.inner().sessions
    }

    /// Loses the log that was not archived yet: the chain is broken.
    pub fn break_chain(&self, reason: &str) {
        let mut inner = self.inner();
        inner.log.clear();
        inner.shipped = 0;
        inner.incarnation += 1;
        inner.broken = Some(reason.to_owned());
    }

    /// Counts the call, waits, and fails if the script says so.
    fn call(&self, call: Call) -> Result<(), EngineError> {
        let mut inner = self.inner();
        let count = inner.calls.entry(call).or_default();
        *count += 1;
        let count = *count;
        let failure = inner
            .script
            .failures
            .iter()
            .find(|one| (one.0, one.1) == (call, count));
        let failure = failure.map(|one| one.2);
        let delay = inner.script.delay;
        drop(inner);
        std::thread::sleep(delay);
        let what = format!("scripted failure of {call:?} number {count}");
        match failure {
            None => Ok(()),
            Some(Retry::Later) => Err(EngineError::Busy {
                what: self.live.display().to_string(),
                cause: what,
            }),
            Some(Retry::Never) => Err(EngineError::refused(what, "as told")),
        }
    }
}

struct Session {
    engine: FakeEngine,
    table: Table,
    position: Position,
    now: Timestamp,
}

impl BackupSession for Session {
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        self.engine.call(Call::Copy)?;
        let text = serde_json::to_string(&self.table)
            .map_err(|error| EngineError::refused("copy", error.to_string()))?;
        sink.entry(Entry {
            path: FILE.to_owned(),
            kind: EntryKind::File,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
        })?;
        let change = self.engine.inner().script.change_while_reading.clone();
        if let Some((key, value)) = change {
            self.engine.commit(&key, &value);
        }
        sink.read_from(&mut text.as_bytes(), u64::MAX, &self.engine.live)?;
        sink.close()
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        self.engine.call(Call::End)?;
        self.engine.inner().broken = None;
        Ok(EndedBackup {
            taken_at: self.now,
            from: Some(self.position.clone()),
            until: Some(self.position.clone()),
            warnings: Vec::new(),
            notes: BTreeMap::new(),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.engine.inner().sessions -= 1;
    }
}

impl Engine for FakeEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Sqlite
    }

    fn identity(&self) -> Result<String, EngineError> {
        self.call(Call::Identity)?;
        Ok(format!("fake {}", self.live.display()))
    }

    fn size(&self, _component: &str) -> Result<u64, EngineError> {
        let length = |(key, value): (&String, &String)| (key.len() + value.len()) as u64;
        Ok(self.inner().table.iter().map(length).sum())
    }

    fn begin(
        &self,
        _component: &str,
        method: Method,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        self.call(Call::Begin)?;
        self.takes(method)?;
        let mut inner = self.inner();
        inner.sessions += 1;
        Ok(Box::new(Session {
            engine: self.clone(),
            table: inner.table.clone(),
            position: inner.position(inner.log.len() as u64),
            now,
        }))
    }

    fn archive(
        &self,
        _after: Option<&Position>,
        now: Timestamp,
        sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError> {
        self.call(Call::Archive)?;
        let mut inner = self.inner();
        let (from, until) = (inner.shipped, inner.log.len() as u64);
        let mut fresh = Vec::new();
        for change in inner.log.iter_mut().filter(|change| change.ordinal > from) {
            change.at.get_or_insert(now);
            fresh.push(change.clone());
        }
        let first_at = fresh.first().and_then(|change| change.at);
        let last_at = fresh.last().and_then(|change| change.at);
        if let (Some(first_at), Some(last_at)) = (first_at, last_at) {
            let payload = serde_json::to_vec(&fresh)
                .map_err(|error| EngineError::refused("archive", error.to_string()))?;
            sink.put(LogRange {
                from: inner.position(from),
                until: inner.position(until),
                tail: false,
                first_at,
                last_at,
                points: None,
                payload: payload.into(),
            })?;
            inner.shipped = until;
        }
        Ok(Archived {
            unit: None,
            position: Some(inner.position(until)),
            transactions: until - from,
            broken: inner.broken.clone(),
        })
    }

    fn inspect(&self, range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError> {
        let summary = |change: Change| TransactionSummary {
            position: Position {
                incarnation: range.until.incarnation.clone(),
                value: change.ordinal,
            },
            at: change.at.unwrap_or(range.last_at),
            pages: 1,
        };
        Ok(changes(range)?.into_iter().map(summary).collect())
    }

    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        self.call(Call::Restore)?;
        Ok(Box::new(Restore {
            path: staging.join(FILE),
            bytes: Vec::new(),
            table: Table::new(),
            position: None,
            missing: false,
        }))
    }

    fn check_target(&self, place: &Path) -> Result<(), EngineError> {
        target::refuse_inside(place, &self.live)?;
        target::refuse_content(place)
    }

    /// The question is a key.
    fn query(&self, restored: &Path, sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError> {
        let bytes = fs::read(restored).map_err(EngineError::io("read", restored))?;
        let table = table(&bytes)?;
        Ok(table
            .get(sql)
            .map(|value| vec![vec![Some(value.clone())]])
            .unwrap_or_default())
    }
}

fn damaged(error: &serde_json::Error) -> EngineError {
    EngineError::Damaged {
        what: "the fake source's data".to_owned(),
        detail: error.to_string(),
    }
}

fn changes(range: &LogRange) -> Result<Vec<Change>, EngineError> {
    serde_json::from_slice(&range.payload).map_err(|error| damaged(&error))
}

fn table(bytes: &[u8]) -> Result<Table, EngineError> {
    serde_json::from_slice(bytes).map_err(|error| damaged(&error))
}

struct Restore {
    path: PathBuf,
    bytes: Vec<u8>,
    table: Table,
    position: Option<Position>,
    missing: bool,
}

/// The last ordinal that belongs to the result; none when the target is no position.
fn last(until: &RecoveryTarget) -> Option<u64> {
    match until {
        RecoveryTarget::Transaction(target) => Some(target.value),
        RecoveryTarget::Before(target) => Some(target.value.saturating_sub(1)),
        _ => None,
    }
}

impl RestoreSession for Restore {
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if entry.path == FILE {
            return Ok(());
        }
        Err(EngineError::refused(
            "restore an entry",
            format!("it is not `{FILE}`"),
        ))
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        if offset != self.bytes.len() as u64 {
            return Err(EngineError::refused(
                "restore bytes",
                "they are out of order",
            ));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, _length: u64) -> Result<(), EngineError> {
        Ok(())
    }

    fn finish_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        self.table = table(&self.bytes)?;
        self.position.clone_from(&ended.until);
        Ok(())
    }

    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError> {
        let broken = |detail: &str| EngineError::ChainBroken {
            what: "the fake copy".to_owned(),
            detail: detail.to_owned(),
        };
        let mut at = self.position.clone().ok_or_else(|| broken("no position"))?;
        if at.incarnation != range.from.incarnation || range.from.value > at.value {
            return Err(broken("the range does not continue the copy"));
        }
        let last = last(until);
        if last.is_some_and(|last| last < at.value) {
            return Err(EngineError::NotReached("the copy is newer".to_owned()));
        }
        let mut reached = last == Some(at.value) || *until == RecoveryTarget::Backup;
        for change in changes(range)? {
            let late = matches!(until, RecoveryTarget::Instant(end) if change.at > Some(*end));
            if reached || late {
                reached = true;
                break;
            }
            if change.ordinal > at.value {
                self.table.insert(change.key, change.value);
                at.value = change.ordinal;
                reached = last == Some(at.value);
            }
        }
        self.missing = last.is_some() && !reached;
        self.position = Some(at);
        Ok(reached)
    }

    fn position(&self) -> Option<Position> {
        self.position.clone()
    }

    fn check(&mut self) -> Result<(), EngineError> {
        if self.missing {
            return Err(EngineError::NotReached("it lies beyond the log".to_owned()));
        }
        let text = serde_json::to_vec(&self.table).map_err(|error| damaged(&error))?;
        fs::write(&self.path, text).map_err(EngineError::io("write", &self.path))
    }

    fn result(&self) -> PathBuf {
        self.path.clone()
    }
}
