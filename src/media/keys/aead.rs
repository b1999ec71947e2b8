//! Owns the cipher of frames and indexes: AES-256-GCM under the key of one pack, nonce and
//! associated data from the place. Must not know layouts.
//!
//! ```text
//! nonce            1 byte of kind (0 frame, 1 index), 3 zeros, 8 bytes of position
//! associated data  "PLANCPAK", "FRM1" or "IDX1", 8 bytes number of the pack in its part, 8 bytes
//!                  position, 32 bytes bound (set and run, see [`super`])
//! ```
//!
//! The position of a frame is its number in the part, counted from 0 over all packs; that of an
//! index is 0. Numbers are little-endian.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::KeyError;

/// Length of a tag, which follows each ciphertext.
pub const TAG: usize = 16;

/// The key of one pack.
pub struct PackKey {
    key: LessSafeKey,
    pack: u64,
    bound: [u8; 32],
}

/// What is sealed at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// A frame, by its number in the part.
    Frame(u64),
    /// The index of the pack.
    Index,
}

impl Piece {
    fn place(self) -> (u8, &'static [u8; 4], u64) {
        match self {
            Self::Frame(number) => (0, b"FRM1", number),
            Self::Index => (1, b"IDX1", 0),
        }
    }

    fn nonce(self) -> Nonce {
        let (kind, _, position) = self.place();
        let mut nonce = [0; 12];
        nonce[0] = kind;
        nonce[4..].copy_from_slice(&position.to_le_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A cipher with this key.
pub(super) fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, KeyError> {
    let key = UnboundKey::new(&AES_256_GCM, key);
    let key = key.map_err(|_| KeyError::Failed("the key was refused".into()))?;
    Ok(LessSafeKey::new(key))
}

impl PackKey {
    pub(super) fn new(key: &[u8; 32], pack: u64, bound: [u8; 32]) -> Result<Self, KeyError> {
        let key = cipher(key)?;
        Ok(Self { key, pack, bound })
    }

    fn context(&self, piece: Piece) -> [u8; 60] {
        let (_, kind, position) = piece.place();
        let mut context = [0; 60];
        context[..8].copy_from_slice(b"PLANCPAK");
        context[8..12].copy_from_slice(kind);
        context[12..20].copy_from_slice(&self.pack.to_le_bytes());
        context[20..28].copy_from_slice(&position.to_le_bytes());
        context[28..].copy_from_slice(&self.bound);
        context
    }

    /// Seals `plain` into `sealed`, which is longer by [`TAG`].
    ///
    /// # Errors
    /// When the cipher fails or the lengths do not fit.
    pub fn seal(&self, piece: Piece, plain: &[u8], sealed: &mut [u8]) -> Result<(), KeyError> {
        let failed = || KeyError::Failed("the cipher refused its input".into());
        let (body, tag) = sealed
            .split_at_mut_checked(plain.len())
            .ok_or_else(failed)?;
        let context = Aad::from(self.context(piece));
        let done =
            self.key
                .seal_out_of_place_scatter(piece.nonce(), context, plain, body, &[], tag);
        done.map_err(|_| failed())
    }

    /// Opens `sealed` into `plain`, which is shorter by [`TAG`].
    ///
    /// # Errors
    /// When the bytes are not what was sealed at this place.
    pub fn open(&self, piece: Piece, sealed: &[u8], plain: &mut [u8]) -> Result<(), KeyError> {
        let wrong = || KeyError::Damaged("its seal is broken".into());
        let at = sealed.len().checked_sub(TAG).ok_or_else(wrong)?;
        let (body, tag) = sealed.split_at(at);
        if plain.len() != at {
            return Err(wrong());
        }
        let context = Aad::from(self.context(piece));
        let done = self
            .key
            .open_separate_gather(piece.nonce(), context, body, tag, plain);
        done.map_err(|_| wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_piece_opens_at_its_own_place_only() {
        let key = |pack, bound| PackKey::new(&[7; 32], pack, [bound; 32]).unwrap();
        let mut sealed = vec![0; 5 + TAG];
        key(3, 1)
            .seal(Piece::Frame(9), b"bytes", &mut sealed)
            .unwrap();
        let mut plain = [0; 5];
        key(3, 1)
            .open(Piece::Frame(9), &sealed, &mut plain)
            .unwrap();
        assert_eq!(&plain, b"bytes");
        for (pack, bound, piece) in [
            (2, 1, Piece::Frame(9)),
            (3, 2, Piece::Frame(9)),
            (3, 1, Piece::Frame(8)),
            (3, 1, Piece::Index),
        ] {
            let answer = key(pack, bound).open(piece, &sealed, &mut plain);
            assert!(answer.is_err(), "{pack} {bound} {piece:?}");
        }
        assert!(
            key(3, 1)
                .open(Piece::Frame(9), &sealed[..3], &mut plain)
                .is_err()
        );
        assert!(key(3, 1).seal(Piece::Index, b"bytes", &mut [0; 3]).is_err());
    }
}
