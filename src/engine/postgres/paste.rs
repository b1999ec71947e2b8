//! Owns a file of pages on its way into the file it stands for: bytes come in order, pages go to
//! their blocks. Opens nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::page::PAGE_BYTES;
use super::patch::{HEADER, Patch};
use crate::engine::EngineError;

/// Pages that are being written into a file of the base.
#[derive(Debug)]
pub(super) struct Paste {
    /// What it is pasted into, for messages.
    path: String,
    /// Bytes that came.
    at: u64,
    /// What came of the header.
    begin: Vec<u8>,
    patch: Option<Patch>,
    first_page: u64,
}

impl Paste {
    /// Begins before the first byte.
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            at: 0,
            begin: Vec::new(),
            patch: None,
            first_page: 0,
        }
    }

    /// Takes the next bytes, which stand at `offset`.
    ///
    /// # Errors
    /// When they are no pages for this file, or the file cannot be written.
    pub(super) fn take(
        &mut self,
        file: &File,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        if offset != self.at {
            return Err(self.damaged("it has a hole"));
        }
        self.at += bytes.len() as u64;
        let bytes = match self.patch {
            Some(_) => bytes,
            None => self.header(file, bytes)?,
        };
        self.pages(file, self.at - bytes.len() as u64, bytes)
    }

    /// Takes what belongs to the header; gives back what is behind it.
    fn header<'b>(&mut self, file: &File, mut bytes: &'b [u8]) -> Result<&'b [u8], EngineError> {
        loop {
            let wanted = self.wanted()?;
            if wanted == 0 {
                self.open(file)?;
                return Ok(bytes);
            }
            if bytes.is_empty() {
                return Ok(bytes);
            }
            let (own, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.begin.extend_from_slice(own);
            bytes = rest;
        }
    }

    /// Bytes of the header that are still to come.
    fn wanted(&self) -> Result<usize, EngineError> {
        if self.begin.len() < HEADER {
            return Ok(HEADER - self.begin.len());
        }
        let all = Patch::header_bytes(&self.begin).map_err(|error| error.of(&self.path))?;
        Ok(all.saturating_sub(self.begin.len()))
    }

    /// The header is there: does it fit the file?
    fn open(&mut self, file: &File) -> Result<(), EngineError> {
        let count = (self.begin.len() - HEADER) / 4;
        let length = self.begin.len() as u64 + count as u64 * PAGE_BYTES as u64;
        let (patch, first) =
            Patch::parse(&self.begin, length).map_err(|error| error.of(&self.path))?;
        let there = file.metadata().map_err(|error| self.io(error))?.len();
        let expected = u64::from(patch.base) * PAGE_BYTES as u64;
        if there != expected {
            let detail = format!("its base has {there} bytes instead of {expected}");
            return Err(self.damaged(&detail));
        }
        self.first_page = first;
        self.patch = Some(patch);
        Ok(())
    }

    /// Bytes of pages; a run of them may begin and end inside a page.
    fn pages(&self, file: &File, mut from: u64, mut bytes: &[u8]) -> Result<(), EngineError> {
        let page = PAGE_BYTES as u64;
        let Some(patch) = &self.patch else {
            return Ok(());
        };
        while !bytes.is_empty() {
            let inside = from - self.first_page;
            let number = usize::try_from(inside / page).unwrap_or(usize::MAX);
            let block = patch.blocks.get(number);
            let block = block.ok_or_else(|| self.damaged("it has more pages than it names"))?;
            let within = inside % page;
            // at most a page
            let room = usize::try_from(page - within).unwrap_or(PAGE_BYTES);
            let step = room.min(bytes.len());
            let place = u64::from(*block) * page + within;
            let written = file.write_all_at(&bytes[..step], place);
            written.map_err(|error| self.io(error))?;
            bytes = &bytes[step..];
            from += step as u64;
        }
        Ok(())
    }

    /// All bytes came: the length of the file. When none came, because its content is not wanted,
    /// it is `known`.
    ///
    /// # Errors
    /// When a page is missing, or the length is not the known one.
    pub(super) fn end(self, known: u64) -> Result<u64, EngineError> {
        if self.at == 0 {
            return Ok(known);
        }
        let Some(patch) = &self.patch else {
            return Err(self.damaged("its header is cut off"));
        };
        let all = self.first_page + patch.blocks.len() as u64 * PAGE_BYTES as u64;
        if self.at != all {
            return Err(self.damaged("a page is missing"));
        }
        if u64::from(patch.length) * PAGE_BYTES as u64 != known {
            return Err(self.damaged("it has another length than the part says"));
        }
        Ok(known)
    }

    fn damaged(&self, detail: &str) -> EngineError {
        EngineError::Damaged {
            what: format!("the changed pages of {}", self.path),
            detail: detail.to_owned(),
        }
    }

    fn io(&self, cause: std::io::Error) -> EngineError {
        EngineError::Io {
            action: "write",
            path: self.path.clone().into(),
            cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(pages: u8) -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("7");
        std::fs::write(&path, vec![9; usize::from(pages) * PAGE_BYTES]).expect("written");
        let file = File::options().read(true).write(true).open(&path);
        (folder, file.expect("open"))
    }

    fn stored(patch: &Patch) -> Vec<u8> {
        let mut bytes = patch.print().expect("printed");
        for block in &patch.blocks {
            let mark = u8::try_from(block % 200).expect("small");
            bytes.extend([mark; PAGE_BYTES]);
        }
        bytes
    }

    fn paste(file: &File, bytes: &[u8], step: usize, known: u32) -> Result<u64, EngineError> {
        let mut paste = Paste::new("7");
        let mut at = 0;
        for piece in bytes.chunks(step) {
            paste.take(file, at, piece)?;
            at += piece.len() as u64;
        }
        paste.end(u64::from(known) * PAGE_BYTES as u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pages_land_in_their_blocks_however_the_bytes_come(
            changed in prop::collection::btree_set(0u32..6, 0..6), grown in 0u32..3,
            step in 1usize..20_000
        ) {
            let mut blocks: Vec<u32> = changed.iter().copied().collect();
            blocks.extend(6..6 + grown);
            let patch = Patch { base: 6, length: 6 + grown, blocks };
            let (folder, file) = base(6);
            let length = paste(&file, &stored(&patch), step, patch.length).expect("pasted");
            prop_assert_eq!(length, u64::from(patch.length) * PAGE_BYTES as u64);
            let found = std::fs::read(folder.path().join("7")).expect("read");
            for (block, page) in (0u32..).zip(found.chunks(PAGE_BYTES)) {
                let new = patch.blocks.contains(&block);
                let mark = if new { u8::try_from(block).expect("small") } else { 9 };
                prop_assert!(page.iter().all(|byte| *byte == mark), "block {}", block);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let patch = Patch {
            base: 2,
            length: 3,
            blocks: vec![0, 2],
        };
        let bytes = stored(&patch);
        let (_folder, file) = base(3);
        assert!(paste(&file, &bytes, 100, 3).is_err(), "another base");
        let (_folder, file) = base(2);
        assert!(paste(&file, &bytes[..bytes.len() - 1], 100, 3).is_err());
        assert!(paste(&file, &[&bytes[..], b"x"].concat(), 100, 3).is_err());
        assert!(paste(&file, &bytes[..10], 100, 3).is_err());
        assert!(paste(&file, &bytes, 100, 4).is_err(), "another length");
        assert!(paste(&file, &[b'x'; 90], 100, 3).is_err());
        let mut paste = Paste::new("7");
        assert!(paste.take(&file, 1, &bytes).is_err());
    }
}
