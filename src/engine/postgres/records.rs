//! Owns reading the records of one log segment: positions, transactions, times, the pages a record
//! touches. Pure. A record that crosses into the next segment is not given; the reader stops at
//! the first thing that is no whole, correctly summed record.
//!
//! Source of the layout: `access/xlogrecord.h`, `access/xact.h` and
//! `access/xlog_internal.h`, equal in 15 to 18.

use std::ops::Range;

use jiff::Timestamp;

use super::lsn::Lsn;
use super::{FormatError, bytes_at, walfile::SegmentHeader};

pub(super) const PAGE: usize = 8192;
pub(super) const LONG_PAGE_HEADER: usize = 40;
pub(super) const PAGE_HEADER: usize = 24;
pub(super) const RECORD_HEADER: usize = 24;
pub(super) const INFO: usize = 16;
pub(super) const MANAGER: usize = 17;
pub(super) const CRC_OFFSET: usize = 20;
pub(super) const CONTINUES: u8 = 0x01;
/// Set on a page that begins anew after a record that was never finished
/// (`XLP_FIRST_IS_OVERWRITE_CONTRECORD`).
pub(super) const OVERWRITES: u8 = 0x08;

/// A changed parameter, among the records of the log's own manager.
const PARAMETERS: u8 = 0x60;
/// Offset of `wal_level` in such a record's data.
const WAL_LEVEL: usize = 20;

/// Microseconds from 1970 to the server's own beginning of time, 2000-01-01.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// Which part of the server wrote a record.
pub mod manager {
    /// Checkpoints, switches, parameter changes.
    pub const XLOG: u8 = 0;
    /// Commits and aborts.
    pub const TRANSACTION: u8 = 1;
    /// Files of relations: created, cut.
    pub const STORAGE: u8 = 2;
    /// Databases.
    pub const DATABASE: u8 = 4;
    /// Tablespaces.
    pub const TABLESPACE: u8 = 5;
    /// Rows of tables and their indexes, sequences, pages of extensions: 9 to 17 and 20.
    pub const CONTENT: [u8; 10] = [9, 10, 11, 12, 13, 14, 15, 16, 17, 20];
    /// The last one that comes with the server; numbers above belong to extensions.
    pub const LAST: u8 = 21;
}

/// A page that a record touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    /// Object id of the tablespace.
    pub tablespace: u32,
    /// Object id of the database; 0 for shared relations.
    pub database: u32,
    /// File number of the relation.
    pub relation: u32,
    /// 0 main, 1 free space, 2 visibility, 3 initial.
    pub fork: u8,
    /// Block in the fork.
    pub block: u32,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one may begin.
    pub end: Lsn,
    /// Its length.
    pub length: u32,
    /// Its transaction; 0 for none.
    pub xid: u32,
    /// Who wrote it.
    pub manager: u8,
    /// What it is, in the words of its manager.
    pub info: u8,
    /// Pages it touches.
    pub blocks: Vec<BlockRef>,
    /// Its own data, behind that of the pages.
    pub main: Vec<u8>,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Committed.
    Commit,
    /// Rolled back.
    Abort,
}

impl Record {
    /// How and when a transaction ended, if this record says so.
    #[must_use]
    pub fn ending(&self) -> Option<(Ending, Timestamp)> {
        let ending = match (self.manager, self.info & 0x70) {
            (manager::TRANSACTION, 0x00 | 0x30) => Ending::Commit,
            (manager::TRANSACTION, 0x20 | 0x40) => Ending::Abort,
            _ => return None,
        };
        let since = i64::from_le_bytes(bytes_at(&self.main, 0).ok()?);
        let micros = since.checked_add(EPOCH_MICROSECONDS)?;
        Some((ending, Timestamp::from_microsecond(micros).ok()?))
    }

    /// Object id of a tablespace that this record creates.
    #[must_use]
    pub fn new_tablespace(&self) -> Option<u32> {
        let makes_one = (self.manager, self.info & 0xF0) == (manager::TABLESPACE, 0);
        let oid = bytes_at(&self.main, 0).ok().filter(|_| makes_one)?;
        Some(u32::from_le_bytes(oid))
    }

    /// Object id of a database that this record drops.
    #[must_use]
    pub fn dropped_database(&self) -> Option<u32> {
        if (self.manager, self.info & 0xF0) != (manager::DATABASE, 0x20) {
            return None;
        }
        bytes_at(&self.main, 0).ok().map(u32::from_le_bytes)
    }

