//! Owns reading a cluster's files while the server writes them: pages are judged as they pass, a
//! page that was caught half-written is read again, the control file is read until it is whole. The
//! past of its timeline, too.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::control::{ControlFile, FILE_BYTES};
use super::files::cannot;
use super::history::History;
use super::lsn::{Lsn, Timeline};
use super::page::{self, PAGE_BYTES, PageState};
use crate::engine::EngineError;
use crate::engine::large::LargeFile;
use crate::engine::piece::PieceSource;

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

/// The past of a timeline of the cluster in this data directory. One without a history file has no
/// past, as the server takes it, too: `pg_resetwal` begins such ones.
///
/// # Errors
/// When the file cannot be read or understood.
pub fn history(data: &Path, timeline: Timeline) -> Result<History, EngineError> {
    let path = data.join(format!("pg_wal/{timeline}.history"));
    match std::fs::read_to_string(&path) {
        Ok(text) => History::parse(timeline, &text).map_err(|error| error.of(path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(History::first(timeline)),
        Err(error) => Err(cannot("read", &path, error)),
    }
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

/// Damaged pages of many files, by path; in no order.
pub type BadPages = Mutex<Vec<(String, BadPage)>>;

/// A file of pages, which are judged as they are read.
pub struct PageFile {
    /// For what is told.
    path: String,
    file: LargeFile,
    /// Block of the relation that the file begins with.
    first_block: u32,
    /// Pages that stayed damaged.
    bad: Arc<BadPages>,
}

impl PageFile {
    /// A file of this length, and the block of the relation that it begins with.
    #[must_use]
    pub fn new(
        path: &str,
        file: File,
        (length, first_block): (u64, u32),
        bad: Arc<BadPages>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            file: LargeFile::new(file, length),
            first_block,
            bad,
        }
    }

    fn judge(&self, page: &mut [u8; PAGE_BYTES], offset: u64) -> io::Result<()> {
        let block = u32::try_from(offset / PAGE_BYTES as u64).unwrap_or(u32::MAX);
        let block = self.first_block.saturating_add(block);
        if let Some(bad) = judge(self.file.file(), page, (offset, block))? {
            let mut all = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((self.path.clone(), bad));
        }
        Ok(())
    }
}

/// Judges a page that was read at an offset of a file, the given block of its relation; reads it
/// again while it looks half-written. Answers one that stayed damaged.
pub(super) fn judge(
    file: &File,
    page: &mut [u8; PAGE_BYTES],
    (offset, block): (u64, u32),
) -> io::Result<Option<BadPage>> {
    for attempt in 1.. {
        let PageState::Damaged { expected, found } = page::judge(page, block) else {
            break;
        };
        if attempt == TRIES {
            let lsn = page::lsn(page);
            return Ok(Some(BadPage {
                block,
                lsn,
                expected,
                found,
            }));
        }
        std::thread::sleep(PAUSE);
        fetch(file, page, offset)?;
    }
    Ok(None)
}

/// Reads a page; one that was cut off meanwhile is empty, and replay cuts it off again.
pub(super) fn fetch(file: &File, page: &mut [u8; PAGE_BYTES], offset: u64) -> io::Result<()> {
    match file.read_exact_at(page, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            page.fill(0);
            Ok(())
        }
        other => other,
    }
}

impl PieceSource for PageFile {
    fn read(&self, at: u64, piece: &mut [u8]) -> io::Result<()> {
        self.file.fill(piece, at)?;
        let pages = piece.chunks_exact_mut(PAGE_BYTES);
        for (page, offset) in pages.zip((at..).step_by(PAGE_BYTES)) {
            if let Ok(page) = page.try_into() {
                self.judge(page, offset)?;
            }
        }
        Ok(())
    }
}

/// A file whose content nothing is known of.
pub(super) struct PlainFile(pub(super) LargeFile);

impl PieceSource for PlainFile {
    fn read(&self, at: u64, piece: &mut [u8]) -> io::Result<()> {
        self.0.fill(piece, at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::engine::piece::InOrder;

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

    fn pages_of(file: &File, length: u64, first_block: u32) -> (PageFile, Arc<BadPages>) {
        let bad = Arc::new(BadPages::default());
        let file = file.try_clone().expect("handle");
        let about = (length, first_block);
        let file = PageFile::new("1/2", file, about, Arc::clone(&bad));
        (file, bad)
    }

    #[test]
    fn bytes_and_judgement_do_not_depend_on_how_much_is_asked_for() {
        for step in [1, 1000, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES, 100_000] {
            let mut file = file_of(5, 40);
            file.write_all_at(&[0xEE], 2 * PAGE_BYTES as u64 + 99)
                .expect("damage");
            let mut whole = Vec::new();
            file.read_to_end(&mut whole).expect("bytes");
            let (file, bad) = pages_of(&file, 5 * PAGE_BYTES as u64, 40);
            let mut reader = InOrder::new(&file, 0, 5 * PAGE_BYTES as u64);
            let (mut got, mut buffer) = (Vec::new(), vec![0; step]);
            loop {
                let read = reader.read(&mut buffer).expect("read");
                if read == 0 {
                    break;
                }
                got.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(got, whole, "{step}");
            let bad = bad.lock().expect("list");
            let blocks: Vec<u32> = bad.iter().map(|(_, page)| page.block).collect();
            assert_eq!(blocks, [42], "{step}");
        }
    }

    #[test]
    fn a_part_of_a_page_at_the_end_is_passed_on_and_a_shortened_file_ends_in_zeros() {
        let file = file_of(2, 0);
        file.set_len(PAGE_BYTES as u64 + 100).expect("shorter");
        for (length, wanted) in [(PAGE_BYTES + 100, 2), (3 * PAGE_BYTES, 0)] {
            let (file, bad) = pages_of(&file, length as u64, 0);
            let mut got = Vec::new();
            let mut reader = InOrder::new(&file, 0, length as u64);
            reader.read_to_end(&mut got).expect("bytes");
            assert_eq!(got.len(), length);
            assert_eq!(got[length - 1], wanted);
            assert!(bad.lock().expect("list").is_empty());
        }
    }

    #[test]
    fn a_page_that_was_caught_half_written_is_read_again_before_it_counts_as_bad() {
        let whole = file_of(1, 0);
        let mut caught = [0; PAGE_BYTES];
        fetch(&whole, &mut caught, 0).expect("a page");
        let good = caught;
        caught[PAGE_BYTES / 2..].fill(0xEE);
        let torn = caught;
        // by the second look it has been written
        let judged = judge(&whole, &mut caught, (0, 0)).expect("read");
        assert!(judged.is_none() && caught == good);
        // what stays half-written is bad, and is passed on as it is
        whole.write_all_at(&torn, 0).expect("torn");
        let judged = judge(&whole, &mut caught, (0, 0)).expect("read");
        assert!(judged.is_none(), "the page that was read is whole");
        caught = torn;
        let judged = judge(&whole, &mut caught, (0, 0)).expect("read");
        assert!(judged.is_some_and(|bad| bad.block == 0) && caught == torn);
    }
}
