//! Owns incremental parts: a bracket of backup mode in which of each relation file only the pages
//! are read that changed since a base part.
//!
//! A page that the log between the two brackets' starts does not name is, in the base, as it was
//! when this bracket began: what came later is in the log that a recovery replays. Whatever is in
//! doubt (R18) is read in full, file by file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::base::{BASE, Base, LENGTHS, prefixed};
use super::changes::{Answer, ChangeSet, Relation};
use super::notes::PartNotes;
use super::page::PAGE_BYTES;
use super::patch::Patch;
use super::read::BadPage;
pub use super::since::Tracked;
use super::since::{self, Since};
use super::{PostgresSpec, backup, pages, spoilt};
use crate::engine::piece::PieceSource;
use crate::engine::{
    BackupSession, BaseCopy, EndedBackup, EngineError, Entry, EntryKind, PartSink, Selective,
    StoredLog,
};

/// Object ids of the tablespaces that every cluster has.
const DEFAULT_TABLESPACE: u32 = 1663;
const GLOBAL_TABLESPACE: u32 = 1664;

/// What was read, for people and tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Relation files of which pages were read, and how many pages.
    pub patched: (u64, u64),
    /// Relation files that were read in full, by reason.
    pub full: BTreeMap<String, u64>,
}

/// An open bracket that copies what changed.
pub struct IncrementalSession {
    inner: Box<dyn BackupSession>,
    delta: Delta,
    /// What was read so far.
    pub tally: Tally,
    found: Found,
}

/// What is known of the changes since the base.
struct Delta {
    /// None when it cannot be understood.
    base: Option<Base>,
    changes: ChangeSet,
    segment_blocks: u32,
    checksums: bool,
}

/// What was found on the way.
#[derive(Default)]
struct Found {
    /// Blocks of the files of which pages were read.
    lengths: BTreeMap<String, u32>,
    bad: Vec<(String, BadPage)>,
}

/// Finds what changed since `copy` and enters backup mode for a component. `read` is the log that
/// was read for another component, and is kept for the next one; `log` gives the stored log; what
/// the server still has in its own `pg_wal` is read there. Most of the log is read before backup
/// mode is entered.
///
/// # Errors
/// When backup mode cannot be entered. That the changes cannot be told is no error.
pub fn begin(
    spec: &PostgresSpec,
    key: &str,
    copy: &BaseCopy,
    read: &Tracked,
    log: StoredLog<'_>,
) -> Result<IncrementalSession, EngineError> {
    let mut since = match Base::of(copy) {
        Ok(base) => Ok(Since::before(spec, base, read, &mut *log)?),
        Err(error) => Err(error.to_string()),
    };
    let mut inner = backup::begin(spec, key)?;
    inner.whole = since.is_err();
    let server = inner.server.clone();
    let changes = match &mut since {
        Ok(since) => since.finish(spec, &inner.apart, log)?,
        Err(why) => since::doubt(why),
    };
    Ok(IncrementalSession {
        inner: Box::new(inner),
        delta: Delta {
            base: since.ok().map(|since| since.base),
            changes,
            segment_blocks: server.segment_blocks,
            checksums: server.checksums,
        },
        tally: Tally::default(),
        found: Found::default(),
    })
}

impl IncrementalSession {
    /// Why everything is read in full, when that is so.
    #[must_use]
    pub fn doubt(&self) -> Option<&str> {
        self.delta.changes.doubt_of_all()
    }

    /// Whether no file builds on the base: then the copy stands alone.
    fn stands_alone(&self) -> bool {
        self.tally.patched.0 == 0
    }
}

impl Tally {
    /// In words, for the report.
    #[must_use]
    pub fn words(&self) -> String {
        let (files, pages) = self.patched;
        let mut words = format!("{pages} changed pages of {files} files");
        for (why, files) in &self.full {
            words = format!("{words}; {files} files in full: {why}");
        }
        words
    }
}

impl BackupSession for IncrementalSession {
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let mut through = DeltaSink {
            inner: sink,
            delta: &self.delta,
            tally: &mut self.tally,
            found: &mut self.found,
            pending: None,
        };
        self.inner.copy(&mut through)
    }

    fn selective(&self) -> Option<Selective> {
        let why = self.doubt().unwrap_or("no file of it is as it was");
        Some(Selective {
            whole: self.stands_alone().then(|| why.to_owned()),
            told: self.tally.words(),
        })
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        let alone = self.stands_alone();
        let mut ended = self.inner.end()?;
        let folder = PartNotes::parse(&ended)?.place.folder();
        spoilt::write_down(self.found.bad, &folder, &mut ended);
        if let Some(why) = self.delta.changes.doubt_of_all() {
            let warning = format!("everything was read in full, not the changes only: {why}");
            ended.warnings.push(warning);
        }
        if let Some(base) = self.delta.base.filter(|_| !alone) {
            ended.notes.insert(BASE.to_owned(), base.start.print());
            // a map from text to numbers always has a text
            let lengths = serde_json::to_string(&self.found.lengths).unwrap_or_default();
            ended.notes.insert(LENGTHS.to_owned(), lengths);
        }
        Ok(ended)
    }
}