    /// The `wal_level` that this record says the server has from here on: 0 minimal, 1 replica,
    /// 2 logical. Under minimal pages change without a record.
    #[must_use]
    pub fn wal_level(&self) -> Option<u32> {
        let tells = is_parameters(self.manager, self.info);
        let level = bytes_at(&self.main, WAL_LEVEL).ok().filter(|_| tells)?;
        Some(u32::from_le_bytes(level))
    }

    /// Object ids of a database whose files this record copies, and of the one they come from.
    #[must_use]
    pub fn copied_database(&self) -> Option<(u32, u32)> {
        if (self.manager, self.info & 0xF0) != (manager::DATABASE, 0) {
            return None;
        }
        let number = |at| bytes_at(&self.main, at).ok().map(u32::from_le_bytes);
        Some((number(0)?, number(8)?))
    }
}

/// Whether records of this manager and kind tell of changed parameters.
pub(super) fn is_parameters(kind: u8, info: u8) -> bool {
    (kind, info & 0xF0) == (manager::XLOG, PARAMETERS)
}

/// Reads the records that begin and end in one segment, in order.
pub struct Records<'a> {
    bytes: &'a [u8],
    header: SegmentHeader,
    at: usize,
    /// Where the record begins that was read last, or could not be read to its end.
    begin: usize,
    /// The page at which a record was given up: the server crashed while it wrote it, and began anew
    /// there.
    resume: Option<usize>,
}

/// Where the bytes of a record lie.
enum Place {
    /// In one piece of the segment.
    Piece(Range<usize>),
    /// In memory for what pages end in.
    Room,
}

