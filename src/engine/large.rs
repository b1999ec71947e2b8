//! Owns reading a large file past the page cache. A backup reads each file once: through the cache
//! that pushes out what the database keeps there, and costs more CPU than the copy itself. Must not
//! decide what is read; where the file system refuses, the cache is used.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

/// Shorter files are read through the cache: they are likely to be there already.
const LARGE: u64 = 4 << 20;
/// Bytes read at once.
const STEP: usize = 1 << 20;
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
        if self.direct.as_mut().is_some_and(|past| !past.fill(self.at)) {
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

/// The file once more, opened to be read past the cache.
struct Direct {
    file: File,
    memory: Vec<u8>,
    begin: usize,
    held: Range<usize>,
}

impl Direct {
    fn open(file: &File) -> Option<Self> {
        let same = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let file = File::options().read(true).custom_flags(flags).open(same);
        let memory = vec![0; STEP + ALIGN];
        Some(Self {
            file: file.ok()?,
            begin: memory.as_ptr().align_offset(ALIGN).min(ALIGN),
            memory,
            held: 0..0,
        })
    }

    /// Whether there is something to give. Not at the end of the file, nor after a read that ended
    /// between two blocks, nor when the file system cannot do it: the cache takes over there.
    fn fill(&mut self, at: u64) -> bool {
        if !self.held.is_empty() {
            return true;
        }
        let memory = &mut self.memory[self.begin..self.begin + STEP];
        let aligned = at.is_multiple_of(ALIGN as u64);
        let read = if aligned {
            self.file.read_at(memory, at)
        } else {
            Ok(0)
        };
        self.held = 0..read.unwrap_or(0);
        !self.held.is_empty()
    }

    fn give(&mut self, out: &mut [u8]) -> usize {
        let length = out.len().min(self.held.len());
        let begin = self.begin + self.held.start;
        out[..length].copy_from_slice(&self.memory[begin..begin + length]);
        self.held.start += length;
        length
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_file() {
        for length in [0, 1, LARGE as usize, (LARGE as usize) + 4097, 5 * STEP + 1] {
            let bytes: Vec<u8> = (0..length).map(|at| (at / 251) as u8).collect();
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
    fn a_file_that_grows_is_read_to_where_it_ends() {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(&vec![1; LARGE as usize + 100])
            .expect("written");
        let mut reader = LargeReader::new(&file, LARGE);
        let mut first = vec![0; LARGE as usize + 100];
        reader.read_exact(&mut first).expect("read");
        (&file).write_all(&[2; 5000]).expect("written");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).expect("read");
        assert_eq!(rest, [2; 5000]);
    }
}
