//! Owns the layout of packs: the objects that hold content. Must not read or write devices.
//!
//! # Layout
//! All numbers are unsigned and little-endian; all reserved bytes are zero and a reader refuses
//! other values. BLAKE3 is the 256-bit hash, plain mode.
//!
//! ```text
//! pack    = header frame* index trailer
//!
//! header  at  0  8 bytes  "PLANCPAK"
//!             8  2        version: 1
//!            10  2        length of the header: 64
//!            12  1        cipher: 0 = not encrypted, 1 = sealed
//!            13  3        flags: 0
//!            16  8        number of the pack in its part, 0 when not encrypted
//!            24  8        number of its first frame in the part, 0 when not encrypted
//!            32  8        reserved
//!            40  4        most plaintext a frame holds: 1048576
//!            44  4        length of the envelope, 0 when not encrypted
//!            48 16        reserved
//!            64           envelope (see [`super::keys`])
//!
//! frame   at  0  4 bytes  "FRM1"
//!             4  4        length of the plaintext, 1 to 1048576
//!             8  4        length of the body, 1 to 1048576
//!            12  1        codec of the body: 0 = as it is, 1 = LZ4 block, 2 = Zstandard frame
//!            13  3        flags: 0
//!            16 32        BLAKE3 of the plaintext
//!            48           body
//!
//! index   at  0  4 bytes  "IDX1"
//!             4  4        number of frames
//!             8 48 each   8 offset of the frame in the pack, 4 length of the stored frame,
//!                         4 length of the plaintext, 32 BLAKE3 of the plaintext
//!
//! trailer at  0  8 bytes  offset of the index in the pack
//!             8  8        length of the pack, trailer included
//!            16 32        BLAKE3 of all bytes of the pack before this field
//!            48  8        "PLANCEND"
//! ```
//!
//! In a sealed pack each frame (header and body) and the index are ciphertext with a tag of 16
//! bytes behind it ([`super::keys::aead`]); offsets and lengths of stored frames are those of
//! ciphertext and tag.
//!
//! Frames are independent: each is decoded without the others. What does not shrink is stored as
//! it is. Nothing in a pack depends on time, place or the number of threads, so equal content
//! gives equal packs. An LZ4 block has no size before it; a Zstandard frame has its content size
//! in its header, no checksum, and needs no dictionary.
//!
//! # Names
//! The name of a pack is `packs/<first 2 hex digits>/<64 hex digits>` of the BLAKE3 of all its
//! bytes, trailer included; the manifest says it, the same on every device. When a device holds a
//! damaged object under that name, the pack stands there as `<name>.1`; when that is damaged too,
//! as `<name>.2`, and so on without a gap up to `<name>.99`. A reader takes the object with the
//! highest number; nothing that was written is ever overwritten.
//!
//! # Reading
//! A reader of parts needs the frames only: the manifest says where each lies, how long it is and
//! what hash its plaintext has ([`super::sealed`], [`super::manifest`]). The index repeats that
//! for those who hold a pack alone. To check a pack: its length and the hash of all its bytes are
//! those of the manifest, or, without one, those of its trailer and name.

use super::frame::{FRAME, STORED};
use super::keys::aead::{PackKey, Piece, TAG};
use super::keys::{KeyError, Seal};
use super::manifest::FrameRef;

/// Length of a pack's header.
pub const HEADER: usize = 64;

/// Length of a pack's trailer.
pub const TRAILER: usize = 56;

/// Length of the index before its entries.
pub const INDEX: usize = 8;

/// Length of an entry of the index.
pub const INDEX_ENTRY: usize = 48;

/// A pack is closed before it grows longer than this.
pub const ROLL: u64 = 1 << 30;

const BEGIN: &[u8; 8] = b"PLANCPAK";
const END: &[u8; 8] = b"PLANCEND";
const VERSION: u16 = 1;

/// The header of every pack of this version that is not encrypted.
#[must_use]
pub fn header() -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(BEGIN);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10] = 64;
    bytes[40..44].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    bytes
}

/// The header of a sealed pack, envelope included.
fn sealed_header(envelope: &[u8], number: u64, first: u64) -> Vec<u8> {
    let mut bytes = header().to_vec();
    bytes[12] = 1;
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    bytes[24..32].copy_from_slice(&first.to_le_bytes());
    bytes[44..48].copy_from_slice(&(envelope.len() as u64).to_le_bytes()[..4]);
    bytes.extend_from_slice(envelope);
    bytes
}

/// How many frames every sealed pack holds at most: as many as surely fit into `limit` bytes. A
/// frame's pack must be known before it is compressed, since it is sealed for its pack.
#[must_use]
pub fn frames_in_sealed(envelope: usize, limit: u64) -> u64 {
    let fixed = (HEADER + envelope + INDEX + TAG + TRAILER) as u64;
    let each = (STORED + TAG + INDEX_ENTRY) as u64;
    (limit.saturating_sub(fixed) / each).max(1)
}

/// Lays out a pack: takes frames in order, knows where each lies, and closes the pack.
pub struct PackLayout {
    hash: blake3::Hasher,
    length: u64,
    index: Vec<u8>,
    frames: u32,
    limit: u64,
    head: Vec<u8>,
    key: Option<PackKey>,
}

/// A closed pack.
pub struct ClosedPack {
    /// Index and trailer: the bytes after the last frame.
    pub tail: Vec<u8>,
    /// Length of the pack.
    pub length: u64,
    /// BLAKE3 of all its bytes.
    pub hash: blake3::Hash,
}

impl PackLayout {
    /// Begins a pack that is to be closed before it grows longer than `limit`.
    #[must_use]
    pub fn begin(limit: u64) -> Self {
        Self::with_head(limit, header().to_vec(), None)
    }