impl<'a> Records<'a> {
    /// Reads a segment; the caller has judged its header's identity.
    ///
    /// # Errors
    /// When the header is not one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let header = SegmentHeader::parse(bytes)?;
        let mut records = Self {
            bytes,
            header,
            at: LONG_PAGE_HEADER,
            begin: LONG_PAGE_HEADER,
            resume: None,
        };
        if bytes[2] & CONTINUES != 0 {
            let rest = u32::from_le_bytes(bytes_at(bytes, 16)?);
            let skipped = records.walk(usize::try_from(rest).unwrap_or(usize::MAX), |_| {});
            if skipped.is_none() && !records.goes_on() {
                records.at = bytes.len();
            }
            records.align();
        }
        Ok(records)
    }

    fn align(&mut self) {
        self.at = self.at.saturating_add(7) & !7;
    }

    /// Steps over the header of a page that begins here; false when it is none, or when the record
    /// that is read was given up before it.
    fn enter_page(&mut self) -> bool {
        if !self.at.is_multiple_of(PAGE) {
            return true;
        }
        let info = self.bytes.get(self.at + 2).copied().unwrap_or(0);
        if info & OVERWRITES != 0 && self.at != self.begin {
            self.resume = Some(self.at);
            return false;
        }
        let magic = bytes_at(self.bytes, self.at).map(u16::from_le_bytes);
        let address = bytes_at(self.bytes, self.at + 8).map(u64::from_le_bytes);
        let expected = self.header.address.0 + self.at as u64;
        self.at += PAGE_HEADER;
        magic == Ok(self.header.version.wal_magic) && address == Ok(expected)
    }

    /// Goes over bytes of a record, and the page boundaries between them.
    fn walk(&mut self, length: usize, mut take: impl FnMut(&'a [u8])) -> Option<()> {
        let mut left = length;
        while left > 0 {
            if self.at >= self.bytes.len() || !self.enter_page() {
                return None;
            }
            let step = left.min(PAGE - self.at % PAGE);
            take(self.bytes.get(self.at..self.at + step)?);
            self.at += step;
            left -= step;
        }
        Some(())
    }

    /// The segment's bytes, its header, and where in it the last record begins that was read or
    /// could not be read to its end.
    pub(super) fn rest(&self) -> (&'a [u8], &SegmentHeader, usize) {
        (self.bytes, &self.header, self.begin)
    }

    /// The records of these managers, in order. Those of others are stepped over by their length,
    /// unproven, which takes a tenth of the time.
    pub fn of(mut self, managers: &[u8]) -> impl Iterator<Item = Record> {
        std::iter::from_fn(move || self.next_of(managers))
    }

    /// The next one of [`Records::of`].
    pub(super) fn next_of(&mut self, managers: &[u8]) -> Option<Record> {
        self.next_where(|manager, _| managers.contains(&manager))
    }

    /// The next record whose manager and kind are wanted; the others are stepped over.
    pub(super) fn next_where(&mut self, wanted: impl Fn(u8, u8) -> bool) -> Option<Record> {
        loop {
            match self.step_to(&wanted) {
                Some(true) => match self.read_here() {
                    None if self.goes_on() => {}
                    read => return read,
                },
                None if !self.goes_on() => return None,
                _ => {}
            }
        }
    }

    /// Goes to the next record when it is wanted, else behind it.
    fn step_to(&mut self, wanted: impl Fn(u8, u8) -> bool) -> Option<bool> {
        self.align();
        self.begin = self.at;
        let header = self.head()?;
        if wanted(header[MANAGER], header[INFO]) {
            self.at = self.begin;
            return Some(true);
        }
        let length = u32::from_le_bytes(bytes_at(&header, 0).ok()?);
        let rest = usize::try_from(length).ok()?.checked_sub(RECORD_HEADER)?;
        self.walk(rest, |_| {}).map(|()| false)
    }

    /// Whether the record at which reading ended may be wanted: one begins there, and it goes on
    /// behind the end of the segment, or is none.
    pub(super) fn may_cross(mut self, wanted: impl Fn(u8, u8) -> bool) -> bool {
        self.at = self.begin;
        let rest = self.bytes.get(self.begin..).unwrap_or_default();
        if rest.iter().take(RECORD_HEADER).all(|byte| *byte == 0) {
            return false;
        }
        self.head()
            .is_none_or(|header| wanted(header[MANAGER], header[INFO]))
    }

    /// The bytes of the next record, page headers taken out, unproven, and where it begins; `room`
    /// is memory for what does not lie in one piece.
    pub(super) fn next_bytes<'r>(&mut self, room: &'r mut Vec<u8>) -> Option<(usize, &'r [u8])>
    where
        'a: 'r,
    {
        loop {
            match self.place(room) {
                None if self.goes_on() => {}
                None => return None,
                Some(Place::Room) => return Some((self.begin, room)),
                Some(Place::Piece(place)) => return Some((self.begin, self.bytes.get(place)?)),
            }
        }
    }

    /// Where the next record lies.
    fn place(&mut self, room: &mut Vec<u8>) -> Option<Place> {
        self.align();
        self.begin = self.at;
        if self.at >= self.bytes.len() || !self.enter_page() {
            return None;
        }
        let length = u32::from_le_bytes(bytes_at(self.bytes, self.at).ok()?);
        let length = usize::try_from(length).ok()?;
        if !(RECORD_HEADER..=self.bytes.len()).contains(&length) {
            return None;
        }
        if self.at % PAGE + length <= PAGE {
            let start = self.at;
            self.at += length;
            return Some(Place::Piece(start..self.at));
        }
        room.clear();
        self.walk(length, |piece| room.extend_from_slice(piece))?;
        Some(Place::Room)
    }

    /// Whether reading goes on behind a record that the server gave up.
    fn goes_on(&mut self) -> bool {
        let next = self.resume.take();
        self.at = next.unwrap_or(self.at);
        next.is_some()
    }

    /// The header of the record that begins here.
    fn head(&mut self) -> Option<[u8; RECORD_HEADER]> {
        let (mut header, mut filled) = ([0; RECORD_HEADER], 0);
        self.walk(RECORD_HEADER, |piece| {
            header[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        })?;
        Some(header)
    }

    fn read(&mut self) -> Option<Record> {
        loop {
            match self.read_here() {
                None if self.goes_on() => {}
                read => return read,
            }
        }
    }

    /// The record that begins here, unless it is given up.
    fn read_here(&mut self) -> Option<Record> {
        let mut room = Vec::new();
        let bytes = match self.place(&mut room)? {
            Place::Piece(place) => self.bytes.get(place)?,
            Place::Room => &room,
        };
        let header = usize::from(self.begin.is_multiple_of(PAGE)) * PAGE_HEADER;
        let lsn = Lsn(self.header.address.0 + (self.begin + header) as u64);
        self.align();
        let end = Lsn(self.header.address.0 + self.at as u64);
        parse(lsn, end, bytes)
    }
}

/// Reads a whole record from its bytes, page headers taken out; none when it is not one.
pub(super) fn parse(lsn: Lsn, end: Lsn, bytes: &[u8]) -> Option<Record> {
    if bytes.len() < RECORD_HEADER || !is_summed(bytes) {
        return None;
    }
    let (blocks, main) = body(bytes)?;
    Some(Record {
        lsn,
        end,
        length: u32::from_le_bytes(bytes_at(bytes, 0).ok()?),
        xid: u32::from_le_bytes(bytes_at(bytes, 4).ok()?),
        info: bytes[16],
        manager: bytes[MANAGER],
        blocks,
        main,
    })
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let record = self.read();
        if record.is_none() {
            self.at = self.bytes.len();
        }
        record
    }
}

