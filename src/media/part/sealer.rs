//! Owns sealing of frames on their way out, by the thread that compressed them: each is opened
//! again and compared before anybody stores it (R14).

use crate::media::keys::aead::{PackKey, Piece, TAG};
use crate::media::keys::{KeyError, Seal};

/// How a part is sealed.
#[derive(Debug, Clone)]
pub(super) struct PartSeal {
    /// Its seal.
    pub(super) seal: Seal,
    /// Frames in each of its packs.
    pub(super) frames: u64,
}

impl PartSeal {
    /// The pack that a frame belongs to.
    pub(super) fn pack_of(&self, frame: u64) -> u64 {
        frame / self.frames
    }
}

/// One thread's cipher and buffers.
pub(super) struct Sealer {
    part: PartSeal,
    key: Option<(u64, PackKey)>,
    sealed: Vec<u8>,
    proof: Vec<u8>,
}

impl Sealer {
    /// Seals for a part.
    pub(super) fn new(part: PartSeal) -> Self {
        Self {
            part,
            key: None,
            sealed: Vec::new(),
            proof: Vec::new(),
        }
    }

    /// Seals the first `length` bytes of `stored`, the frame with this number; returns the new
    /// length. The buffers are exchanged, not copied.
    pub(super) fn seal(
        &mut self,
        number: u64,
        stored: &mut Vec<u8>,
        length: usize,
    ) -> Result<usize, String> {
        let sealed = self.exchange(number, stored, length);
        sealed.map_err(|cause| cause.to_string())
    }

    fn exchange(
        &mut self,
        number: u64,
        stored: &mut Vec<u8>,
        length: usize,
    ) -> Result<usize, KeyError> {
        self.turn_to(self.part.pack_of(number))?;
        let Some((_, key)) = &self.key else {
            return Err(KeyError::Failed("no pack is open".into()));
        };
        let piece = Piece::Frame(number);
        if self.sealed.len() < length + TAG {
            self.sealed.resize(stored.len().max(length) + TAG, 0);
        }
        if self.proof.len() < length {
            self.proof.resize(stored.len(), 0);
        }
        key.seal(piece, &stored[..length], &mut self.sealed[..length + TAG])?;
        key.open(
            piece,
            &self.sealed[..length + TAG],
            &mut self.proof[..length],
        )?;
        if self.proof[..length] != stored[..length] {
            let detail = "a sealed frame does not give back its content";
            return Err(KeyError::Failed(detail.into()));
        }
        std::mem::swap(&mut self.sealed, stored);
        Ok(length + TAG)
    }

    fn turn_to(&mut self, pack: u64) -> Result<(), KeyError> {
        if self.key.as_ref().is_none_or(|(open, _)| *open != pack) {
            self.key = Some((pack, self.part.seal.pack(pack)?));
        }
        Ok(())
    }
}
