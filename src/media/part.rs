//! Writes a part to several devices at once and reads it back from any of them.

use std::sync::Arc;

use super::manifest::{FrameRef, Manifest, ManifestEntry, PackRef, PartHeader};
use super::{Device, DeviceError};
use crate::engine::{EndedBackup, EngineError, Entry, PartSink, RestoreSession};
use crate::resolve::plan::Codec;

/// How a part is written.
#[derive(Debug, Clone, Copy)]
pub struct WriteSettings {
    /// Compression.
    pub codec: Codec,
    /// Bytes of content per second at most.
    pub throttle: Option<u64>,
    /// Threads that hash and compress.
    pub threads: usize,
    /// Bytes of memory for frames in flight, at most.
    pub memory: usize,
}

/// Told about progress; must be cheap. Returns false to cancel.
pub type Progress<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// A part whose packs are durable but which no manifest names yet.
#[derive(Debug)]
pub struct WrittenPart {
    /// Compression.
    pub codec: Codec,
    /// Bytes of content.
    pub bytes: u64,
    /// Packs.
    pub packs: Vec<PackRef>,
    /// Frames.
    pub frames: Vec<FrameRef>,
    /// Files.
    pub entries: Vec<ManifestEntry>,
    /// Devices that hold all packs, by name.
    pub devices: Vec<String>,
    /// Devices that failed on the way.
    pub lost: Vec<(String, DeviceError)>,
}

/// The frame pipeline: read once, hash and compress on all cores, write to every device.
pub struct PartWriter<'a> {
    _todo: std::marker::PhantomData<&'a ()>,
}

impl<'a> PartWriter<'a> {
    /// Starts the pipeline.
    ///
    /// # Errors
    /// When no device can be written.
    pub fn begin(
        devices: &[Arc<dyn Device>],
        settings: WriteSettings,
        progress: Progress<'a>,
    ) -> Result<Self, DeviceError> {
        let _ = (devices, settings, progress);
        todo!()
    }

    /// Waits until every pack is durable and published on every device that is left.
    ///
    /// # Errors
    /// When no device is left, or on cancellation.
    pub fn finish(self) -> Result<WrittenPart, DeviceError> {
        todo!()
    }
}

impl PartSink for PartWriter<'_> {
    fn entry(&mut self, _entry: Entry) -> Result<(), EngineError> {
        todo!()
    }
    fn read_from(
        &mut self,
        _source: &mut dyn std::io::Read,
        _limit: u64,
        _path: &std::path::Path,
    ) -> Result<u64, EngineError> {
        todo!()
    }
    fn hole(&mut self, _length: u64) -> Result<(), EngineError> {
        todo!()
    }
    fn close(&mut self) -> Result<(), EngineError> {
        todo!()
    }
}

/// Builds the manifest of a written part.
#[must_use]
pub fn manifest(written: &WrittenPart, header: PartHeader, ended: EndedBackup) -> Manifest {
    let _ = (written, header, ended);
    todo!()
}

/// Commits a part on one device: manifest by put-if-absent, read again and compared.
///
/// # Errors
/// When the device fails or holds another manifest under the name.
pub fn commit(manifest: &Manifest, device: &dyn Device) -> Result<(), DeviceError> {
    let _ = (manifest, device);
    todo!()
}

/// Reads a part's manifest from a device.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn load(device: &dyn Device, part: &str) -> Result<Manifest, DeviceError> {
    let _ = (device, part);
    todo!()
}

/// A damaged or missing copy that another device replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Device with the damaged copy.
    pub device: String,
    /// Object that is damaged.
    pub object: String,
    /// How it shows.
    pub cause: String,
    /// Device that gave the good bytes.
    pub by: String,
}

/// Restores all entries of a part into a session: reads from all holders at once, verifies every
/// frame and every file, replaces what is damaged on one device from another.
///
/// # Errors
/// When a frame is intact on no device; the error names the object on the last device tried.
pub fn restore(
    part: &str,
    holders: &[Arc<dyn Device>],
    session: &mut dyn RestoreSession,
    progress: Progress<'_>,
) -> Result<(Manifest, Vec<Replaced>), EngineError> {
    let _ = (part, holders, session, progress);
    todo!()
}

/// Reads all of a part back from one device and compares every hash; returns bytes read.
///
/// # Errors
/// The first damage found.
pub fn verify(part: &str, device: &dyn Device, progress: Progress<'_>) -> Result<u64, DeviceError> {
    let _ = (part, device, progress);
    todo!()
}

/// Copies a stored part to another device: packs first, manifest last; damaged sources are
/// replaced by other holders.
///
/// # Errors
/// As [`restore`].
pub fn copy(
    part: &str,
    holders: &[Arc<dyn Device>],
    to: &dyn Device,
    progress: Progress<'_>,
) -> Result<(u64, Vec<Replaced>), DeviceError> {
    let _ = (part, holders, to, progress);
    todo!()
}
