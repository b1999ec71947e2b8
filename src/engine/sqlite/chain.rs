//! Owns the unbroken log of one database while this process lives: what continues what, and the
//! read transaction that keeps others from discarding it. The argument is in the folder's
//! `mod.rs`. Must not decide when a full is taken.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::connection::{begin_read, beside, failed, open};
use super::payload::Builder;
use super::state::{LogState, Place, Queued, Stamp};
use super::wal::{Commit, Next, WalReader};
use crate::engine::{EngineError, LogSink, identity};

/// Payload bytes after which a range is closed. Every range costs several syncs on every device,
/// so one call ships few of them.
pub(super) const RANGE_BYTES: u64 = 32 << 20;
/// Most bytes of one transaction; beyond it the chain is broken and a full takes over. With
/// [`RANGE_BYTES`] before it, it still fits into one object.
pub(super) const TRANSACTION_BYTES: u64 = 900 << 20;

type Reader = WalReader<BufReader<File>>;

/// A read transaction that is kept open so that no frame after it can be discarded.
pub(super) struct Anchor {
    _reader: Connection,
    incarnation: String,
    ordinal: u64,
    /// The database file, if everything in the log had been copied to it when the transaction
    /// began. Then the log may be begun anew once, right behind this snapshot, and the file is
    /// not written before the transaction ends. Otherwise the log cannot be begun anew.
    copied: Option<Stamp>,
}

/// Holds the write lock: nobody commits until it is dropped. Nothing is written.
pub(super) struct WriteLock(Connection);

/// Where the log ends, or why it continues nothing.
pub(super) enum Located {
    End(Place, u64),
    Broken(String),
}

/// The log of one database.
pub(super) struct Chain {
    pub(super) source: PathBuf,
    pub(super) state_dir: PathBuf,
    pub(super) anchor: Option<Anchor>,
}

impl Chain {
    /// The identity of the database file; another file than before loses the anchor.
    pub(super) fn identity(&self) -> Result<String, EngineError> {
        identity::of(&self.source, &self.state_dir)
    }

    pub(super) fn save(&self, state: &LogState) -> Result<(), EngineError> {
        state.save(&self.state_dir)
    }

    /// Takes the write lock; waits for a writer that holds it.
    pub(super) fn lock(&self) -> Result<WriteLock, EngineError> {
        let connection = open(&self.source)?;
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(failed(&self.source, "lock"))?;
        Ok(WriteLock(connection))
    }

