//! Owns positions in PostgreSQL's log: LSNs, timelines, segment sizes and the names of log files.
//! The only place that parses or prints them. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::FormatError;
use crate::facts::holdings::Position;

/// A byte position in the log, printed as PostgreSQL does: `16/B374D848`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let bad = || FormatError::text("a log position like 16/B374D848", text);
        let (high, low) = text.split_once('/').ok_or_else(bad)?;
        let high = hex(high, 1..=8).ok_or_else(bad)?;
        let low = hex(low, 1..=8).ok_or_else(bad)?;
        Ok(Self(high << 32 | low))
    }
}

/// A timeline: a history that began with a recovery. Counted from 1; 0 means none and is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timeline(u32);

impl Timeline {
    /// A timeline by its number.
    ///
    /// # Errors
    /// For 0.
    pub fn new(number: u32) -> Result<Self, FormatError> {
        if number == 0 {
            return Err(FormatError::text("a timeline, counted from 1", "0"));
        }
        Ok(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// A position on this timeline, as the rest of planc writes it.
    #[must_use]
    pub fn at(self, lsn: Lsn) -> Position {
        Position {
            incarnation: self.to_string(),
            value: lsn.0,
        }
    }

    /// The timeline and LSN of a position that [`Timeline::at`] made.
    ///
    /// # Errors
    /// When the position belongs to another engine.
    pub fn of(position: &Position) -> Result<(Self, Lsn), FormatError> {
        Ok((position.incarnation.parse()?, Lsn(position.value)))
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

impl FromStr for Timeline {
    type Err = FormatError;

    /// Reads eight hexadecimal digits, as in file names. Timeline 10 is `0000000A`.
    fn from_str(text: &str) -> Result<Self, FormatError> {
        let bad = || FormatError::text("a timeline of eight hexadecimal digits", text);
        let number = hex(text, 8..=8).ok_or_else(bad)?;
        Self::new(u32::try_from(number).map_err(|_| bad())?)
    }
}

/// Bytes of one log segment: a power of two from 1 MiB to 1 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize(u32);

impl SegmentSize {
    /// Checks a size.
    ///
    /// # Errors
    /// When PostgreSQL allows no such size.
    pub fn new(bytes: u32) -> Result<Self, FormatError> {
        let allowed = bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&bytes);
        if allowed {
            return Ok(Self(bytes));
        }
        let expected = "a segment size: a power of two from 1 MiB to 1 GiB";
        Err(FormatError::text(expected, &bytes.to_string()))
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        u64::from(self.0)
    }

    /// Segments for each value of the middle part of a name.
    fn per_log(self) -> u64 {
        (1 << 32) / self.bytes()
    }
}

/// A segment of one timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Its timeline.
    pub timeline: Timeline,
    /// Its number: the LSN of its first byte divided by the segment size.
    pub number: u64,
}

impl Segment {
    /// The segment that holds the byte at `lsn`.
    #[must_use]
    pub fn holding(timeline: Timeline, lsn: Lsn, size: SegmentSize) -> Self {
        let number = lsn.0 / size.bytes();
        Self { timeline, number }
    }

    /// The segment that holds the last byte before `lsn`: where a log that ends there ends.
    #[must_use]
    pub fn ending(timeline: Timeline, lsn: Lsn, size: SegmentSize) -> Self {
        Self::holding(timeline, Lsn(lsn.0.saturating_sub(1)), size)
    }

    /// Position of its first byte.
    #[must_use]
    pub fn start(self, size: SegmentSize) -> Lsn {
        Lsn(self.number * size.bytes())
    }

    /// Position behind its last byte; none for the very last segment there can be.
    #[must_use]
    pub fn end(self, size: SegmentSize) -> Option<Lsn> {
        let end = u128::from(self.number + 1) * u128::from(size.bytes());
        u64::try_from(end).ok().map(Lsn)
    }

    /// Its file name.
    #[must_use]
    pub fn name(self, size: SegmentSize) -> String {
        let (log, rest) = (self.number / size.per_log(), self.number % size.per_log());
        format!("{}{log:08X}{rest:08X}", self.timeline)
    }
}

/// A file that PostgreSQL archives or asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalFile {
    /// A whole segment.
    Segment(Segment),
    /// The last segment of a timeline that ended inside it.
    Partial(Segment),
    /// The history of a timeline.
    History(Timeline),
    /// A note about a finished backup, and the offset in the segment where it began.
    Backup(Segment, u32),
}

impl WalFile {
    /// Parses a file name. Only upper-case digits are names; everything else is refused.
    ///
    /// # Errors
    /// [`FormatError::Text`].
    pub fn parse(name: &str, size: SegmentSize) -> Result<Self, FormatError> {
        let bad = || FormatError::text("a name of a log file", name);
        if let Some(timeline) = name.strip_suffix(".history") {
            return timeline.parse().map(Self::History).map_err(|_| bad());
        }
        if let Some(segment) = name.strip_suffix(".partial") {
            return parse_segment(segment, size)
                .map(Self::Partial)
                .ok_or_else(bad);
        }
        if let Some(stem) = name.strip_suffix(".backup") {
            return parse_backup(stem, size).ok_or_else(bad);
        }
        parse_segment(name, size).map(Self::Segment).ok_or_else(bad)
    }

