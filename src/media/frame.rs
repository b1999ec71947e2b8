//! Owns one frame: up to 1 MiB of content, compressed by itself and sealed by the hash of its
//! plaintext. Must not know packs or devices. Layout: see [`super::pack`].

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use super::squeeze::Squeezer;
use crate::resolve::plan::Codec;

/// Most plaintext a frame holds. Windows of files (see [`super::content`]) have the same length.
pub const FRAME: usize = 1 << 20;

/// Length of a frame's header.
pub const HEADER: usize = 48;

/// Longest stored frame: content that does not shrink is stored as it is.
pub const STORED: usize = HEADER + FRAME;

const MAGIC: [u8; 4] = *b"FRM1";

/// Number of a codec on media.
pub(crate) fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::None => 0,
        Codec::Lz4 => 1,
        Codec::Zstd(_) => 2,
    }
}

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the plaintext.
    pub plain: usize,
    /// Length of the bytes that follow the header.
    pub body: usize,
    /// Number of the codec.
    pub codec: u8,
    /// BLAKE3 of the plaintext.
    pub hash: [u8; 32],
}

impl FrameHeader {
    /// Reads a header; `bytes` may be longer.
    ///
    /// # Errors
    /// How it shows that this is no header of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return Err("the frame's header is cut off".into());
        };
        if header[..4] != MAGIC {
            return Err("no frame begins here".into());
        }
        if header[13..16] != [0; 3] {
            return Err("the frame has flags that this version does not know".into());
        }
        let frame = Self {
            plain: length(header, 4),
            body: length(header, 8),
            codec: header[12],
            hash: hash(header),
        };
        if frame.plain == 0 || frame.plain > FRAME || frame.body == 0 || frame.body > FRAME {
            return Err("the frame's lengths are out of bounds".into());
        }
        Ok(frame)
    }

    fn write(&self, to: &mut [u8]) {
        to[..4].copy_from_slice(&MAGIC);
        to[4..8].copy_from_slice(&low32(self.plain).to_le_bytes());
        to[8..12].copy_from_slice(&low32(self.body).to_le_bytes());
        to[12] = self.codec;
        to[13..16].fill(0);
        to[16..48].copy_from_slice(&self.hash);
    }
}

/// Lengths of frames fit by construction.
fn low32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn length(header: &[u8; HEADER], at: usize) -> usize {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[at..at + 4]);
    u32::from_le_bytes(bytes) as usize
}

fn hash(header: &[u8; HEADER]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&header[16..48]);
    bytes
}

/// Encodes frames; one value a thread, so that contexts are made once.
pub struct FrameEncoder {
    codec: Codec,
    zstd: Option<Squeezer>,
    decoder: FrameDecoder,
    proof: Vec<u8>,
}

impl FrameEncoder {
    /// Prepares a codec.
    ///
    /// # Errors
    /// When the library refuses the level.
    pub fn new(codec: Codec) -> std::io::Result<Self> {
        let zstd = match codec {
            Codec::Zstd(level) => Some(Squeezer::new(level)?),
            Codec::None | Codec::Lz4 => None,
        };
        Ok(Self {
            codec,
            zstd,
            decoder: FrameDecoder::new()?,
            proof: Vec::new(),
        })
    }

    /// Puts the frame of `plain` at the beginning of `stored` and decodes it again to prove that
    /// it can be read (R14). Returns the hash of the plaintext and the length of the frame.
    /// `stored` keeps its largest length, so that a buffer used again is not cleared again.
    ///
    /// # Errors
    /// When the codec fails or does not give back what went in.
    pub fn encode(
        &mut self,
        plain: &[u8],
        stored: &mut Vec<u8>,
    ) -> Result<(blake3::Hash, usize), String> {
        let hash = blake3::hash(plain);
        let most = HEADER + zstd_safe::compress_bound(plain.len()).max(lz4_bound(plain.len()));
        if stored.len() < most {
            // fresh zeros take no memory before they are written
            *stored = vec![0; most];
        }
        let (codec, body) = self.compress(plain, &mut stored[HEADER..])?;
        let header = FrameHeader {
            plain: plain.len(),
            body,
            codec,
            hash: *hash.as_bytes(),
        };
        header.write(&mut stored[..HEADER]);
        self.prove(plain, &header, &stored[HEADER..HEADER + body])?;
        Ok((hash, HEADER + body))
    }

    /// Compresses, or copies what does not shrink; returns codec and length.
    fn compress(&mut self, plain: &[u8], body: &mut [u8]) -> Result<(u8, usize), String> {
        let length = match (&self.codec, &mut self.zstd) {
            (Codec::Lz4, _) => lz4_flex::block::compress_into(plain, body)
                .map_err(|cause| format!("lz4 failed: {cause}"))?,
            (Codec::Zstd(_), Some(zstd)) => zstd
                .squeeze(plain, body)
                .map_err(|cause| format!("zstd failed: {cause}"))?,
            _ => plain.len(),
        };
        if length < plain.len() {
            return Ok((codec_number(self.codec), length));
        }
        body[..plain.len()].copy_from_slice(plain);
        Ok((0, plain.len()))
    }

