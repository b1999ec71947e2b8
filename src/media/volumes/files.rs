//! Owns the file-backed library: a folder of files, each a volume of fixed capacity with blocks,
//! marks and an end; errors can be injected. A rotated disk is such a volume too. Volumes that an
//! operator is to take or has brought lie in the folder `out` beside the slots.
//!
//! A volume is a row of records: kind (1 block, 2 mark), length and CRC-32C of the payload, both 4
//! bytes little-endian, payload.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::drive::{Library, Medium, MediumError};
use crate::durable;

/// Ends the name of a volume's file.
const SUFFIX: &str = ".volume";

/// Folder, beside the slots, where an operator takes and brings volumes.
const OUT: &str = "out";

/// File that the process locks which writes.
const LOCK: &str = "lock";

/// How long another process may use a volume before it is given up.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often it is tried meanwhile.
const TRY_EVERY: Duration = Duration::from_millis(50);

const BLOCK: u8 = 1;
const MARK: u8 = 2;
const RECORD: u64 = 9;

/// No block is longer, so that a damaged length does not fill the memory.
const LONGEST: u32 = 1 << 20;

/// Kept free behind the early warning, so that what is begun can be closed.
const RESERVE: u64 = 8 << 10;

/// Errors that are made to happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// Appending the block with this number fails, counted from 1 over all volumes.
    pub write: Option<u64>,
    /// Reading the block with this number fails.
    pub read: Option<u64>,
    /// Writing the mark with this number fails.
    pub mark: Option<u64>,
}

#[derive(Debug, Default)]
struct Counters {
    injected: Injected,
    writes: u64,
    reads: u64,
    marks: u64,
}

impl Counters {
    fn fails(counter: &mut u64, at: Option<u64>) -> io::Result<()> {
        *counter += 1;
        if at == Some(*counter) {
            return Err(io::Error::other("an injected error"));
        }
        Ok(())
    }
}

/// A folder of volumes.
#[derive(Debug, Clone)]
pub struct FileLibrary {
    folder: PathBuf,
    capacity: u64,
    counters: Arc<Mutex<Counters>>,
}

impl FileLibrary {
    /// The library of a folder; each volume takes so many bytes.
    #[must_use]
    pub fn new(folder: PathBuf, capacity: u64) -> Self {
        Self {
            folder,
            capacity,
            counters: Arc::default(),
        }
    }

    /// Makes errors happen from now on.
    pub fn inject(&self, injected: Injected) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        *counters = Counters {
            injected,
            ..Counters::default()
        };
    }

    /// Puts a blank volume into a slot; one that is there stays as it is.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn add(&self, volume: &str) -> io::Result<()> {
        let path = self.path(volume);
        OpenOptions::new().append(true).create(true).open(path)?;
        durable::sync_folder(&self.folder)
    }

    fn path(&self, volume: &str) -> PathBuf {
        self.folder.join(file_name(volume))
    }
}

fn file_name(volume: &str) -> String {
    format!("{volume}{SUFFIX}")
}

/// Has a file for this process alone; waits for others.
fn lock(file: &File) -> Result<(), MediumError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                std::thread::sleep(TRY_EVERY);
            }
            Err(TryLockError::WouldBlock) => {
                let cause = io::Error::other("another process uses the volumes");
                return Err(MediumError::Library(cause));
            }
            Err(TryLockError::Error(cause)) => return Err(MediumError::Library(cause)),
        }
    }
}

/// Moves a volume; it lies at one of both places whatever happens, and at the new one in the end.
fn rename(from: &Path, to: &Path, volume: &str) -> Result<(), MediumError> {
    let moved = std::fs::rename(from, to).and_then(|()| {
        durable::sync_folder(durable::parent(to))?;
        durable::sync_folder(durable::parent(from))
    });
    moved.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => MediumError::Absent(volume.to_owned()),
        _ => MediumError::Library(error),
    })
}

impl Library for FileLibrary {
    fn volumes(&self) -> Result<Vec<String>, MediumError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(MediumError::Read)? {
            let name = entry.map_err(MediumError::Read)?.file_name();
            let name = name.to_string_lossy();
            names.extend(name.strip_suffix(SUFFIX).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn hold(&self) -> Result<Box<dyn Send>, MediumError> {
        let path = self.folder.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(path);
        let file = file.map_err(MediumError::Library)?;
        lock(&file)?;
        Ok(Box::new(file))
    }

    fn make(&self, volume: &str) -> Result<bool, MediumError> {
        let made = durable::make_folder(&self.folder, durable::OPEN);
        made.map_err(MediumError::Library)?;
        self.add(volume).map_err(MediumError::Library)?;
        Ok(true)
    }

    fn hand_out(&self, volume: &str) -> Result<(), MediumError> {
        let out = self.folder.join(OUT);
        durable::make_folder(&out, durable::OPEN).map_err(MediumError::Library)?;
        let from = self.path(volume);
        rename(&from, &out.join(file_name(volume)), volume)
    }

    fn take_in(&self, volume: &str) -> Result<(), MediumError> {
        let to = self.path(volume);
        if to.exists() {
            return Ok(()); // it was put into its slot by hand
        }
        rename(&self.folder.join(OUT).join(file_name(volume)), &to, volume)
    }

    fn load(&self, volume: &str) -> Result<Box<dyn Medium>, MediumError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(volume));
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => MediumError::Absent(volume.to_owned()),
            _ => MediumError::Read(error),
        })?;
        let mut medium = FileMedium {
            file,
            at: 0,
            begins: vec![0],
            capacity: self.capacity,
            counters: Arc::clone(&self.counters),
        };
        medium.wake()?;
        Ok(Box::new(medium))
    }
}

