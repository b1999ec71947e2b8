//! Owns the manifests and entries of the run log that a host remembers of a set, so that it is
//! known which packs a part needs before a volume is loaded, and none is loaded to go on with the
//! log. Never taken for what lies on a volume.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::VolumeDevice;
use crate::media::keys::Keyring;
use crate::media::{Device, DeviceError, ObjectWriter, Put};

/// Longest object that is remembered.
const LONGEST: u64 = 256 << 20;

/// The remembered objects in a folder.
pub(super) struct Content {
    folder: PathBuf,
}

impl Content {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.join("manifests"),
        }
    }

    /// Remembers an object; when that fails it is read from its volume when it is needed.
    pub(super) fn keep(&self, hash: &str, bytes: &[u8]) {
        let kept = std::fs::create_dir_all(&self.folder).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            std::io::Write::write_all(&mut file, bytes)?;
            file.persist(self.folder.join(hash))
                .map(drop)
                .map_err(|error| error.error)
        });
        // only a cache: what is not in it is read from its volume
        drop(kept);
    }

    /// The object of which this is the hash.
    pub(super) fn find(&self, hash: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(hash);
        let length = std::fs::metadata(&path).ok()?.len();
        let bytes = (length <= LONGEST).then(|| std::fs::read(&path).ok())??;
        (blake3::hash(&bytes).to_hex().as_str() == hash).then_some(bytes)
    }

    pub(super) fn forget(&self, hash: &str) {
        // a file that stays is found by nobody
        let _ = std::fs::remove_file(self.folder.join(hash));
    }
}

/// A set as the host remembers it: what it keeps comes from its memory. Only to find out what will
/// be read and how the run log goes on; what is restored or verified is read from volumes.
pub struct Remembered<'a> {
    outer: &'a dyn Device,
    set: &'a VolumeDevice,
}

impl<'a> Remembered<'a> {
    /// The memory of a set; `outer` is the device with its keys. None when it is no volume set.
    #[must_use]
    pub fn of(outer: &'a dyn Device) -> Option<Self> {
        outer.volume_set().map(|set| Self { outer, set })
    }
}

impl Device for Remembered<'_> {
    fn name(&self) -> &str {
        self.outer.name()
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.outer.identity()
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.outer.create()
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.outer.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        let Some(bytes) = self.set.remembered(name) else {
            return self.outer.get(name, range);
        };
        let Some(wanted) = &range else {
            return Ok(bytes);
        };
        let at = |end: u64| usize::try_from(end).unwrap_or(usize::MAX);
        match bytes.get(at(wanted.start)..at(wanted.end)) {
            Some(piece) => Ok(piece.to_vec()),
            None => self.outer.get(name, range),
        }
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.outer.size(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.outer.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.outer.delete(name)
    }

    fn keys(&self) -> &Keyring {
        self.outer.keys()
    }
}
