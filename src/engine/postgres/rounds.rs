//! Owns the rounds of transaction numbers: the log has 32 bits for a number, the server's functions
//! tell, too, how often these were used up. Pure.

use super::find::in_log;
use super::records::{Record, Records, manager};
use super::{FormatError, bytes_at};

/// Checkpoints among the records of the log's own manager: when the server stops, and while it runs.
const CHECKPOINTS: [u8; 2] = [0x00, 0x10];
/// Where a checkpoint names the next number. Source: `catalog/pg_control.h`; equal in 15 to 18.
const NEXT: usize = 24;

/// The next number with its rounds, where a record tells it.
#[must_use]
pub fn told(record: &Record) -> Option<u64> {
    if !is_checkpoint(record.manager, record.info) {
        return None;
    }
    bytes_at(&record.main, NEXT).map(u64::from_le_bytes).ok()
}

fn is_checkpoint(kind: u8, info: u8) -> bool {
    kind == manager::XLOG && CHECKPOINTS.contains(&(info & 0xF0))
}

/// As the last record in a segment tells it; none when none does.
///
/// # Errors
/// When the bytes are no segment.
pub fn in_segment(payload: &[u8]) -> Result<Option<u64>, FormatError> {
    let mut records = Records::new(payload)?;
    let mut next = None;
    while let Some(record) = records.next_where(is_checkpoint) {
        next = told(&record).or(next);
    }
    Ok(next)
}

/// Whether a transaction in a log whose next number is `next` is the one that somebody names: a name
/// without rounds is taken for the one in the log.
#[must_use]
pub fn fits(named: u64, next: u64) -> bool {
    !has_rounds(named) || whole(in_log(named), next) == named
}

/// Whether a number is named with its rounds.
#[must_use]
pub fn has_rounds(named: u64) -> bool {
    u32::try_from(named).is_err()
}

/// A number of the log with its rounds: no two that are in use lie half a round apart.
fn whole(number: u32, next: u64) -> u64 {
    let apart = number.wrapping_sub(in_log(next)).cast_signed();
    next.wrapping_add_signed(i64::from(apart))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_rounds_of_its_neighbours() {
        let round = 1 << 32;
        assert!(fits(700, 3 * round + 740), "named as the log names it");
        assert!(fits(3 * round + 700, 3 * round + 740));
        assert!(!fits(2 * round + 700, 3 * round + 740));
        assert!(!fits(3 * round + 700, 740));
        // the round began between the two
        assert!(fits(2 * round - 5, 2 * round + 10));
        assert!(!fits(3 * round - 5, 2 * round + 10));
        assert!(fits(2 * round + 10, 2 * round - 5));
    }
}
