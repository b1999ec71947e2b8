//! Owns what one transaction did, read from the log: the relations and blocks it touched, when, how
//! it ended, and which transactions touched the same blocks after it. Pure.
//!
//! It goes through the log twice: the record that ends a transaction names its subtransactions, and
//! only then it is known whose records are meant. The granule is the page: two transactions that
//! changed different rows of one page count as touching the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::blocks::BlockSet;
use super::bytes_at;
use super::changes::Relation;
use super::lsn::Lsn;
use super::records::{Ending, Record, manager};

/// Pages by relation.
pub type Touched = BTreeMap<Relation, BlockSet>;

/// What one transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deed {
    /// Its first record.
    pub first: Option<Lsn>,
    /// Its last record.
    pub last: Option<Lsn>,
    /// Its records.
    pub records: u64,
    /// How and when it ended; none when that is not in the log that was read.
    pub ended: Option<(Ended, Timestamp)>,
    /// Its subtransactions.
    pub below: BTreeSet<u32>,
    /// Pages of main forks that it touched.
    pub touched: Touched,
    /// Those who touched some of the same pages after it, by transaction.
    pub later: BTreeMap<u32, Later>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Committed, by the record that ends here.
    Committed(Lsn),
    /// Rolled back.
    RolledBack(Lsn),
}

/// A transaction that came after.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Later {
    /// How and when it ended, when that was read.
    pub ended: Option<(Ended, Timestamp)>,
    /// The pages that both touched.
    pub same: Touched,
}

/// The first pass: how transactions ended and what belongs to the one that is looked for.
#[derive(Debug, Clone)]
pub struct Ends {
    wanted: u32,
    below: BTreeSet<u32>,
    ended: BTreeMap<u32, (Ended, Timestamp)>,
    above: BTreeMap<u32, u32>,
}

impl Ends {
    /// Looks for a transaction.
    #[must_use]
    pub fn of(wanted: u32) -> Self {
        Self {
            wanted,
            below: BTreeSet::new(),
            ended: BTreeMap::new(),
            above: BTreeMap::new(),
        }
    }

    /// Takes a record into account.
    pub fn add(&mut self, record: &Record) {
        let Some((ending, at)) = record.ending() else {
            return;
        };
        // a prepared transaction is ended by a record of another: its own number lies inside
        let Some(whose) = ended_transaction(record) else {
            return;
        };
        let ended = match ending {
            Ending::Commit => Ended::Committed(record.end),
            Ending::Abort => Ended::RolledBack(record.end),
        };
        for below in subtransactions(record) {
            self.above.insert(below, whose);
            if whose == self.wanted {
                self.below.insert(below);
            }
        }
        self.ended.insert(whose, (ended, at));
    }

    /// Goes on to the second pass.
    #[must_use]
    pub fn then(self) -> Deeds {
        let deed = Deed {
            ended: self.ended.get(&self.wanted).copied(),
            below: self.below.clone(),
            ..Deed::default()
        };
        Deeds { ends: self, deed }
    }
}

/// The second pass: what was touched.
#[derive(Debug, Clone)]
pub struct Deeds {
    ends: Ends,
    deed: Deed,
}

impl Deeds {
    /// Takes a record into account.
    pub fn add(&mut self, record: &Record) {
        if record.xid == 0 {
            return;
        }
        let own = record.xid == self.ends.wanted || self.ends.below.contains(&record.xid);
        if own {
            self.deed.first.get_or_insert(record.lsn);
            self.deed.last = Some(record.lsn);
            self.deed.records += 1;
        }
        for block in record.blocks.iter().filter(|block| block.fork == 0) {
            let relation = Relation::of(block);
            if own {
                let blocks = self.deed.touched.entry(relation).or_default();
                blocks.insert(block.block);
            } else if self.is_touched(relation, block.block) {
                self.came_after(record.xid, relation, block.block);
            }
        }
    }

    fn is_touched(&self, relation: Relation, block: u32) -> bool {
        let blocks = self.deed.touched.get(&relation);
        blocks.is_some_and(|blocks| blocks.contains(block))
    }

