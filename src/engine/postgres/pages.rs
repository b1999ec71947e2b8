//! Owns reading chosen pages of a relation file while the server writes it; a page that was caught
//! half-written is read again.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::page::{self, PAGE_BYTES, PageState};
use super::read::BadPage;

const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(4);

/// Gives the chosen pages one after the other.
pub(super) struct Pages<'a> {
    file: &'a File,
    first_block: u32,
    blocks: std::vec::IntoIter<u32>,
    checksums: bool,
    page: Box<[u8; PAGE_BYTES]>,
    given: usize,
    /// Pages that stayed damaged.
    pub(super) bad: Vec<BadPage>,
}

impl<'a> Pages<'a> {
    /// Reads these blocks of a file; `first_block` is the file's first block in the relation.
    #[must_use]
    pub(super) fn new(file: &'a File, first_block: u32, blocks: Vec<u32>, checksums: bool) -> Self {
        Self {
            file,
            first_block,
            blocks: blocks.into_iter(),
            checksums,
            page: Box::new([0; PAGE_BYTES]),
            given: PAGE_BYTES,
            bad: Vec::new(),
        }
    }

    fn load(&mut self, block: u32) -> io::Result<()> {
        for attempt in 1..=TRIES {
            self.read(block)?;
            let number = self.first_block.wrapping_add(block);
            if !self.checksums {
                return Ok(());
            }
            let PageState::Damaged { expected, found } = page::judge(&self.page, number) else {
                return Ok(());
            };
            if attempt == TRIES {
                self.bad.push(BadPage {
                    block: number,
                    lsn: page::lsn(&self.page),
                    expected,
                    found,
                });
            } else {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// One page; one that was cut off meanwhile is empty, and replay cuts it off again.
    fn read(&mut self, block: u32) -> io::Result<()> {
        let place = u64::from(block) * PAGE_BYTES as u64;
        match self.file.read_exact_at(self.page.as_mut_slice(), place) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.page.fill(0);
                Ok(())
            }
            other => other,
        }
    }
}

impl Read for Pages<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == PAGE_BYTES {
            let Some(block) = self.blocks.next() else {
                return Ok(0);
            };
            self.load(block)?;
            self.given = 0;
        }
        let step = buffer.len().min(PAGE_BYTES - self.given);
        buffer[..step].copy_from_slice(&self.page[self.given..self.given + step]);
        self.given += step;
        Ok(step)
    }
}
