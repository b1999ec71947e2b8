//! Owns the journal of a run: what was begun and what is done, readable after any crash.
//! Must not decide what a resumed run may skip; `run::resume` does, and it asks the media.
//!
//! # Form on disk
//! One record a line, appended, never rewritten:
//!
//! ```text
//! CRC CHAIN EVENT\n
//! ```
//!
//! - `EVENT`: the JSON of one [`RunEvent`], no line break inside.
//! - `CHAIN`: 16 hex digits, the first 8 bytes of BLAKE3(chain of the record before, `EVENT`); the
//!   chain before the first record is 0. A record that is taken out, added or moved breaks it.
//! - `CRC`: 8 hex digits, the CRC-32C of everything after it without the line break.
//!
//! A bad last record is a torn tail: the process died while it wrote, so nothing depends on it;
//! it is ignored and cut off when the run is resumed. A bad record with good ones after it means
//! that the file was changed or damaged: reading stops with [`JournalError::Damaged`].

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::event::RunEvent;

/// What goes wrong with a journal. Texts are lowercase fragments.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("cannot {action} the journal {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// A record in the middle is not what was written.
    #[error("the journal {path} is damaged at line {line}: {detail}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// How it shows.
        detail: &'static str,
    },
}

/// The journal of one run, open at its end.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    chain: u64,
    line: Vec<u8>,
}

impl Journal {
    /// Begins the journal of a new run. The file must not exist.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.map_err(|cause| io("create", path, cause))?;
        Ok(Self::at(file, path, 0))
    }

    /// Opens the journal of an unfinished run: its records, and the journal ready for more.
    /// A torn tail is cut off.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when a record before the tail is bad.
    pub fn resume(path: &Path) -> Result<(Self, Vec<RunEvent>), JournalError> {
        let records = read(path)?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|cause| io("open", path, cause))?;
        file.set_len(records.length)
            .map_err(|cause| io("cut the torn tail of", path, cause))?;
        Ok((Self::at(file, path, records.chain), records.events))
    }

    fn at(file: File, path: &Path, chain: u64) -> Self {
        let path = path.to_owned();
        let line = Vec::with_capacity(512);
        Self {
            file,
            path,
            chain,
            line,
        }
    }

    /// Appends one record and hands it to the system: it survives the death of this process.
    ///
    /// # Errors
    /// [`JournalError::Io`]; then the run must stop, nothing may depend on the record.
    pub fn append(&mut self, event: &RunEvent) -> Result<(), JournalError> {
        const HEAD: usize = 26;
        self.line.clear();
        self.line.resize(HEAD, b' ');
        serde_json::to_writer(&mut self.line, event)
            .map_err(|error| io("encode", &self.path, std::io::Error::other(error)))?;
        self.chain = chained(self.chain, &self.line[HEAD..]);
        hex(&mut self.line[9..25], self.chain);
        let crc = crc32c::crc32c(&self.line[9..]);
        hex(&mut self.line[..8], u64::from(crc));
        self.line.push(b'\n');
        let written = self.file.write_all(&self.line);
        written.map_err(|cause| io("write", &self.path, cause))
    }

    /// Makes everything appended so far durable: it survives the death of the machine.
    ///
    /// # Errors
    /// [`JournalError::Io`]. It is not tried again (R5).
    pub fn sync(&mut self) -> Result<(), JournalError> {
        let synced = self.file.sync_data();
        synced.map_err(|cause| io("sync", &self.path, cause))
    }
}

/// The good records of a journal file.
#[derive(Debug)]
pub struct Records {
    /// The records in order.
    pub events: Vec<RunEvent>,
    /// Chain hash of the last one.
    chain: u64,
    /// Bytes of the file that they take.
    length: u64,
}

