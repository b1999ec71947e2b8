//! Owns sinks that keep parts and log in memory, for the contract suite, rehearsals and tests.

use std::io::Read;
use std::path::Path;

use super::{EndedBackup, EngineError, Entry, LogRange, LogSink, PartSink, RestoreSession};

/// Content of a file: where data begins, and the data. What is not covered is zeros.
pub type Pieces = Vec<(u64, Vec<u8>)>;

/// A file of a part in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Name and attributes.
    pub entry: Entry,
    /// Data without holes.
    pub pieces: Pieces,
    /// Length, holes included.
    pub length: u64,
}

/// A part in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryPart {
    /// Its files in the order in which they came.
    pub entries: Vec<StoredEntry>,
    open: bool,
}

impl MemoryPart {
    fn last(&mut self) -> Result<&mut StoredEntry, EngineError> {
        let open = self.open;
        let last = self.entries.last_mut().filter(|_| open);
        last.ok_or_else(|| EngineError::refused("store bytes", "no entry is open"))
    }

    /// Plays the part into a restore session, up to and with `finish_part`.
    ///
    /// # Errors
    /// Those of the session.
    pub fn play(
        &self,
        session: &mut dyn RestoreSession,
        ended: &EndedBackup,
    ) -> Result<(), EngineError> {
        for stored in &self.entries {
            session.entry(&stored.entry)?;
            for (at, bytes) in &stored.pieces {
                session.data(*at, bytes)?;
            }
            session.close(stored.length)?;
        }
        session.finish_part(ended)
    }

    /// The file of this name.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&StoredEntry> {
        self.entries.iter().find(|stored| stored.entry.path == path)
    }
}

impl PartSink for MemoryPart {
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
        if self.open {
            return Err(EngineError::refused(
                "store an entry",
                "the last one is open",
            ));
        }
        self.open = true;
        self.entries.push(StoredEntry {
            entry,
            pieces: Vec::new(),
            length: 0,
        });
        Ok(())
    }

    fn read_from(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<u64, EngineError> {
        let last = self.last()?;
        let mut bytes = Vec::new();
        let read = source.take(limit).read_to_end(&mut bytes);
        read.map_err(EngineError::io("read", path))?;
        let length = bytes.len() as u64;
        if length > 0 {
            last.pieces.push((last.length, bytes));
            last.length += length;
        }
        Ok(length)
    }

    fn hole(&mut self, length: u64) -> Result<(), EngineError> {
        self.last()?.length += length;
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.last()?;
        self.open = false;
        Ok(())
    }
}

/// Log ranges in memory, with a device's rule: equal ranges may come again, others may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryLog {
    /// In the order in which they came first.
    pub ranges: Vec<LogRange>,
    /// Calls of `put`, the repeated ones too.
    pub puts: usize,
}

impl LogSink for MemoryLog {
    fn put(&mut self, range: LogRange) -> Result<(), EngineError> {
        self.puts += 1;
        let same = self.ranges.iter().find(|known| known.from == range.from);
        match same {
            None => self.ranges.push(range),
            Some(known) if *known == range => {}
            Some(_) => {
                return Err(EngineError::refused(
                    format!("store the log after {}", range.from.value),
                    "another range begins there",
                ));
            }
        }
        Ok(())
    }
}
