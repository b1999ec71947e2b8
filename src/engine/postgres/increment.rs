//! Owns incremental parts: a bracket of backup mode in which of each relation file only the pages
//! are read that changed since a base part; and putting such a part onto its base.
//!
//! A page that the log between the two brackets' starts does not name is, in the base, as it was
//! when this bracket began: what came later is in the log that a recovery replays. Whatever is in
//! doubt (R18) is read in full, file by file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::changes::{Answer, ChangeSet, Relation};
use super::files::cannot;
use super::history::History;
use super::lsn::{Lsn, Segment, Timeline};
use super::page::PAGE_BYTES;
use super::patch::{PREFIX, Patch};
use super::server::ServerFacts;
use super::stream::Course;
use super::{PostgresSpec, backup, connect, control, pages, read, summaries};
use crate::engine::{BackupSession, EndedBackup, EngineError, Entry, EntryKind, PartSink};

/// Note that names the base of an incremental part: timeline and start.
pub const BASE: &str = "increment-base";

/// Object ids of the tablespaces that every cluster has.
const DEFAULT_TABLESPACE: u32 = 1663;
const GLOBAL_TABLESPACE: u32 = 1664;

/// The part that an incremental one builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its timeline.
    pub timeline: Timeline,
    /// Where its bracket began: replay starts there.
    pub start: Lsn,
    /// Identity of the cluster it is of.
    pub system_identifier: u64,
    /// Bytes of its files, by path; of a chain those of its newest part.
    pub files: BTreeMap<String, u64>,
}

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
    warnings: Vec<String>,
}

/// What is known of the changes since the base.
struct Delta {
    base: Base,
    changes: ChangeSet,
    segment_blocks: u32,
    checksums: bool,
    start: Lsn,
}

/// Enters backup mode for a component and finds what changed since `base`. `archived` gives a
/// segment of the stored log; what it does not have is looked for in the server's own `pg_wal`.
///
/// # Errors
/// When backup mode cannot be entered. That the changes cannot be told is no error.
pub fn begin(
    spec: &PostgresSpec,
    key: &str,
    base: Base,
    mut archived: impl FnMut(Segment) -> Option<Vec<u8>>,
) -> Result<IncrementalSession, EngineError> {
    let inner: Box<dyn BackupSession> = Box::new(backup::begin(spec, key)?);
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    let control = read::control_file(&server.data_directory.join(control::PATH))?;
    let wal = server.data_directory.join("pg_wal");
    let fetch = |segment: Segment| {
        let own = || std::fs::read(wal.join(segment.name(control.wal_segment_size))).ok();
        archived(segment).or_else(own)
    };
    let mut changes = match history(&wal, control.timeline) {
        Some(history) if is_base_of(&base, &history, control.system_identifier) => {
            let course = Course {
                history,
                size: control.wal_segment_size,
                system_identifier: control.system_identifier,
            };
            ChangeSet::between(course, base.start, control.redo, fetch)
        }
        _ => doubt("the base is of another history"),
    };
    let range = (base.timeline, base.start..control.redo);
    if changes.doubt_of_all().is_some()
        && base.system_identifier == control.system_identifier
        && let Some(told) = summaries::ask(&mut client, spec, &range)?
    {
        changes = told;
    }
    Ok(IncrementalSession {
        inner,
        delta: Delta {
            base,
            changes,
            segment_blocks: server.segment_blocks,
            checksums: server.checksums,
            start: control.redo,
        },
        tally: Tally::default(),
        warnings: Vec::new(),
    })
}

fn doubt(why: &str) -> ChangeSet {
    let mut changes = ChangeSet::default();
    changes.doubt_all(why);
    changes
}

fn history(wal: &Path, timeline: Timeline) -> Option<History> {
    if timeline.number() == 1 {
        return Some(History::first(timeline));
    }
    let text = std::fs::read_to_string(wal.join(format!("{timeline}.history"))).ok()?;
    History::parse(timeline, &text).ok()
}

fn is_base_of(base: &Base, history: &History, system: u64) -> bool {
    base.system_identifier == system && history.contains(base.timeline, base.start)
}

impl IncrementalSession {
    /// Why everything is read in full, when that is so.
    #[must_use]
    pub fn doubt(&self) -> Option<&str> {
        self.delta.changes.doubt_of_all()
    }
}

