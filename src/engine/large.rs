//! Owns reading and writing large files past the page cache. A backup reads each file once, a
//! restore writes it once: through the cache that pushes out what databases keep there, and costs
//! more CPU than all the rest. Must not decide what is read or written; where the file system
//! refuses, the cache is used.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::mpsc::{self, Receiver, Sender};

use rustix::fs::OFlags;

/// Shorter files are read through the cache: they are likely to be there already.
const LARGE: u64 = 4 * STEP as u64;
/// Bytes read at once.
const STEP: usize = 1 << 20;
/// Pieces of that length in memory: one in use, two ahead of it.
const PIECES: usize = 3;
/// What places in files and memory are multiples of; no block device asks for more.
const ALIGN: usize = 4096;

/// Reads a file from its start.
pub(crate) struct LargeReader<'a> {
    file: &'a File,
    direct: Option<Direct>,
    at: u64,
}

impl<'a> LargeReader<'a> {
    /// `length` is what the file is known to hold.
    pub(crate) fn new(file: &'a File, length: u64) -> Self {
        Self {
            file,
            direct: (length >= LARGE).then(|| Direct::open(file)).flatten(),
            at: 0,
        }
    }
}

impl Read for LargeReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.direct.as_mut().is_some_and(|past| !past.fill()) {
            self.direct = None;
        }
        let read = match &mut self.direct {
            Some(direct) => direct.give(out),
            None => self.file.read_at(out, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

/// The same file, opened past the cache.
fn past_the_cache(file: &File, how: &mut OpenOptions) -> Option<File> {
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
    how.custom_flags(flags).open(same).ok()
}

/// Memory of [`STEP`] bytes that begins where the device wants it.
#[derive(Debug)]
struct Aligned {
    memory: Vec<u8>,
    begin: usize,
}

impl Aligned {
    fn new() -> Self {
        let memory = vec![0; STEP + ALIGN];
        Self {
            begin: memory.as_ptr().align_offset(ALIGN).min(ALIGN),
            memory,
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + STEP]
    }
}

/// The file once more, read past the cache by a thread that goes ahead: the device works on the next
/// piece while this one is used.
struct Direct {
    coming: Receiver<(Aligned, usize)>,
    home: Sender<Aligned>,
    piece: Option<Aligned>,
    held: Range<usize>,
}

impl Direct {
    fn open(file: &File) -> Option<Self> {
        let file = past_the_cache(file, File::options().read(true))?;
        let (filled, coming) = mpsc::channel();
        let (home, free) = mpsc::channel();
        for _ in 0..PIECES {
            home.send(Aligned::new()).ok()?;
        }
        let thread = std::thread::Builder::new().name("ahead".into());
        let spawned = thread.spawn(move || go_ahead(&file, &free, &filled));
        spawned.ok().map(|_| Self {
            coming,
            home,
            piece: None,
            held: 0..0,
        })
    }

    /// Whether there is something to give. Not at the end of the file, nor after a read that ended
    /// between two blocks, nor when the file system cannot do it: the cache takes over there.
    fn fill(&mut self) -> bool {
        if !self.held.is_empty() {
            return true;
        }
        if let Some(used) = self.piece.take() {
            // the thread may have come to the end
            let _ = self.home.send(used);
        }
        let Ok((piece, length)) = self.coming.recv() else {
            return false;
        };
        self.piece = Some(piece);
        self.held = 0..length;
        true
    }

    fn give(&mut self, out: &mut [u8]) -> usize {
        let Some(piece) = &mut self.piece else {
            return 0;
        };
        let length = out.len().min(self.held.len());
        out[..length].copy_from_slice(&piece.bytes()[self.held.start..][..length]);
        self.held.start += length;
        length
    }
}

/// Fills pieces from the start of the file to where its blocks end, as long as somebody reads.
fn go_ahead(file: &File, free: &Receiver<Aligned>, filled: &Sender<(Aligned, usize)>) {
    let mut at = 0;
    for mut piece in free {
        let read = file.read_at(piece.bytes(), at).unwrap_or(0);
        at += read as u64;
        if read == 0 || filled.send((piece, read)).is_err() || !read.is_multiple_of(ALIGN) {
            return;
        }
    }
}

/// Writes files one after the other; large whole pieces go past the cache.
#[derive(Debug, Default)]
pub(crate) struct LargeWriter {
    memory: Option<Aligned>,
    direct: Past,
}

/// Whether the open file takes bytes past the cache.
#[derive(Debug, Default)]
enum Past {
    #[default]
    Untried,
    Open(File),
    Refused,
}

impl LargeWriter {
    /// The next file begins.
    pub(crate) fn next(&mut self) {
        self.direct = Past::Untried;
    }

    /// Writes all of `bytes` at an offset of the file that was begun. Durable after `sync_all`.
    ///
    /// # Errors
    /// What the system says of a write through the cache.
    pub(crate) fn write_at(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let suits = bytes.len() == STEP && at.is_multiple_of(ALIGN as u64);
        let written = if suits { self.past(file, bytes, at) } else { 0 };
        file.write_all_at(&bytes[written..], at + written as u64)
    }

    /// How many of the bytes could be written past the cache.
    fn past(&mut self, file: &File, bytes: &[u8], at: u64) -> usize {
        if let Past::Untried = self.direct {
            let open = past_the_cache(file, File::options().write(true));
            self.direct = open.map_or(Past::Refused, Past::Open);
        }
        let Past::Open(direct) = &self.direct else {
            return 0;
        };
        let memory = self.memory.get_or_insert_with(Aligned::new).bytes();
        memory.copy_from_slice(bytes);
        let written = direct.write_at(memory, at).unwrap_or(0);
        if written < bytes.len() {
            self.direct = Past::Refused;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn bytes_of(length: usize) -> Vec<u8> {
        (0..=255).cycle().step_by(7).take(length).collect()
    }

    #[test]
    fn the_bytes_are_those_of_the_file() {
        for length in [0, 1, 4 * STEP, 4 * STEP + 4097, 5 * STEP + 1] {
            let bytes = bytes_of(length);
            let mut file = tempfile::tempfile().expect("file");
            file.write_all(&bytes).expect("written");
            for step in [777, 8192, STEP, 3 * STEP] {
                let mut reader = LargeReader::new(&file, length as u64);
                let (mut got, mut buffer) = (Vec::new(), vec![0; step]);
                loop {
                    let read = reader.read(&mut buffer).expect("read");
                    if read == 0 {
                        break;
                    }
                    got.extend_from_slice(&buffer[..read]);
                }
                assert!(got == bytes, "{length} bytes by {step}");
            }
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let bytes = bytes_of(3 * STEP + 5);
        let mut writer = LargeWriter::default();
        for step in [777_777, STEP, STEP + 1] {
            let file = tempfile::NamedTempFile::new().expect("file");
            writer.next();
            for (piece, at) in bytes.chunks(step).zip((0..).step_by(step)) {
                writer.write_at(file.as_file(), piece, at).expect("written");
            }
            assert!(
                std::fs::read(file.path()).expect("bytes") == bytes,
                "{step}"
            );
        }
    }

    #[test]
    fn a_file_that_grows_is_read_to_where_it_ends() {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(&vec![1; 4 * STEP + 100]).expect("written");
        let mut reader = LargeReader::new(&file, LARGE);
        let mut first = vec![0; 4 * STEP + 100];
        reader.read_exact(&mut first).expect("read");
        (&file).write_all(&[2; 5000]).expect("written");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).expect("read");
        assert_eq!(rest, [2; 5000]);
    }
}
