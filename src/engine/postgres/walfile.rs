//! Owns the identity check of log segments: is this file the segment its name says, of this
//! cluster, whole. Pure; judges bytes, never names in folders.

use super::facts::{self, VersionFacts};
use super::lsn::{Lsn, Segment, SegmentSize, Timeline};
use super::{FormatError, bytes_at};

/// Bytes of the header of a segment's first page.
pub const HEADER_BYTES: usize = 40;

const INFO: usize = 2;
const TIMELINE: usize = 4;
const ADDRESS: usize = 8;
const SYSTEM_IDENTIFIER: usize = 24;
const SEGMENT_SIZE: usize = 32;
const BLOCK_SIZE: usize = 36;
/// Set in the header of a segment's first page.
const LONG_HEADER: u16 = 0x0002;
const KNOWN_FLAGS: u16 = 0x000F;

/// What the first page of a segment says of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The server's version.
    pub version: &'static VersionFacts,
    /// Timeline of the first record on the page.
    pub timeline: Timeline,
    /// Position of the page.
    pub address: Lsn,
    /// Identity of the cluster.
    pub system_identifier: u64,
    /// Bytes of a segment.
    pub segment_size: SegmentSize,
}

impl SegmentHeader {
    /// Reads the header.
    ///
    /// # Errors
    /// When the bytes are no such header, or of a version that is not known.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() < HEADER_BYTES {
            return Err(FormatError::Length {
                what: "the log segment",
                expected: HEADER_BYTES as u64,
                found: bytes.len() as u64,
            });
        }
        let u32_at = |offset| bytes_at(bytes, offset).map(u32::from_le_bytes);
        let u64_at = |offset| bytes_at(bytes, offset).map(u64::from_le_bytes);
        let version = facts::of_magic(u16::from_le_bytes(bytes_at(bytes, 0)?))?;
        check_flags(u16::from_le_bytes(bytes_at(bytes, INFO)?))?;
        if u32_at(BLOCK_SIZE)? != 8192 {
            let found = u32_at(BLOCK_SIZE)?;
            return Err(FormatError::differs("the log page size", 8192, found));
        }
        Ok(Self {
            version,
            timeline: Timeline::new(u32_at(TIMELINE)?)?,
            address: Lsn(u64_at(ADDRESS)?),
            system_identifier: u64_at(SYSTEM_IDENTIFIER)?,
            segment_size: SegmentSize::new(u32_at(SEGMENT_SIZE)?)?,
        })
    }

    /// Is this the segment that the name says, of this cluster, `length` bytes long?
    ///
    /// The first page of the first segment of a timeline is copied from the timeline before, so
    /// its own timeline may be an older one, but never a newer.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self, segment: Segment, cluster: u64, length: u64) -> Result<(), FormatError> {
        let size = self.segment_size;
        if self.system_identifier != cluster {
            let found = self.system_identifier;
            return Err(FormatError::differs(
                "the system identifier",
                cluster,
                found,
            ));
        }
        if length != size.bytes() {
            return Err(FormatError::Length {
                what: "the log segment",
                expected: size.bytes(),
                found: length,
            });
        }
        if self.address != segment.start(size) {
            let expected = segment.start(size);
            let what = "the position of the first page";
            return Err(FormatError::differs(what, expected, self.address));
        }
        if self.timeline > segment.timeline {
            let what = "the timeline of the first page";
            let expected = format!("at most {}", segment.timeline);
            return Err(FormatError::differs(what, expected, self.timeline));
        }
        Ok(())
    }
}

fn check_flags(info: u16) -> Result<(), FormatError> {
    if info & LONG_HEADER != 0 && info & !KNOWN_FLAGS == 0 {
        return Ok(());
    }
    let what = "the flags of the first page";
    Err(FormatError::differs(
        what,
        "a first page's",
        format!("{info:#06x}"),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::postgres::facts::VERSIONS;

    fn header(timeline: u32, address: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&VERSIONS[2].wal_magic.to_le_bytes());
        bytes[2] = 2;
        bytes[4..8].copy_from_slice(&timeline.to_le_bytes());
        bytes[8..16].copy_from_slice(&address.to_le_bytes());
        bytes[24..32].copy_from_slice(&42u64.to_le_bytes());
        bytes[32..36].copy_from_slice(&(1u32 << 20).to_le_bytes());
        bytes[36..].copy_from_slice(&8192u32.to_le_bytes());
        bytes
    }

    fn segment(timeline: u32, number: u64) -> Segment {
        let timeline = Timeline::new(timeline).expect("valid");
        Segment { timeline, number }
    }

    #[test]
    fn the_right_file_passes_and_every_other_is_named() {
        let parsed = SegmentHeader::parse(&header(2, 5 << 20)).expect("valid");
        let whole = 1 << 20;
        assert_eq!(parsed.check(segment(2, 5), 42, whole), Ok(()));
        assert_eq!(parsed.check(segment(3, 5), 42, whole), Ok(()));
        for (wrong, name) in [
            (parsed.check(segment(1, 5), 42, whole), "timeline"),
            (parsed.check(segment(2, 6), 42, whole), "position"),
            (parsed.check(segment(2, 5), 43, whole), "system identifier"),
            (parsed.check(segment(2, 5), 42, whole - 1), "bytes"),
        ] {
            let told = wrong.expect_err("refused").to_string();
            assert!(told.contains(name), "{told}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = SegmentHeader::parse(&bytes);
        }

        #[test]
        fn a_later_page_is_no_first_page(info in 0u16..) {
            let mut bytes = header(1, 0);
            bytes[2..4].copy_from_slice(&info.to_le_bytes());
            let first = info & 2 != 0 && info < 16;
            prop_assert_eq!(SegmentHeader::parse(&bytes).is_ok(), first);
        }
    }
}