/// A volume in the drive.
struct FileMedium {
    file: File,
    /// Where the next record is read or written.
    at: u64,
    /// Where each file begins; the last one is the end of the data.
    begins: Vec<u64>,
    capacity: u64,
    counters: Arc<Mutex<Counters>>,
}

impl FileMedium {
    /// Goes over all records without reading what they hold.
    fn find_marks(&mut self) -> io::Result<()> {
        self.begins = vec![0];
        let size = self.file.metadata()?.len();
        let mut at = 0;
        while at + RECORD <= size {
            let (kind, length, _) = self.head(at)?;
            at += RECORD + u64::from(length);
            if at > size || !matches!(kind, BLOCK | MARK) {
                break; // a tail that a crash left
            }
            if kind == MARK {
                self.begins.push(at);
            }
        }
        Ok(())
    }

    fn head(&mut self, at: u64) -> io::Result<(u8, u32, u32)> {
        let mut head = [0; 9];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        Ok((head[0], word(1), word(5)))
    }

    fn end_of_data(&self) -> u64 {
        self.begins.last().copied().unwrap_or(0)
    }

    fn record(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let mut record = Vec::with_capacity(payload.len() + 9);
        record.push(kind);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        record.extend_from_slice(payload);
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(&record)?;
        self.at += record.len() as u64;
        Ok(())
    }

    fn next_block(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (kind, length, crc) = self.head(self.at)?;
        if length > LONGEST {
            return Err(io::Error::other(
                "a block is longer than any that is written",
            ));
        }
        let mut payload = vec![0; length as usize];
        self.file.read_exact(&mut payload)?;
        if crc32c::crc32c(&payload) != crc {
            return Err(io::Error::other("a block is not what was written"));
        }
        if kind == MARK {
            return Ok(None);
        }
        self.at += RECORD + u64::from(length);
        Ok(Some(payload))
    }

    fn counters(&self) -> std::sync::MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for FileMedium {
    fn is_blank(&mut self) -> Result<bool, MediumError> {
        let data = self.file.metadata().map_err(MediumError::Read)?;
        Ok(data.len() == 0)
    }

    fn end(&mut self) -> Result<u64, MediumError> {
        self.at = self.end_of_data();
        Ok(self.begins.len() as u64 - 1)
    }

    fn append(&mut self, block: &[u8]) -> Result<bool, MediumError> {
        let mut counters = self.counters();
        let at = counters.injected.write;
        let injected = Counters::fails(&mut counters.writes, at);
        drop(counters);
        injected.map_err(MediumError::Write)?;
        if self.at + RECORD + block.len() as u64 + RECORD > self.capacity {
            return Err(MediumError::Full);
        }
        self.record(BLOCK, block).map_err(MediumError::Write)?;
        Ok(self.at + RESERVE + super::BLOCK as u64 + RECORD > self.capacity)
    }

    fn mark(&mut self) -> Result<(), MediumError> {
        let mut counters = self.counters();
        let at = counters.injected.mark;
        let injected = Counters::fails(&mut counters.marks, at);
        drop(counters);
        injected.map_err(MediumError::Write)?;
        self.record(MARK, &[]).map_err(MediumError::Write)?;
        // what an earlier attempt left behind this place must not look like data
        self.file.set_len(self.at).map_err(MediumError::Write)?;
        self.file.sync_all().map_err(MediumError::Write)?;
        self.begins.push(self.at);
        Ok(())
    }

    fn locate(&mut self, file: u64) -> Result<(), MediumError> {
        let index = usize::try_from(file).unwrap_or(usize::MAX);
        let begin = self
            .begins
            .get(index)
            .filter(|_| index + 1 < self.begins.len());
        self.at = *begin.ok_or(MediumError::EndOfData)?;
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, MediumError> {
        if self.at >= self.end_of_data() {
            return Err(MediumError::EndOfData);
        }
        let mut counters = self.counters();
        let at = counters.injected.read;
        let injected = Counters::fails(&mut counters.reads, at);
        drop(counters);
        injected.map_err(MediumError::Read)?;
        self.next_block().map_err(MediumError::Read)
    }

    fn erase(&mut self) -> Result<(), MediumError> {
        // made durable by the mark behind the label that follows
        self.file.set_len(0).map_err(MediumError::Write)?;
        self.at = 0;
        self.begins = vec![0];
        Ok(())
    }

    fn skip(&mut self, blocks: u64) -> Result<(), MediumError> {
        for _ in 0..blocks {
            let (kind, length, _) = self.head(self.at).map_err(MediumError::Read)?;
            if kind != BLOCK {
                return Err(MediumError::Read(io::ErrorKind::UnexpectedEof.into()));
            }
            self.at += RECORD + u64::from(length);
        }
        Ok(())
    }

    fn rest(&mut self) {
        // the lock of a file that is closed is gone too
        let _ = self.file.unlock();
    }

    fn wake(&mut self) -> Result<(), MediumError> {
        lock(&self.file)?;
        self.find_marks().map_err(MediumError::Read)
    }
}
