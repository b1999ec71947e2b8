//! Owns reading a cluster's files while the server writes them: pages are judged as they pass, a
//! page that was caught half-written is read again, the control file is read until it is whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::control::{ControlFile, FILE_BYTES};
use super::files::cannot;
use super::lsn::Lsn;
use super::page::{self, PAGE_BYTES, PageState};
use crate::engine::EngineError;
use crate::engine::large::LargeReader;

const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(4);

/// Reads a control file; the server may be writing it, so a bad checksum is tried again.
///
/// # Errors
/// When it cannot be read or stays damaged.
pub fn control_file(path: &Path) -> Result<ControlFile, EngineError> {
    let read = || std::fs::read(path).map_err(|error| cannot("read", path, error));
    for _ in 1..TRIES {
        if let Ok(file) = ControlFile::parse(&read()?) {
            return Ok(file);
        }
        std::thread::sleep(PAUSE);
    }
    let file = ControlFile::parse(read()?.get(..FILE_BYTES).unwrap_or_default());
    file.map_err(|error| error.of(path.display()))
}

/// A page whose sum does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPage {
    /// Block in the relation.
    pub block: u32,
    /// The position it carries. A page changed since the copy began is written anew by replay.
    pub lsn: Lsn,
    /// The sum of its content.
    pub expected: u16,
    /// The sum it carries.
    pub found: u16,
}

impl BadPage {
    /// For people; `path` is the file.
    #[must_use]
    pub fn words(&self, path: &str) -> String {
        format!(
            "damaged page: {path} block {} (checksum {:#06x} instead of {:#06x})",
            self.block, self.found, self.expected
        )
    }
}

/// Reads a file of pages and judges every page on the way, without a copy of its own while it is
/// asked for at least a page at a time.
pub struct PageReader<'a> {
    file: &'a File,
    source: LargeReader<'a>,
    block: u32,
    first_block: u32,
    rest: Vec<u8>,
    /// Pages that stayed damaged.
    pub bad: Vec<BadPage>,
}

impl<'a> PageReader<'a> {
    /// Reads a file of this length from its start; `first_block` is its first block in the relation.
    #[must_use]
    pub fn new(file: &'a File, length: u64, first_block: u32) -> Self {
        Self {
            file,
            source: LargeReader::new(file, length),
            block: first_block,
            first_block,
            rest: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// Fills whole pages; fewer only at the end of the file, where a part of a page may come.
    fn pages(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match self.source.read(&mut out[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for bytes in out[..filled].chunks_exact_mut(PAGE_BYTES) {
            if let Ok(page) = bytes.try_into() {
                self.judge(page)?;
            }
            self.block = self.block.saturating_add(1);
        }
        Ok(filled)
    }

    fn judge(&mut self, page: &mut [u8; PAGE_BYTES]) -> io::Result<()> {
        for _ in 0..TRIES {
            if !matches!(page::judge(page, self.block), PageState::Damaged { .. }) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
            let offset = u64::from(self.block - self.first_block) * PAGE_BYTES as u64;
            match self.file.read_exact_at(page, offset) {
                // the file was shortened: replay knows
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            }
        }
        if let PageState::Damaged { expected, found } = page::judge(page, self.block) {
            self.bad.push(BadPage {
                block: self.block,
                lsn: page::lsn(page),
                expected,
                found,
            });
        }
        Ok(())
    }
}

impl Read for PageReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            let whole = out.len() - out.len() % PAGE_BYTES;
            if whole > 0 {
                return self.pages(&mut out[..whole]);
            }
            let mut page = vec![0; PAGE_BYTES];
            let filled = self.pages(&mut page)?;
            page.truncate(filled);
            self.rest = page;
        }
        let given = self.rest.len().min(out.len());
        out[..given].copy_from_slice(&self.rest[..given]);
        self.rest.drain(..given);
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(pages: u8, first_block: u32) -> File {
        let mut file = tempfile::tempfile().expect("file");
        for (number, block) in (0..pages).zip(first_block..) {
            let mut page = [number + 1; PAGE_BYTES];
            let sum = page::checksum(&page, block);
            page[8..10].copy_from_slice(&sum.to_le_bytes());
            file.write_all(&page).expect("page");
        }
        std::io::Seek::rewind(&mut file).expect("rewind");
        file
    }

    #[test]
    fn bytes_and_judgement_do_not_depend_on_how_much_is_asked_for() {
        for step in [1, 1000, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES, 100_000] {
            let mut file = file_of(5, 40);
            file.write_all_at(&[0xEE], 2 * PAGE_BYTES as u64 + 99)
                .expect("damage");
            let mut whole = Vec::new();
            file.read_to_end(&mut whole).expect("bytes");
            let mut reader = PageReader::new(&file, 5 * PAGE_BYTES as u64, 40);
            let (mut got, mut buffer) = (Vec::new(), vec![0; step]);
            loop {
                let read = reader.read(&mut buffer).expect("read");
                if read == 0 {
                    break;
                }
                got.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(got, whole, "{step}");
            let blocks: Vec<u32> = reader.bad.iter().map(|page| page.block).collect();
            assert_eq!(blocks, [42], "{step}");
        }
    }

    #[test]
    fn a_part_of_a_page_at_the_end_is_passed_on() {
        let file = file_of(2, 0);
        file.set_len(PAGE_BYTES as u64 + 100).expect("shorter");
        let mut got = Vec::new();
        let mut reader = PageReader::new(&file, PAGE_BYTES as u64 + 100, 0);
        reader.read_to_end(&mut got).expect("bytes");
        assert_eq!(got.len(), PAGE_BYTES + 100);
        assert!(reader.bad.is_empty());
    }
}
