//! Owns verification of a part on one device: every byte of every object is read and compared.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Progress;
use super::commit::load;
use super::decode::{Batch, Decoders, Frame, FrameSource};
use super::object;
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

/// Whether all objects of a part are there in full length, without reading their content; returns
/// the bytes that would have to be read.
///
/// # Errors
/// The first object that is missing or has another length.
pub fn exists(part: &str, device: &dyn Device) -> Result<u64, DeviceError> {
    let manifest = load(device, part)?;
    whole(&manifest, device)?;
    Ok(manifest.packs.iter().map(|pack| pack.length).sum())
}

/// Fails unless all packs of a manifest are there in full length.
///
/// # Errors
/// As [`exists`].
pub fn whole(manifest: &Manifest, device: &dyn Device) -> Result<(), DeviceError> {
    for pack in &manifest.packs {
        // a replacement, which there seldom is, is looked for only when it is missed
        let size = device.size(&pack.name);
        if size.is_ok_and(|size| size == pack.length) {
            continue;
        }
        let object = object::find(device, &pack.name)?;
        let size = device.size(&object)?;
        if size != pack.length {
            return Err(DeviceError::Damaged {
                device: device.name().to_owned(),
                object,
                detail: format!("it has {size} bytes instead of {}", pack.length),
            });
        }
    }
    Ok(())
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
    open: Option<OpenPack>,
    read: u64,
}

/// The pack that is being read.
struct OpenPack {
    /// Index into the manifest's packs.
    number: usize,
    /// The object that holds it.
    object: String,
    /// Hash of what was read.
    hash: blake3::Hasher,
    /// How far it was read.
    at: u64,
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
            open: None,
            read: 0,
        })
    }

    /// Makes pack `number` the one that is being read; the one before is read to its end.
    fn turn_to(&mut self, number: usize) -> Result<(), DeviceError> {
        if self.open.as_ref().is_some_and(|pack| pack.number == number) {
            return Ok(());
        }
        self.end_pack()?;
        let expected = &self.manifest.packs[number];
        let mut pack = OpenPack {
            number,
            object: object::find(self.device, &expected.name)?,
            hash: blake3::Hasher::new(),
            at: 0,
        };
        let size = self.device.size(&pack.object)?;
        if size != expected.length {
            let detail = format!("it has {size} bytes instead of {}", expected.length);
            return Err(self.damaged(&pack, detail));
        }
        self.take(
            &mut pack,
            crate::media::pack::begin(self.manifest.seal.as_ref()),
        )?;
        self.open = Some(pack);
        Ok(())
    }

    fn end_pack(&mut self) -> Result<(), DeviceError> {
        let Some(mut pack) = self.open.take() else {
            return Ok(());
        };
        let expected = &self.manifest.packs[pack.number];
        self.take(&mut pack, expected.length)?;
        if pack.hash.finalize().to_hex().as_str() == expected.hash {
            Ok(())
        } else {
            Err(self.damaged(&pack, "its bytes do not have its hash".into()))
        }
    }

    /// Reads and hashes a pack up to `end`.
    fn take(&mut self, pack: &mut OpenPack, end: u64) -> Result<(), DeviceError> {
        let bytes = self.device.get(&pack.object, Some(pack.at..end))?;
        pack.hash.update(&bytes);
        pack.at = end;
        self.read += bytes.len() as u64;
        Ok(())
    }

    fn damaged(&self, pack: &OpenPack, detail: String) -> DeviceError {
        DeviceError::Damaged {
            device: self.device.name().to_owned(),
            object: pack.object.clone(),
            detail,
        }
    }

    /// Reads, hashes and decodes a range.
    fn load(&mut self, batch: Batch) -> Result<Vec<Frame>, DeviceError> {
        let manifest = self.manifest;
        let frames = &manifest.frames;
        self.turn_to(frames[batch.first].pack as usize)?;
        let Some(pack) = &mut self.open else {
            return Ok(Vec::new());
        };
        let range = batch.bytes(frames);
        let bytes = self.device.get(&pack.object, Some(range.clone()))?;
        self.read += bytes.len() as u64;
        pack.at = range.end;
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
        let all = batch.first..batch.end;
        let (_, decoded) = decoders.pool.install(|| {
            rayon::join(
                || pack.hash.update(&bytes),
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