    fn prove(&mut self, plain: &[u8], header: &FrameHeader, body: &[u8]) -> Result<(), String> {
        if header.codec == 0 {
            return if body == plain {
                Ok(())
            } else {
                Err("a stored frame is not its content".into())
            };
        }
        self.decoder.inflate(header, body, &mut self.proof)?;
        if self.proof == plain {
            Ok(())
        } else {
            Err("a compressed frame does not give back its content".into())
        }
    }
}

fn lz4_bound(length: usize) -> usize {
    lz4_flex::block::get_maximum_output_size(length)
}

/// Decodes frames; one value a thread.
pub struct FrameDecoder {
    zstd: Decompressor<'static>,
}

impl FrameDecoder {
    /// Prepares the codecs.
    ///
    /// # Errors
    /// When the library has no memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: Decompressor::new()?,
        })
    }

    /// Decodes a stored frame, header included, and compares its hash.
    ///
    /// # Errors
    /// How the damage shows; `plain` is then not to be used.
    pub fn decode(&mut self, stored: &[u8], plain: &mut Vec<u8>) -> Result<FrameHeader, String> {
        let header = FrameHeader::parse(stored)?;
        let body = &stored[HEADER..];
        if body.len() != header.body {
            return Err("the frame's length is not what its header says".into());
        }
        self.inflate(&header, body, plain)?;
        if blake3::hash(plain).as_bytes() == &header.hash {
            Ok(header)
        } else {
            Err("the frame's content does not have its hash".into())
        }
    }

    fn inflate(
        &mut self,
        frame: &FrameHeader,
        body: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), String> {
        plain.resize(frame.plain, 0);
        let length = match frame.codec {
            0 if body.len() == plain.len() => {
                plain.copy_from_slice(body);
                body.len()
            }
            1 => lz4_flex::block::decompress_into(body, plain)
                .map_err(|cause| format!("lz4 refuses it: {cause}"))?,
            // decodes straight into `plain`, so no window is ever allocated
            2 => self
                .zstd
                .decompress_to_buffer(body, plain.as_mut_slice())
                .map_err(|cause| format!("zstd refuses it: {cause}"))?,
            _ => return Err("the frame's codec is unknown".into()),
        };
        if length == frame.plain {
            Ok(())
        } else {
            Err("the frame's content is shorter than its header says".into())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn encode(codec: Codec, plain: &[u8]) -> Vec<u8> {
        let mut stored = Vec::new();
        let mut encoder = FrameEncoder::new(codec).unwrap();
        let (_, length) = encoder.encode(plain, &mut stored).unwrap();
        stored.truncate(length);
        stored
    }

    #[test]
    fn every_codec_gives_back_what_went_in() {
        let text = b"planc ".repeat(10_000);
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd(1), Codec::Zstd(19)] {
            let stored = encode(codec, &text);
            let mut plain = Vec::new();
            let header = FrameDecoder::new().unwrap().decode(&stored, &mut plain);
            assert_eq!(plain, text);
            assert_eq!(header.unwrap().codec, codec_number(codec));
        }
    }

    #[test]
    fn content_that_does_not_shrink_is_stored_as_it_is() {
        let noise: Vec<u8> = (0..2000_u32)
            .flat_map(|seed| *blake3::hash(&seed.to_le_bytes()).as_bytes())
            .collect();
        let stored = encode(Codec::Zstd(3), &noise);
        assert_eq!(stored.len(), HEADER + noise.len());
        assert_eq!(FrameHeader::parse(&stored).unwrap().codec, 0);
    }

    #[test]
    fn a_lying_length_allocates_nothing() {
        let mut stored = encode(Codec::Zstd(3), &[7; 5000]);
        stored[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut plain = Vec::new();
        assert!(
            FrameDecoder::new()
                .unwrap()
                .decode(&stored, &mut plain)
                .is_err()
        );
        assert_eq!(plain.capacity(), 0);
    }

    #[test]
    fn a_frame_never_gives_more_than_its_header_says() {
        for codec in [Codec::Lz4, Codec::Zstd(3)] {
            let mut stored = encode(codec, &vec![7; 500_000]);
            stored[4..8].copy_from_slice(&600_u32.to_le_bytes());
            let mut plain = Vec::new();
            let answer = FrameDecoder::new().unwrap().decode(&stored, &mut plain);
            assert!(answer.is_err());
            assert!(plain.capacity() < 500_000);
        }
    }
}
