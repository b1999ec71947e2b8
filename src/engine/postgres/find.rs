//! Owns finding a point in the log by the name people know it by: a transaction's number, or a
//! named restore point. Pure; reads one segment at a time, and the next one for the record that
//! crosses into it.

use std::fmt;

use jiff::Timestamp;

use super::FormatError;
use super::crossing::Unfinished;
use super::inspect;
use super::lsn::Lsn;
use super::records::{Ending, Record, Records, manager};

/// A named restore point among the records of the log's own manager.
const RESTORE_POINT: u8 = 0x70;
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The commit of a transaction, by its number as the server's functions or its log tell it.
    Transaction(u64),
    /// A restore point.
    RestorePoint(String),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(xid) => write!(f, "transaction {xid}"),
            Self::RestorePoint(name) => write!(f, "restore point \"{name}\""),
        }
    }
}

/// The number of a transaction in the log, which has 32 bits for it; the server's functions count
/// the rounds, too.
#[must_use]
pub fn in_log(transaction: u64) -> u32 {
    u32::try_from(transaction & 0xFFFF_FFFF).unwrap_or(0)
}

/// Where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where its record begins.
    pub begins: Lsn,
    /// Where its record ends: the state that includes it.
    pub ends: Lsn,
    /// When it was written.
    pub at: Timestamp,
}

/// Looks through the records that begin in one segment; the last one of its name counts. `next` is
/// the segment behind it, when it is there: the last record may end in it.
///
/// # Errors
/// When the bytes are no segment.
pub fn in_segment(
    payload: &[u8],
    next: Option<&[u8]>,
    wanted: &Wanted,
) -> Result<Option<Found>, FormatError> {
    let managers = match wanted {
        Wanted::Transaction(_) => &[manager::TRANSACTION],
        Wanted::RestorePoint(_) => &[manager::XLOG],
    };
    let mut records = Records::new(payload)?;
    let mut last = None;
    while let Some(record) = records.next_of(managers) {
        last = found(&record, wanted).or(last);
    }
    let crossing = next.and_then(|next| Unfinished::after(&records)?.whole(next));
    let crossing = crossing.and_then(|record| found(&record, wanted));
    Ok(crossing.or(last))
}

fn found(record: &Record, wanted: &Wanted) -> Option<Found> {
    let at = moment(record, wanted)?;
    Some(Found {
        begins: record.lsn,
        ends: record.end,
        at,
    })
}

fn moment(record: &Record, wanted: &Wanted) -> Option<Timestamp> {
    match wanted {
        Wanted::Transaction(xid) => {
            // a prepared transaction is ended by a record of another
            let own = inspect::ended_transaction(record) == Some(in_log(*xid));
            let (ending, at) = record.ending().filter(|_| own)?;
            (ending == Ending::Commit).then_some(at)
        }
        Wanted::RestorePoint(name) => {
            let (text, at) = restore_point(record)?;
            (text == name.as_bytes()).then_some(at)
        }
    }
}

/// Whether records of this manager and kind are restore points.
pub(super) fn is_point(kind: u8, info: u8) -> bool {
    (kind, info & 0xF0) == (manager::XLOG, RESTORE_POINT)
}

/// Name and time of a restore point.
pub(super) fn restore_point(record: &Record) -> Option<(&[u8], Timestamp)> {
    let is_point = is_point(record.manager, record.info);
    let named = record.main.get(8..).filter(|_| is_point)?;
    let text = named.split(|byte| *byte == 0).next()?;
    let since = i64::from_le_bytes(record.main.get(..8)?.try_into().ok()?);
    let micros = since.checked_add(EPOCH_MICROSECONDS)?;
    Some((text, Timestamp::from_microsecond(micros).ok()?))
}
