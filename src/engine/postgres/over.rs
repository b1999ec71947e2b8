//! Owns writing over files that are there already: pages that are the same stay untouched, and a
//! file in which nothing changed is not synced again.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files::cannot;
use super::page::PAGE_BYTES;
use crate::engine::EngineError;

/// What was written over, and what stayed.
#[derive(Debug, Default)]
pub(super) struct Over {
    /// Places of all entries that came.
    pub(super) seen: BTreeSet<PathBuf>,
    /// Bytes that all entries have.
    pub(super) total: u64,
    /// Was the open file changed?
    changed: bool,
}

impl Over {
    /// Opens the file of an entry, or makes it.
    pub(super) fn open(&mut self, path: &Path) -> Result<File, EngineError> {
        let known = std::fs::symlink_metadata(path).map(|about| about.is_file());
        self.changed = !matches!(known, Ok(true));
        if matches!(known, Ok(false)) {
            // a link here would lead out of the folder
            let removed = std::fs::remove_file(path);
            removed.map_err(|error| cannot("replace", path, error))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(self.changed);
        let file = options.open(path);
        file.map_err(|error| cannot("open", path, error))
    }

    /// Writes the pages that differ; how many bytes those were.
    pub(super) fn write(&mut self, file: &File, offset: u64, bytes: &[u8]) -> std::io::Result<u64> {
        let (mut written, mut at) = (0, offset);
        let mut there = [0; PAGE_BYTES];
        for page in bytes.chunks(PAGE_BYTES) {
            let there = &mut there[..page.len()];
            let same = match file.read_exact_at(there, at) {
                Ok(()) => there == page,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
                Err(error) => return Err(error),
            };
            if !same {
                file.write_all_at(page, at)?;
                written += page.len() as u64;
            }
            at += page.len() as u64;
        }
        self.changed |= written > 0;
        Ok(written)
    }

    /// Ends the open file at its full length.
    pub(super) fn close(&mut self, file: &File, length: u64) -> std::io::Result<()> {
        self.total += length;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            self.changed = true;
        }
        if self.changed {
            file.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_differ_are_written() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("relation");
        let mut content: Vec<u8> = (0..5 * PAGE_BYTES)
            .map(|at| u8::try_from(at % 251).unwrap_or(0))
            .collect();
        std::fs::write(&path, &content).expect("written");
        content[2 * PAGE_BYTES + 9] ^= 1;
        let mut over = Over::default();
        let file = over.open(&path).expect("open");
        let half = 3 * PAGE_BYTES + 100;
        let first = over.write(&file, 0, &content[..half]).expect("written");
        let rest = &content[half..half + 50];
        let second = over.write(&file, half as u64, rest).expect("written");
        over.close(&file, half as u64 + 50).expect("closed");
        assert_eq!((first, second), (PAGE_BYTES as u64, 0));
        assert_eq!(std::fs::read(&path).expect("read"), content[..half + 50]);
    }

    #[test]
    fn a_link_is_replaced_not_followed() {
        let folder = tempfile::tempdir().expect("folder");
        let (victim, path) = (folder.path().join("victim"), folder.path().join("file"));
        std::fs::write(&victim, "theirs").expect("written");
        std::os::unix::fs::symlink(&victim, &path).expect("a link");
        let mut over = Over::default();
        let file = over.open(&path).expect("open");
        assert_eq!(over.write(&file, 0, b"ours").expect("written"), 4);
        over.close(&file, 4).expect("closed");
        assert_eq!(std::fs::read(&victim).expect("read"), b"theirs");
        assert_eq!(std::fs::read(&path).expect("read"), b"ours");
    }
}
