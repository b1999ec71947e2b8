//! Owns what is changed in log on its way to the server of a copy. Records that change nothing but
//! databases whose content is left out are made empty: the server steps over an empty record without
//! reading a page. Records that make a tablespace lose its place, which may be in use on this host:
//! the server then makes it a folder of the data directory. Pure. Positions, lengths, transactions
//! and the links between records stay, and what is no whole, correctly summed record is never
//! touched.
//!
//! A segment is held until the next one has come, because the last record of one may end in the
//! other.
//!
//! Sources: `XLOG_NOOP`, `XLOG_FPI` and `XLOG_FPI_FOR_HINT` in `catalog/pg_control.h`, the layout in
//! `access/xlogrecord.h`, the managers in `access/rmgrlist.h`; equal in 15 to 18. The server counts
//! transactions by the header of every record, whatever its kind (`ApplyWalRecord`).
//! `xl_tblspc_create_rec` in `commands/tablespace.h`; a place without a name is the folder itself
//! (`create_tablespace_directories`).

use super::crossing::{self, spans};
use super::lsn::Segment;
use super::records::{
    self, CRC_OFFSET, INFO, LONG_PAGE_HEADER, MANAGER, PAGE, RECORD_HEADER, Records, manager,
};
use crate::engine::EngineError;

/// An empty record of the server's own manager.
const EMPTY: u8 = 0x20;
/// Images of pages, of that manager.
const IMAGES: [u8; 2] = [0xA0, 0xB0];
/// Information bits that belong to the manager.
const KIND: u8 = 0xF0;
/// What comes behind is data of up to 255 bytes, and of any length.
const SHORT_DATA: u8 = 255;
const LONG_DATA: u8 = 254;
/// Bytes of the longest header of data.
const DATA_HEADER: usize = 5;
/// Kind of a record that makes a tablespace: its object id, then its place, which ends with a zero.
const CREATE: u8 = 0x00;
const PLACE: usize = 4;
/// Bytes in which a record differs from what it was at most: both headers, and where a place begins.
const HEAD: usize = RECORD_HEADER + DATA_HEADER + PLACE + 1;

/// Log on its way to a server.
#[derive(Debug, Default)]
pub(super) struct Blank {
    held: Option<Held>,
    /// The number of a segment, and bytes of a record's head that go on at its beginning: the same
    /// for all timelines that have it.
    carried: Option<(u64, Vec<u8>)>,
    /// Bytes of records that were made empty.
    passed: u64,
    /// Memory of an earlier segment.
    spare: Vec<u8>,
}

/// A segment whose last record may go on.
#[derive(Debug)]
struct Held {
    name: String,
    segment: Segment,
    bytes: Vec<u8>,
    /// Where its last record begins, unless that has ended.
    begin: usize,
}

