//! Owns reading and writing large files past the page cache. A backup reads each file once, a
//! restore writes it once: through the cache that pushes out what databases keep there, and costs
//! more CPU than all the rest. Must not decide what is read or written; where the file system
//! refuses, the cache is used.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

/// Shorter files are read through the cache: they are likely to be there already.
pub(crate) const LARGE: u64 = 4 * STEP as u64;
/// Bytes read or written at once.
const STEP: usize = 1 << 20;
/// What places in files and memory are multiples of; no block device asks for more.
const ALIGN: usize = 4096;

/// A file that is read in pieces.
#[derive(Debug)]
pub(crate) struct LargeFile {
    file: File,
    direct: Option<File>,
}

impl LargeFile {
    /// `length` is what the file is known to hold.
    pub(crate) fn new(file: File, length: u64) -> Self {
        let large = length >= LARGE;
        let direct = large.then(|| past_the_cache(&file, File::options().read(true)));
        Self {
            direct: direct.flatten(),
            file,
        }
    }

    /// The file itself, read through the cache.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Fills a piece with the bytes from `at` on, with zeros behind the end of the file.
    ///
    /// # Errors
    /// What the system says of a read through the cache.
    pub(crate) fn fill(&self, piece: &mut [u8], at: u64) -> io::Result<()> {
        let direct = self.direct.as_ref().filter(|_| suits(piece, at));
        // where the file system cannot do it, or the file ends, the cache takes over
        let mut filled = direct.map_or(0, |file| file.read_at(piece, at).unwrap_or(0));
        filled += fill(&self.file, &mut piece[filled..], at + filled as u64)?;
        piece[filled..].fill(0);
        Ok(())
    }
}

/// Fills memory with what stands in a file from a place on; how much there was.
///
/// # Errors
/// What the system says.
pub(super) fn fill(file: &File, memory: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < memory.len() {
        match file.read_at(&mut memory[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a piece of memory and its place in a file are what a device wants.
fn suits(piece: &[u8], at: u64) -> bool {
    let lies = piece.as_ptr().align_offset(ALIGN) == 0;
    lies && at.is_multiple_of(ALIGN as u64) && piece.len().is_multiple_of(ALIGN)
}

/// The same file, opened past the cache.
fn past_the_cache(file: &File, how: &mut OpenOptions) -> Option<File> {
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
    how.custom_flags(flags).open(same).ok()
}

/// Memory of [`STEP`] bytes that begins where the device wants it; none before it is made ready.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    memory: Vec<u8>,
    begin: usize,
}

impl Aligned {
    /// Takes the memory, once.
    pub(crate) fn ready(&mut self) {
        if self.memory.is_empty() {
            self.memory = vec![0; STEP + ALIGN];
            self.begin = self.memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let end = self.memory.len().min(self.begin + STEP);
        &self.memory[self.begin..end]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        let end = self.memory.len().min(self.begin + STEP);
        &mut self.memory[self.begin..end]
    }
}

/// Writes files one after the other; large whole pieces go past the cache.
#[derive(Debug, Default)]
pub(crate) struct LargeWriter {
    memory: Aligned,
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
        let whole = bytes.len() == STEP && at.is_multiple_of(ALIGN as u64);
        let written = if whole { self.past(file, bytes, at) } else { 0 };
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
        let written = if suits(bytes, at) {
            direct.write_at(bytes, at)
        } else {
            self.memory.ready();
            self.memory.copy_from_slice(bytes);
            direct.write_at(&self.memory, at)
        };
        let written = written.unwrap_or(0);
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
    fn pieces_are_those_of_the_file_and_zeros_behind_it() {
        for length in [0, 1, 4 * STEP, 4 * STEP + 4097, 5 * STEP + 1] {
            let bytes = bytes_of(length);
            let mut file = tempfile::tempfile().expect("file");
            file.write_all(&bytes).expect("written");
            let file = LargeFile::new(file, length as u64);
            let mut aligned = Aligned::default();
            aligned.ready();
            for at in (0..=length).step_by(STEP) {
                let mut wanted = bytes[at..length.min(at + STEP)].to_vec();
                wanted.resize(STEP, 0);
                let mut other = vec![7; STEP];
                file.fill(&mut aligned, at as u64).expect("read");
                file.fill(&mut other, at as u64).expect("read");
                assert!(*aligned == *wanted && other == wanted, "{length} at {at}");
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
}
