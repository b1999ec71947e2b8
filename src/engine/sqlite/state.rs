//! Owns what planc remembers of one source's log between two calls, and the ranges that wait to
//! be stored. Must not read the log itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::payload;
use super::wal::Mark;
use crate::durable;
use crate::engine::{EngineError, LogRange, store};
use crate::facts::holdings::Position;

const NAME: &str = "log.json";

/// Where in the log file the incarnation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    /// The log was empty or planc emptied it, and nothing tells which generation will come.
    Empty,
    /// Just behind a commit of a generation.
    At(Mark),
}

impl Place {
    /// Whether more than `few` frames lie between here and frame `last`.
    pub(super) fn is_behind(&self, last: u32, few: u32) -> bool {
        let at = match self {
            Self::At(mark) if mark.frame <= last => mark.frame,
            _ => 0,
        };
        last - at > few
    }
}

/// What the database file looked like at a moment when it held everything that was committed.
/// Nothing leaves the log without a write to this file, so an equal stamp proves that all later
/// commits are in the log, if the first one was taken long enough after the last change
/// (`settled`): a later write would then have moved the times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    settled: bool,
}

/// Far above the grain of the clock of any file system.
const COARSE: Duration = Duration::from_secs(2);
/// Far above the grain of the clock of a file system that counts nanoseconds.
const FINE: Duration = Duration::from_millis(50);

impl Stamp {
    pub(super) fn of(path: &Path) -> Result<Self, EngineError> {
        let meta = fs::metadata(path).map_err(EngineError::io("examine", path))?;
        let mut stamp = Self {
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            settled: false,
        };
        stamp.settled = stamp.age() > Some(stamp.grain());
        Ok(stamp)
    }

    fn grain(&self) -> Duration {
        let counts_nanoseconds = self.changed.1 % 1_000_000 != 0;
        if counts_nanoseconds { FINE } else { COARSE }
    }

    /// Time since the last change of the file.
    fn age(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = u64::try_from(self.changed.0).ok()?;
        let changed = Duration::new(seconds, u32::try_from(self.changed.1).ok()?);
        now.ok()?.checked_sub(changed)
    }

    /// A stamp of a file that surely nobody writes meanwhile; waits a moment, if that settles it.
    pub(super) fn settle(path: &Path) -> Result<Self, EngineError> {
        let first = Self::of(path)?;
        if first.settled || first.grain() > FINE {
            return Ok(first);
        }
        std::thread::sleep(FINE + Duration::from_millis(1));
        Self::of(path)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the file was surely not written since this stamp was taken.
    pub(super) fn proves_untouched(&self, path: &Path) -> Result<bool, EngineError> {
        let same = self.changed == Self::of(path)?.changed;
        Ok(self.settled && same && self.has_same_content(path)?)
    }

    /// Whether no write to the file shows since this stamp was taken.
    pub(super) fn has_same_content(&self, path: &Path) -> Result<bool, EngineError> {
        let now = Self::of(path)?;
        let same_file = self.inode == now.inode && self.length == now.length;
        Ok(same_file && self.modified == now.modified)
    }
}

/// Transactions up to this one had been committed at this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    until: u64,
    at: Timestamp,
}

/// A range whose payload lies in the state folder until it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queued {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) file: String,
}

/// The log of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogState {
    /// Identity of the source that it belongs to.
    pub(super) identity: String,
    /// This unbroken history.
    pub(super) incarnation: String,
    /// Where in the log file `captured` is.
    pub(super) place: Place,
    /// Transactions of this incarnation that are stored or queued.
    pub(super) captured: u64,
    /// Transactions that are stored.
    pub(super) shipped: u64,
    /// What is captured and not yet stored.
    pub(super) outbox: Vec<Queued>,
    /// Time of the last captured transaction.
    pub(super) last_at: Option<Timestamp>,
    /// Times that are known of transactions not yet captured.
    pub(super) seen: Vec<Seen>,
    /// Why a fresh full is needed, until one was taken.
    pub(super) needs_full: Option<String>,
    /// The database file when the log was empty; it matters only for [`Place::Empty`].
    pub(super) stamp: Stamp,
}

impl LogState {
    /// A new history that begins at `place`.
    pub(super) fn begin(
        identity: &str,
        place: Place,
        source: &Path,
        needs_full: Option<String>,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            identity: identity.to_owned(),
            incarnation: store::random_id()?,
            place,
            captured: 0,
            shipped: 0,
            outbox: Vec::new(),
            last_at: None,
            seen: Vec::new(),
            needs_full,
            stamp: Stamp::of(source)?,
        })
    }

    pub(super) fn load(state_dir: &Path) -> Result<Option<Self>, EngineError> {
        store::load(state_dir, NAME)
    }

    pub(super) fn save(&self, state_dir: &Path) -> Result<(), EngineError> {
        store::save(state_dir, NAME, self)
    }

    /// Forgets the log: the database has none any more.
    pub(super) fn remove(state_dir: &Path) -> Result<(), EngineError> {
        let path = state_dir.join(NAME);
        fs::remove_file(&path)
            .and_then(|()| durable::sync_folder(state_dir))
            .map_err(EngineError::io("remove", path))
    }

    pub(super) fn position(&self, value: u64) -> Position {
        Position {
            incarnation: self.incarnation.clone(),
            value,
        }
    }

    /// Notes that everything up to `until` had been committed at `at`.
    pub(super) fn note_seen(&mut self, until: u64, at: Timestamp) {
        if until > self.seen.last().map_or(self.captured, |seen| seen.until) {
            self.seen.push(Seen { until, at });
        }
    }

    /// The time of a transaction: when it was first seen committed, never before its forerunner.
    pub(super) fn time_of(&self, ordinal: u64, now: Timestamp) -> Timestamp {
        let seen = self.seen.iter().find(|seen| seen.until >= ordinal);
        let first = seen.map_or(now, |seen| seen.at.min(now));
        self.last_at.map_or(first, |last| last.max(first))
    }

    /// Puts a payload into the state folder, durably, and counts it as captured when the state
    /// is saved next.
    pub(super) fn queue(
        &mut self,
        state_dir: &Path,
        queued: Queued,
        payload: &[u8],
        place: Place,
    ) -> Result<(), EngineError> {
        store::save_bytes(state_dir, &queued.file, payload)?;
        self.captured = queued.until;
        self.place = place;
        self.last_at = Some(queued.last_at);
        let captured = self.captured;
        self.seen.retain(|seen| seen.until > captured);
        self.outbox.push(queued);
        Ok(())
    }

    /// Name of the file that holds the payload of the range that begins at `from`.
    pub(super) fn spool_name(&self, from: u64) -> String {
        format!("log-{}-{from}.range", self.incarnation)
    }

    /// The range as it is stored. Byte for byte the same as often as it is asked for, because
    /// the payload is kept: a range that is stored twice is the same object.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] when the payload is not what was queued.
    pub(super) fn range(&self, state_dir: &Path, queued: &Queued) -> Result<LogRange, EngineError> {
        let path = state_dir.join(&queued.file);
        let payload = fs::read(&path).map_err(EngineError::io("read", &path))?;
        payload::decode(&payload).map_err(|detail| EngineError::Damaged {
            what: path.display().to_string(),
            detail,
        })?;
        Ok(LogRange {
            from: self.position(queued.from),
            until: self.position(queued.until),
            tail: false,
            first_at: queued.first_at,
            last_at: queued.last_at,
            points: None,
            payload: payload.into(),
        })
    }
}