/// Whether the bytes of a whole record are as their sum says.
pub(super) fn is_summed(record: &[u8]) -> bool {
    bytes_at(record, CRC_OFFSET).map(u32::from_le_bytes) == Ok(sum_of(record))
}

/// The sum of a whole record: of what follows its header, then of the header before the sum.
pub(super) fn sum_of(record: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&record[RECORD_HEADER..]);
    crc32c::crc32c_append(sum, &record[..CRC_OFFSET])
}

/// Reads little-endian numbers one after the other.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn number(&mut self, width: usize) -> Option<u32> {
        let bytes = self.bytes.get(self.at..self.at + width)?;
        self.at += width;
        let value = bytes.iter().rev();
        Some(value.fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}

/// The pages a record touches, and its own data, which is its last `main` bytes.
fn body(record: &[u8]) -> Option<(Vec<BlockRef>, Vec<u8>)> {
    let mut blocks = Vec::new();
    let main = each_block(record, |block| blocks.push(block))?;
    let main = record.get(record.len().checked_sub(main)?..)?;
    Some((blocks, main.to_vec()))
}

/// Tells of each page a record touches; how long its own data is, unless it is no record.
pub(super) fn each_block(record: &[u8], mut tell: impl FnMut(BlockRef)) -> Option<usize> {
    let mut cursor = Cursor {
        bytes: record,
        at: RECORD_HEADER,
    };
    let mut before = None;
    // data of pages, which lies between the headers and the record's own data
    let mut between = 0;
    let mut main = 0;
    while cursor.at + between + main < record.len() {
        match cursor.number(1)? {
            255 => main = usize::try_from(cursor.number(1)?).ok()?,
            254 => main = usize::try_from(cursor.number(4)?).ok()?,
            253 => cursor.at += 2,
            252 => cursor.at += 4,
            0..=32 => {
                let (block, data) = block(&mut cursor, before.as_ref())?;
                tell(block);
                before = Some(block);
                between += data;
            }
            _ => return None,
        }
    }
    Some(main)
}

