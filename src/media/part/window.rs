//! Owns the window of a file that is being filled: which pieces of it lie where in the frame, and
//! what a worker needs to hash it.

use crate::media::content::{WINDOW, hash_of_window};
use crate::media::manifest::Extent;

/// Pieces of one window of one file in one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// Index of the file.
    pub(super) entry: usize,
    /// Which window of the file.
    pub(super) index: u64,
    /// Length of the window, holes included; known when it is closed.
    pub(super) length: u64,
    /// Offset in the frame where its data begins.
    pub(super) begin: usize,
    /// Pieces: offset in the window, length. Their data lie one after the other from `begin` on.
    pub(super) pieces: Vec<(u64, usize)>,
}

impl Window {
    /// Begins the window of `entry` that holds offset `at`, at `begin` in the frame.
    pub(super) fn open(entry: usize, at: u64, begin: usize) -> Self {
        Self {
            entry,
            index: at / WINDOW,
            length: 0,
            begin,
            pieces: Vec::new(),
        }
    }

    /// Adds `length` bytes at offset `at` of the file.
    pub(super) fn add(&mut self, at: u64, length: usize) {
        let offset = at - self.index * WINDOW;
        match self.pieces.last_mut() {
            Some((begin, piece)) if *begin + *piece as u64 == offset => *piece += length,
            _ => self.pieces.push((offset, length)),
        }
    }

    /// Bytes of data.
    pub(super) fn data(&self) -> usize {
        self.pieces.iter().map(|(_, length)| length).sum()
    }

    /// Where the data lies, as the manifest says it.
    pub(super) fn extents(&self, frame: u32) -> Vec<Extent> {
        let mut offset = self.begin;
        let mut extents = Vec::with_capacity(self.pieces.len());
        for &(at, length) in &self.pieces {
            extents.push(Extent {
                at: self.index * WINDOW + at,
                frame,
                offset: low32(offset),
                length: low32(length),
            });
            offset += length;
        }
        extents
    }

    /// Whether the window is the whole frame, so that their hashes are one.
    pub(super) fn fills(&self, frame: usize) -> bool {
        self.begin == 0 && self.length == frame as u64 && self.pieces == [(0, frame)]
    }

    /// BLAKE3 of the window.
    pub(super) fn hash(&self, frame: &[u8]) -> blake3::Hash {
        let mut begin = self.begin;
        let pieces = self.pieces.iter().map(|&(at, length)| {
            begin += length;
            (at, &frame[begin - length..begin])
        });
        hash_of_window(self.length, pieces)
    }
}

/// Offsets in a frame are below 1 MiB.
fn low32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
