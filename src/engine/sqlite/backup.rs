//! Owns one hot full copy. Must not keep a writer waiting longer than a short transaction; how,
//! is in the folder's `mod.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::Seek;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::NamedTempFile;

use super::chain::Chain;
use super::connection::{PATIENCE, begin_read, check_copy, failed, journal_mode, open};
use super::state::{LogState, Stamp};
use super::{FILE, lock};
use crate::engine::{BackupSession, EndedBackup, EngineError, Entry, EntryKind, PartSink, store};
use crate::facts::holdings::Position;

/// Pages a step in WAL mode, where nobody waits for it.
const WAL_STEP: i32 = 4096;
/// Pages of the first step in rollback mode, and of the longest.
const FIRST_STEP: i32 = 256;
const LONGEST_STEP: i32 = 16_384;
/// Pause between steps in rollback mode, for writers.
const PAUSE: Duration = Duration::from_millis(2);
/// How often a copy in rollback mode may begin again.
const RESTARTS: u32 = 24;
/// Beginning of the names of temporary copies.
const COPY: &str = "copy-";

/// One copy of one database.
pub(super) struct Session {
    chain: Arc<Mutex<Chain>>,
    source: PathBuf,
    state_dir: PathBuf,
    /// Gone when backup mode is over.
    reader: Option<Connection>,
    wal: bool,
    position: Option<Position>,
    began: (Timestamp, Instant),
    taken_at: Timestamp,
    warnings: Vec<String>,
    notes: BTreeMap<String, String>,
    copied: bool,
}

impl Session {
    /// Enters backup mode: in WAL mode the snapshot is taken here.
    pub(super) fn begin(chain: Arc<Mutex<Chain>>, now: Timestamp) -> Result<Self, EngineError> {
        let mut held = chain.lock().unwrap_or_else(PoisonError::into_inner);
        let (source, state_dir) = (held.source.clone(), held.state_dir.clone());
        store::create_folder(&state_dir)?;
        clear_copies(&state_dir);
        let reader = open(&source)?;
        let mode = journal_mode(&reader, &source)?;
        let mut warnings = Vec::new();
        let position = if mode == "wal" {
            let (state, ordinal) = held.snapshot(&reader, now)?;
            warnings.extend(state.needs_full.as_ref().map(|reason| {
                format!("the log chain was broken, a new one begins with this copy: {reason}")
            }));
            Some(state.position(ordinal))
        } else {
            None
        };
        drop(held);
        Ok(Self {
            chain,
            source,
            state_dir,
            reader: Some(reader),
            wal: mode == "wal",
            position,
            began: (now, Instant::now()),
            taken_at: now,
            warnings,
            notes: BTreeMap::from([("journal-mode".to_owned(), mode)]),
            copied: false,
        })
    }

    /// Copies the snapshot to a file of our own; then backup mode is over.
    fn copy_to_file(&mut self) -> Result<NamedTempFile, EngineError> {
        let Some(reader) = self.reader.take() else {
            return Err(EngineError::refused(
                "copy",
                "this session has copied already",
            ));
        };
        room(&reader, &self.source, &self.state_dir)?;
        let temporary = tempfile::Builder::new()
            .prefix(COPY)
            .tempfile_in(&self.state_dir)
            .map_err(EngineError::io("create a copy in", &self.state_dir))?;
        // tells a later run that this copy is in use
        let _ = temporary.as_file().try_lock();
        let mut copy =
            Connection::open(temporary.path()).map_err(failed(temporary.path(), "open"))?;
        copy.execute_batch("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;")
            .map_err(failed(temporary.path(), "prepare"))?;
        self.copy_pages(&reader, &mut copy)?;
        let (began, clock) = self.began;
        if !self.wal {
            let passed = SignedDuration::try_from(clock.elapsed()).unwrap_or(SignedDuration::ZERO);
            self.taken_at = began.checked_add(passed).unwrap_or(began);
        }
        Ok(temporary)
    }

    fn copy_pages(&self, reader: &Connection, copy: &mut Connection) -> Result<(), EngineError> {
        let error = failed(&self.source, "copy");
        let backup = Backup::new(reader, copy).map_err(&error)?;
        let mut pace = Pace::new(self.wal);
        loop {
            let answer = backup.step(pace.pages).map_err(&error)?;
            match answer {
                StepResult::Done => return Ok(()),
                StepResult::More => pace.moved(backup.progress().remaining)?,
                _ => pace.waited()?,
            }
        }
    }

    fn stream(&self, copy: &mut NamedTempFile, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let meta = fs::metadata(&self.source).map_err(EngineError::io("examine", &self.source))?;
        sink.entry(entry(&meta))?;
        let path = copy.path().to_owned();
        let file: &mut File = copy.as_file_mut();
        file.rewind().map_err(EngineError::io("read", &path))?;
        sink.read_from(file, u64::MAX, &path)?;
        sink.close()
    }

