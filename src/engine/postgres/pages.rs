//! Owns reading chosen pages of a relation file while the server writes it, with the disk asked for
//! them in advance.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;

use rustix::fs::Advice;

use super::page::PAGE_BYTES;
use super::read::{self, BadPage};

/// Pages that the disk is asked for in advance.
const AHEAD: usize = 128;

/// Gives the chosen pages one after the other.
pub(super) struct Pages<'a> {
    file: &'a File,
    first_block: u32,
    blocks: Vec<u32>,
    /// How many of them were read, and how many the disk was asked for.
    read: usize,
    asked: usize,
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
            blocks,
            read: 0,
            asked: 0,
            checksums,
            page: Box::new([0; PAGE_BYTES]),
            given: PAGE_BYTES,
            bad: Vec::new(),
        }
    }

    /// The next block; the disk is asked for those after it.
    fn next(&mut self) -> Option<u32> {
        let until = self.blocks.len().min(self.read + AHEAD);
        for block in self.blocks.get(self.asked..until).unwrap_or_default() {
            let length = NonZeroU64::new(PAGE_BYTES as u64);
            // only advice
            let _ = rustix::fs::fadvise(self.file, place(*block), length, Advice::WillNeed);
        }
        self.asked = until;
        let block = self.blocks.get(self.read).copied();
        self.read += 1;
        block
    }

    fn load(&mut self, block: u32) -> io::Result<()> {
        let at = place(block);
        read::fetch(self.file, &mut self.page, at)?;
        if self.checksums {
            let number = self.first_block.wrapping_add(block);
            let bad = read::judge(self.file, &mut self.page, (at, number))?;
            self.bad.extend(bad);
        }
        Ok(())
    }
}

/// Where a block of a file begins.
fn place(block: u32) -> u64 {
    u64::from(block) * PAGE_BYTES as u64
}

impl Read for Pages<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == PAGE_BYTES {
            let Some(block) = self.next() else {
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
