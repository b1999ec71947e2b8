//! Owns which files and pages of a part are written over those of a damaged cluster, and whether
//! they are sound afterwards. Everything else of the part is passed over.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::files::{self, Found, cannot};
use super::lostfiles::{LostFile, SEGMENT_BLOCKS};
use super::page::PAGE_BYTES;
use super::read::{BadPages, PageFile};
use super::write::Writer;
use super::{FormatError, fence};
use crate::engine::piece::InOrder;
use crate::engine::{EngineError, Entry, Wanted};

/// The lost files of one component.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    files: Vec<LostFile>,
    /// The one that is being written.
    open: Option<LostFile>,
    /// Length of the file that was there.
    standing: u64,
    /// Paths that the part has.
    found: BTreeSet<String>,
}

impl Pieces {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// When a path leads out of the folder, or a block is none of its file.
    pub(super) fn parse(files: &[String]) -> Result<Self, FormatError> {
        let files = files
            .iter()
            .map(|text| LostFile::parse(text, SEGMENT_BLOCKS));
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
            ..Self::default()
        })
    }

    /// Whether a file is among them.
    pub(super) fn names(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Names are relative to the folder of the part.
    pub(super) fn within(&mut self, folder: &str) {
        if folder.is_empty() {
            return;
        }
        for file in &mut self.files {
            file.path = format!("{folder}/{}", file.path);
        }
    }

    fn find(&self, path: &str) -> Option<&LostFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// What of an entry must come.
    pub(super) fn wanted(&self, path: &str) -> Wanted {
        match self.find(path) {
            None => Wanted::Name,
            Some(file) => match &file.pages {
                None => Wanted::Whole,
                Some(pages) => Wanted::Ranges(pages.clone()),
            },
        }
    }

    /// Opens an entry that is among them.
    pub(super) fn entry(&mut self, entry: &Entry, writer: &mut Writer) -> Result<(), EngineError> {
        self.open = self.find(&entry.path).cloned();
        if self.open.is_none() {
            return Ok(());
        }
        self.found.insert(entry.path.clone());
        let there = writer.there(entry)?;
        let about = there.map(|file| file.metadata());
        self.standing = about.and_then(Result::ok).map_or(0, |about| about.len());
        writer.entry(entry)
    }

    /// Writes what of these bytes is lost.
    pub(super) fn data(
        &self,
        offset: u64,
        bytes: &[u8],
        writer: &mut Writer,
    ) -> Result<(), EngineError> {
        let Some(pages) = self.open.as_ref().and_then(|file| file.pages.as_ref()) else {
            return writer.data(offset, bytes);
        };
        let end = offset + bytes.len() as u64;
        for page in pages {
            let (from, to) = (page.start.max(offset), page.end.min(end));
            if from < to {
                let piece = inside(bytes, from - offset, to - offset);
                writer.data(from, piece)?;
            }
        }
        Ok(())
    }

    /// Ends an entry: a file whose pages came keeps what it has grown by since.
    pub(super) fn close(&mut self, length: u64, writer: &mut Writer) -> Result<(), EngineError> {
        const EMPTY: [u8; PAGE_BYTES] = [0; PAGE_BYTES];
        let Some(file) = self.open.take() else {
            return Ok(());
        };
        let Some(pages) = file.pages else {
            return writer.close(length);
        };
        // pages that the copy does not have yet are whole in the log
        let step = PAGE_BYTES as u64;
        let younger = pages.iter().map(|page| page.start.max(length)..page.end);
        for range in younger {
            let mut at = range.start.next_multiple_of(step);
            while at < range.end.min(self.standing) {
                writer.data(at, &EMPTY)?;
                at += step;
            }
        }
        writer.close(length.max(self.standing))
    }

    /// All of the part has come: what it does not have is younger, and comes from the log.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn finish(&self, data: &Path) -> Result<Vec<String>, EngineError> {
        let mut told = Vec::new();
        let missing = self
            .files
            .iter()
            .filter(|file| !self.found.contains(&file.path));
        for file in missing {
            let path = data.join(&file.path);
            if file.pages.is_none() {
                fence::remove(&path)?;
            } else if let Some(pages) = &file.pages {
                clear(&path, pages).map_err(|error| cannot("write", &path, error))?;
            }
            told.push(format!(
                "the copy has no {}: if it is a relation that is younger, the log makes it anew",
                file.path
            ));
        }
        Ok(told)
    }

    /// Judges the pages of what was put back, after the recovery.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] with the first page whose sum does not fit.
    pub(super) fn check(&self, data: &Path) -> Result<(), EngineError> {
        for lost in &self.files {
            let path = data.join(&lost.path);
            let Found::Relation { first_block } = files::kind_of(&lost.path, SEGMENT_BLOCKS) else {
                continue;
            };
            // one that is gone was dropped, and every relation has its file
            let Ok(file) = File::open(&path) else {
                continue;
            };
            let length = file.metadata().map_or(0, |about| about.len());
            let bad = Arc::new(BadPages::default());
            let file = PageFile::new(&lost.path, file, (length, first_block), Arc::clone(&bad));
            let mut reader = BufReader::with_capacity(1 << 20, InOrder::new(&file, 0, length));
            let read = std::io::copy(&mut reader, &mut std::io::sink());
            read.map_err(|error| cannot("read", &path, error))?;
            let bad = bad.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, page)) = bad.iter().find(|(_, page)| page.found != 0) {
                return Err(EngineError::Damaged {
                    what: lost.path.clone(),
                    detail: format!("block {} is still damaged after the recovery", page.block),
                });
            }
        }
        Ok(())
    }
}

