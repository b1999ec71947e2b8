//! Owns content on its way to a bucket: a local file without a name, from which every try of an
//! upload begins at byte 0 (R6).

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{Bucket, upload};
use crate::media::{DeviceError, ObjectWriter, Put};

/// An object that is not uploaded yet.
pub(super) struct StagedObject {
    bucket: Arc<Bucket>,
    staged: Staged,
}

/// Its bytes.
pub(super) struct Staged {
    file: File,
    /// How many.
    pub(super) length: u64,
    hash: blake3::Hasher,
}

impl StagedObject {
    /// Makes an empty one.
    pub(super) fn create(bucket: Arc<Bucket>) -> Result<Self, DeviceError> {
        let make = || {
            std::fs::create_dir_all(&bucket.stage)?;
            tempfile::tempfile_in(&bucket.stage)
        };
        let file = make().map_err(|cause| DeviceError::Io {
            device: bucket.device.clone(),
            action: "stage in",
            object: bucket.stage.display().to_string(),
            cause,
        })?;
        let staged = Staged {
            file,
            length: 0,
            hash: blake3::Hasher::new(),
        };
        Ok(Self { bucket, staged })
    }
}

impl Staged {
    /// Reads a piece.
    pub(super) fn piece(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// BLAKE3 of all bytes.
    pub(super) fn hash(&self) -> blake3::Hash {
        self.hash.finalize()
    }
}

impl Write for StagedObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.staged.file.write(bytes)?;
        self.staged.hash.update(&bytes[..written]);
        self.staged.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.file.flush()
    }
}

impl ObjectWriter for StagedObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        upload::publish(&self.bucket, name, &self.staged)
    }
}
