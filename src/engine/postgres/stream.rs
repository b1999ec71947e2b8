//! Owns reading records one after the other through all segments of a history, also those that
//! cross from one segment into the next. Pure: who reads the segments is the caller's business.
//! Whatever is not proven ends the reading with its place and reason; nothing is skipped.

use std::fmt;

use super::bytes_at;
use super::history::History;
use super::lsn::{Lsn, Segment, SegmentSize};
use super::records::{
    self, LONG_PAGE_HEADER, OVERWRITES, PAGE, PAGE_HEADER, RECORD_HEADER, Record,
};
use super::walfile::SegmentHeader;

/// Longest record that is believed: the server's own limit.
const LONGEST: usize = 1020 << 20;

/// Information bits of a log switch, after which the rest of the segment is empty.
const SWITCH: u8 = 0x40;
const LONG_HEADER: u16 = 0x0002;
const CONTINUES: u16 = 0x0001;

/// Why the reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A segment is not there.
    Missing(String),
    /// Nothing whole stands at this place: the end of the log, or damage.
    At(Lsn, &'static str),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "segment {name} is not there"),
            Self::At(lsn, what) => write!(f, "{what} at {lsn}"),
        }
    }
}

/// Whose log is read, and along which history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The history to follow.
    pub history: History,
    /// Bytes of a segment.
    pub size: SegmentSize,
    /// Identity of the cluster.
    pub system_identifier: u64,
}

/// Reads records in order, of segments that are owned or lent.
pub struct Stream<F, B> {
    course: Course,
    fetch: F,
    segment: Option<(u64, B)>,
    at: u64,
    /// The page at which a record was given up: the server crashed while it wrote it, and began anew
    /// there.
    resume: Option<u64>,
}

impl<B: AsRef<[u8]>, F: FnMut(Segment) -> Option<B>> Stream<F, B> {
    /// Begins with the record at `from`; `fetch` gives the bytes of a segment, or none when it is
    /// not there or not readable.
    pub fn new(course: Course, from: Lsn, fetch: F) -> Self {
        Self {
            course,
            fetch,
            segment: None,
            at: from.0,
            resume: None,
        }
    }

    /// Begins with the first record that begins in a segment; what the segment before left
    /// unfinished is stepped over.
    ///
    /// # Errors
    /// When the segment cannot be read.
    pub fn in_segment(course: Course, first: u64, fetch: F) -> Result<Self, Stop> {
        let start = Lsn(first.saturating_mul(course.size.bytes()));
        let mut stream = Self::new(course, start, fetch);
        let page = stream.page()?;
        let info = bytes_at(page, 2).map_or(0, u16::from_le_bytes);
        let rest = bytes_at(page, 16).map_or(0, u32::from_le_bytes);
        if info & CONTINUES != 0 {
            stream.enter(true)?;
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            if rest > LONGEST {
                return Err(Stop::At(start, "no rest of a record"));
            }
            match stream.gather(rest) {
                Err(_) if stream.goes_on() => {}
                skipped => drop(skipped?),
            }
        }
        Ok(stream)
    }

