//! Owns the form of a relation file in an incremental part: which pages differ from the base, and
//! their content. Pure.
//!
//! A file `PAGES.NAME` stands for the file `NAME`. Numbers are unsigned and little-endian:
//!
//! ```text
//! at  0  8 bytes  "PLANCPG1"
//!     8  4        blocks that the base's file has
//!    12  4        blocks that the file has now (at least as many)
//!    16  4        number of pages that follow (n)
//!    20  4        0
//!    24  4 n      their blocks, in order
//!        8192 n   the pages
//! ```

use super::page::PAGE_BYTES;
use super::{FormatError, bytes_at};

/// Begins the name of a file of pages.
pub const PREFIX: &str = "PAGES.";

const MAGIC: &[u8; 8] = b"PLANCPG1";
/// Bytes before the list of blocks.
pub const HEADER: usize = 24;

/// What a file of pages begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Blocks of the base's file.
    pub base: u32,
    /// Blocks of the file.
    pub length: u32,
    /// The blocks that follow, in order.
    pub blocks: Vec<u32>,
}

impl Patch {
    /// The bytes before the pages.
    ///
    /// # Errors
    /// When there are more pages than blocks can be counted.
    pub fn print(&self) -> Result<Vec<u8>, FormatError> {
        let count = u32::try_from(self.blocks.len());
        let count = count.map_err(|_| FormatError::text("a number of pages", "more than 2^32"))?;
        let mut bytes = MAGIC.to_vec();
        for number in [self.base, self.length, count, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for block in &self.blocks {
            bytes.extend_from_slice(&block.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Bytes of the whole file whose first bytes these are.
    fn bytes(count: u64) -> u64 {
        HEADER as u64 + count * (4 + PAGE_BYTES as u64)
    }

    /// Reads what stands before the pages of a file of `length` bytes; `begin` holds at least
    /// that much of it. Gives the offset of the first page too.
    ///
    /// # Errors
    /// When it is not such a file, or lengths and numbers do not fit.
    pub fn parse(begin: &[u8], length: u64) -> Result<(Self, u64), FormatError> {
        if !begin.starts_with(MAGIC) {
            return Err(FormatError::text("a file of pages", "other bytes"));
        }
        let number = |at| bytes_at(begin, at).map(u32::from_le_bytes);
        let (base, blocks, count) = (number(8)?, number(12)?, number(16)?);
        if Self::bytes(u64::from(count)) != length || base > blocks {
            return Err(FormatError::Length {
                what: "the file of pages",
                expected: Self::bytes(u64::from(count)),
                found: length,
            });
        }
        let numbers = (0..count as usize).map(|at| number(HEADER + 4 * at));
        let patch = Self {
            base,
            length: blocks,
            blocks: numbers.collect::<Result<_, _>>()?,
        };
        patch.check()?;
        Ok((patch, HEADER as u64 + 4 * u64::from(count)))
    }

    /// Bytes before the first page, by the first [`HEADER`] bytes.
    ///
    /// # Errors
    /// When these are no such bytes.
    pub fn header_bytes(begin: &[u8]) -> Result<usize, FormatError> {
        if !begin.starts_with(MAGIC) {
            return Err(FormatError::text("a file of pages", "other bytes"));
        }
        let count = bytes_at(begin, 16).map(u32::from_le_bytes)?;
        Ok(HEADER + 4 * count as usize)
    }

    /// Blocks rise, lie inside the file, and all that the base does not have are there.
    fn check(&self) -> Result<(), FormatError> {
        let rises = self.blocks.is_sorted_by(|a, b| a < b);
        let inside = self.blocks.last().is_none_or(|last| *last < self.length);
        let grown = self
            .blocks
            .iter()
            .filter(|block| **block >= self.base)
            .count();
        if rises && inside && grown as u64 == u64::from(self.length - self.base) {
            return Ok(());
        }
        let expected = "blocks that rise and hold all that is new";
        Err(FormatError::text(
            expected,
            &format!("{:?}", self.blocks.first()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_patch_survives(
            changed in prop::collection::btree_set(0u32..500, 0..50), grown in 0u32..30
        ) {
            let mut blocks: Vec<u32> = changed.into_iter().collect();
            blocks.extend(500..500 + grown);
            let patch = Patch { base: 500, length: 500 + grown, blocks };
            let bytes = patch.print().expect("printed");
            let length = bytes.len() as u64 + patch.blocks.len() as u64 * PAGE_BYTES as u64;
            let read = Patch::parse(&bytes, length);
            prop_assert_eq!(read, Ok((patch, bytes.len() as u64)));
            prop_assert!(Patch::parse(&bytes, length + 1).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), length: u64) {
            let _ = Patch::parse(&bytes, length);
            let mut bytes = [MAGIC.as_slice(), &bytes].concat();
            let _ = Patch::parse(&bytes, length);
            bytes.resize(HEADER, 0);
            let _ = Patch::parse(&bytes, HEADER as u64);
        }
    }

    #[test]
    fn a_page_that_is_missing_or_outside_is_refused() {
        for (base, length, blocks) in [
            (2, 4, vec![3]),
            (2, 2, vec![2]),
            (4, 4, vec![2, 1]),
            (4, 4, vec![1, 1]),
        ] {
            let patch = Patch {
                base,
                length,
                blocks,
            };
            let bytes = patch.print().expect("printed");
            let whole = bytes.len() as u64 + patch.blocks.len() as u64 * PAGE_BYTES as u64;
            assert!(Patch::parse(&bytes, whole).is_err(), "{patch:?}");
        }
    }
}
