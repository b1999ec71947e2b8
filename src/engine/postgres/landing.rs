//! Owns the folder that a receiver writes into: what lies there, by its names. Must not read it. What
//! lies there may be lost at any time.

use std::fs;
use std::path::{Path, PathBuf};

use super::lsn::{Lsn, Segment, SegmentSize, WalFile};
use crate::engine::EngineError;

/// The folder.
pub(super) struct Landing {
    folder: PathBuf,
    size: SegmentSize,
}

impl Landing {
    /// The folder without what an earlier receiver left: the slot still keeps it on the server, and
    /// it was never made durable here.
    ///
    /// # Errors
    /// When it cannot be emptied.
    pub(super) fn empty(folder: &Path, size: SegmentSize) -> Result<Self, EngineError> {
        let landing = Self {
            folder: folder.to_owned(),
            size,
        };
        for (_, path) in landing.files()? {
            fs::remove_file(&path).map_err(EngineError::io("remove", &path))?;
        }
        Ok(landing)
    }

    /// Finished files in the order of the log, histories first, up to the first segment that does
    /// not continue at `held`: a folder that changes while it is listed may not show the one before.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn finished(&self, held: Lsn) -> Result<Vec<(WalFile, PathBuf)>, EngineError> {
        let mut files = self.files()?;
        files.retain(|(file, _)| matches!(file, WalFile::Segment(_) | WalFile::History(_)));
        files.sort_by_key(|(file, path)| (matches!(file, WalFile::Segment(_)), path.clone()));
        let mut reached = held;
        let gap = files.iter().position(|(file, _)| match file {
            WalFile::Segment(segment) => {
                let follows = segment.start(self.size) <= reached;
                let end = segment.end(self.size);
                reached = end.map_or(reached, |end| reached.max(end));
                !follows
            }
            _ => false,
        });
        files.truncate(gap.unwrap_or(files.len()));
        Ok(files)
    }

    /// The segment that is being received, and its file.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn unfinished(&self) -> Result<Option<(Segment, PathBuf)>, EngineError> {
        let partial = self.files()?.into_iter();
        let partial = partial.filter_map(|(file, path)| match file {
            WalFile::Partial(segment) => Some((segment, path)),
            _ => None,
        });
        // where a timeline ended, its last segment stays behind
        Ok(partial.max())
    }

    /// Files of the log.
    fn files(&self) -> Result<Vec<(WalFile, PathBuf)>, EngineError> {
        let list = || -> std::io::Result<Vec<PathBuf>> {
            let entries = fs::read_dir(&self.folder)?;
            entries.map(|entry| Ok(entry?.path())).collect()
        };
        let listed = list().map_err(EngineError::io("list", &self.folder))?;
        let files = listed.into_iter().filter_map(|path| {
            let file = WalFile::parse(path.file_name()?.to_str()?, self.size);
            Some((file.ok()?, path))
        });
        Ok(files.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_told_and_what_was_left_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let size = SegmentSize::new(1 << 24).expect("a size");
        let landing = Landing::empty(folder.path(), size).expect("a landing");
        let name = |number: u32| format!("0000000100000000{number:08X}");
        let put = |name: String| fs::write(folder.path().join(name), "x").expect("written");
        put("receiver.log".to_owned());
        for number in [3, 4, 6] {
            put(name(number));
        }
        put(name(7) + ".partial");
        put("00000002.history".to_owned());
        let told = |held: u64| -> Vec<String> {
            let found = landing.finished(Lsn(held)).expect("listed").into_iter();
            found.map(|(file, _)| file.name(size)).collect()
        };
        let all = |rest: &[u32]| -> Vec<String> {
            let first = ["00000002.history".to_owned()].into_iter();
            first
                .chain(rest.iter().map(|number| name(*number)))
                .collect()
        };
        assert_eq!(told(3 << 24), all(&[3, 4]), "the fifth is not there yet");
        assert_eq!(told((3 << 24) + 5), all(&[3, 4]));
        assert_eq!(told(6 << 24), all(&[3, 4, 6]));
        assert_eq!(told(2 << 24), all(&[]));
        let unfinished = landing.unfinished().expect("listed");
        assert_eq!(unfinished.map(|(segment, _)| segment.number), Some(7));
        Landing::empty(folder.path(), size).expect("emptied");
        assert_eq!(
            (told(2 << 24).len(), landing.unfinished().ok()),
            (0, Some(None))
        );
        assert!(folder.path().join("receiver.log").exists());
    }
}
