//! Owns what a copy of a tree notes of its files, so that a later copy can tell for sure which of
//! them did not change since: a note of its manifest. Opens nothing.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{BaseCopy, EndedBackup, EngineError};

/// Note of a copy: rows of the files that can be told from changed ones later.
const SEEN: &str = "tree-seen";
/// Note of a copy that goes over another one: the moment of the copy that it builds on.
const BASE: &str = "tree-base";

/// Above the grain of the clocks of file systems.
pub(super) const GRAIN: Duration = Duration::from_secs(2);

/// What tells one state of a file from every other. Its row: inode, modification time, change
/// time, each in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(u64, i64, i64, i64, i64);

impl Stamp {
    /// The stamp of a file, unless it changed a moment before `now`: a further change in the same
    /// tick of the clock would not show.
    pub(super) fn settled(meta: &Metadata, now: SystemTime) -> Option<Self> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let before = i64::try_from(now.checked_sub(GRAIN)?.as_secs()).ok()?;
        (meta.ctime() < before).then(|| Self::of(meta))
    }

    pub(super) fn of(meta: &Metadata) -> Self {
        let modified = (meta.mtime(), meta.mtime_nsec());
        let changed = (meta.ctime(), meta.ctime_nsec());
        Self(meta.ino(), modified.0, modified.1, changed.0, changed.1)
    }
}

/// The files of a copy with their stamps, by their place in the order of the copy.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<(usize, Stamp)>);

impl Seen {
    /// Notes a file.
    pub(super) fn add(&mut self, place: usize, stamp: Stamp) {
        self.0.push((place, stamp));
    }

    /// Writes the notes of a copy; `base` is the moment of the copy that it builds on.
    pub(super) fn print(&self, base: Option<Timestamp>) -> BTreeMap<String, String> {
        // rows of numbers always have a text
        let rows = serde_json::to_string(&self.0).unwrap_or_default();
        let mut notes = BTreeMap::from([(SEEN.to_owned(), rows)]);
        notes.extend(base.map(|at| (BASE.to_owned(), at.to_string())));
        notes
    }
}

/// The moment of the copy that one builds on; none when it stands alone.
pub(super) fn base_of(ended: &EndedBackup) -> Result<Option<Timestamp>, EngineError> {
    let Some(text) = ended.notes.get(BASE) else {
        return Ok(None);
    };
    let moment = text.parse().map_err(|cause| EngineError::Damaged {
        what: format!("the note `{BASE}` of a part"),
        detail: format!("{cause}"),
    });
    moment.map(Some)
}

/// The copy that another one builds on.
#[derive(Debug)]
pub(super) struct Base {
    /// Its moment.
    pub(super) taken_at: Timestamp,
    files: BTreeMap<String, (u64, Stamp)>,
    windows: BTreeMap<String, Vec<Option<blake3::Hash>>>,
}

impl Base {
    /// Reads what a manifest says of its files.
    ///
    /// # Errors
    /// Why nothing can be told from it, in words.
    pub(super) fn of(copy: &BaseCopy, identity: &str) -> Result<Self, String> {
        if copy.identity != identity {
            return Err("the part it would build on is of another tree".to_owned());
        }
        let rows = copy.ended.notes.get(SEEN);
        let rows = rows.ok_or("the part it would build on does not tell how it saw its files")?;
        let rows: Vec<(usize, Stamp)> = serde_json::from_str(rows)
            .map_err(|cause| format!("the note `{SEEN}` of the part cannot be read: {cause}"))?;
        let known = rows.into_iter().filter_map(|(place, stamp)| {
            let (path, length) = copy.files.get_index(place)?;
            Some((path.clone(), (*length, stamp)))
        });
        Ok(Self {
            taken_at: copy.ended.taken_at,
            files: known.collect(),
            windows: copy.windows.clone(),
        })
    }

    /// The hashes of the windows of a longer file, where they are known.
    pub(super) fn windows(&self, path: &str) -> Option<&[Option<blake3::Hash>]> {
        self.windows.get(path).map(Vec::as_slice)
    }

    /// Whether a file is surely as the copy has it.
    pub(super) fn has(&self, path: &str, meta: &Metadata) -> bool {
        self.files.get(path) == Some(&(meta.len(), Stamp::of(meta)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_only_by_its_settled_stamp_and_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "text").expect("written");
        let meta = path.metadata().expect("there");
        let now = SystemTime::now();
        assert_eq!(Stamp::settled(&meta, now), None, "it changed just now");
        let stamp = Stamp::settled(&meta, now + 2 * GRAIN).expect("settled");
        let mut seen = Seen::default();
        seen.add(1, stamp);
        let mut copy = BaseCopy {
            part: "p".to_owned(),
            identity: "tree".to_owned(),
            ended: EndedBackup {
                taken_at: Timestamp::UNIX_EPOCH,
                from: None,
                until: None,
                warnings: Vec::new(),
                notes: seen.print(None),
            },
            files: [(".".to_owned(), 0), ("a".to_owned(), 4)].into(),
            windows: BTreeMap::new(),
        };
        let base = Base::of(&copy, "tree").expect("a base");
        assert!(base.has("a", &meta));
        assert!(!base.has("b", &meta), "another path");
        assert!(Base::of(&copy, "other").is_err());
        copy.files["a"] = 5;
        let longer = Base::of(&copy, "tree").expect("a base");
        assert!(!longer.has("a", &meta), "another length");
        std::fs::File::open(&path)
            .and_then(|file| file.set_modified(now + GRAIN))
            .expect("touched");
        assert!(!base.has("a", &path.metadata().expect("there")));
        copy.ended.notes.clear();
        assert!(Base::of(&copy, "tree").is_err(), "nothing was noted");
    }

    #[test]
    fn the_notes_tell_what_a_copy_builds_on() {
        let at = Timestamp::new(1_800_000_000, 17).expect("a moment");
        let mut ended = EndedBackup {
            taken_at: at,
            from: None,
            until: None,
            warnings: Vec::new(),
            notes: Seen::default().print(Some(at)),
        };
        assert_eq!(base_of(&ended).expect("read"), Some(at));
        ended.notes.insert(BASE.to_owned(), "yesterday".to_owned());
        assert!(base_of(&ended).is_err());
        ended.notes = Seen::default().print(None);
        assert_eq!(base_of(&ended).expect("read"), None);
    }
}