    fn came_after(&mut self, xid: u32, relation: Relation, block: u32) {
        let whose = self.ends.above.get(&xid).copied().unwrap_or(xid);
        let ended = self.ends.ended.get(&whose).copied();
        let later = self.deed.later.entry(whose).or_default();
        later.ended = ended;
        later.same.entry(relation).or_default().insert(block);
    }

    /// What was found; none when no record of the transaction was read.
    #[must_use]
    pub fn found(self) -> Option<Deed> {
        (self.deed.records > 0 || self.deed.ended.is_some()).then_some(self.deed)
    }
}

/// Parts of a record that ends a transaction, as its own word says.
mod has {
    pub(super) const WORD: u8 = 0x80;
    pub(super) const DATABASE: u32 = 1 << 0;
    pub(super) const SUBTRANSACTIONS: u32 = 1 << 1;
    pub(super) const RELATIONS: u32 = 1 << 2;
    pub(super) const INVALIDATIONS: u32 = 1 << 3;
    pub(super) const PREPARED: u32 = 1 << 4;
    pub(super) const ORIGIN: u32 = 1 << 5;
    pub(super) const NAME: u32 = 1 << 7;
    pub(super) const STATISTICS: u32 = 1 << 8;
}

/// Lengths of `xl_xact_stats_item` before and since 18.
const STATISTICS: [usize; 2] = [12, 16];

fn word(record: &Record, at: usize) -> Option<u32> {
    bytes_at(&record.main, at).ok().map(u32::from_le_bytes)
}

/// What the record has, and where its parts begin.
fn parts(record: &Record) -> Option<(u32, usize)> {
    if record.info & has::WORD == 0 {
        return Some((0, 8));
    }
    let found = word(record, 8)?;
    let database = if found & has::DATABASE != 0 { 8 } else { 0 };
    Some((found, 12 + database))
}

/// The subtransactions that end with it. Source of the layout: `access/xact.h`, equal in 15 to 18.
pub(super) fn subtransactions(record: &Record) -> Vec<u32> {
    let read = || {
        let (found, at) = parts(record)?;
        if found & has::SUBTRANSACTIONS == 0 {
            return None;
        }
        let count = usize::try_from(word(record, at)?).ok()?;
        let numbers = record
            .main
            .get(at + 4..at.checked_add(4 + count.checked_mul(4)?)?)?;
        let numbers = numbers.chunks_exact(4);
        Some(numbers.filter_map(|four| Some(u32::from_le_bytes(four.try_into().ok()?))))
    };
    read().into_iter().flatten().collect()
}

/// How many files of relations go with it. Source of the layout: `access/xact.h`, equal in 15 to 18.
pub(super) fn removed_files(record: &Record) -> usize {
    let read = || {
        let (found, mut at) = parts(record)?;
        if found & has::SUBTRANSACTIONS != 0 {
            let count = usize::try_from(word(record, at)?).ok()?;
            at = at.checked_add(4)?.checked_add(count.checked_mul(4)?)?;
        }
        let files = (found & has::RELATIONS != 0).then(|| word(record, at))??;
        usize::try_from(files).ok()
    };
    read().unwrap_or(0)
}

/// The transaction that a record ends; none when its layout is not understood.
pub(super) fn ended_transaction(record: &Record) -> Option<u32> {
    let kind = record.info & 0x70;
    if record.manager != manager::TRANSACTION || !matches!(kind, 0x30 | 0x40) {
        return Some(record.xid);
    }
    let (found, at) = parts(record)?;
    if found & has::PREPARED == 0 {
        return Some(record.xid);
    }
    // with the length of another version the record would not end where it does
    let ends = |unit| prepared(record, (found, at), unit);
    STATISTICS.into_iter().find_map(ends)
}

