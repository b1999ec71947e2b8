//! Owns the hash of a file's content: defined by the content alone, whatever frames and packs it
//! lies in, and computable on many threads. Must not do IO.
//!
//! # Definition
//! The content, holes read as zeros, is cut into windows of 1 MiB; the last may be shorter. A file
//! of at most one window has the BLAKE3 of its content. A longer file has the BLAKE3 of the
//! windows' BLAKE3 hashes, 32 bytes each, one after the other.

use super::frame::FRAME;

/// Length of a window.
pub const WINDOW: u64 = FRAME as u64;

/// Longest file that is taken; a longer one can only be an error or an attack (R30).
pub const LONGEST: u64 = 1 << 50;

/// Collects the hashes of a file's windows in order.
#[derive(Debug, Default)]
pub struct ContentHash {
    zeros: Option<blake3::Hash>,
    first: Option<blake3::Hash>,
    rest: blake3::Hasher,
    windows: u64,
}

impl ContentHash {
    /// Adds the next window that holds data; windows before it are holes.
    pub fn window(&mut self, index: u64, hash: blake3::Hash) {
        self.zeros_until(index);
        self.push(hash);
    }

    /// Ends a file of `length` bytes; windows after the last with data are holes.
    #[must_use]
    pub fn end(mut self, length: u64) -> blake3::Hash {
        let whole = length / WINDOW;
        let tail = length % WINDOW;
        self.zeros_until(whole);
        if (tail > 0 || length == 0) && self.windows == whole {
            self.push(hash_of_zeros(tail));
        }
        match self.first {
            Some(first) if self.windows == 1 => first,
            _ => self.rest.finalize(),
        }
    }

    fn zeros_until(&mut self, index: u64) {
        while self.windows < index {
            let hash = *self.zeros.get_or_insert_with(|| hash_of_zeros(WINDOW));
            self.push(hash);
        }
    }

    fn push(&mut self, hash: blake3::Hash) {
        self.first.get_or_insert(hash);
        self.rest.update(hash.as_bytes());
        self.windows += 1;
    }
}

/// Hash of a window of `length` bytes that holds `pieces` (offset in the window, bytes) by offset
/// and zeros elsewhere.
pub fn hash_of_window<'a>(
    length: u64,
    pieces: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    let mut at = 0;
    for (offset, bytes) in pieces {
        zeros(&mut hash, offset.saturating_sub(at));
        hash.update(bytes);
        at = offset + bytes.len() as u64;
    }
    zeros(&mut hash, length.saturating_sub(at));
    hash.finalize()
}

fn hash_of_zeros(length: u64) -> blake3::Hash {
    hash_of_window(length, [])
}

fn zeros(hash: &mut blake3::Hasher, mut length: u64) {
    const ZEROS: [u8; 16384] = [0; 16384];
    while length > 0 {
        let now = length.min(ZEROS.len() as u64);
        // at most the length of ZEROS
        hash.update(&ZEROS[..usize::try_from(now).unwrap_or(0)]);
        length -= now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn naive(content: &[u8]) -> blake3::Hash {
        if content.len() <= FRAME {
            return blake3::hash(content);
        }
        let mut all = blake3::Hasher::new();
        for window in content.chunks(FRAME) {
            all.update(blake3::hash(window).as_bytes());
        }
        all.finalize()
    }

    #[test]
    fn holes_count_as_zeros() {
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 9] {
            let hash = ContentHash::default().end(length as u64);
            assert_eq!(hash, naive(&vec![0; length]), "{length}");
        }
    }

    #[test]
    fn data_between_holes_is_placed() {
        let mut content = vec![0; 3 * FRAME + 100];
        content[FRAME + 10..FRAME + 15].copy_from_slice(b"hello");
        let mut hash = ContentHash::default();
        hash.window(1, hash_of_window(WINDOW, [(10, &b"hello"[..])]));
        assert_eq!(hash.end(content.len() as u64), naive(&content));
    }
}
