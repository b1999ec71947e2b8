//! Owns decoding of frames on all cores and their comparison with the manifest.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cores;
use crate::media::DeviceError;
use crate::media::frame::{FrameDecoder, FrameHeader};
use crate::media::keys::Seal;
use crate::media::keys::aead::{Piece, TAG};
use crate::media::manifest::{FrameRef, Manifest};

/// A verified frame.
pub(super) struct Frame {
    /// Its index in the manifest.
    pub(super) number: usize,
    /// Its content.
    pub(super) plain: Vec<u8>,
    /// As it is stored; kept only for those who ask for it.
    pub(super) stored: Vec<u8>,
}

/// Gives frames in the order of the stream.
pub(super) trait FrameSource {
    /// The next frame; none at the end.
    fn next_frame(&mut self) -> Result<Option<Frame>, DeviceError>;
}

/// A pool of its own with a decoder a thread.
pub(super) struct Decoders {
    pub(super) pool: ThreadPool,
    contexts: Vec<Mutex<Context>>,
}

/// What one thread works with.
struct Context {
    frames: FrameDecoder,
    opened: Vec<u8>,
}

impl Context {
    /// Opens a sealed frame into this thread's buffer.
    fn unseal(
        &mut self,
        seal: &Seal,
        frame: &FrameRef,
        number: usize,
        stored: &[u8],
    ) -> Result<(), String> {
        self.opened.resize(stored.len().saturating_sub(TAG), 0);
        let key = seal.pack(u64::from(frame.pack));
        let piece = Piece::Frame(number as u64);
        let opened = key.and_then(|key| key.open(piece, stored, &mut self.opened));
        opened.map_err(|cause| cause.to_string())
    }

    fn decode(
        &mut self,
        manifest: &Manifest,
        number: usize,
        stored: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<FrameHeader, String> {
        let Some(seal) = &manifest.seal else {
            return self.frames.decode(stored, plain);
        };
        self.unseal(seal, &manifest.frames[number], number, stored)?;
        self.frames.decode(&self.opened, plain)
    }
}

impl Decoders {
    /// As many as there are cores.
    pub(super) fn start() -> std::io::Result<Self> {
        let contexts: std::io::Result<Vec<_>> = (0..cores())
            .map(|_| {
                Ok(Mutex::new(Context {
                    frames: FrameDecoder::new()?,
                    opened: Vec::new(),
                }))
            })
            .collect();
        let pool = ThreadPoolBuilder::new()
            .num_threads(cores())
            .thread_name(|index| format!("decode-{index}"))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self {
            pool,
            contexts: contexts?,
        })
    }

    /// Decodes a stored frame on this thread and compares it with the manifest.
    pub(super) fn decode(
        &self,
        manifest: &Manifest,
        number: usize,
        stored: &[u8],
        device: &str,
    ) -> Result<Vec<u8>, DeviceError> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.contexts.len();
        let mut context = self.contexts[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let frame = &manifest.frames[number];
        let mut plain = Vec::new();
        let problem = match context.decode(manifest, number, stored, &mut plain) {
            Ok(header) if same(&header, frame) => return Ok(plain),
            Ok(_) => "it holds another frame than the manifest says".to_owned(),
            Err(problem) => problem,
        };
        Err(DeviceError::Damaged {
            device: device.to_owned(),
            object: manifest.packs[frame.pack as usize].name.clone(),
            detail: format!("frame at {}: {problem}", frame.offset),
        })
    }
}

fn same(header: &FrameHeader, frame: &FrameRef) -> bool {
    header.plain == frame.plain as usize && frame.hash == header.hash
}

/// Consecutive frames of one pack: from the first to before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) first: usize,
    pub(super) end: usize,
}

impl Batch {
    /// Cuts the frames of these numbers, which rise, into ranges of about `most` bytes of
    /// plaintext, but at least one frame; a range never leaves its pack.
    pub(super) fn cut(
        frames: &[FrameRef],
        numbers: impl IntoIterator<Item = usize>,
        most: u64,
    ) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        let mut plain = 0;
        for number in numbers {
            let frame = &frames[number];
            plain += u64::from(frame.plain);
            match batches.last_mut() {
                Some(batch)
                    if plain <= most
                        && batch.end == number
                        && frames[batch.first].pack == frame.pack =>
                {
                    batch.end = number + 1;
                }
                _ => {
                    plain = u64::from(frame.plain);
                    batches.push(Self {
                        first: number,
                        end: number + 1,
                    });
                }
            }
        }
        batches
    }

    /// Where its bytes lie in the pack.
    pub(super) fn bytes(self, frames: &[FrameRef]) -> std::ops::Range<u64> {
        let last = &frames[self.end - 1];
        frames[self.first].offset..last.offset + u64::from(last.stored)
    }

    /// Where the bytes of one of its frames lie in the bytes of the batch.
    pub(super) fn inside(self, frames: &[FrameRef], number: usize) -> std::ops::Range<usize> {
        // `Manifest::check` has put the frames of a pack one after the other
        let at = frames[number].offset - frames[self.first].offset;
        let at = usize::try_from(at).unwrap_or(usize::MAX / 2);
        at..at + frames[number].stored as usize
    }
}
