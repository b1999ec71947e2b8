//! Owns which pages a range of log changed. Pure. The rule is R18: what the log says surely is
//! taken, and every doubt is kept with its reason, because a doubt means a full read.
//!
//! What the log says surely are the block references of every record, those with images of whole
//! pages and of hints included, for the main fork. The free space and visibility forks are changed
//! without references, so they are always read in full.
//!
//! Sources of the record layouts: `catalog/storage_xlog.h`, `commands/dbcommands_xlog.h`,
//! `access/xlog_internal.h`, `catalog/pg_control.h`, `access/rmgrlist.h`; equal in 15 to 18.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::BlockSet;
use super::bytes_at;
use super::lsn::{Lsn, Segment};
use super::records::{self, BlockRef, Record, manager};
use super::stream::{Course, Stop, Stream};

/// A relation by its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// Object id of the tablespace.
    pub tablespace: u32,
    /// Object id of the database; 0 for shared relations.
    pub database: u32,
    /// File number.
    pub number: u32,
}

impl Relation {
    /// The relation that a page belongs to.
    #[must_use]
    pub fn of(block: &BlockRef) -> Self {
        Self {
            tablespace: block.tablespace,
            database: block.database,
            number: block.relation,
        }
    }
}

/// What is known of one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Exactly these blocks of its main fork may differ.
    Blocks(&'a BlockSet),
    /// No block differs.
    Untouched,
    /// It cannot be told.
    Doubt(&'a str),
}

/// Pages that a range of log changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeSet {
    blocks: BTreeMap<Relation, BlockSet>,
    doubted: BTreeMap<Relation, &'static str>,
    databases: BTreeSet<u32>,
    all: Option<String>,
}

/// Information bits of records that change files as a whole.
mod info {
    /// A relation's file is created.
    pub(super) const CREATE: u8 = 0x10;
    /// A relation's file is cut.
    pub(super) const TRUNCATE: u8 = 0x20;
    /// A database is copied file by file, made by log, dropped.
    pub(super) const DATABASE: [u8; 3] = [0x00, 0x10, 0x20];
    /// Everything that the server's own manager writes; 0xC0 and 0xF0 are nothing.
    pub(super) const KNOWN: [u8; 14] = [
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xD0, 0xE0,
    ];
}

/// A range of log that is read in two goes: most of it while the server is not in backup mode.
#[derive(Debug, Clone)]
pub struct Tracking {
    course: Course,
    from: Lsn,
    /// Where the next record is looked for.
    at: Lsn,
    changes: ChangeSet,
}

impl Tracking {
    /// Begins at a position.
    #[must_use]
    pub fn new(course: Course, from: Lsn) -> Self {
        Self {
            course,
            from,
            at: from,
            changes: ChangeSet::default(),
        }
    }

    /// Where it begins.
    #[must_use]
    pub fn from(&self) -> Lsn {
        self.from
    }

    /// Whose log it reads.
    #[must_use]
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// Whether what was read serves for changes since a position, too: it begins at most `most`
    /// bytes before it, and has no doubt. A few pages more than changed since are no harm.
    #[must_use]
    pub fn covers(&self, course: &Course, from: Lsn, most: u64) -> bool {
        let earlier = from.0.checked_sub(self.from.0);
        self.course == *course
            && earlier.is_some_and(|bytes| bytes <= most)
            && self.changes.all.is_none()
    }

    /// Reads what is there; where that ends, and why, is not judged.
    pub fn ahead(&mut self, fetch: impl FnMut(Segment) -> Option<Vec<u8>>) {
        // an end is met in any case
        let _ = self.read(Lsn(u64::MAX), fetch);
    }

    /// Reads up to the first record that begins at or behind `until`.
    ///
    /// A gap, damage or an unknown record makes everything doubtful; nothing is an error.
    pub fn finish(
        mut self,
        until: Lsn,
        fetch: impl FnMut(Segment) -> Option<Vec<u8>>,
    ) -> ChangeSet {
        if let Err(stop) = self.read(until, fetch) {
            self.changes.doubt_all(&stop.to_string());
        }
        self.changes
    }

    fn read(
        &mut self,
        until: Lsn,
        fetch: impl FnMut(Segment) -> Option<Vec<u8>>,
    ) -> Result<(), Stop> {
        let mut stream = Stream::new(self.course.clone(), self.at, fetch);
        while self.at < until && self.changes.all.is_none() {
            match stream.read() {
                Ok(record) if record.lsn >= until => break,
                Ok(record) => {
                    self.at = stream.position();
                    self.changes.add(&record);
                }
                // a switch leaves the rest of its segment empty, and `until` may lie there
                Err(Stop::At(at, _)) if at >= until => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }
}

impl ChangeSet {
    /// Takes one record into account.
    pub fn add(&mut self, record: &Record) {
        for block in record.blocks.iter().filter(|block| block.fork == 0) {
            self.block(Relation::of(block), block.block);
        }
        let kind = record.info & 0xF0;
        match record.manager {
            manager::XLOG if !info::KNOWN.contains(&kind) => self.unknown(record),
            manager::XLOG if records::is_parameters(manager::XLOG, kind) => self.parameters(record),
            manager::STORAGE => self.storage(record, kind),
            manager::DATABASE => self.database(record, kind),
            other if other > manager::LAST => self.unknown(record),
            _ => {}
        }
    }

    /// Adds a block that may differ.
    pub fn block(&mut self, relation: Relation, block: u32) {
        self.blocks.entry(relation).or_default().insert(block);
    }

    /// Nothing of this relation can be told.
    pub fn doubt(&mut self, relation: Relation, why: &'static str) {
        self.doubted.entry(relation).or_insert(why);
    }

    /// Nothing of this database's relations can be told.
    pub fn doubt_database(&mut self, database: u32) {
        self.databases.insert(database);
    }

    /// Nothing at all can be told.
    pub fn doubt_all(&mut self, why: &str) {
        self.all.get_or_insert_with(|| why.to_owned());
    }

    /// Why nothing at all can be told, when that is so.
    #[must_use]
    pub fn doubt_of_all(&self) -> Option<&str> {
        self.all.as_deref()
    }

    /// What is known of a relation's main fork.
    #[must_use]
    pub fn of(&self, relation: Relation) -> Answer<'_> {
        if let Some(why) = &self.all {
            return Answer::Doubt(why);
        }
        if self.databases.contains(&relation.database) {
            return Answer::Doubt("its database was created, copied or dropped");
        }
        if let Some(why) = self.doubted.get(&relation) {
            return Answer::Doubt(why);
        }
        self.blocks
            .get(&relation)
            .map_or(Answer::Untouched, Answer::Blocks)
    }

    /// Blocks of all relations together.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.blocks.values().map(BlockSet::len).sum()
    }

