//! Owns which records of the log tell what a recovery must know before it replays them: where its
//! target lies, what the log makes. Pure.

use super::FormatError;
use super::records::{Record, Records, manager};
use super::stream;
use crate::engine::LogRange;
use crate::graph::step::RecoveryTarget;

/// The records that begin and end in a segment and may tell whether it goes beyond the target, or
/// that make a tablespace or a database.
///
/// # Errors
/// When it is no segment.
pub(super) fn records<'r>(
    range: &'r LogRange,
    until: &RecoveryTarget,
) -> Result<Box<dyn Iterator<Item = Record> + 'r>, FormatError> {
    let records = Records::new(&range.payload)?;
    Ok(match until {
        RecoveryTarget::Transaction(at) | RecoveryTarget::Before(at)
            if range.until.value >= at.value =>
        {
            Box::new(records)
        }
        RecoveryTarget::Instant(_) => {
            Box::new(records.of(&[manager::DATABASE, manager::TABLESPACE, manager::TRANSACTION]))
        }
        _ => Box::new(records.of(&[manager::DATABASE, manager::TABLESPACE])),
    })
}

/// The record that begins in one segment and ends in the next one, if these are such two.
pub(super) fn crossing(before: &LogRange, range: &LogRange) -> Option<Record> {
    if before.until.value != range.from.value {
        return None;
    }
    let mut records = Records::new(&before.payload).ok()?;
    // goes to where the last one begins
    let _ = records.next_of(&[]);
    stream::crossing(&records, &range.payload)
}