    /// The file's name.
    #[must_use]
    pub fn name(self, size: SegmentSize) -> String {
        match self {
            Self::Segment(segment) => segment.name(size),
            Self::Partial(segment) => format!("{}.partial", segment.name(size)),
            Self::History(timeline) => format!("{timeline}.history"),
            Self::Backup(segment, offset) => {
                format!("{}.{offset:08X}.backup", segment.name(size))
            }
        }
    }
}

fn parse_segment(name: &str, size: SegmentSize) -> Option<Segment> {
    let (timeline, rest) = name.split_at_checked(8)?;
    let (log, low) = rest.split_at_checked(8)?;
    let low = hex(low, 8..=8).filter(|low| *low < size.per_log())?;
    Some(Segment {
        timeline: timeline.parse().ok()?,
        number: hex(log, 8..=8)? * size.per_log() + low,
    })
}

fn parse_backup(stem: &str, size: SegmentSize) -> Option<WalFile> {
    let (segment, offset) = stem.split_once('.')?;
    let offset = u32::try_from(hex(offset, 8..=8)?).ok()?;
    let inside = u64::from(offset) < size.bytes();
    inside.then_some(WalFile::Backup(parse_segment(segment, size)?, offset))
}

/// Upper-case hexadecimal digits, as many as `lengths` allows (at most 16).
fn hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    if !lengths.contains(&text.len()) || !text.bytes().all(digits) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Strategy<Value = SegmentSize> {
        (20u32..=30).prop_map(|shift| SegmentSize::new(1 << shift).expect("valid"))
    }

    proptest! {
        #[test]
        fn an_lsn_survives_its_text(value: u64) {
            prop_assert_eq!(Lsn(value).to_string().parse::<Lsn>(), Ok(Lsn(value)));
        }

        #[test]
        fn a_timeline_survives_its_text(number in 1u32..) {
            let timeline = Timeline::new(number).expect("valid");
            prop_assert_eq!(timeline.to_string().parse::<Timeline>(), Ok(timeline));
            let position = timeline.at(Lsn(7));
            prop_assert_eq!(Timeline::of(&position), Ok((timeline, Lsn(7))));
        }

        #[test]
        fn every_byte_lies_in_the_segment_that_is_said(
            size in sizes(), number in 1u32.., lsn: u64, offset: u32
        ) {
            let timeline = Timeline::new(number).expect("valid");
            let segment = Segment::holding(timeline, Lsn(lsn), size);
            prop_assert!(segment.start(size).0 <= lsn);
            prop_assert!(segment.end(size).is_none_or(|end| lsn < end.0));
            let offset = u32::try_from(u64::from(offset) % size.bytes()).expect("valid");
            for file in [
                WalFile::Segment(segment),
                WalFile::Partial(segment),
                WalFile::History(timeline),
                WalFile::Backup(segment, offset),
            ] {
                prop_assert_eq!(WalFile::parse(&file.name(size), size), Ok(file));
            }
        }

        #[test]
        fn names_sort_like_positions(size in sizes(), a: u64, b: u64) {
            let timeline = Timeline::new(10).expect("valid");
            let [a, b] = [a, b].map(|lsn| Segment::holding(timeline, Lsn(lsn), size));
            prop_assert_eq!(a.name(size).cmp(&b.name(size)), a.number.cmp(&b.number));
        }

        #[test]
        fn any_text_is_a_name_only_when_it_prints_back(
            text in "([0-9A-Fa-f]{0,26}|[0-9A-F]{24})(\\.[0-9A-F]{8})?(\\.history|\\.partial|\\.backup)?",
            size in sizes()
        ) {
            if let Ok(file) = WalFile::parse(&text, size) {
                prop_assert_eq!(file.name(size), text);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", size in sizes()) {
            let _ = (text.parse::<Lsn>(), text.parse::<Timeline>(), WalFile::parse(&text, size));
        }
    }

    #[test]
    fn the_tenth_timeline_is_hexadecimal() {
        let size = SegmentSize::new(16 << 20).expect("valid");
        let segment = Segment::holding(Timeline::new(10).expect("valid"), Lsn(0x1_FF00_0001), size);
        assert_eq!(segment.name(size), "0000000A00000001000000FF");
        assert!(WalFile::parse("0000000a00000001000000FF", size).is_err());
        assert!(WalFile::parse("0000000A0000000100000100", size).is_err());
        assert!(WalFile::parse("000000000000000100000001", size).is_err());
        assert!("00000000".parse::<Timeline>().is_err());
    }

    #[test]
    fn a_log_that_ends_on_a_boundary_ends_in_the_segment_before() {
        let size = SegmentSize::new(1 << 20).expect("valid");
        let one = Timeline::new(1).expect("valid");
        assert_eq!(Segment::ending(one, Lsn(2 << 20), size).number, 1);
        assert_eq!(Segment::ending(one, Lsn((2 << 20) + 1), size).number, 2);
    }

    #[test]
    fn only_postgresql_sizes_are_sizes() {
        for bytes in [0, 1, 512 << 10, 3 << 20, 1 << 31, u32::MAX] {
            assert!(SegmentSize::new(bytes).is_err(), "{bytes}");
        }
    }
}
