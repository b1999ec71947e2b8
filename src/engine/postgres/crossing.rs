//! Owns records that begin in one segment of the log and end in the next: what of one lies where,
//! and putting it together. Pure. Longer ones, which fill whole segments between, are for
//! [`super::stream`].

use std::ops::Range;

use super::bytes_at;
use super::lsn::Lsn;
use super::records::{
    self, CONTINUES, LONG_PAGE_HEADER, PAGE, PAGE_HEADER, RECORD_HEADER, Record, Records,
};
use super::walfile::SegmentHeader;

/// Where in the header of a page it stands how much of a record is still to come.
const REST: usize = 16;

/// A record as far as the segment holds it that it begins in.
#[derive(Debug)]
pub(super) struct Unfinished {
    begins: Lsn,
    /// Where the next segment begins.
    goes_on: Lsn,
    bytes: Vec<u8>,
}

impl Unfinished {
    /// The one at which the reading of a segment ended, when it goes on behind the segment's end.
    pub(super) fn after(records: &Records<'_>) -> Option<Self> {
        let (bytes, header, begin) = records.rest();
        let start = spans(begin, bytes.len()).next()?.start;
        Some(Self {
            begins: Lsn(header.address.0 + start as u64),
            goes_on: Lsn(header.address.0 + bytes.len() as u64),
            bytes: beginning(bytes, begin)?,
        })
    }

    /// The whole record, when this is the segment that it goes on in.
    pub(super) fn whole(&self, next: &[u8]) -> Option<Record> {
        let header = SegmentHeader::parse(next).ok()?;
        let mut bytes = self.bytes.clone();
        let behind = finish(&mut bytes, next).filter(|_| header.address == self.goes_on)?;
        let end = Lsn((header.address.0 + behind as u64).next_multiple_of(8));
        records::parse(self.begins, end, &bytes)
    }
}

/// The bytes of a record that begins at `begin`, as far as they lie in its segment; none when it ends
/// there, or is no record.
pub(super) fn beginning(bytes: &[u8], begin: usize) -> Option<Vec<u8>> {
    let here = || spans(begin, bytes.len());
    let room = here().map(|span| span.len()).sum();
    // behind a switch of the log the rest of the segment is empty
    lacking(&bytes[here().next()?], room)?;
    let mut record = Vec::with_capacity(room);
    here().for_each(|span| record.extend_from_slice(&bytes[span]));
    Some(record)
}

/// Adds to the beginning of a record what the next segment holds of it; where in that it ends. None
/// when that segment does not go on with it to its end.
pub(super) fn finish(record: &mut Vec<u8>, next: &[u8]) -> Option<usize> {
    let mut left = lacking(record, record.len())?;
    let told = u32::from_le_bytes(bytes_at(next, REST).ok()?);
    if next[2] & CONTINUES == 0 || usize::try_from(told) != Ok(left) {
        return None;
    }
    for span in spans(LONG_PAGE_HEADER, next.len()) {
        let taken = &next[span.clone()][..left.min(span.len())];
        record.extend_from_slice(taken);
        left -= taken.len();
        if left == 0 {
            return Some(span.start + taken.len());
        }
    }
    None
}

/// Bytes that a record is longer than `have`; none when it is not, or is no record.
fn lacking(beginning: &[u8], have: usize) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes(bytes_at(beginning, 0).ok()?)).ok()?;
    let lacking = length.checked_sub(have)?;
    (lacking > 0 && length >= RECORD_HEADER).then_some(lacking)
}

/// Where the content of pages lies from `at` on.
pub(super) fn spans(at: usize, end: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = at;
    std::iter::from_fn(move || {
        if at.is_multiple_of(PAGE) {
            at += if at == 0 {
                LONG_PAGE_HEADER
            } else {
                PAGE_HEADER
            };
        }
        let span = at..end.min(at.next_multiple_of(PAGE));
        at = span.end;
        (span.start < span.end).then_some(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::made_log::{PAGES, SEGMENT, record, segments};
    use crate::engine::postgres::records::manager;

    /// A record that ends in the second segment, behind one that puts it there.
    fn crossing(before: usize, data: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let last = record(manager::TRANSACTION, &[], data);
        let first = record(manager::TRANSACTION, &[], before);
        let log = segments(&[first, last.clone()]);
        (last, log)
    }

    fn unfinished(segment: &[u8]) -> Option<Unfinished> {
        let mut records = Records::new(segment).expect("a segment");
        while records.next_of(&[]).is_some() {}
        Unfinished::after(&records)
    }

    #[test]
    fn a_record_is_whole_again_wherever_the_segment_ends_in_it() {
        let content = SEGMENT - LONG_PAGE_HEADER - (PAGES - 1) * PAGE_HEADER;
        let mut crossed = 0;
        for before in (content - 500..content - 32).step_by(8) {
            for data in [300, PAGE, 2 * PAGE] {
                let (last, log) = crossing(before, data);
                let Some(begun) = unfinished(&log[0]) else {
                    continue;
                };
                let whole = begun.whole(&log[1]).expect("whole");
                let second = SEGMENT as u64;
                assert_eq!(whole.length as usize, last.len());
                assert!(whole.lsn.0 < second, "{before}");
                let stop = whole.end.0.checked_sub(second).map(usize::try_from);
                let stop = stop.expect("it ends there").expect("short");
                assert!(log[1][stop..].iter().all(|byte| *byte == 0), "{before}");
                crossed += 1;
            }
        }
        assert!(crossed > 100, "{crossed}");
    }

    #[test]
    fn only_the_segment_that_goes_on_with_it_makes_it_whole() {
        let (_, log) = crossing(SEGMENT - 2 * PAGE, 2 * PAGE);
        let begun = unfinished(&log[0]).expect("a record that goes on");
        assert!(begun.whole(&log[1]).is_some());
        assert!(begun.whole(&log[0]).is_none());
        for at in [2, 8, REST, LONG_PAGE_HEADER] {
            let mut other = log[1].clone();
            other[at] ^= 1;
            assert!(begun.whole(&other).is_none(), "{at}");
        }
        for length in 0..LONG_PAGE_HEADER + 9 {
            assert!(begun.whole(&log[1][..length]).is_none(), "{length}");
        }
        let (_, log) = crossing(64, 64);
        assert!(unfinished(&log[0]).is_none());
    }
}