    /// Did no block change?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn unknown(&mut self, record: &Record) {
        let (manager, info, lsn) = (record.manager, record.info, record.lsn);
        self.doubt_all(&format!(
            "an unknown record ({manager}, {info:#04x}) at {lsn}"
        ));
    }

    fn parameters(&mut self, record: &Record) {
        match record.wal_level() {
            Some(level) if level > 0 => {}
            _ => self.doubt_all(&format!("wal_level was set to minimal at {}", record.lsn)),
        }
    }

    fn storage(&mut self, record: &Record, kind: u8) {
        let (at, why) = match kind {
            info::CREATE => (0, "its file was created"),
            info::TRUNCATE => (4, "its file was cut"),
            _ => return self.unknown(record),
        };
        let relation = || {
            Some(Relation {
                tablespace: number(record, at)?,
                database: number(record, at + 4)?,
                number: number(record, at + 8)?,
            })
        };
        match relation() {
            Some(relation) => self.doubt(relation, why),
            None => self.unknown(record),
        }
    }

    fn database(&mut self, record: &Record, kind: u8) {
        match number(record, 0) {
            Some(database) if info::DATABASE.contains(&kind) => {
                self.databases.insert(database);
            }
            _ => self.unknown(record),
        }
    }
}

fn number(record: &Record, at: usize) -> Option<u32> {
    bytes_at(&record.main, at).ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::records::BlockRef;

    fn record(manager: u8, info: u8, main: &[u32]) -> Record {
        Record {
            lsn: Lsn(64),
            end: Lsn(128),
            length: 64,
            xid: 0,
            manager,
            info,
            blocks: Vec::new(),
            main: main.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    const RELATION: Relation = Relation {
        tablespace: 1663,
        database: 5,
        number: 77,
    };

    fn touched(fork: u8) -> Record {
        let block = BlockRef {
            tablespace: 1663,
            database: 5,
            relation: 77,
            fork,
            block: 9,
        };
        Record {
            blocks: vec![block],
            ..record(10, 0, &[])
        }
    }

    #[test]
    fn blocks_of_the_main_fork_are_known() {
        let mut changes = ChangeSet::default();
        changes.add(&touched(2));
        assert_eq!(changes.of(RELATION), Answer::Untouched);
        changes.add(&touched(0));
        let Answer::Blocks(blocks) = changes.of(RELATION) else {
            panic!("{changes:?}");
        };
        assert_eq!(
            (blocks.range(0, 100).collect::<Vec<_>>(), changes.len()),
            (vec![9], 1)
        );
    }

    #[test]
    fn files_that_change_as_a_whole_are_doubted() {
        for (manager, info, main) in [
            (manager::STORAGE, 0x10, &[1663, 5, 77, 0][..]),
            (manager::STORAGE, 0x20, &[3, 1663, 5, 77, 7][..]),
            (manager::DATABASE, 0x00, &[5, 1663, 1, 1663][..]),
            (manager::DATABASE, 0x20, &[5, 1, 1663][..]),
        ] {
            let mut changes = ChangeSet::default();
            changes.add(&touched(0));
            changes.add(&record(manager, info, main));
            assert!(
                matches!(changes.of(RELATION), Answer::Doubt(_)),
                "{manager} {info}"
            );
            let other = Relation {
                database: 6,
                ..RELATION
            };
            assert_eq!(changes.of(other), Answer::Untouched);
        }
    }

    #[test]
    fn what_is_unknown_makes_everything_doubtful() {
        for record in [
            record(22, 0, &[]),
            record(128, 0, &[]),
            record(manager::XLOG, 0xF0, &[]),
            record(manager::XLOG, 0xC0, &[]),
            record(manager::STORAGE, 0x30, &[1, 2, 3]),
            record(manager::STORAGE, 0x10, &[1, 2]),
            record(manager::DATABASE, 0x30, &[5]),
            record(manager::XLOG, 0x60, &[100, 8, 10, 0, 64, 0]),
        ] {
            let mut changes = ChangeSet::default();
            changes.add(&record);
            assert!(changes.doubt_of_all().is_some(), "{record:?}");
            assert!(matches!(changes.of(RELATION), Answer::Doubt(_)));
        }
        let mut changes = ChangeSet::default();
        changes.add(&record(manager::XLOG, 0x60, &[100, 8, 10, 0, 64, 1]));
        changes.add(&record(manager::XLOG, 0x10, &[]));
        assert_eq!(changes, ChangeSet::default());
    }
}
