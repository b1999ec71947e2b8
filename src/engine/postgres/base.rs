//! Owns what an incremental part must know of the part it builds on, and what it says of itself to
//! the next one: notes of its manifest. Opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::component::Place;
use super::lsn::{Lsn, Timeline};
use super::notes::PartNotes;
use super::page::PAGE_BYTES;
use super::patch::PREFIX;
use super::{FormatError, spoilt};
use crate::engine::{BaseCopy, EndedBackup, EngineError};

/// Note that names the base of an incremental part: timeline and start.
pub const BASE: &str = "increment-base";
/// Note of an incremental part: blocks of each file of which it holds pages.
pub const LENGTHS: &str = "increment-lengths";

/// The part that an incremental one builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Where its bracket began: replay starts there.
    pub start: Start,
    /// Where its bracket ended: it may hold pages as new as that.
    pub end: Option<Start>,
    /// Identity of the cluster it is of.
    pub system_identifier: u64,
    /// Folders that it left out because they were parts of their own.
    pub apart: BTreeSet<String>,
    /// Were its pages protected by checksums?
    pub checksums: bool,
    /// Bytes of its files, by path; of a chain those of its newest part.
    pub files: BTreeMap<String, u64>,
    /// Blocks that were damaged when it was copied, by path.
    pub spoilt: BTreeMap<String, Vec<RangeInclusive<u32>>>,
}

/// Where a bracket began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// On which timeline.
    pub timeline: Timeline,
    /// At which position.
    pub lsn: Lsn,
}

impl Start {
    /// Where the bracket of these notes began.
    #[must_use]
    pub fn of(notes: &PartNotes) -> Self {
        Self {
            timeline: notes.label.timeline,
            lsn: notes.label.start,
        }
    }

    /// The note of an incremental part.
    #[must_use]
    pub fn print(self) -> String {
        format!("{} {}", self.timeline, self.lsn)
    }

    fn parse(text: &str) -> Result<Self, FormatError> {
        let wrong = || FormatError::text("a timeline and a position", text);
        let (timeline, lsn) = text.split_once(' ').ok_or_else(wrong)?;
        Ok(Self {
            timeline: timeline.parse()?,
            lsn: lsn.parse()?,
        })
    }
}

impl Base {
    /// Reads what a manifest says of a part.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] when a note is missing or wrong.
    pub fn of(copy: &BaseCopy) -> Result<Self, EngineError> {
        let notes = PartNotes::parse(&copy.ended)?;
        let lengths = lengths(&copy.ended)?;
        let mut files = BTreeMap::new();
        for (path, bytes) in &copy.files {
            let (path, has_pages) = meant(path);
            let bytes = match lengths.get(&path) {
                Some(blocks) if has_pages => u64::from(*blocks) * PAGE_BYTES as u64,
                None if has_pages => return Err(damaged(LENGTHS, &path)),
                _ => *bytes,
            };
            files.insert(path, bytes);
        }
        Ok(Self {
            start: Start::of(&notes),
            end: end(&copy.ended)?,
            system_identifier: notes.system_identifier,
            apart: folders(&notes.apart),
            checksums: notes.checksums,
            spoilt: spoilt::of_part(&notes, &copy.ended),
            files,
        })
    }
}

fn end(ended: &EndedBackup) -> Result<Option<Start>, EngineError> {
    let end = ended.until.as_ref().map(Timeline::of).transpose();
    let end = end.map_err(|error| error.of("the end of a part"))?;
    Ok(end.map(|(timeline, lsn)| Start { timeline, lsn }))
}

/// The folders of places.
#[must_use]
pub fn folders(places: &[Place]) -> BTreeSet<String> {
    places.iter().map(Place::folder).collect()
}

/// Where the part began that an incremental one builds on; none for one that stands alone.
///
/// # Errors
/// [`EngineError::Damaged`].
pub fn start_of_base(ended: &EndedBackup) -> Result<Option<Start>, EngineError> {
    let Some(text) = ended.notes.get(BASE) else {
        return Ok(None);
    };
    let start = Start::parse(text).map_err(|error| damaged(BASE, error))?;
    Ok(Some(start))
}

/// Blocks of the files of which an incremental part holds pages.
///
/// # Errors
/// [`EngineError::Damaged`].
pub fn lengths(ended: &EndedBackup) -> Result<BTreeMap<String, u32>, EngineError> {
    let Some(text) = ended.notes.get(LENGTHS) else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str(text).map_err(|error| damaged(LENGTHS, error))
}

fn damaged(name: &str, detail: impl std::fmt::Display) -> EngineError {
    EngineError::Damaged {
        what: format!("the note `{name}` of a part"),
        detail: detail.to_string(),
    }
}

/// The name of the file of pages that stands for a file.
#[must_use]
pub fn prefixed(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/{PREFIX}{name}"),
        None => format!("{PREFIX}{path}"),
    }
}

/// The path that an entry of an incremental part is about, and whether it holds pages.
#[must_use]
pub fn meant(path: &str) -> (String, bool) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_prefix(PREFIX) {
        Some(name) if folder.is_empty() => (name.to_owned(), true),
        Some(name) => (format!("{folder}/{name}"), true),
        None => (path.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pages_and_starts_survive() {
        assert_eq!(
            meant(&prefixed("base/5/7.1")),
            ("base/5/7.1".to_owned(), true)
        );
        assert_eq!(meant("base/5/7"), ("base/5/7".to_owned(), false));
        assert_eq!(meant(&prefixed("x")), ("x".to_owned(), true));
        let start = Start {
            timeline: Timeline::new(10).expect("valid"),
            lsn: Lsn(0x16_0000_0028),
        };
        assert_eq!(Start::parse(&start.print()), Ok(start));
        assert!(Start::parse("0000000A").is_err());
    }
}