impl BackupSession for IncrementalSession {
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let mut through = DeltaSink {
            inner: sink,
            delta: &self.delta,
            tally: &mut self.tally,
            warnings: &mut self.warnings,
            pending: None,
        };
        self.inner.copy(&mut through)
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        let mut ended = self.inner.end()?;
        ended.warnings.extend(self.warnings);
        let base = format!("{} {}", self.delta.base.timeline, self.delta.base.start);
        ended.notes.insert(BASE.to_owned(), base);
        Ok(ended)
    }
}

/// Stands between a bracket, which offers whole files, and the devices: of files that are known
/// well enough it hands on the changed pages instead, and reads nothing else of them.
struct DeltaSink<'a> {
    inner: &'a mut dyn PartSink,
    delta: &'a Delta,
    tally: &'a mut Tally,
    warnings: &'a mut Vec<String>,
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

    fn pages(&mut self, mut entry: Entry, patch: Patch, file: &File) -> Result<u64, EngineError> {
        let of = entry.path.clone();
        entry.path = prefixed(&of);
        self.inner.entry(entry)?;
        let header = patch.print().map_err(|error| error.of(&of))?;
        let first = self.delta.first_block(&of);
        let length = header.len() as u64 + patch.blocks.len() as u64 * PAGE_BYTES as u64;
        self.tally.patched.0 += 1;
        self.tally.patched.1 += patch.blocks.len() as u64;
        let mut pages = pages::Pages::new(file, first, patch.blocks, self.delta.checksums);
        let mut bytes = header.as_slice().chain(&mut pages);
        let written = self.inner.read_from(&mut bytes, length, Path::new(&of))?;
        for bad in pages.bad.iter().filter(|bad| bad.lsn < self.delta.start) {
            self.warnings.push(format!(
                "damaged page: {of} block {} (checksum {:#06x} instead of {:#06x})",
                bad.block, bad.found, bad.expected
            ));
        }
        Ok(written)
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
        let Some(entry) = self.pending.take() else {
            return self.inner.read_from(source, limit, path);
        };
        let why = match self.delta.patch(&entry.path, limit) {
            // a second look at the file: what was dropped since it was listed is read from the
            // descriptor that the bracket holds
            Ok(wanted) => match File::open(path) {
                Ok(file) => return self.pages(entry, wanted, &file),
                Err(_) => "it was dropped meanwhile",
            },
            Err(why) => why,
        };
        *self.tally.full.entry(why.to_owned()).or_default() += 1;
        self.inner.entry(entry)?;
        self.inner.read_from(source, limit, path)
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
        let Some(base) = self.base.files.get(path) else {
            return Err("the base does not have it");
        };
        if !base.is_multiple_of(page) || !bytes.is_multiple_of(page) || bytes < *base {
            return Err("its length does not follow from the base's");
        }
        let blocks = |bytes: u64| u32::try_from(bytes / page).map_err(|_| "it is too long");
        let (base, length) = (blocks(*base)?, blocks(bytes)?);
        let first = self.first_block(path);
        let changed = match self.changes.of(relation) {
            Answer::Doubt(why) => return Err(why),
            Answer::Untouched => Vec::new(),
            Answer::Blocks(set) => {
                let until = first.saturating_add(base);
                set.range(first, until).map(|block| block - first).collect()
            }
        };
        let mut blocks: Vec<u32> = changed;
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

fn prefixed(path: &str) -> String {
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

/// Puts an incremental part, written to the folder `part`, onto its base in the folder `base`: the
/// result is what a full copy in the incremental's bracket would be. `entries` are the part's.
///
/// # Errors
/// When the two do not fit, or a folder refuses. Then `base` is spoilt.
pub fn apply(base: &Path, part: &Path, entries: &[Entry]) -> Result<(), EngineError> {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for entry in entries {
        let (path, has_pages) = meant(&entry.path);
        let (from, to) = (part.join(&entry.path), base.join(&path));
        match entry.kind {
            EntryKind::Directory => {
                let made = std::fs::create_dir_all(&to);
                made.map_err(|error| cannot("create", &to, error))?;
            }
            _ if has_pages => apply_pages(&to, &from)?,
            _ => {
                let copied = std::fs::copy(&from, &to);
                copied.map_err(|error| cannot("write", &to, error))?;
            }
        }
        kept.insert(path);
    }
    remove_others(base, &kept)
}

/// Writes the pages of a patch file into the file it stands for.
///
/// # Errors
/// When the file is not the one that the patch was made for.
pub fn apply_pages(to: &Path, from: &Path) -> Result<(), EngineError> {
    let pages = File::open(from).map_err(|error| cannot("open", from, error))?;
    let length = pages
        .metadata()
        .map_err(|error| cannot("look at", from, error))?
        .len();
    // everything but the pages themselves
    let begin = length - length / (PAGE_BYTES as u64 + 4) * PAGE_BYTES as u64;
    let mut header = vec![0; usize::try_from(begin).unwrap_or(0)];
    pages
        .read_exact_at(&mut header, 0)
        .map_err(|error| cannot("read", from, error))?;
    let (patch, mut at) =
        Patch::parse(&header, length).map_err(|error| error.of(from.display()))?;
    let file = File::options().read(true).write(true).open(to);
    let file = file.map_err(|error| cannot("open", to, error))?;
    let there = file
        .metadata()
        .map_err(|error| cannot("look at", to, error))?
        .len();
    if there != u64::from(patch.base) * PAGE_BYTES as u64 {
        return Err(EngineError::Damaged {
            what: format!("the base of {}", to.display()),
            detail: format!("it has {there} bytes instead of {} pages", patch.base),
        });
    }
    let mut page = [0; PAGE_BYTES];
    for block in &patch.blocks {
        pages
            .read_exact_at(&mut page, at)
            .map_err(|error| cannot("read", from, error))?;
        let place = u64::from(*block) * PAGE_BYTES as u64;
        file.write_all_at(&page, place)
            .map_err(|error| cannot("write", to, error))?;
        at += PAGE_BYTES as u64;
    }
    let done = file.set_len(u64::from(patch.length) * PAGE_BYTES as u64);
    done.and_then(|()| file.sync_all())
        .map_err(|error| cannot("write", to, error))
}

/// What the incremental part does not name was dropped since the base.
fn remove_others(base: &Path, kept: &BTreeSet<String>) -> Result<(), EngineError> {
    let mut folders = Vec::new();
    for entry in walkdir::WalkDir::new(base).min_depth(1) {
        let entry = entry.map_err(|error| cannot("list", base, error.into()))?;
        let path = entry.path();
        let own = path
            .strip_prefix(base)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        if kept.contains(&own) {
            continue;
        }
        if entry.file_type().is_dir() {
            folders.push(path.to_owned());
        } else {
            std::fs::remove_file(path).map_err(|error| cannot("remove", path, error))?;
        }
    }
    for folder in folders.iter().rev() {
        // one that holds something that is kept was never announced itself and stays
        let _ = std::fs::remove_dir(folder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            meant(&prefixed("base/5/7.1")),
            ("base/5/7.1".to_owned(), true)
        );
        assert_eq!(meant("base/5/7"), ("base/5/7".to_owned(), false));
    }

    fn delta(changes: ChangeSet, bytes: u64) -> Delta {
        Delta {
            base: Base {
                timeline: Timeline::new(1).expect("valid"),
                start: Lsn(40),
                system_identifier: 1,
                files: [("base/5/7.1".to_owned(), bytes)].into(),
            },
            changes,
            segment_blocks: 100,
            checksums: true,
            start: Lsn(80),
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
            blocks: vec![0, 42, 49, 50, 51],
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

    #[test]
    fn a_patch_for_another_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (to, from) = (folder.path().join("7"), folder.path().join("PAGES.7"));
        let patch = Patch {
            base: 2,
            length: 3,
            blocks: vec![0, 2],
        };
        let mut bytes = patch.print().expect("printed");
        bytes.extend([[1; PAGE_BYTES], [2; PAGE_BYTES]].concat());
        std::fs::write(&from, &bytes).expect("written");
        std::fs::write(&to, vec![9; 3 * PAGE_BYTES]).expect("written");
        assert!(apply_pages(&to, &from).is_err());
        std::fs::write(&to, vec![9; 2 * PAGE_BYTES]).expect("written");
        apply_pages(&to, &from).expect("applied");
        let expected = [1, 9, 2].map(|byte| vec![byte; PAGE_BYTES]).concat();
        assert_eq!(std::fs::read(&to).expect("read"), expected);
        std::fs::write(&from, &bytes[..bytes.len() - 1]).expect("written");
        assert!(apply_pages(&to, &from).is_err());
    }
}