/// Reads a journal without changing it.
///
/// # Errors
/// [`JournalError::Damaged`] when a record before the tail is bad.
pub fn read(path: &Path) -> Result<Records, JournalError> {
    let bytes = std::fs::read(path).map_err(|cause| io("read", path, cause))?;
    let mut records = Records {
        events: Vec::new(),
        chain: 0,
        length: 0,
    };
    let mut bad: Option<(usize, &'static str)> = None;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if let Some((line, detail)) = bad {
            let path = path.to_owned();
            return Err(JournalError::Damaged { path, line, detail });
        }
        match record(line, records.chain) {
            Ok((event, chain)) => {
                records.events.push(event);
                records.chain = chain;
                records.length += line.len() as u64;
            }
            Err(detail) => bad = Some((index + 1, detail)),
        }
    }
    Ok(records)
}

/// One record: its event and its chain hash.
fn record(line: &[u8], before: u64) -> Result<(RunEvent, u64), &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("the record is cut off")?;
    let (Some(crc), Some(b' '), Some(rest)) = (line.get(..8), line.get(8), line.get(9..)) else {
        return Err("the record is too short");
    };
    if unhex(crc) != Some(u64::from(crc32c::crc32c(rest))) {
        return Err("the checksum does not match");
    }
    let (Some(chain), Some(event)) = (rest.get(..16), rest.get(17..)) else {
        return Err("the record is too short");
    };
    let expected = chained(before, event);
    if unhex(chain) != Some(expected) {
        return Err("the record does not follow the one before it");
    }
    let event = serde_json::from_slice(event).map_err(|_| "the event cannot be read")?;
    Ok((event, expected))
}

fn chained(before: u64, event: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before.to_be_bytes()).update(event);
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(first)
}

/// Writes `value` as hex digits over the whole of `out`.
fn hex(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn unhex(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(text, 16).ok()
}

fn io(action: &'static str, path: &Path, cause: std::io::Error) -> JournalError {
    let path = path.to_owned();
    JournalError::Io {
        action,
        path,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::step::StepId;
    use crate::run::event::EventKind;
    use jiff::Timestamp;

    fn began(step: u64) -> RunEvent {
        RunEvent {
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::StepBegan {
                step: StepId(step),
                attempt: 1,
            },
        }
    }

    fn written(folder: &Path, count: u64) -> PathBuf {
        let path = folder.join("journal");
        let mut journal = Journal::create(&path).expect("create");
        for step in 0..count {
            journal.append(&began(step)).expect("append");
        }
        path
    }

    #[test]
    fn records_come_back_and_more_can_follow() {
        let folder = tempfile::tempdir().expect("folder");
        let path = written(folder.path(), 3);
        let (mut journal, events) = Journal::resume(&path).expect("resume");
        assert_eq!(events, [began(0), began(1), began(2)]);
        journal.append(&began(3)).expect("append");
        assert_eq!(read(&path).expect("read").events.len(), 4);
    }

    #[test]
    fn a_torn_tail_is_ignored_at_every_length_and_cut_off() {
        let folder = tempfile::tempdir().expect("folder");
        let path = written(folder.path(), 2);
        let whole = std::fs::read(&path).expect("read");
        let first = whole.iter().position(|byte| *byte == b'\n').expect("line") + 1;
        for length in first..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("write");
            let (_, events) = Journal::resume(&path).expect("resume");
            assert_eq!(events, [began(0)], "cut at {length}");
            let left = std::fs::metadata(&path).expect("stat").len();
            assert_eq!(left, first as u64);
        }
    }

    #[test]
    fn every_changed_byte_before_the_last_record_is_found() {
        let folder = tempfile::tempdir().expect("folder");
        let path = written(folder.path(), 3);
        let whole = std::fs::read(&path).expect("read");
        // without the second line break two records are one, and that one is the tail
        let last = whole.len() / 3 * 2 - 1;
        for at in 0..last {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).expect("write");
            let error = read(&path).expect_err("a changed byte must be found");
            assert!(matches!(error, JournalError::Damaged { .. }), "byte {at}");
        }
    }

    #[test]
    fn a_record_that_is_taken_out_is_found() {
        let folder = tempfile::tempdir().expect("folder");
        let path = written(folder.path(), 4);
        let text = std::fs::read_to_string(&path).expect("read");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(1);
        std::fs::write(&path, lines.join("\n") + "\n").expect("write");
        let error = read(&path).expect_err("the chain is broken");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
