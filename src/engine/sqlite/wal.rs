//! Owns reading the write-ahead log file as `SQLite` documents it: a header of 32 bytes, then
//! frames of 24 bytes and one page, each sealed by a checksum over everything before it in this
//! generation of the file. Must not trust a byte: whatever is not proven is the end of the log.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// A place in one generation of the log: just behind a commit, or its beginning (frame 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    big_endian: bool,
    pub(super) page_size: u32,
    pub(super) sequence: u32,
    pub(super) salts: (u32, u32),
    pub(super) frame: u32,
    sums: (u32, u32),
}

impl Mark {
    /// Reads a log header; none when it is absent, torn or of another format.
    fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        if magic & !1 != MAGIC || word(header, 4) != VERSION {
            return None;
        }
        let big_endian = magic & 1 == 1;
        let page_size = word(header, 8);
        let sums = checksum(big_endian, (0, 0), &header[..24]);
        let sane = page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        (sane && sums == (word(header, 24), word(header, 28))).then(|| Self {
            big_endian,
            page_size,
            sequence: word(header, 12),
            salts: (word(header, 16), word(header, 20)),
            frame: 0,
            sums,
        })
    }

    /// Whether both lie in the same generation of the file.
    pub(super) fn same_generation(&self, other: &Self) -> bool {
        let key = |mark: &Self| (mark.sequence, mark.salts, mark.page_size, mark.big_endian);
        key(self) == key(other)
    }

    fn frame_bytes(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.page_size)
    }

    /// Offset of the end of the frame that the mark stands behind.
    pub(super) fn offset(&self) -> u64 {
        HEADER as u64 + u64::from(self.frame) * self.frame_bytes()
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The documented rolling checksum; `bytes` is a multiple of eight long.
fn checksum(big_endian: bool, start: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let read = if big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    bytes.chunks_exact(8).fold(start, |(first, second), pair| {
        let first = first
            .wrapping_add(read([pair[0], pair[1], pair[2], pair[3]]))
            .wrapping_add(second);
        let second = second
            .wrapping_add(read([pair[4], pair[5], pair[6], pair[7]]))
            .wrapping_add(first);
        (first, second)
    })
}

/// One committed transaction as the log shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Just behind it.
    pub(super) mark: Mark,
    /// Size of the database after it, in pages.
    pub(super) db_pages: u32,
    /// Its pages, each as it was written last; empty when they were not asked for.
    pub(super) pages: BTreeMap<u32, Vec<u8>>,
}

/// What comes next in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A committed transaction.
    Commit(Commit),
    /// Nothing more is committed.
    End,
    /// The next transaction has more bytes than were allowed.
    TooLarge,
}

/// Reads commits one after the other.
pub(super) struct WalReader<F> {
    file: F,
    mark: Mark,
}

impl<F: Read + Seek> WalReader<F> {
    /// Starts at the beginning of the generation that the file holds; none when it holds none.
    pub(super) fn open(mut file: F) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        file.seek(SeekFrom::Start(0))?;
        if !fill(&mut file, &mut header)? {
            return Ok(None);
        }
        Ok(Mark::parse(&header).map(|mark| Self { file, mark }))
    }

    /// Where the next commit is looked for.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Goes on behind `mark`, if the file still holds exactly the frame that it stands behind.
    pub(super) fn resume(&mut self, mark: Mark) -> io::Result<bool> {
        if !self.mark.same_generation(&mark) {
            return Ok(false);
        }
        if mark.frame > 0 && !self.holds(&mark)? {
            return Ok(false);
        }
        self.mark = mark;
        Ok(true)
    }

    fn holds(&mut self, mark: &Mark) -> io::Result<bool> {
        let mut header = [0; FRAME_HEADER];
        let at = mark.offset() - mark.frame_bytes();
        self.file.seek(SeekFrom::Start(at))?;
        let found = fill(&mut self.file, &mut header)?;
        let salts = (word(&header, 8), word(&header, 12));
        let sums = (word(&header, 16), word(&header, 20));
        Ok(found && salts == mark.salts && sums == mark.sums)
    }

    /// The next commit; its pages are kept when `keep` says how many bytes they may have.
    pub(super) fn next(&mut self, keep: Option<u64>) -> io::Result<Next> {
        self.file.seek(SeekFrom::Start(self.mark.offset()))?;
        let mut at = self.mark;
        let mut pages = BTreeMap::new();
        let mut page = vec![0; at.page_size as usize];
        loop {
            let Some((number, db_pages)) = self.frame(&mut at, &mut page)? else {
                return Ok(Next::End);
            };
            if let Some(limit) = keep {
                pages.insert(number, page.clone());
                if pages.len() as u64 * u64::from(at.page_size) > limit {
                    return Ok(Next::TooLarge);
                }
            }
            if db_pages > 0 {
                self.mark = at;
                return Ok(Next::Commit(Commit {
                    mark: at,
                    db_pages,
                    pages,
                }));
            }
        }
    }

    /// Reads and proves the frame behind `at`: page number, and database size if it commits.
    fn frame(&mut self, at: &mut Mark, page: &mut [u8]) -> io::Result<Option<(u32, u32)>> {
        let mut header = [0; FRAME_HEADER];
        if !fill(&mut self.file, &mut header)? || !fill(&mut self.file, page)? {
            return Ok(None);
        }
        let number = word(&header, 0);
        let salts = (word(&header, 8), word(&header, 12));
        if number == 0 || salts != at.salts {
            return Ok(None);
        }
        let sums = checksum(at.big_endian, at.sums, &header[..8]);
        let sums = checksum(at.big_endian, sums, page);
        if sums != (word(&header, 16), word(&header, 20)) {
            return Ok(None);
        }
        let Some(frame) = at.frame.checked_add(1) else {
            return Ok(None);
        };
        at.frame = frame;
        at.sums = sums;
        Ok(Some((number, word(&header, 4))))
    }
}

/// Fills the buffer; false when the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