impl Blank {
    /// Takes the next segment; gives the one before.
    ///
    /// # Errors
    /// Those of `give`.
    pub(super) fn pass(
        &mut self,
        (segment, name): (Segment, &str),
        payload: &[u8],
        is_left_out: impl Fn(u32) -> bool,
        give: impl FnMut(&str, &[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        bytes.extend_from_slice(payload);
        self.join(segment, &mut bytes, &is_left_out);
        self.end(give)?;
        let begin = self.change_whole(&mut bytes, &is_left_out);
        self.held = Some(Held {
            name: name.to_owned(),
            segment,
            bytes,
            begin,
        });
        Ok(())
    }

    /// Gives the last segment.
    ///
    /// # Errors
    /// Those of `give`.
    pub(super) fn end(
        &mut self,
        mut give: impl FnMut(&str, &[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        give(&held.name, &held.bytes)?;
        self.spare = held.bytes;
        Ok(())
    }

    /// Whether a segment waits for the next one.
    #[must_use]
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Bytes of records that were made empty.
    #[must_use]
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Changes the record that ends in this segment and begins in the one that is held.
    fn join(&mut self, segment: Segment, next: &mut [u8], is_left_out: &impl Fn(u32) -> bool) {
        if let Some((_, head)) = self.carried.as_ref().filter(|one| one.0 == segment.number) {
            put(next, LONG_PAGE_HEADER, head);
            return;
        }
        self.carried = None;
        let follows = |held: &&mut Held| held.segment.number.checked_add(1) == Some(segment.number);
        let Some(held) = self.held.as_mut().filter(follows) else {
            return;
        };
        let Some(mut record) = crossing::beginning(&held.bytes, held.begin) else {
            return;
        };
        let there = record.len();
        if crossing::finish(&mut record, next).is_none() {
            return;
        }
        let Some(head) = changed(&record, is_left_out) else {
            return;
        };
        let (here, beyond) = head.bytes().split_at(head.length.min(there));
        put(&mut held.bytes, held.begin, here);
        put(next, LONG_PAGE_HEADER, beyond);
        self.carried = Some((segment.number, beyond.to_vec()));
        self.passed += head.emptied(&record);
    }

    /// Changes the records that lie in a segment; where the one begins that does not end in it.
    fn change_whole(&mut self, bytes: &mut [u8], is_left_out: &impl Fn(u32) -> bool) -> usize {
        let Ok(mut records) = Records::new(bytes) else {
            return bytes.len();
        };
        let (mut heads, mut room) = (Vec::new(), Vec::new());
        while let Some((begin, record)) = records.next_bytes(&mut room) {
            if let Some(head) = changed(record, is_left_out) {
                self.passed += head.emptied(record);
                heads.push((begin, head));
            }
        }
        let (_, _, begin) = records.rest();
        for (at, head) in heads {
            put(bytes, at, head.bytes());
        }
        begin
    }
}

/// Whether a segment makes a tablespace, or may end within a record that does.
pub(super) fn may_make_tablespace(payload: &[u8]) -> bool {
    let Ok(mut records) = Records::new(payload) else {
        return false;
    };
    if records.next_of(&[manager::TABLESPACE]).is_some() {
        return true;
    }
    let (bytes, _, begin) = records.rest();
    // a header of a page may lie in between
    let is_far = begin % PAGE + MANAGER >= PAGE;
    let kind = bytes.get(begin + MANAGER);
    begin < bytes.len() && (is_far || kind.is_none_or(|kind| *kind == manager::TABLESPACE))
}

/// How a changed record begins.
struct Head {
    bytes: [u8; HEAD],
    length: usize,
}

impl Head {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Bytes of the record that say nothing any more.
    fn emptied(&self, record: &[u8]) -> u64 {
        let is_empty = (self.bytes[MANAGER], self.bytes[INFO]) == (manager::XLOG, EMPTY);
        if is_empty { record.len() as u64 } else { 0 }
    }

    /// Gives the record that begins so its sum.
    fn seal(mut self, record: &[u8]) -> Self {
        let sum = crc32c::crc32c(&self.bytes[RECORD_HEADER..self.length]);
        let sum = crc32c::crc32c_append(sum, &record[self.length..]);
        let sum = crc32c::crc32c_append(sum, &self.bytes[..CRC_OFFSET]);
        self.bytes[CRC_OFFSET..RECORD_HEADER].copy_from_slice(&sum.to_le_bytes());
        self
    }
}

/// How a record begins that is to be changed; none when it must stay.
fn changed(record: &[u8], is_left_out: impl Fn(u32) -> bool) -> Option<Head> {
    if record[MANAGER] == manager::TABLESPACE {
        return without_place(record);
    }
    emptied(record, is_left_out)
}

/// How a record that makes a tablespace begins once it names no place.
fn without_place(record: &[u8]) -> Option<Head> {
    let header = match *record.get(RECORD_HEADER)? {
        SHORT_DATA => 2,
        LONG_DATA => DATA_HEADER,
        _ => return None,
    };
    let place = RECORD_HEADER + header + PLACE;
    if record[INFO] & KIND != CREATE || place >= record.len() || !records::is_summed(record) {
        return None;
    }
    let mut bytes = [0; HEAD];
    bytes[..place].copy_from_slice(&record[..place]);
    let length = place + 1;
    Some(Head { bytes, length }.seal(record))
}

/// How a record begins once it is empty, its other bytes being data without meaning; none when it
/// must stay.
fn emptied(record: &[u8], is_left_out: impl Fn(u32) -> bool) -> Option<Head> {
    let (kind, info) = (record[MANAGER], record[INFO] & KIND);
    let changes_pages_only =
        manager::CONTENT.contains(&kind) || kind == manager::XLOG && IMAGES.contains(&info);
    if !changes_pages_only {
        return None;
    }
    let (mut left_out, mut wanted) = (false, false);
    records::each_block(record, |block| {
        let out = is_left_out(block.database);
        left_out |= out;
        wanted |= !out;
    })?;
    if !left_out || wanted || !records::is_summed(record) {
        return None;
    }
    Some(head(record))
}

fn head(record: &[u8]) -> Head {
    let mut bytes = [0; HEAD];
    bytes[..RECORD_HEADER].copy_from_slice(&record[..RECORD_HEADER]);
    (bytes[INFO], bytes[MANAGER]) = (EMPTY, manager::XLOG);
    let data = record.len() - RECORD_HEADER;
    // a record of a page is longer than these headers
    let length = if let Ok(short) = u8::try_from(data.saturating_sub(2)) {
        (bytes[RECORD_HEADER], bytes[RECORD_HEADER + 1]) = (SHORT_DATA, short);
        RECORD_HEADER + 2
    } else {
        // the length of a record has 32 bits
        let long = u32::try_from(data - DATA_HEADER).unwrap_or(u32::MAX);
        bytes[RECORD_HEADER] = LONG_DATA;
        bytes[RECORD_HEADER + 1..RECORD_HEADER + DATA_HEADER].copy_from_slice(&long.to_le_bytes());
        RECORD_HEADER + DATA_HEADER
    };
    Head { bytes, length }.seal(record)
}

/// Writes bytes of a record that begins at `at`, around the headers of pages.
fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    let mut left = what;
    for span in spans(at, bytes.len()) {
        let (now, later) = left.split_at(left.len().min(span.len()));
        bytes[span.start..span.start + now.len()].copy_from_slice(now);
        left = later;
        if left.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::postgres::lsn::Timeline;
    use crate::engine::postgres::made_log::{PAGES, SEGMENT, record, segments};
    use crate::engine::postgres::records::{CONTINUES, PAGE_HEADER};

    const OUT: u32 = 7;
    const WANTED: u32 = 8;

    /// A record that makes a tablespace in a place.
    fn making(place: &[u8]) -> Vec<u8> {
        let mut record = vec![0; RECORD_HEADER];
        record[MANAGER] = manager::TABLESPACE;
        let data = u8::try_from(PLACE + place.len() + 1).expect("short");
        record.extend([SHORT_DATA, data, 77, 0, 0, 0]);
        record.extend(place);
        record.push(0);
        let length = u32::try_from(record.len()).expect("short");
        record[..4].copy_from_slice(&length.to_le_bytes());
        let sum = records::sum_of(&record);
        record[CRC_OFFSET..RECORD_HEADER].copy_from_slice(&sum.to_le_bytes());
        record
    }

    /// What comes out behind these segments, each with its timeline and number.
    fn passed(all: &[((u32, u64), &Vec<u8>)]) -> (Vec<Vec<u8>>, u64) {
        let (mut blank, mut given) = (Blank::default(), Vec::new());
        for ((timeline, number), bytes) in all {
            let timeline = Timeline::new(*timeline).expect("a timeline");
            let segment = Segment {
                timeline,
                number: *number,
            };
            let give = |_: &str, bytes: &[u8]| {
                given.push(bytes.to_vec());
                Ok(())
            };
            let done = blank.pass((segment, "name"), bytes, |one| one == OUT, give);
            done.expect("taken");
        }
        let give = |_: &str, bytes: &[u8]| {
            given.push(bytes.to_vec());
            Ok(())
        };
        blank.end(give).expect("taken");
        (given, blank.passed())
    }

    fn numbered(all: &[Vec<u8>]) -> Vec<((u32, u64), &Vec<u8>)> {
        (0..).map(|number| (1, number)).zip(all).collect()
    }

    /// The records in segments, read as the server reads them.
    fn read(all: &[Vec<u8>], lengths: &[usize]) -> Vec<Vec<u8>> {
        let bytes: Vec<u8> = all.concat();
        let mut at = 0;
        let mut take = |length: usize| {
            let mut taken = Vec::new();
            while taken.len() < length {
                if at % PAGE == 0 {
                    let long = at % SEGMENT == 0;
                    at += if long { LONG_PAGE_HEADER } else { PAGE_HEADER };
                }
                taken.push(bytes[at]);
                at += 1;
            }
            at = at.next_multiple_of(8);
            taken
        };
        lengths.iter().map(|length| take(*length)).collect()
    }

    fn is_empty_of(now: &[u8], was: &[u8]) -> bool {
        let links = |record: &[u8]| record[..INFO].to_vec();
        let data = records::each_block(now, |_| panic!("it refers to no page"));
        records::is_summed(now)
            && (now[MANAGER], now[INFO]) == (manager::XLOG, EMPTY)
            && links(now) == links(was)
            && now.len() == was.len()
            && data.is_some_and(|data| data > 0)
    }

    #[test]
    fn only_what_changes_nothing_but_pages_of_others_goes() {
        let heap = manager::CONTENT[1];
        for (kind, databases, goes) in [
            (heap, &[OUT][..], true),
            (heap, &[OUT, OUT], true),
            (heap, &[WANTED], false),
            (heap, &[OUT, WANTED], false),
            (heap, &[0], false),
            (heap, &[], false),
            (manager::TRANSACTION, &[OUT], false),
            (manager::STORAGE, &[OUT], false),
            (manager::XLOG, &[OUT], false),
            (manager::LAST + 110, &[OUT], false),
        ] {
            let record = record(kind, databases, 9);
            let head = emptied(&record, |one| one == OUT);
            assert_eq!(head.is_some(), goes, "{kind} {databases:?}");
        }
        let mut image = record(manager::XLOG, &[OUT], 9);
        image[INFO] = IMAGES[0];
        assert!(emptied(&image, |_| true).is_none(), "its sum is wrong");
    }

    #[test]
    fn a_record_goes_whole_in_both_histories_that_share_its_end() {
        let heap = manager::CONTENT[1];
        // the second begins so near the end of the segment that its head goes on in the next
        for short in 0..64 {
            let room = SEGMENT - LONG_PAGE_HEADER - 2 * PAGE_HEADER - RECORD_HEADER - 5;
            let first = record(manager::TRANSACTION, &[], room - 8 - 8 * short);
            let all = [first, record(heap, &[OUT], 700), record(heap, &[OUT], 3)];
            let whole = segments(&all);
            let lengths: Vec<usize> = all.iter().map(Vec::len).collect();
            let both = [
                ((1, 0), &whole[0]),
                ((1, 1), &whole[1]),
                ((2, 1), &whole[1]),
                ((2, 2), &whole[0]),
            ];
            let (now, passed) = passed(&both);
            assert_eq!(now[1], now[2]);
            for next in [1, 2] {
                let now = read(&[now[0].clone(), now[next].clone()], &lengths);
                assert_eq!(now[0], all[0]);
                assert!(is_empty_of(&now[1], &all[1]), "{short}");
                assert!(is_empty_of(&now[2], &all[2]), "{short}");
            }
            let own = (all[1].len() + 2 * all[2].len()) as u64;
            assert!(passed >= own, "{passed}");
        }
    }

    #[test]
    fn a_tablespace_loses_its_place_wherever_its_record_lies() {
        let content = SEGMENT - LONG_PAGE_HEADER - (PAGES - 1) * PAGE_HEADER;
        let mut crossing = 0;
        for data in (content - 200..content - 56).step_by(8) {
            let before = record(10, &[WANTED], data);
            let log = segments(&[before.clone(), making(b"/mnt/late")]);
            let expected = segments(&[before, making(b"\0mnt/late")]);
            let numbered: Vec<_> = (0..).map(|number| (1, number)).zip(&log).collect();
            let (given, emptied) = passed(&numbered);
            assert_eq!((given, emptied), (expected, 0), "{data}");
            crossing += usize::from(log.len() > 1);
            let begins_there = log.len() == 1 || log[1][2] & CONTINUES != 0;
            assert_eq!(may_make_tablespace(&log[0]), begins_there, "{data}");
        }
        assert!(crossing > 3);
    }

    proptest! {
        #[test]
        fn what_is_wanted_stays_as_it_is(
            kinds in prop::collection::vec((0u8..4, 0usize..9000), 1..40),
        ) {
            let all: Vec<Vec<u8>> = kinds.iter().map(|(kind, data)| match kind {
                0 => record(manager::CONTENT[0], &[OUT, OUT], *data),
                1 => record(manager::CONTENT[2], &[OUT], data % 90),
                2 => record(manager::CONTENT[1], &[WANTED], *data),
                _ => record(manager::TRANSACTION, &[], data % 90),
            }).collect();
            let whole = segments(&all);
            let lengths: Vec<usize> = all.iter().map(Vec::len).collect();
            prop_assert_eq!(&read(&whole, &lengths), &all);
            let (given, passed) = passed(&numbered(&whole));
            prop_assert_eq!(given.len(), whole.len());
            let mut emptied = 0;
            for ((now, was), (kind, _)) in read(&given, &lengths).iter().zip(&all).zip(&kinds) {
                if *kind < 2 {
                    emptied += was.len() as u64;
                    prop_assert!(is_empty_of(now, was));
                } else {
                    prop_assert_eq!(now, was);
                }
            }
            prop_assert_eq!(passed, emptied);
        }

        #[test]
        fn what_is_no_log_passes_as_it_is(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in 0usize..SEGMENT,
        ) {
            let good = segments(&[record(manager::CONTENT[0], &[OUT], 3 * PAGE)]);
            let mut damaged = good.clone();
            let end = SEGMENT.min(at + bytes.len());
            damaged[0][at..end].copy_from_slice(&bytes[..end - at]);
            let (given, _) = passed(&numbered(&damaged));
            prop_assert_eq!(given.len(), 2);
            if damaged != good && given != damaged {
                // what it was lies between records, where no sum looks
                prop_assert!(at % PAGE < LONG_PAGE_HEADER);
            }
            let (given, passed) = passed(&numbered(&[bytes.clone(), bytes.clone()]));
            prop_assert_eq!(given, vec![bytes.clone(), bytes]);
            prop_assert_eq!(passed, 0);
        }
    }
}