    /// Opens the log file; none when it is absent or holds no generation.
    fn reader(&self) -> Result<Option<Reader>, EngineError> {
        let path = beside(&self.source, "-wal");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::io("open", path)(error)),
        };
        WalReader::open(BufReader::with_capacity(1 << 17, file)).map_err(self.unreadable())
    }

    fn unreadable(&self) -> impl FnOnce(std::io::Error) -> EngineError {
        EngineError::io("read", beside(&self.source, "-wal"))
    }

    /// The log behind what the state has captured, or the reason why there is no such thing.
    fn follow(&self, state: &LogState) -> Result<Result<Option<Reader>, String>, EngineError> {
        let found = self.reader()?;
        let Place::At(mark) = state.place else {
            return self.after_empty(state, found);
        };
        let anew = self.may_have_begun_anew(state)?;
        let Some(mut reader) = found else {
            return Ok(if anew {
                Ok(None)
            } else {
                Err(
                    "the write-ahead log is gone: the last user of the database closed it, \
                     or somebody checkpointed and emptied it"
                        .to_owned(),
                )
            });
        };
        if reader.resume(mark).map_err(self.unreadable())? {
            return Ok(Ok(Some(reader)));
        }
        let next = reader.mark();
        Ok(if mark.same_generation(&next) {
            Err("the write-ahead log no longer holds what was archived: \
                 it was cut short or written anew"
                .to_owned())
        } else if anew && next.page_size == mark.page_size {
            Ok(Some(reader))
        } else {
            Err(
                "somebody else checkpointed the database, and the write-ahead log began anew"
                    .to_owned(),
            )
        })
    }

    /// Whether another generation, or none, can only be the very next one: the anchor stands
    /// where the state does, and what it forbids did not happen.
    fn may_have_begun_anew(&self, state: &LogState) -> Result<bool, EngineError> {
        let copied = self.held(state).and_then(|held| held.copied.as_ref());
        copied.map_or(Ok(false), |stamp| stamp.has_same_content(&self.source))
    }

    /// The log was empty: what came since continues it if nothing can have come and gone.
    fn after_empty(
        &self,
        state: &LogState,
        found: Option<Reader>,
    ) -> Result<Result<Option<Reader>, String>, EngineError> {
        let quiet = match self.held(state) {
            Some(_) => self.may_have_begun_anew(state)?,
            None => state.stamp.proves_untouched(&self.source)?,
        };
        Ok(if quiet {
            Ok(found)
        } else {
            Err("the write-ahead log was empty and the database file was written since".to_owned())
        })
    }

    /// The anchor, if it stands exactly where the state does.
    fn held(&self, state: &LogState) -> Option<&Anchor> {
        self.anchor
            .as_ref()
            .filter(|held| held.incarnation == state.incarnation && held.ordinal == state.captured)
    }

    /// Whether the anchor stands exactly where the state does.
    pub(super) fn is_held(&self, state: &LogState) -> bool {
        self.held(state).is_some()
    }

    /// Counts commits up to the end of the log, or up to this frame.
    pub(super) fn locate(&self, state: &LogState, last: u32) -> Result<Located, EngineError> {
        let reader = match self.follow(state)? {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Located::End(state.place, state.captured)),
            Err(reason) => return Ok(Located::Broken(reason)),
        };
        let (place, commits) = self.scan(reader, last)?;
        Ok(match place {
            Some(place) => Located::End(place, state.captured + commits),
            None => Located::End(state.place, state.captured),
        })
    }

    /// The state as if it had captured everything that is in the log when this is called.
    pub(super) fn ahead(&self, state: &LogState) -> Result<Option<LogState>, EngineError> {
        let last = super::checkpoint::frames(&self.source)?;
        Ok(match self.locate(state, last)? {
            Located::Broken(_) => None,
            Located::End(place, captured) => Some(LogState {
                place,
                captured,
                ..state.clone()
            }),
        })
    }

    /// Removes payloads of a history that ended.
    fn clear_spool(&self) -> Result<(), EngineError> {
        let list = || -> std::io::Result<Vec<PathBuf>> {
            let entries = std::fs::read_dir(&self.state_dir)?;
            entries.map(|entry| Ok(entry?.path())).collect()
        };
        for path in list().map_err(EngineError::io("list", &self.state_dir))? {
            if path.extension().is_some_and(|ending| ending == "range") {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// The last commit behind the reader and up to a frame, and how many there are.
    fn scan(&self, mut reader: Reader, last: u32) -> Result<(Option<Place>, u64), EngineError> {
        let mut commits = 0;
        let mut place = None;
        while reader.mark().frame < last {
            let Next::Commit(commit) = reader.next(None).map_err(self.unreadable())? else {
                break;
            };
            commits += 1;
            place = Some(Place::At(commit.mark));
        }
        Ok((place, commits))
    }

    /// The end of the log for a history that begins now. Call it under the write lock.
    fn end_of_log(&self) -> Result<Place, EngineError> {
        let Some(reader) = self.reader()? else {
            return Ok(Place::Empty);
        };
        let start = Place::At(reader.mark());
        Ok(self.scan(reader, u32::MAX)?.0.unwrap_or(start))
    }

    /// The state as it continues the stored one, and where the log ends now; a new history when
    /// there is none to continue. Nobody commits before `lock` is dropped; `ahead` is the state
    /// as if it had captured what was found before the lock, so that little is left to read.
    pub(super) fn settle(
        &mut self,
        known: Result<LogState, Option<String>>,
        ahead: Option<&LogState>,
        now: Timestamp,
        lock: &WriteLock,
    ) -> Result<(LogState, u64), EngineError> {
        let reason = match known {
            Ok(mut state) => match self.go_on(&mut state, ahead, now, lock)? {
                Ok(ordinal) => return Ok((state, ordinal)),
                Err(reason) => Some(reason),
            },
            Err(reason) => reason,
        };
        let place = self.end_of_log()?;
        let state = LogState::begin(&self.identity()?, place, &self.source, reason)?;
        self.anchor = None;
        self.hold(&state.incarnation, 0, lock)?;
        self.clear_spool()?;
        self.save(&state)?;
        Ok((state, 0))
    }

    /// Anchors the known history at the end of the log, and answers where that is.
    fn go_on(
        &mut self,
        state: &mut LogState,
        ahead: Option<&LogState>,
        now: Timestamp,
        lock: &WriteLock,
    ) -> Result<Result<u64, String>, EngineError> {
        let end = self.locate(ahead.unwrap_or(state), u32::MAX)?;
        let ordinal = match end {
            Located::End(_, ordinal) => ordinal,
            Located::Broken(reason) => return Ok(Err(reason)),
        };
        if let Err(reason) = self.enter(state)? {
            return Ok(Err(reason));
        }
        self.hold(&state.incarnation, ordinal, lock)?;
        let may_be_overwritten = self
            .anchor
            .as_ref()
            .is_some_and(|anchor| anchor.is_copied() && anchor.ordinal > state.captured);
        if may_be_overwritten {
            // a writer may begin the log anew right behind this anchor
            let captured = self.capture_all(state, now, u32::MAX)?;
            return Ok(captured.map(|()| ordinal));
        }
        Ok(Ok(ordinal))
    }

    /// Says the same place in terms of the generation that the log is in now. From then on an
    /// anchor further ahead protects it too.
    pub(super) fn enter(&self, state: &mut LogState) -> Result<Result<(), String>, EngineError> {
        Ok(match self.follow(state)? {
            Ok(Some(reader)) => {
                state.place = Place::At(reader.mark());
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(reason) => Err(reason),
        })
    }

    /// Keeps a read transaction open at the end of the log, unless one of this history is kept.
    fn hold(
        &mut self,
        incarnation: &str,
        ordinal: u64,
        lock: &WriteLock,
    ) -> Result<(), EngineError> {
        let kept = self.anchor.as_ref();
        if kept.is_none_or(|anchor| anchor.incarnation != incarnation) {
            self.anchor = Some(self.anchor_here(incarnation, ordinal, lock)?);
        }
        Ok(())
    }

    /// A new anchor at the end of the log.
    pub(super) fn anchor_here(
        &self,
        incarnation: &str,
        ordinal: u64,
        _lock: &WriteLock,
    ) -> Result<Anchor, EngineError> {
        let reader = open(&self.source)?;
        begin_read(&reader, &self.source)?;
        // asked after the beginning: a checkpoint may have ended just before it
        let copied = super::checkpoint::is_backfilled(&self.source)?;
        let stamp = copied.then(|| Stamp::of(&self.source));
        Ok(Anchor {
            _reader: reader,
            incarnation: incarnation.to_owned(),
            ordinal,
            copied: stamp.transpose()?,
        })
    }

    /// Takes the next range out of the log into the outbox, nothing behind frame `last`; false
    /// when there is none. The inner error is the reason why the chain is broken.
    pub(super) fn capture(
        &self,
        state: &mut LogState,
        now: Timestamp,
        last: u32,
    ) -> Result<Result<bool, String>, EngineError> {
        let mut reader = match self.follow(state)? {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Ok(false)),
            Err(reason) => return Ok(Err(reason)),
        };
        let mut range = Range::after(state, reader.mark().page_size);
        while range.builder.len() < RANGE_BYTES && reader.mark().frame < last {
            let next = reader.next(Some(TRANSACTION_BYTES));
            match next.map_err(self.unreadable())? {
                Next::TooLarge if range.builder.is_empty() => return Ok(Err(too_large())),
                // what is too large begins the next range, and is told there
                Next::End | Next::TooLarge => break,
                Next::Commit(commit) => range.push(state, &commit, now),
            }
        }
        let Some((queued, payload)) = range.finish(state) else {
            return Ok(Ok(false));
        };
        state.queue(&self.state_dir, queued, &payload, Place::At(reader.mark()))?;
        self.save(state)?;
        Ok(Ok(true))
    }

    /// Captures until nothing is left before frame `last`.
    pub(super) fn capture_all(
        &self,
        state: &mut LogState,
        now: Timestamp,
        last: u32,
    ) -> Result<Result<(), String>, EngineError> {
        loop {
            match self.capture(state, now, last)? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(reason) => return Ok(Err(reason)),
            }
        }
    }

    /// Stores what is queued, oldest first; each range is forgotten only after the sink took it.
    pub(super) fn flush(
        &self,
        state: &mut LogState,
        sink: &mut dyn LogSink,
    ) -> Result<u64, EngineError> {
        let mut transactions = 0;
        while let Some(queued) = state.outbox.first().cloned() {
            sink.put(state.range(&self.state_dir, &queued)?)?;
            state.outbox.remove(0);
            state.shipped = queued.until;
            self.save(state)?;
            remove(&self.state_dir.join(&queued.file))?;
            transactions += queued.until - queued.from;
        }
        Ok(transactions)
    }
}

/// A range that is being built.
struct Range {
    builder: Builder,
    until: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

impl Range {
    fn after(state: &LogState, page_size: u32) -> Self {
        Self {
            builder: Builder::new(page_size),
            until: state.captured,
            first_at: None,
            last_at: state.last_at,
        }
    }

    fn push(&mut self, state: &LogState, commit: &Commit, now: Timestamp) {
        self.until += 1;
        let at = state.time_of(self.until, now);
        let at = self.last_at.map_or(at, |last| last.max(at));
        self.builder
            .push(self.until, at, commit.db_pages, &commit.pages);
        self.first_at.get_or_insert(at);
        self.last_at = Some(at);
    }

    /// What is queued, with its payload; none when nothing came.
    fn finish(self, state: &LogState) -> Option<(Queued, Vec<u8>)> {
        let queued = Queued {
            from: state.captured,
            until: self.until,
            first_at: self.first_at?,
            last_at: self.last_at?,
            file: state.spool_name(state.captured),
        };
        Some((queued, self.builder.finish()))
    }
}

fn too_large() -> String {
    format!("one transaction wrote more than {TRANSACTION_BYTES} bytes, more than one range may be")
}

fn remove(path: &Path) -> Result<(), EngineError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(EngineError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

impl Anchor {
    /// Whether everything in the log was in the database file when this snapshot was taken.
    pub(super) fn is_copied(&self) -> bool {
        self.copied.is_some()
    }
}

impl WriteLock {
    /// Lets writers go on.
    pub(super) fn release(self) {
        // closing rolls the empty transaction back
        drop(self.0);
    }
}