/// Zeros over pages of a file, as far as it reaches.
fn clear(path: &Path, pages: &[std::ops::Range<u64>]) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    for page in pages {
        for at in (page.start..page.end.min(length)).step_by(PAGE_BYTES) {
            file.write_all_at(&[0; PAGE_BYTES], at)?;
        }
    }
    file.sync_all()
}

/// A piece of bytes by offsets that lie inside.
fn inside(bytes: &[u8], from: u64, to: u64) -> &[u8] {
    let at = |offset| usize::try_from(offset).unwrap_or(bytes.len());
    bytes.get(at(from)..at(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EntryKind;

    #[test]
    fn only_the_pages_asked_for_are_written() {
        let folder = tempfile::tempdir().expect("folder");
        let page = |byte: u8| vec![byte; PAGE_BYTES];
        let there = [page(1), page(2), page(3), page(4)].concat();
        std::fs::write(folder.path().join("relation"), there).expect("written");
        let mut pieces = Pieces::parse(&["relation:1,3".to_owned()]).expect("pieces");
        let mut writer = Writer::over();
        writer.map("", folder.path());
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            kind: EntryKind::File,
            mode: 0o600,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mtime: (0, 0),
        };
        assert!(matches!(pieces.wanted("other"), Wanted::Name));
        pieces.entry(&entry("other"), &mut writer).expect("passed");
        pieces.close(9, &mut writer).expect("passed");
        assert!(matches!(pieces.wanted("relation"), Wanted::Ranges(_)));
        pieces.entry(&entry("relation"), &mut writer).expect("open");
        let copy = [page(7), page(8), page(9)].concat();
        let (first, second) = copy.split_at(PAGE_BYTES + 100);
        pieces.data(0, first, &mut writer).expect("data");
        pieces
            .data(first.len() as u64, second, &mut writer)
            .expect("data");
        pieces
            .close(3 * PAGE_BYTES as u64, &mut writer)
            .expect("closed");
        let now = std::fs::read(folder.path().join("relation")).expect("read");
        assert_eq!(now, [page(1), page(8), page(3), page(0)].concat());
        assert!(pieces.finish(folder.path()).expect("done").is_empty());
        assert!(!folder.path().join("other").exists());
    }
}