/// Stands between a bracket, which offers whole files, and the devices: of files that are known
/// well enough it hands on the changed pages instead, and reads nothing else of them.
struct DeltaSink<'a> {
    inner: &'a mut dyn PartSink,
    delta: &'a Delta,
    tally: &'a mut Tally,
    found: &'a mut Found,
    /// A relation file that was announced and not begun.
    pending: Option<Entry>,
}

impl DeltaSink<'_> {
    fn announce(&mut self) -> Result<(), EngineError> {
        match self.pending.take() {
            Some(entry) => self.inner.entry(entry),
            None => Ok(()),
        }
    }

    /// Hands on the changed pages; `file` may be missing when there are none.
    fn pages(
        &mut self,
        mut entry: Entry,
        patch: Patch,
        file: Option<&File>,
    ) -> Result<u64, EngineError> {
        let of = entry.path.clone();
        entry.path = prefixed(&of);
        self.inner.entry(entry)?;
        let header = patch.print().map_err(|error| error.of(&of))?;
        let first = self.delta.first_block(&of);
        let length = header.len() as u64 + patch.blocks.len() as u64 * PAGE_BYTES as u64;
        self.tally.patched.0 += 1;
        self.tally.patched.1 += patch.blocks.len() as u64;
        self.found.lengths.insert(of.clone(), patch.length);
        let Some(file) = file else {
            return self
                .inner
                .read_from(&mut header.as_slice(), length, Path::new(&of));
        };
        let mut pages = pages::Pages::new(file, first, patch.blocks, self.delta.checksums);
        let mut bytes = header.as_slice().chain(&mut pages);
        let written = self.inner.read_from(&mut bytes, length, Path::new(&of))?;
        let bad = pages.bad.into_iter().map(|page| (of.clone(), page));
        self.found.bad.extend(bad);
        Ok(written)
    }

    /// Announces a file of this length and hands on its changed pages; none when all of it is to be
    /// read.
    fn chosen(&mut self, length: u64, path: &Path) -> Result<Option<u64>, EngineError> {
        let Some(entry) = self.pending.take() else {
            return Ok(None);
        };
        if length == 0 {
            return self.inner.entry(entry).map(|()| Some(0));
        }
        match self.selected(&entry.path, path, length) {
            Ok((patch, file)) => self.pages(entry, patch, file.as_ref()).map(Some),
            Err(why) => {
                *self.tally.full.entry(why).or_default() += 1;
                self.inner.entry(entry).map(|()| None)
            }
        }
    }

    /// The changed pages of a file, when they can be told and the file can be opened again.
    fn selected(&self, of: &str, path: &Path, bytes: u64) -> Result<(Patch, Option<File>), String> {
        let patch = self.delta.patch(of, bytes).map_err(str::to_owned)?;
        if patch.blocks.is_empty() {
            return Ok((patch, None));
        }
        match File::open(path) {
            Ok(file) => Ok((patch, Some(file))),
            // what was dropped since it was listed is read from the descriptor that the bracket
            // holds
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err("it was dropped meanwhile".to_owned())
            }
            Err(error) => Err(format!("it cannot be opened again: {error}")),
        }
    }
}

impl PartSink for DeltaSink<'_> {
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
        if entry.kind == EntryKind::File && is_main_fork(&entry.path) {
            self.pending = Some(entry);
            return Ok(());
        }
        self.inner.entry(entry)
    }

    fn read_from(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<u64, EngineError> {
        match self.chosen(limit, path)? {
            Some(given) => Ok(given),
            None => self.inner.read_from(source, limit, path),
        }
    }

    fn read_pieces(
        &mut self,
        source: Arc<dyn PieceSource>,
        length: u64,
        path: &Path,
    ) -> Result<(), EngineError> {
        match self.chosen(length, path)? {
            Some(_) => Ok(()),
            None => self.inner.read_pieces(source, length, path),
        }
    }

    fn settle(&mut self) -> Result<(), EngineError> {
        self.inner.settle()
    }

    fn hole(&mut self, length: u64) -> Result<(), EngineError> {
        self.announce()?;
        self.inner.hole(length)
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.announce()?;
        self.inner.close()
    }
}

impl Delta {
    fn first_block(&self, path: &str) -> u32 {
        let part = place(path).map_or(0, |(_, part)| part);
        part.saturating_mul(self.segment_blocks)
    }

