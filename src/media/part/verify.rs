//! Owns verification of a part on one device: every byte of every object is read and compared.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Progress;
use super::commit::load;
use super::decode::{Batch, Decoders, Frame, FrameSource};
use super::restore::Files;
use crate::engine::EngineError;
use crate::media::manifest::Manifest;
use crate::media::{Device, DeviceError, name};

/// Plaintext that is read at a time.
const BATCH: u64 = 8 << 20;

/// Reads all of a part back from one device and compares every hash; returns bytes read.
///
/// # Errors
/// The first damage found.
pub fn verify(part: &str, device: &dyn Device, progress: Progress<'_>) -> Result<u64, DeviceError> {
    let manifest = load(device, part)?;
    let object = name::manifest(part);
    let packs = Packs::start(&manifest, device).map_err(|cause| DeviceError::Io {
        device: device.name().to_owned(),
        action: "start to verify",
        object: object.clone(),
        cause,
    })?;
    let mut files = Files::new(&manifest, packs, progress);
    for file in &manifest.entries {
        let read = files.read(file, &mut |_, _| Ok(()));
        read.map_err(|error| as_damage(error, device, &object))?;
    }
    // frames that no file uses are part of their pack's hash
    while files.source.next_frame()?.is_some() {}
    Ok(files.source.read + device.size(&object)?)
}

fn as_damage(error: EngineError, device: &dyn Device, object: &str) -> DeviceError {
    match error {
        EngineError::Sink(error) => error,
        other => DeviceError::Damaged {
            device: device.name().to_owned(),
            object: object.to_owned(),
            detail: other.to_string(),
        },
    }
}

/// Reads packs whole, from the first byte to the last, and gives their frames.
struct Packs<'a> {
    manifest: &'a Manifest,
    device: &'a dyn Device,
    decoders: Decoders,
    batches: std::vec::IntoIter<Batch>,
    ready: std::vec::IntoIter<Frame>,
    /// The pack that is being read; its hash so far, and how far it was read.
    pack: Option<(usize, blake3::Hasher, u64)>,
    read: u64,
}

impl<'a> Packs<'a> {
    fn start(manifest: &'a Manifest, device: &'a dyn Device) -> std::io::Result<Self> {
        let frames = &manifest.frames;
        Ok(Self {
            manifest,
            device,
            decoders: Decoders::start()?,
            batches: Batch::cut(frames, 0..frames.len(), BATCH).into_iter(),
            ready: Vec::new().into_iter(),
            pack: None,
            read: 0,
        })
    }

    /// Makes `pack` the one that is being read; the one before is read to its end.
    fn turn_to(&mut self, pack: usize) -> Result<(), DeviceError> {
        if self.pack.as_ref().is_some_and(|(open, _, _)| *open == pack) {
            return Ok(());
        }
        self.end_pack()?;
        let expected = &self.manifest.packs[pack];
        let size = self.device.size(&expected.name)?;
        if size != expected.length {
            let detail = format!("it has {size} bytes instead of {}", expected.length);
            return Err(self.damaged(pack, detail));
        }
        let mut hash = blake3::Hasher::new();
        let header = self.get(pack, 0..crate::media::pack::HEADER as u64)?;
        hash.update(&header);
        self.pack = Some((pack, hash, header.len() as u64));
        Ok(())
    }

    fn end_pack(&mut self) -> Result<(), DeviceError> {
        let Some((pack, mut hash, at)) = self.pack.take() else {
            return Ok(());
        };
        let expected = &self.manifest.packs[pack];
        hash.update(&self.get(pack, at..expected.length)?);
        if hash.finalize().to_hex().as_str() == expected.hash {
            Ok(())
        } else {
            Err(self.damaged(pack, "its bytes do not have its hash".into()))
        }
    }

    fn get(&mut self, pack: usize, range: std::ops::Range<u64>) -> Result<Vec<u8>, DeviceError> {
        let bytes = self
            .device
            .get(&self.manifest.packs[pack].name, Some(range))?;
        self.read += bytes.len() as u64;
        Ok(bytes)
    }

    fn damaged(&self, pack: usize, detail: String) -> DeviceError {
        DeviceError::Damaged {
            device: self.device.name().to_owned(),
            object: self.manifest.packs[pack].name.clone(),
            detail,
        }
    }

    /// Reads, hashes and decodes a range.
    fn load(&mut self, batch: Batch) -> Result<Vec<Frame>, DeviceError> {
        let manifest = self.manifest;
        let frames = &manifest.frames;
        let pack = frames[batch.first].pack as usize;
        self.turn_to(pack)?;
        let range = batch.bytes(frames);
        let bytes = self.get(pack, range.clone())?;
        let (decoders, device) = (&self.decoders, self.device.name());
        let decode = |number: usize| {
            let stored = bytes.get(batch.inside(frames, number)).unwrap_or_default();
            let plain = decoders.decode(manifest, number, stored, device)?;
            Ok(Frame {
                number,
                plain,
                stored: Vec::new(),
            })
        };
        let Some((_, hash, at)) = &mut self.pack else {
            return Ok(Vec::new());
        };
        *at = range.end;
        let all = batch.first..batch.end;
        let (_, decoded) = decoders.pool.install(|| {
            rayon::join(
                || hash.update(&bytes),
                || all.into_par_iter().map(decode).collect(),
            )
        });
        decoded
    }
}

impl FrameSource for Packs<'_> {
    fn next_frame(&mut self) -> Result<Option<Frame>, DeviceError> {
        loop {
            if let Some(frame) = self.ready.next() {
                return Ok(Some(frame));
            }
            let Some(batch) = self.batches.next() else {
                self.end_pack()?;
                return Ok(None);
            };
            self.ready = self.load(batch)?.into_iter();
        }
    }
}
