//! Owns which records of the log tell what a recovery must know before it replays them: where its
//! target lies, what the log makes. Pure.

use super::FormatError;
use super::crossing::Unfinished;
use super::records::{Record, Records, manager};
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

/// The record that a segment ends in the middle of.
pub(super) fn unfinished(range: &LogRange) -> Option<Unfinished> {
    let mut records = Records::new(&range.payload).ok()?;
    // goes to where the last one begins
    let _ = records.next_of(&[]);
    Unfinished::after(&records)
}
