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
use super::state::{LogState, Place, Queued};
use super::wal::{Next, WalReader};
use crate::engine::{EngineError, LogSink, identity};

/// Payload bytes after which a range is closed.
pub(super) const RANGE_BYTES: u64 = 8 << 20;
/// Most bytes of one transaction; beyond it the chain is broken and a full takes over.
pub(super) const TRANSACTION_BYTES: u64 = 1 << 30;

type Reader = WalReader<BufReader<File>>;

/// A read transaction that is kept open so that no frame after it can be discarded.
pub(super) struct Anchor {
    _reader: Connection,
    incarnation: String,
    ordinal: u64,
    /// Everything in the log had been copied to the database file when it began: then the log
    /// may be begun anew once, right behind this snapshot.
    backfilled: bool,
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

    pub(super) fn save(&self, state: &mut LogState) -> Result<(), EngineError> {
        state.save(&self.state_dir, &self.source)
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
        let mark = match state.place {
            Place::At(mark) => mark,
            Place::Empty => return self.from_empty(state, found),
        };
        let Some(mut reader) = found else {
            return Ok(Err(
                "the write-ahead log is gone: the last user of the database \
                 closed it, or somebody checkpointed and emptied it"
                    .to_owned(),
            ));
        };
        if reader.resume(mark).map_err(self.unreadable())? {
            return Ok(Ok(Some(reader)));
        }
        let next = reader.mark();
        let expected = self.held(state).is_some_and(|anchor| anchor.backfilled);
        Ok(if mark.is_followed_by(&next) && expected {
            Ok(Some(reader))
        } else if mark.same_generation(&next) {
            Err("the write-ahead log no longer holds what was archived: \
                 it was cut short or written anew"
                .to_owned())
        } else {
            Err(
                "somebody else checkpointed the database, and the write-ahead log began anew"
                    .to_owned(),
            )
        })
    }

    /// The log was empty: what came since continues it if nothing can have come and gone.
    fn from_empty(
        &self,
        state: &LogState,
        found: Option<Reader>,
    ) -> Result<Result<Option<Reader>, String>, EngineError> {
        Ok(if self.is_quiet(state)? {
            Ok(found)
        } else {
            Err("the write-ahead log was empty and the database file was written since".to_owned())
        })
    }

    /// Whether nothing that was committed since can have left the log again.
    fn is_quiet(&self, state: &LogState) -> Result<bool, EngineError> {
        if self.held(state).is_some() {
            return Ok(true);
        }
        state.stamp.proves_untouched(&self.source)
    }

    /// The anchor, if it stands exactly where the state does.
    fn held(&self, state: &LogState) -> Option<&Anchor> {
        self.anchor
            .as_ref()
            .filter(|held| held.incarnation == state.incarnation && held.ordinal == state.captured)
    }

    /// Counts commits up to the end of the log.
    pub(super) fn locate(&self, state: &LogState) -> Result<Located, EngineError> {
        let reader = match self.follow(state)? {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Located::End(state.place, state.captured)),
            Err(reason) => return Ok(Located::Broken(reason)),
        };
        let (place, commits) = self.scan(reader)?;
        Ok(match place {
            Some(place) => Located::End(place, state.captured + commits),
            None => Located::End(state.place, state.captured),
        })
    }

    /// The state as if it had captured everything that is in the log now.
    pub(super) fn ahead(&self, state: &LogState) -> Result<Option<LogState>, EngineError> {
        Ok(match self.locate(state)? {
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

    /// The last commit behind the reader, and how many there are.
    fn scan(&self, mut reader: Reader) -> Result<(Option<Place>, u64), EngineError> {
        let mut commits = 0;
        let mut place = None;
        while let Next::Commit(commit) = reader.next(None).map_err(self.unreadable())? {
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
        Ok(self.scan(reader)?.0.unwrap_or(start))
    }

    /// The state as it continues the stored one, and where the log ends now; a new history when
    /// there is none to continue. Nobody commits before `lock` is dropped; `ahead` is the state
    /// as if it had captured what was found before the lock, so that little is left to read.
    pub(super) fn settle(
        &mut self,
        known: Result<LogState, Option<String>>,
        ahead: Option<LogState>,
        lock: &WriteLock,
    ) -> Result<(LogState, u64), EngineError> {
        let reason = match known {
            Ok(state) => match self.locate(ahead.as_ref().unwrap_or(&state))? {
                Located::End(_, ordinal) => {
                    self.hold(&state.incarnation, ordinal, lock)?;
                    return Ok((state, ordinal));
                }
                Located::Broken(reason) => Some(reason),
            },
            Err(reason) => reason,
        };
        let place = self.end_of_log()?;
        let mut state = LogState::begin(&self.identity()?, place, &self.source, reason)?;
        self.anchor = None;
        self.hold(&state.incarnation, 0, lock)?;
        self.clear_spool()?;
        self.save(&mut state)?;
        Ok((state, 0))
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
        let backfilled = super::checkpoint::is_backfilled(&self.source)?;
        begin_read(&reader, &self.source)?;
        Ok(Anchor {
            _reader: reader,
            incarnation: incarnation.to_owned(),
            ordinal,
            backfilled,
        })
    }

    /// Takes the next range out of the log into the outbox; false when there is none. The inner
    /// error is the reason why the chain is broken.
    pub(super) fn capture(
        &self,
        state: &mut LogState,
        now: Timestamp,
    ) -> Result<Result<bool, String>, EngineError> {
        let mut reader = match self.follow(state)? {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Ok(false)),
            Err(reason) => return Ok(Err(reason)),
        };
        let from = state.captured;
        let mut builder = Builder::new(reader.mark().page_size);
        let mut until = from;
        let mut first_at = None;
        let mut working = state.clone();
        while builder.len() < RANGE_BYTES {
            match reader
                .next(Some(TRANSACTION_BYTES))
                .map_err(self.unreadable())?
            {
                Next::End => break,
                Next::TooLarge if builder.is_empty() => return Ok(Err(too_large())),
                Next::TooLarge => break,
                Next::Commit(commit) => {
                    until += 1;
                    let at = working.time_of(until, now);
                    builder.push(until, at, commit.db_pages, &commit.pages);
                    working.last_at = Some(at);
                    first_at.get_or_insert(at);
                }
            }
        }
        let (Some(first_at), Some(last_at)) = (first_at, working.last_at) else {
            return Ok(Ok(false));
        };
        let queued = Queued {
            from,
            until,
            first_at,
            last_at,
            file: state.spool_name(from),
        };
        let place = Place::At(reader.mark());
        state.queue(&self.state_dir, queued, &builder.finish(), place)?;
        self.save(state)?;
        Ok(Ok(true))
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
    /// Whether the log may be begun anew right behind this snapshot.
    pub(super) fn is_backfilled(&self) -> bool {
        self.backfilled
    }
}

impl WriteLock {
    /// Lets writers go on.
    pub(super) fn release(self) {
        // closing rolls the empty transaction back
        drop(self.0);
    }
}