    /// Begins the sealed pack `number` of a part, whose first frame has the number `first`.
    ///
    /// # Errors
    /// When the cipher refuses the key.
    pub fn begin_sealed(
        limit: u64,
        seal: &Seal,
        number: u64,
        first: u64,
    ) -> Result<Self, KeyError> {
        let head = sealed_header(seal.envelope(), number, first);
        Ok(Self::with_head(limit, head, Some(seal.pack(number)?)))
    }

    fn with_head(limit: u64, head: Vec<u8>, key: Option<PackKey>) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(&head);
        Self {
            hash,
            length: head.len() as u64,
            index: Vec::new(),
            frames: 0,
            limit,
            head,
            key,
        }
    }

    /// The bytes before the first frame.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether a frame of this stored length still has its place; the first always has.
    #[must_use]
    pub fn takes(&self, stored: usize) -> bool {
        let tail = INDEX + self.index.len() + INDEX_ENTRY + TRAILER;
        self.frames == 0 || self.length + (stored + tail) as u64 <= self.limit
    }

    /// Adds a stored frame; returns its offset.
    pub fn add(&mut self, stored: &[u8], plain: u32, hash: &blake3::Hash) -> u64 {
        let offset = self.length;
        self.hash.update(stored);
        self.length += stored.len() as u64;
        self.enter(offset, stored.len() as u64, plain, hash.as_bytes());
        offset
    }

    fn enter(&mut self, offset: u64, stored: u64, plain: u32, hash: &[u8; 32]) {
        self.index.extend_from_slice(&offset.to_le_bytes());
        self.index.extend_from_slice(&stored.to_le_bytes()[..4]);
        self.index.extend_from_slice(&plain.to_le_bytes());
        self.index.extend_from_slice(hash);
        self.frames += 1;
    }

    /// Closes the pack.
    ///
    /// # Errors
    /// When the cipher fails.
    pub fn close(mut self) -> Result<ClosedPack, KeyError> {
        let index_at = self.length;
        let mut tail = Vec::with_capacity(INDEX + self.index.len() + TAG + TRAILER);
        tail.extend_from_slice(b"IDX1");
        tail.extend_from_slice(&self.frames.to_le_bytes());
        tail.extend_from_slice(&self.index);
        if let Some(key) = &self.key {
            let mut sealed = vec![0; tail.len() + TAG];
            key.seal(Piece::Index, &tail, &mut sealed)?;
            tail = sealed;
        }
        let length = index_at + (tail.len() + TRAILER) as u64;
        tail.extend_from_slice(&index_at.to_le_bytes());
        tail.extend_from_slice(&length.to_le_bytes());
        self.hash.update(&tail);
        let mut end = [0; 40];
        end[..32].copy_from_slice(self.hash.finalize().as_bytes());
        end[32..].copy_from_slice(END);
        self.hash.update(&end);
        tail.extend_from_slice(&end);
        Ok(ClosedPack {
            tail,
            length,
            hash: self.hash.finalize(),
        })
    }
}

/// Where the first frame of each pack of a part lies.
#[must_use]
pub fn begin(seal: Option<&Seal>) -> u64 {
    (HEADER + seal.map_or(0, |seal| seal.envelope().len())) as u64
}

/// Checks that a manifest's frames lie in their pack as this layout says: one after the other from
/// the header on, within bounds; `seal` is that of a sealed part. Returns the offset of the index.
///
/// # Errors
/// How it shows that the places are wrong.
pub fn check_places(
    frames: &[FrameRef],
    pack_length: u64,
    seal: Option<&Seal>,
) -> Result<u64, String> {
    let tag = if seal.is_some() { TAG } else { 0 };
    let mut at = begin(seal);
    for frame in frames {
        let fits = frame.stored as usize <= STORED + tag && frame.plain as usize <= FRAME;
        if frame.offset != at || !fits || frame.stored == 0 || frame.plain == 0 {
            return Err(format!(
                "the manifest places a frame wrongly at {}",
                frame.offset
            ));
        }
        at += u64::from(frame.stored);
    }
    let tail = INDEX + tag + TRAILER + frames.len() * INDEX_ENTRY;
    if at + tail as u64 == pack_length {
        Ok(at)
    } else {
        Err("the manifest's frames do not fill the pack".into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_what_the_documentation_says() {
        let mut pack = PackLayout::begin(ROLL);
        let mut bytes = header().to_vec();
        let hash = blake3::hash(b"x");
        assert_eq!(pack.add(&[9; 60], 12, &hash), 64);
        bytes.extend_from_slice(&[9; 60]);
        let closed = pack.close().unwrap();
        bytes.extend_from_slice(&closed.tail);
        assert_eq!(bytes.len() as u64, closed.length);
        assert_eq!(blake3::hash(&bytes), closed.hash);
        assert_eq!(&bytes[bytes.len() - 8..], END);
        let trailer = bytes.len() - TRAILER;
        assert_eq!(bytes[trailer..trailer + 8], 124_u64.to_le_bytes());
        let sum = blake3::hash(&bytes[..trailer + 16]);
        assert_eq!(&bytes[trailer + 16..trailer + 48], sum.as_bytes());
        assert_eq!(&bytes[124..132], b"IDX1\x01\0\0\0");
        assert_eq!(&bytes[132..140], &64_u64.to_le_bytes());
    }

    #[test]
    fn a_pack_is_closed_before_its_limit() {
        let mut pack = PackLayout::begin(300);
        assert!(pack.takes(5000), "the first frame always has its place");
        let hash = blake3::hash(b"x");
        pack.add(&[0; 50], 1, &hash);
        assert!(pack.takes(20));
        assert!(!pack.takes(50));
    }
}
