//! Owns the list of what was committed, read from the log in one pass: when, how much it touched,
//! and what it removed. For people who look for the transaction that did harm. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::blocks::BlockSet;
use super::changes::Relation;
use super::inspect::{Touched, ended_transaction, removed_files, subtransactions};
use super::lsn::Lsn;
use super::records::{Ending, Record};

/// A transaction that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its number, as the log counts: in 32 bits.
    pub transaction: u32,
    /// When it was committed.
    pub at: Timestamp,
    /// Where the record that says so ends.
    pub end: Lsn,
    /// Pages of main forks that it touched, as far as its records were read.
    pub pages: u64,
    /// The relation of which it touched the most pages.
    pub most: Option<Relation>,
    /// Files of relations that were removed with it: a table was dropped, emptied or written anew.
    pub removed_files: usize,
    /// Object ids of databases that it dropped.
    pub dropped_databases: Vec<u32>,
    /// Up to where these are whole: what removes a database is in the log before the record that
    /// commits, so a recovery to just before that finds none of its files.
    pub whole_until: Option<Lsn>,
}

/// The catalog of databases, under the number it has from the beginning.
const DATABASES: Relation = Relation {
    tablespace: 1664,
    database: 0,
    number: 1262,
};

/// A server marks a database as unusable in a record without a transaction, moments before it begins
/// to drop it. Marks that lie further back are of something else.
const MOMENTS: u64 = 16 << 20;

/// What transactions did that have not ended yet.
#[derive(Debug, Default)]
struct Doing {
    first: Option<Lsn>,
    touched: Touched,
    dropped_databases: Vec<u32>,
}

/// Reads the log and collects what was committed.
#[derive(Debug, Default)]
pub struct Commits {
    doing: BTreeMap<u32, Doing>,
    /// The newest change of the catalog of databases by no transaction.
    marked: Option<Lsn>,
    found: Vec<Commit>,
}

impl Commits {
    /// Takes a record into account.
    pub fn add(&mut self, record: &Record) {
        if let Some((ending, at)) = record.ending() {
            return self.end(record, ending, at);
        }
        if record.xid == 0 {
            let marks = record
                .blocks
                .iter()
                .any(|block| Relation::of(block) == DATABASES);
            self.marked = if marks { Some(record.lsn) } else { self.marked };
            return;
        }
        let doing = self.doing.entry(record.xid).or_default();
        doing.first.get_or_insert(record.lsn);
        doing.dropped_databases.extend(record.dropped_database());
        for block in record.blocks.iter().filter(|block| block.fork == 0) {
            doing
                .touched
                .entry(Relation::of(block))
                .or_default()
                .insert(block.block);
        }
    }

    fn end(&mut self, record: &Record, ending: Ending, at: Timestamp) {
        // one whose layout is not understood is known by the number of the record at least
        let transaction = ended_transaction(record).unwrap_or(record.xid);
        let mut whole = Doing::default();
        for part in subtransactions(record).into_iter().chain([transaction]) {
            let Some(part) = self.doing.remove(&part) else {
                continue;
            };
            whole.dropped_databases.extend(part.dropped_databases);
            whole.first = [whole.first, part.first].into_iter().flatten().min();
            for (relation, blocks) in part.touched {
                let all = whole.touched.entry(relation).or_default();
                blocks
                    .range(0, u32::MAX)
                    .for_each(|block| all.insert(block));
            }
        }
        if ending == Ending::Abort || transaction == 0 {
            return;
        }
        let most = whole.touched.iter().max_by_key(|(_, blocks)| blocks.len());
        self.found.push(Commit {
            transaction,
            at,
            end: record.end,
            pages: whole.touched.values().map(BlockSet::len).sum(),
            most: most.map(|(relation, _)| *relation),
            removed_files: removed_files(record),
            whole_until: self.whole_until(&whole),
            dropped_databases: whole.dropped_databases,
        });
    }

    fn whole_until(&self, doing: &Doing) -> Option<Lsn> {
        let first = doing
            .first
            .filter(|_| !doing.dropped_databases.is_empty())?;
        let near = |mark: &Lsn| *mark < first && first.0 - mark.0 < MOMENTS;
        Some(self.marked.filter(near).unwrap_or(first))
    }

    /// What was committed, in the order of the log.
    #[must_use]
    pub fn found(self) -> Vec<Commit> {
        self.found
    }
}