    /// A full of this history is here now.
    fn full_taken(&self) -> Result<(), EngineError> {
        let Some(position) = &self.position else {
            return Ok(());
        };
        let chain = lock(&self.chain);
        let state = LogState::load(&self.state_dir)?;
        match state {
            Some(mut state)
                if state.incarnation == position.incarnation && state.needs_full.is_some() =>
            {
                state.needs_full = None;
                chain.save(&state)
            }
            _ => Ok(()),
        }
    }
}

impl BackupSession for Session {
    /// In WAL mode the number of transactions of this history; else how the file looks, when it was
    /// surely not written in the same moment.
    fn state(&mut self) -> Result<Option<String>, EngineError> {
        if let Some(position) = &self.position {
            let (incarnation, value) = (&position.incarnation, position.value);
            return Ok(Some(format!("{incarnation}:{value}")));
        }
        let stamp = Stamp::of(&self.source)?;
        Ok(stamp.is_settled().then(|| format!("{stamp:?}")))
    }

    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let mut copy = self.copy_to_file()?;
        check_copy(copy.path(), &self.source.display().to_string())?;
        self.stream(&mut copy, sink)?;
        self.copied = true;
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        if self.copied {
            self.full_taken()?;
        }
        Ok(EndedBackup {
            taken_at: self.taken_at,
            from: self.position.clone(),
            until: self.position,
            warnings: self.warnings,
            notes: self.notes,
        })
    }
}

impl Chain {
    /// Begins the reader's snapshot at an exactly known position.
    fn snapshot(
        &mut self,
        reader: &Connection,
        now: Timestamp,
    ) -> Result<(LogState, u64), EngineError> {
        let known = self.known()?;
        let ahead = match &known {
            Ok(state) => self.ahead(state)?,
            Err(_) => None,
        };
        let lock = self.lock()?;
        let (mut state, ordinal) = self.settle(known, ahead.as_ref(), now, &lock)?;
        begin_read(reader, &self.source)?;
        lock.release();
        state.note_seen(ordinal, now);
        self.save(&state)?;
        Ok((state, ordinal))
    }
}

/// How many pages at once, and when to give up.
struct Pace {
    wal: bool,
    pages: i32,
    remaining: i32,
    restarts: u32,
    waiting_since: Option<Instant>,
}

impl Pace {
    fn new(wal: bool) -> Self {
        Self {
            wal,
            pages: if wal { WAL_STEP } else { FIRST_STEP },
            remaining: i32::MAX,
            restarts: 0,
            waiting_since: None,
        }
    }

    /// A step was made. When a writer changed the database, the copy began again: longer steps
    /// then make it likelier to finish between two writes.
    fn moved(&mut self, remaining: i32) -> Result<(), EngineError> {
        self.waiting_since = None;
        if remaining >= self.remaining {
            self.restarts += 1;
            self.pages = (self.pages * 2).min(LONGEST_STEP);
        }
        self.remaining = remaining;
        if self.restarts > RESTARTS {
            return Err(EngineError::Changed {
                what: "the database".to_owned(),
                detail: format!(
                    "it was written {RESTARTS} times before a copy was complete; \
                     `PRAGMA journal_mode=WAL` lets it be copied while it is written"
                ),
            });
        }
        if !self.wal {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// A writer holds the database.
    fn waited(&mut self) -> Result<(), EngineError> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE {
            return Err(EngineError::Busy {
                what: "the database".to_owned(),
                cause: format!("a writer has held it for {} seconds", PATIENCE.as_secs()),
            });
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

fn entry(meta: &Metadata) -> Entry {
    Entry {
        path: FILE.to_owned(),
        kind: EntryKind::File,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)),
    }
}

/// Bytes of the database as the connection sees it.
pub(super) fn bytes(connection: &Connection, source: &Path) -> Result<u64, EngineError> {
    let number = |name: &str| connection.query_row(name, [], |row| row.get::<_, u32>(0));
    let pages = number("PRAGMA page_count").map_err(failed(source, "measure"))?;
    let size = number("PRAGMA page_size").map_err(failed(source, "measure"))?;
    Ok(u64::from(pages) * u64::from(size))
}

/// Refuses early when the temporary copy has no room.
fn room(reader: &Connection, source: &Path, folder: &Path) -> Result<(), EngineError> {
    let needed = bytes(reader, source)?;
    let space = rustix::fs::statvfs(folder)
        .map_err(|error| EngineError::io("examine", folder)(error.into()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if needed <= free {
        return Ok(());
    }
    Err(EngineError::refused(
        format!("copy {}", source.display()),
        format!(
            "{} has {free} bytes free, the copy needs {needed}",
            folder.display()
        ),
    ))
}

/// Removes copies that a killed run left behind: those that nobody has locked.
fn clear_copies(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let left = |path: &Path| File::open(path).is_ok_and(|file| file.try_lock().is_ok());
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(COPY)) && left(&path) {
            let _ = fs::remove_file(&path);
        }
    }
}