    /// The next record.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read(&mut self) -> Result<Record, Stop> {
        loop {
            match self.read_here() {
                Err(_) if self.goes_on() => {}
                read => return read,
            }
        }
    }

    /// Whether reading goes on behind a record that the server gave up.
    fn goes_on(&mut self) -> bool {
        let next = self.resume.take();
        self.at = next.unwrap_or(self.at);
        next.is_some()
    }

    fn read_here(&mut self) -> Result<Record, Stop> {
        self.at = self.at.next_multiple_of(8);
        self.enter(false)?;
        let lsn = Lsn(self.at);
        let length = self.number()?;
        if !(RECORD_HEADER..=LONGEST).contains(&length) {
            return Err(Stop::At(lsn, "no record"));
        }
        let bytes = self.gather(length)?;
        let end = Lsn(self.at.next_multiple_of(8));
        let record = records::parse(lsn, end, &bytes);
        let record = record.ok_or(Stop::At(lsn, "no whole record"))?;
        if record.manager == records::manager::XLOG && record.info & 0xF0 == SWITCH {
            self.at = self.at.next_multiple_of(self.course.size.bytes());
        }
        Ok(record)
    }

    /// Where the next record is looked for.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.at)
    }

    fn offset(&self) -> usize {
        // a segment has at most 1 GiB
        usize::try_from(self.at % self.course.size.bytes()).unwrap_or(0)
    }

    fn page(&mut self) -> Result<&[u8], Stop> {
        let number = self.at / self.course.size.bytes();
        if self
            .segment
            .as_ref()
            .is_none_or(|(have, _)| *have != number)
        {
            // a segment may be long: never two of them in memory
            self.segment = None;
            self.segment = Some((number, self.load(number)?));
        }
        let start = self.offset() / PAGE * PAGE;
        let at = Lsn(self.at);
        let segment = self.segment.as_ref();
        let bytes = segment.map_or(&[][..], |(_, bytes)| bytes.as_ref());
        bytes
            .get(start..start + PAGE)
            .ok_or(Stop::At(at, "no page"))
    }

    /// A whole segment of this cluster. The segment in which a timeline was left lies, complete,
    /// under the name of the next one.
    fn load(&mut self, number: u64) -> Result<B, Stop> {
        let end = Lsn((number + 1).saturating_mul(self.course.size.bytes()) - 1);
        let timeline = self.course.history.timeline_at(end);
        let segment = Segment { timeline, number };
        let name = || segment.name(self.course.size);
        let bytes = (self.fetch)(segment).ok_or_else(|| Stop::Missing(name()))?;
        let header = SegmentHeader::parse(bytes.as_ref()).map_err(|_| Stop::Missing(name()))?;
        let system = self.course.system_identifier;
        let length = bytes.as_ref().len() as u64;
        let right = header.check(segment, system, length).is_ok()
            && header.segment_size == self.course.size;
        right.then_some(bytes).ok_or_else(|| Stop::Missing(name()))
    }

    /// Steps over the header of a page that begins here and judges it.
    fn enter(&mut self, continues: bool) -> Result<(), Stop> {
        if !self.offset().is_multiple_of(PAGE) {
            return Ok(());
        }
        let at = self.at;
        let first = self.offset() == 0;
        let page = self.page()?;
        let magic = bytes_at(page, 0).map(u16::from_le_bytes);
        let version = magic
            .ok()
            .and_then(|magic| super::facts::of_magic(magic).ok());
        let info = bytes_at(page, 2).map_or(0, u16::from_le_bytes);
        let address = bytes_at(page, 8).map(u64::from_le_bytes);
        if version.is_none() || address != Ok(at) || (info & LONG_HEADER != 0) != first {
            return Err(Stop::At(Lsn(at), "no page of the log"));
        }
        if continues && info & u16::from(OVERWRITES) != 0 {
            self.resume = Some(at);
            return Err(Stop::At(Lsn(at), "the end of a record that was given up"));
        }
        if (info & CONTINUES != 0) != continues {
            return Err(Stop::At(
                Lsn(at),
                "a page that does not continue the one before",
            ));
        }
        self.at += if first { LONG_PAGE_HEADER } else { PAGE_HEADER } as u64;
        Ok(())
    }

    /// The length that a record begins with; it never crosses a page.
    fn number(&mut self) -> Result<usize, Stop> {
        let within = self.offset() % PAGE;
        let at = Lsn(self.at);
        let word = bytes_at(self.page()?, within).map(u32::from_le_bytes);
        let word = word.map_err(|_| Stop::At(at, "no record"))?;
        usize::try_from(word).map_err(|_| Stop::At(at, "no record"))
    }

    fn gather(&mut self, length: usize) -> Result<Vec<u8>, Stop> {
        // grows as bytes come: the length is not proven yet
        let mut taken = Vec::with_capacity(length.min(PAGE));
        while taken.len() < length {
            self.enter(!taken.is_empty())?;
            let within = self.offset() % PAGE;
            let step = (PAGE - within).min(length - taken.len());
            let page = self.page()?;
            taken.extend_from_slice(&page[within..within + step]);
            self.at += step as u64;
        }
        Ok(taken)
    }
}