/// The header of one page reference, and how many bytes of data and image belong to it.
fn block(cursor: &mut Cursor<'_>, before: Option<&BlockRef>) -> Option<(BlockRef, usize)> {
    const HAS_IMAGE: u32 = 0x10;
    const SAME_RELATION: u32 = 0x80;
    const HAS_HOLE: u32 = 0x01;
    const COMPRESSED: u32 = 0x1C;
    let flags = cursor.number(1)?;
    let mut data = cursor.number(2)?;
    if flags & HAS_IMAGE != 0 {
        data += cursor.number(2)?;
        let _hole_offset = cursor.number(2)?;
        let image = cursor.number(1)?;
        if image & HAS_HOLE != 0 && image & COMPRESSED != 0 {
            let _hole_length = cursor.number(2)?;
        }
    }
    let (tablespace, database, relation) = if flags & SAME_RELATION != 0 {
        let before = before?;
        (before.tablespace, before.database, before.relation)
    } else {
        (cursor.number(4)?, cursor.number(4)?, cursor.number(4)?)
    };
    let block = BlockRef {
        tablespace,
        database,
        relation,
        fork: u8::try_from(flags & 0x0F).ok()?,
        block: cursor.number(4)?,
    };
    Some((block, usize::try_from(data).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::postgres::facts::VERSIONS;
    use crate::engine::postgres::glance;

    /// A segment of two pages (shorter than real ones) with these record bodies.
    fn segment(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for body in bodies {
            let length = RECORD_HEADER + body.len();
            let mut record = vec![0; RECORD_HEADER];
            record[..4].copy_from_slice(&u32::try_from(length).expect("short").to_le_bytes());
            record[4] = 77;
            record[17] = manager::TRANSACTION;
            record.extend_from_slice(body);
            let sum = sum_of(&record);
            record[CRC_OFFSET..RECORD_HEADER].copy_from_slice(&sum.to_le_bytes());
            stream.extend_from_slice(&record);
            stream.resize(stream.len().next_multiple_of(8), 0);
        }
        paged(&stream)
    }

    fn paged(stream: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 3 * PAGE];
        let mut left = stream;
        for page in 0..3 {
            let start = page * PAGE;
            bytes[start..start + 2].copy_from_slice(&VERSIONS[0].wal_magic.to_le_bytes());
            bytes[start + 4] = 1;
            bytes[start + 8..start + 16].copy_from_slice(&(start as u64).to_le_bytes());
            let header = if page == 0 {
                LONG_PAGE_HEADER
            } else {
                PAGE_HEADER
            };
            let (now, later) = left.split_at(left.len().min(PAGE - header));
            bytes[start + header..start + header + now.len()].copy_from_slice(now);
            left = later;
        }
        bytes[2] = 2;
        bytes[24] = 9;
        bytes[32..36].copy_from_slice(&(1u32 << 20).to_le_bytes());
        bytes[36..40].copy_from_slice(&8192u32.to_le_bytes());
        bytes
    }

    fn commit(padding: usize) -> Vec<u8> {
        let mut main = 1_000_000i64.to_le_bytes().to_vec();
        main.resize(8 + padding, 7);
        let mut body = vec![254];
        body.extend_from_slice(&u32::try_from(main.len()).expect("short").to_le_bytes());
        body.extend_from_slice(&main);
        body
    }

    #[test]
    fn records_are_read_over_page_boundaries() {
        let bytes = segment(&[commit(0), commit(9000), commit(3)]);
        let records: Vec<Record> = Records::new(&bytes).expect("a segment").collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].lsn, Lsn(40));
        assert_eq!(records[1].main.len(), 9008);
        assert_eq!(records[1].end, records[2].lsn);
        let at: Timestamp = "2000-01-01T00:00:01Z".parse().expect("a time");
        for record in &records {
            assert_eq!(record.ending(), Some((Ending::Commit, at)));
            assert_eq!(record.xid, 77);
        }
        let glance = glance::at(Records::new(&bytes).expect("a segment"));
        assert_eq!(glance.times, Some((at, at)));
        assert_eq!(glance.points, Some(Vec::new()));
    }

    #[test]
    fn a_record_that_does_not_end_here_and_a_damaged_one_end_the_reading() {
        let bytes = segment(&[commit(0), commit(3 * PAGE)]);
        assert_eq!(Records::new(&bytes).expect("a segment").count(), 1);
        let mut bytes = segment(&[commit(0), commit(5), commit(6)]);
        bytes[100] ^= 1;
        assert_eq!(Records::new(&bytes).expect("a segment").count(), 1);
    }

    #[test]
    fn reading_goes_on_where_the_server_began_anew() {
        let anew = segment(&[commit(5)]);
        let mut bytes = segment(&[commit(0), commit(9000)]);
        bytes[PAGE + 2] = OVERWRITES;
        let page = &mut bytes[PAGE + PAGE_HEADER..];
        page[..100].copy_from_slice(&anew[LONG_PAGE_HEADER..LONG_PAGE_HEADER + 100]);
        let lengths = |found: Vec<Record>| {
            let main = found.iter().map(|record| record.main.len());
            main.collect::<Vec<_>>()
        };
        let records = || Records::new(&bytes).expect("a segment");
        assert_eq!(lengths(records().collect()), [8, 13]);
        let of = records().of(&[manager::TRANSACTION]);
        assert_eq!(lengths(of.collect()), [8, 13]);
        assert_eq!(records().of(&[manager::XLOG]).count(), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in prop::collection::vec(any::<u8>(), 0..400), bit in 0usize..64) {
            let mut bytes = segment(&[tail]);
            let _ = Records::new(&bytes).expect("a segment").count();
            bytes[16 + bit / 8] ^= 1 << (bit % 8);
            bytes[2] |= CONTINUES;
            if let Ok(records) = Records::new(&bytes) {
                let _ = records.count();
            }
        }
    }
}