    /// The pages of a file that are to be read; or why all of it is.
    fn patch(&self, path: &str, bytes: u64) -> Result<Patch, &str> {
        let page = PAGE_BYTES as u64;
        let Some((relation, _)) = place(path) else {
            return Err("it is no relation");
        };
        if let Some(why) = self.changes.doubt_of_all() {
            return Err(why);
        }
        let known = self.base.as_ref();
        let Some(base) = known.and_then(|known| known.files.get(path)) else {
            return Err("the base does not have it");
        };
        let spoilt = known.and_then(|known| known.spoilt.get(path));
        if !base.is_multiple_of(page) || !bytes.is_multiple_of(page) || bytes < *base {
            return Err("its length does not follow from the base's");
        }
        let blocks = |bytes: u64| u32::try_from(bytes / page).map_err(|_| "it is too long");
        let (base, length) = (blocks(*base)?, blocks(bytes)?);
        let first = self.first_block(path);
        let until = first.saturating_add(base);
        // what was damaged when the base was copied may be mended since, which no log tells
        let spoilt = spoilt.into_iter().flatten().cloned().flatten();
        let mut blocks: BTreeSet<u32> = spoilt.filter(|at| (first..until).contains(at)).collect();
        match self.changes.of(relation) {
            Answer::Doubt(why) => return Err(why),
            Answer::Untouched => {}
            Answer::Blocks(set) => blocks.extend(set.range(first, until)),
        }
        let mut blocks: Vec<u32> = blocks.into_iter().map(|block| block - first).collect();
        // from here on a patch saves nothing
        if blocks.len() as u64 * 10 > u64::from(length) * 9 {
            return Err("nearly all of it changed");
        }
        blocks.extend(base..length);
        Ok(Patch {
            base,
            length,
            blocks,
        })
    }
}

/// The relation and the number of the file among its files, of a path.
fn place(path: &str) -> Option<(Relation, u32)> {
    let words: Vec<&str> = path.split('/').collect();
    let number = |word: &str| word.parse::<u32>().ok();
    let (tablespace, database, name) = match words.as_slice() {
        ["global", name] => (GLOBAL_TABLESPACE, 0, *name),
        ["base", database, name] => (DEFAULT_TABLESPACE, number(database)?, *name),
        ["pg_tblspc", tablespace, _, database, name] => {
            (number(tablespace)?, number(database)?, *name)
        }
        _ => return None,
    };
    let (stem, part) = name.split_once('.').unwrap_or((name, "0"));
    let relation = Relation {
        tablespace,
        database,
        number: number(stem)?,
    };
    Some((relation, number(part)?))
}

/// Only the main fork: the others are changed without references in the log.
fn is_main_fork(path: &str) -> bool {
    place(path).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::base::Start;
    use super::super::lsn::{Lsn, Timeline};
    use super::*;

    #[test]
    fn only_main_forks_of_relations_are_patched() {
        let relation = |tablespace, database, number| Relation {
            tablespace,
            database,
            number,
        };
        for (path, found) in [
            ("base/5/16385", Some((relation(1663, 5, 16385), 0))),
            ("base/5/16385.3", Some((relation(1663, 5, 16385), 3))),
            ("global/1260", Some((relation(1664, 0, 1260), 0))),
            (
                "pg_tblspc/99/PG_15_202209061/5/7",
                Some((relation(99, 5, 7), 0)),
            ),
            ("base/5/16385_vm", None),
            ("base/5/16385_fsm.1", None),
            ("base/5/16385_init", None),
            ("base/5/PG_VERSION", None),
            ("pg_xact/0000", None),
            ("global/pg_control", None),
        ] {
            assert_eq!(place(path), found, "{path}");
        }
    }

    fn delta(changes: ChangeSet, bytes: u64) -> Delta {
        Delta {
            base: Some(Base {
                start: Start {
                    timeline: Timeline::new(1).expect("valid"),
                    lsn: Lsn(40),
                },
                end: None,
                system_identifier: 1,
                apart: BTreeSet::new(),
                checksums: true,
                files: [("base/5/7.1".to_owned(), bytes)].into(),
                spoilt: [("base/5/7.1".to_owned(), vec![102..=102])].into(),
            }),
            changes,
            segment_blocks: 100,
            checksums: true,
        }
    }

    #[test]
    fn a_patch_names_what_changed_in_this_file_and_all_that_is_new() {
        let relation = place("base/5/7.1").expect("a relation").0;
        let mut changes = ChangeSet::default();
        for block in [3, 99, 100, 142, 149, 150, 151, 200] {
            changes.block(relation, block);
        }
        let delta = delta(changes, 50 * 8192);
        let patch = delta.patch("base/5/7.1", 52 * 8192).expect("a patch");
        let expected = Patch {
            base: 50,
            length: 52,
            blocks: vec![0, 2, 42, 49, 50, 51],
        };
        assert_eq!(patch, expected);
        assert!(
            delta.patch("base/5/7.1", 49 * 8192).is_err(),
            "shorter than the base"
        );
        assert!(
            delta.patch("base/5/7.1", 52 * 8192 + 1).is_err(),
            "no whole pages"
        );
        assert!(delta.patch("base/5/8", 8192).is_err(), "new since the base");
    }
}