/// The prepared transaction that a record with these parts ends, when what is dropped of the
/// statistics has entries of this length.
fn prepared(record: &Record, (found, mut at): (u32, usize), statistics: usize) -> Option<u32> {
    for (part, unit) in [
        (has::SUBTRANSACTIONS, 4),
        (has::RELATIONS, 12),
        (has::STATISTICS, statistics),
        (has::INVALIDATIONS, 16),
    ] {
        if found & part != 0 {
            let count = usize::try_from(word(record, at)?).ok()?;
            at = at.checked_add(4)?.checked_add(count.checked_mul(unit)?)?;
        }
    }
    let whose = word(record, at)?;
    at += 4;
    if found & has::NAME != 0 {
        let name = record.main.get(at..)?;
        at += name.iter().position(|byte| *byte == 0)? + 1;
    }
    if found & has::ORIGIN != 0 {
        at += 16;
    }
    (at == record.main.len()).then_some(whose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::records::BlockRef;

    fn record(lsn: u64, xid: u32, block: Option<u32>) -> Record {
        let block = block.map(|block| BlockRef {
            tablespace: 1663,
            database: 5,
            relation: 7,
            fork: 0,
            block,
        });
        Record {
            lsn: Lsn(lsn),
            end: Lsn(lsn + 8),
            length: 24,
            xid,
            manager: 10,
            info: 0,
            blocks: block.into_iter().collect(),
            main: Vec::new(),
        }
    }

    fn ends(lsn: u64, xid: u32, info: u8, below: &[u32]) -> Record {
        let mut main = 1_000_000_i64.to_le_bytes().to_vec();
        let mut info = info;
        if !below.is_empty() {
            info |= has::WORD;
            main.extend_from_slice(&(has::DATABASE | has::SUBTRANSACTIONS).to_le_bytes());
            main.extend_from_slice(&[0; 8]);
            let count = u32::try_from(below.len()).expect("few");
            main.extend_from_slice(&count.to_le_bytes());
            main.extend(below.iter().flat_map(|xid| xid.to_le_bytes()));
        }
        Record {
            manager: manager::TRANSACTION,
            info,
            main,
            ..record(lsn, xid, None)
        }
    }

    fn deed(of: u32, log: &[Record]) -> Option<Deed> {
        let mut first = Ends::of(of);
        for record in log {
            first.add(record);
        }
        let mut second = first.then();
        for record in log {
            second.add(record);
        }
        second.found()
    }

    #[test]
    fn what_a_transaction_and_its_parts_touched_and_who_came_after() {
        let log = [
            record(8, 50, Some(1)),
            record(16, 60, Some(1)),
            record(24, 61, Some(2)),
            record(32, 70, Some(2)),
            record(40, 80, Some(9)),
            ends(48, 60, 0x00, &[61]),
            record(56, 71, Some(1)),
            ends(64, 50, 0x00, &[]),
            ends(72, 70, 0x20, &[71]),
        ];
        let deed = deed(60, &log).expect("found");
        let at: Timestamp = "2000-01-01T00:00:01Z".parse().expect("a time");
        assert_eq!(deed.ended, Some((Ended::Committed(Lsn(56)), at)));
        assert_eq!(
            (deed.first, deed.last, deed.records),
            (Some(Lsn(16)), Some(Lsn(48)), 3)
        );
        let blocks: Vec<u32> = deed
            .touched
            .values()
            .flat_map(|set| set.range(0, 99))
            .collect();
        assert_eq!(blocks, [1, 2]);
        assert_eq!(
            deed.later.keys().copied().collect::<Vec<_>>(),
            [70],
            "50 came before"
        );
        let later = &deed.later[&70];
        assert_eq!(later.ended, Some((Ended::RolledBack(Lsn(80)), at)));
        let same: Vec<u32> = later
            .same
            .values()
            .flat_map(|set| set.range(0, 99))
            .collect();
        assert_eq!(same, [1, 2], "its subtransaction counts as its own");
    }

    #[test]
    fn one_that_is_not_there_is_not_found_and_one_that_goes_on_has_no_end() {
        let log = [record(8, 50, Some(1))];
        assert_eq!(deed(60, &log), None);
        assert_eq!(deed(50, &log).expect("found").ended, None);
    }
}
