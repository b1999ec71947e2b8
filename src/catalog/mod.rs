//! What copies exist, as a cache in embedded SQLite (R16): everything in it can be rebuilt from
//! any one complete device, to an equal canonical dump.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::holdings::{Holdings, JobHistory};
use crate::media::manifest::{LogRecord, Manifest};
use crate::media::{Device, DeviceError};

/// What goes wrong with the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// SQLite refused.
    #[error("catalog {path}: {cause}")]
    Sqlite {
        /// The file.
        path: String,
        /// The answer.
        cause: String,
    },
    /// The file is damaged or is no catalog.
    #[error("catalog {path} cannot be used: {detail}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        detail: String,
    },
    /// A device answers to a name under which another one is known.
    #[error("device {device} is another device than before: expected {expected}, found {found}")]
    OtherDevice {
        /// Name.
        device: String,
        /// Known UUID.
        expected: String,
        /// UUID found.
        found: String,
    },
    /// Reading a device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// The catalog of one plan and environment.
pub struct Catalog {
    _todo: (),
}

impl Catalog {
    /// Opens the catalog, or makes an empty one; checks it (R33).
    ///
    /// # Errors
    /// When the file is damaged: the caller proposes `planc catalog rebuild`.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        let _ = path;
        todo!()
    }

    /// Binds a device's name to its UUID at first use; refuses another one later (R11).
    ///
    /// # Errors
    /// [`CatalogError::OtherDevice`].
    pub fn bind_device(&mut self, name: &str, identity: &str) -> Result<(), CatalogError> {
        let _ = (name, identity);
        todo!()
    }

    /// Records that a device holds a part. Repeating it is harmless.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_part(&mut self, manifest: &Manifest, device: &str) -> Result<(), CatalogError> {
        let _ = (manifest, device);
        todo!()
    }

    /// Records that a device holds a range of log. Repeating it is harmless.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_log(&mut self, record: &LogRecord, device: &str) -> Result<(), CatalogError> {
        let _ = (record, device);
        todo!()
    }

    /// Records that a device's copy was read back whole and found intact (or not).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_verified(
        &mut self,
        object: &str,
        device: &str,
        at: Timestamp,
        intact: bool,
    ) -> Result<(), CatalogError> {
        let _ = (object, device, at, intact);
        todo!()
    }

    /// Records a job's success.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_job(&mut self, job: &JobHistory) -> Result<(), CatalogError> {
        let _ = job;
        todo!()
    }

    /// All copies, as the planner sees them.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn holdings(&self) -> Result<Holdings, CatalogError> {
        todo!()
    }

    /// The same text for the same copies, whatever the order of events: parts and log ranges with
    /// the devices that hold them. Fields that only this machine knows (verification times, job
    /// times) are left out.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn canonical_dump(&self) -> Result<String, CatalogError> {
        todo!()
    }

    /// Fills an empty catalog from what lies on the devices. Never writes to a device (R16).
    /// A part counts only when its manifest is intact and its packs are there in full length.
    /// Returns what could not be read, for people.
    ///
    /// # Errors
    /// When a device cannot be listed, or SQLite fails.
    pub fn rebuild(
        path: &Path,
        devices: &[Arc<dyn Device>],
    ) -> Result<(Self, Vec<String>), CatalogError> {
        let _ = (path, devices);
        todo!()
    }
}
