//! Owns reading a file in pieces, in any order and by several threads at once. Must not know what
//! the bytes mean.

use std::io::{self, Read};

/// Pieces begin at multiples of this, and their lengths are multiples of it, but for the last of a
/// file. No database has larger pages.
pub const UNIT: usize = 8192;

/// A file that several threads may read at once.
pub trait PieceSource: Send + Sync {
    /// Fills `piece` with the bytes from `at` on. A file that became shorter meanwhile goes on with
    /// zeros. Pieces lie on [`UNIT`]s.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, at: u64, piece: &mut [u8]) -> io::Result<()>;
}

/// Reads a file from its start to a length that is known.
pub struct InOrder<'a> {
    source: &'a dyn PieceSource,
    at: u64,
    length: u64,
    /// What of the last unit was not asked for yet.
    rest: Vec<u8>,
}

impl<'a> InOrder<'a> {
    /// Begins at `at`, which lies on a [`UNIT`].
    #[must_use]
    pub fn new(source: &'a dyn PieceSource, at: u64, length: u64) -> Self {
        Self {
            source,
            at,
            length,
            rest: Vec::new(),
        }
    }

    /// Reads whole units, fewer bytes only at the end.
    fn fill(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let filled = left.min(piece.len());
        self.source.read(self.at, &mut piece[..filled])?;
        self.at += filled as u64;
        Ok(filled)
    }
}

impl Read for InOrder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            let whole = out.len() - out.len() % UNIT;
            if self.at == self.length || whole > 0 {
                return self.fill(&mut out[..whole]);
            }
            let mut unit = vec![0; UNIT];
            let filled = self.fill(&mut unit)?;
            unit.truncate(filled);
            self.rest = unit;
        }
        let given = self.rest.len().min(out.len());
        out[..given].copy_from_slice(&self.rest[..given]);
        self.rest.drain(..given);
        Ok(given)
    }
}
