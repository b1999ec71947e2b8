//! Owns the words for lost files and pages: `base/5/16384`, `base/5/16384:7,9-12`. Pure.
//!
//! Blocks are counted in the relation, as the server and the survey of pages count them: the file
//! `16384.1` begins with the block that follows the last one of `16384`.

use std::ops::Range;
use std::path::{Component, Path};

use super::FormatError;
use super::page::PAGE_BYTES;
use crate::facts::blocks;

/// Pages of a file of a large relation, as servers are built.
pub const SEGMENT_BLOCKS: u32 = 131_072;

/// One lost file, or pages of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostFile {
    /// Relative to the folder of its part.
    pub path: String,
    /// Offsets in the file; none for all of it.
    pub pages: Option<Vec<Range<u64>>>,
}

impl LostFile {
    /// Reads one; `segment_blocks` are the pages of a full file.
    ///
    /// # Errors
    /// When it leads out of the folder, or a block is none of the file.
    pub fn parse(text: &str, segment_blocks: u32) -> Result<Self, FormatError> {
        let (path, blocks) = match text.split_once(':') {
            Some((path, blocks)) => (path, Some(blocks)),
            None => (text, None),
        };
        let normal = |part| matches!(part, Component::Normal(_));
        if path.is_empty() || !Path::new(path).components().all(normal) {
            return Err(FormatError::text("a path below the data directory", path));
        }
        let pages = blocks.map(|blocks| pages(path, blocks, segment_blocks));
        Ok(Self {
            path: path.to_owned(),
            pages: pages.transpose()?,
        })
    }

    /// The first block of the file in its relation.
    #[must_use]
    pub fn first_block(&self, segment_blocks: u32) -> u32 {
        first_block(&self.path, segment_blocks)
    }

    /// Whether it holds the page that begins at this offset.
    #[must_use]
    pub fn holds(&self, offset: u64) -> bool {
        match &self.pages {
            Some(pages) => pages.iter().any(|page| page.contains(&offset)),
            None => true,
        }
    }
}

/// Offsets of blocks `7,9-12` in a file.
fn pages(path: &str, blocks: &str, segment_blocks: u32) -> Result<Vec<Range<u64>>, FormatError> {
    let first = first_block(path, segment_blocks);
    let wrong = |found: &str| FormatError::text("blocks of the file, such as 7,9-12", found);
    let inside = |block: &u32| {
        let inside = block.checked_sub(first).filter(|at| *at < segment_blocks);
        inside.map(u64::from).ok_or_else(|| wrong(blocks))
    };
    let page = PAGE_BYTES as u64;
    let ranges = blocks::parse(blocks).ok_or_else(|| wrong(blocks))?;
    let offsets = ranges
        .iter()
        .map(|range| Ok(inside(range.start())? * page..(inside(range.end())? + 1) * page));
    offsets.collect()
}

/// The first block of a file of a large relation.
fn first_block(path: &str, segment_blocks: u32) -> u32 {
    let number = path.rsplit_once('.').and_then(|(_, end)| end.parse().ok());
    number.unwrap_or(0_u32).saturating_mul(segment_blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_pages_are_read() {
        let read = |text| LostFile::parse(text, 100);
        let whole = read("base/5/16384").expect("a file");
        assert_eq!(whole.pages, None);
        assert!(whole.holds(1 << 40));
        let pages = read("base/5/16384.2:207,209-212").expect("pages");
        assert_eq!(pages.path, "base/5/16384.2");
        assert_eq!(
            pages.pages,
            Some(vec![7 * 8192..8 * 8192, 9 * 8192..13 * 8192])
        );
        assert!(pages.holds(12 * 8192) && !pages.holds(8 * 8192));
        for wrong in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a:",
            "a:x",
            "a:9-7",
            "a:100",
            "a.1:99",
            "a:-1",
            "a:1,",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
