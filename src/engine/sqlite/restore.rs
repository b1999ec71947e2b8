//! Owns building a restored database in a staging folder and replaying log onto it. The copy is
//! plain pages here; `SQLite` itself only checks the result.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::FILE;
use super::connection::{beside, check_copy};
use super::payload::{Payload, Transaction, decode};
use crate::engine::beneath::Beneath;
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind, LogRange, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// A database that is being built.
pub(super) struct Restore {
    staging: PathBuf,
    file: Option<File>,
    entry: Option<Entry>,
    open: bool,
    page_size: u32,
    position: Option<Position>,
    /// The position that was asked for and is not reached yet, in words.
    missing: Option<String>,
    warnings: Vec<String>,
}

/// What a target says of the next transaction.
enum Verdict {
    /// It belongs to the result.
    Apply,
    /// It belongs to the result and is the last one.
    Last,
    /// It does not belong to the result.
    Stop,
}

impl Restore {
    pub(super) fn begin(staging: &Path) -> Result<Self, EngineError> {
        Beneath::open(staging)?;
        Ok(Self {
            staging: staging.to_owned(),
            file: None,
            entry: None,
            open: false,
            page_size: 0,
            position: None,
            missing: None,
            warnings: Vec::new(),
        })
    }

    fn path(&self) -> PathBuf {
        self.staging.join(FILE)
    }

    fn file(&self) -> Result<&File, EngineError> {
        let closed = || EngineError::refused("restore a database", "its file has not come");
        self.file.as_ref().ok_or_else(closed)
    }

    fn broken(detail: String) -> EngineError {
        EngineError::ChainBroken {
            what: "the restored database".to_owned(),
            detail,
        }
    }

    /// Where the copy stands, if the range continues it.
    fn joint(&self, range: &LogRange) -> Result<Position, EngineError> {
        let Some(position) = self.position.clone() else {
            let why = "the copy was taken without a log position: no log continues it";
            return Err(Self::broken(why.to_owned()));
        };
        let same = position.incarnation == range.from.incarnation
            && position.incarnation == range.until.incarnation;
        if !same {
            return Err(Self::broken(
                "the range belongs to another incarnation".to_owned(),
            ));
        }
        if range.from.value > position.value {
            return Err(Self::broken(format!(
                "the range begins after transaction {}, the copy ends with {}",
                range.from.value, position.value
            )));
        }
        Ok(position)
    }

    fn write(&self, transaction: &Transaction<'_>) -> Result<(), EngineError> {
        let file = self.file()?;
        let size = u64::from(self.page_size);
        let path = self.path();
        for (number, page) in &transaction.pages {
            if *number <= transaction.db_pages {
                file.write_all_at(page, u64::from(number - 1) * size)
                    .map_err(EngineError::io("write", &path))?;
            }
        }
        file.set_len(u64::from(transaction.db_pages) * size)
            .map_err(EngineError::io("resize", path))
    }

