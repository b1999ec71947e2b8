//! Owns log that tests make up: short segments of records, as the server would write them.

use super::facts::VERSIONS;
use super::records::{
    self, CRC_OFFSET, LONG_PAGE_HEADER, MANAGER, PAGE, PAGE_HEADER, RECORD_HEADER,
};

/// Pages of a segment.
pub(super) const PAGES: usize = 3;
/// Bytes of a segment.
pub(super) const SEGMENT: usize = PAGES * PAGE;
/// What comes behind is data of any length.
const LONG_DATA: u8 = 254;

/// A record of a manager about pages of these databases, with so much data of its own.
pub(super) fn record(kind: u8, databases: &[u32], data: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, database) in databases.iter().enumerate() {
        body.extend([u8::try_from(number).expect("few"), 0, 0, 0]);
        for word in [1663, *database, 4711, 5] {
            body.extend(u32::to_le_bytes(word));
        }
    }
    body.push(LONG_DATA);
    body.extend(u32::try_from(data).expect("short").to_le_bytes());
    body.resize(body.len() + data, 0x5A);
    let length = RECORD_HEADER + body.len();
    let mut record = vec![0; RECORD_HEADER];
    record[..4].copy_from_slice(&u32::try_from(length).expect("short").to_le_bytes());
    record[4..8].copy_from_slice(&77u32.to_le_bytes());
    record[MANAGER] = kind;
    record.extend(body);
    let sum = records::sum_of(&record);
    record[CRC_OFFSET..RECORD_HEADER].copy_from_slice(&sum.to_le_bytes());
    record
}

/// Segments that hold these records one after the other.
pub(super) fn segments(all: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    for record in all {
        let mut left = &record[..];
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        while !left.is_empty() {
            if bytes.len().is_multiple_of(PAGE) {
                enter(&mut bytes, left.len(), left.len() < record.len());
            }
            let room = PAGE - bytes.len() % PAGE;
            let (now, later) = left.split_at(left.len().min(room));
            bytes.extend_from_slice(now);
            left = later;
        }
    }
    bytes.resize(bytes.len().next_multiple_of(SEGMENT), 0);
    bytes.chunks(SEGMENT).map(<[u8]>::to_vec).collect()
}

fn enter(bytes: &mut Vec<u8>, rest: usize, continues: bool) {
    let start = bytes.len();
    let long = start.is_multiple_of(SEGMENT);
    let header = if long { LONG_PAGE_HEADER } else { PAGE_HEADER };
    bytes.resize(start + header, 0);
    let page = &mut bytes[start..];
    page[..2].copy_from_slice(&VERSIONS[0].wal_magic.to_le_bytes());
    page[2] = u8::from(continues) | if long { 2 } else { 0 };
    page[4] = 1;
    page[8..16].copy_from_slice(&(start as u64).to_le_bytes());
    if continues {
        page[16..20].copy_from_slice(&u32::try_from(rest).expect("short").to_le_bytes());
    }
    if long {
        page[24] = 9;
        page[32..36].copy_from_slice(&(1u32 << 20).to_le_bytes());
        page[36..40].copy_from_slice(&8192u32.to_le_bytes());
    }
}