    fn replay(
        &mut self,
        payload: &Payload<'_>,
        until: &RecoveryTarget,
        position: &Position,
    ) -> Result<bool, EngineError> {
        let start = position.value;
        let new = payload
            .transactions
            .iter()
            .filter(|one| one.ordinal > start);
        for transaction in new {
            let verdict = verdict(until, transaction);
            if matches!(verdict, Verdict::Stop) {
                self.missing = None;
                return Ok(true);
            }
            self.write(transaction)?;
            self.position = Some(Position {
                incarnation: position.incarnation.clone(),
                value: transaction.ordinal,
            });
            if matches!(verdict, Verdict::Last) {
                self.missing = None;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the copy already stands at the target, before any further transaction.
fn reached(at: &Position, until: &RecoveryTarget) -> Result<bool, EngineError> {
    let (target, wanted) = match until {
        RecoveryTarget::Backup => return Ok(true),
        RecoveryTarget::Latest | RecoveryTarget::Instant(_) => return Ok(false),
        RecoveryTarget::Transaction(target) => (target, target.value),
        RecoveryTarget::Before(target) => (target, target.value.saturating_sub(1)),
    };
    if target.incarnation != at.incarnation {
        return Err(EngineError::NotReached(format!(
            "transaction {} belongs to incarnation {}, the copy to {}",
            target.value, target.incarnation, at.incarnation
        )));
    }
    if wanted < at.value {
        return Err(EngineError::NotReached(format!(
            "the copy already holds transaction {}, the target is the state after {wanted}",
            at.value
        )));
    }
    Ok(wanted == at.value)
}

fn verdict(until: &RecoveryTarget, next: &Transaction<'_>) -> Verdict {
    let last = match until {
        RecoveryTarget::Backup => return Verdict::Stop,
        RecoveryTarget::Instant(instant) if next.at > *instant => return Verdict::Stop,
        RecoveryTarget::Latest | RecoveryTarget::Instant(_) => return Verdict::Apply,
        RecoveryTarget::Transaction(target) => target.value,
        RecoveryTarget::Before(target) => target.value.saturating_sub(1),
    };
    match next.ordinal.cmp(&last) {
        std::cmp::Ordering::Less => Verdict::Apply,
        std::cmp::Ordering::Equal => Verdict::Last,
        std::cmp::Ordering::Greater => Verdict::Stop,
    }
}

/// Takes a payload apart and holds it against what the range says of itself.
pub(super) fn open_range(range: &LogRange) -> Result<Payload<'_>, EngineError> {
    let damaged = |detail: String| EngineError::Damaged {
        what: format!("log range {}..{}", range.from.value, range.until.value),
        detail,
    };
    let payload = decode(&range.payload).map_err(damaged)?;
    let first = payload.transactions.first().map(|one| one.ordinal);
    let last = payload.transactions.last().map(|one| one.ordinal);
    if first == range.from.value.checked_add(1) && last == Some(range.until.value) {
        return Ok(payload);
    }
    Err(damaged("its payload holds other transactions".to_owned()))
}

impl RestoreSession for Restore {
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if entry.path != FILE || entry.kind != EntryKind::File || self.file.is_some() {
            let what = format!("restore the entry {}", entry.path.escape_debug());
            return Err(EngineError::refused(
                what,
                "a database is one file, `main.db`",
            ));
        }
        let place = Beneath::open(&self.staging)?.place(FILE)?;
        self.file = Some(place.create_file()?);
        self.entry = Some(entry.clone());
        self.open = true;
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        if !self.open {
            return Err(EngineError::refused("restore bytes", "no file is open"));
        }
        self.file()?
            .write_all_at(bytes, offset)
            .map_err(EngineError::io("write", self.path()))
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        self.open = false;
        self.file()?
            .set_len(length)
            .map_err(EngineError::io("resize", self.path()))
    }

    fn finish_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let mut header = [0; 100];
        let read = self.file()?.read_exact_at(&mut header, 0);
        let damaged = |detail: &str| EngineError::Damaged {
            what: "the restored database".to_owned(),
            detail: detail.to_owned(),
        };
        if read.is_err() || !header.starts_with(b"SQLite format 3\0") {
            return Err(damaged("it has no SQLite header"));
        }
        // 1 stands for 65536
        let size = u32::from(u16::from_be_bytes([header[16], header[17]]));
        self.page_size = if size == 1 { 65_536 } else { size };
        self.position.clone_from(&ended.until);
        Ok(())
    }

    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError> {
        let position = self.joint(range)?;
        if reached(&position, until)? {
            self.missing = None;
            return Ok(true);
        }
        self.missing = match until {
            RecoveryTarget::Transaction(target) => Some(format!("transaction {}", target.value)),
            RecoveryTarget::Before(target) => {
                Some(format!("the state before transaction {}", target.value))
            }
            // only a later transaction proves that none is missing before the moment
            RecoveryTarget::Instant(at) => Some(format!("the moment {at}")),
            RecoveryTarget::Latest | RecoveryTarget::Backup => None,
        };
        if range.until.value <= position.value {
            return Ok(false);
        }
        let payload = open_range(range)?;
        if payload.page_size != self.page_size {
            return Err(Self::broken(format!(
                "the range has pages of {} bytes, the copy of {}",
                payload.page_size, self.page_size
            )));
        }
        self.replay(&payload, until, &position)
    }

    fn position(&self) -> Option<Position> {
        self.position.clone()
    }

    fn check(&mut self) -> Result<(), EngineError> {
        let path = self.path();
        self.file()?;
        if let (Some(missing), Some(at)) = (&self.missing, &self.position) {
            return Err(EngineError::NotReached(format!(
                "{missing} lies beyond the log, which ends with transaction {}",
                at.value
            )));
        }
        for ending in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(&path, ending));
        }
        // closed before the library opens it: a late close would drop the library's locks
        drop(self.file.take());
        check_copy(&path, "the restored database")?;
        if let Some(entry) = &self.entry {
            let place = Beneath::open(&self.staging)?.place(FILE)?;
            self.warnings.extend(place.set_attributes(entry)?);
        }
        let file = OpenOptions::new().read(true).open(&path);
        let file = file.map_err(EngineError::io("open", &path))?;
        file.sync_all().map_err(EngineError::io("sync", &path))?;
        self.file = Some(file);
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn result(&self) -> PathBuf {
        self.path()
    }
}
