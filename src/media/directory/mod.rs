//! Owns directory devices: a folder of a local or mounted file system that stores objects as
//! files. Holds the folder by a handle for its whole life, so that a mount that vanishes never
//! turns into writes below the mount point. Must not know what objects mean.
//!
//! # Layout
//! `planc-device` is the identity file (one line of JSON: format, uuid); `tmp/` holds objects that
//! are being written, each locked by its writer, and room that is set aside; every other file is an
//! object under its name.

mod identity;
mod listing;
mod reserve;
mod speed;
mod temp;
mod tree;

pub(crate) use identity::FILE as IDENTITY;

use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use self::identity::new_uuid;
use self::listing::FolderListing;
use self::temp::TempObject;
use self::tree::Tree;
use super::sealed::Unproven;
use super::{
    Capabilities, Device, DeviceError, Listing, ObjectWriter, Put, Space, Speed, check_short,
};

/// A folder that stores copies.
pub struct DirectoryDevice {
    tree: Arc<Tree>,
    path: PathBuf,
    uuid: String,
}

impl DirectoryDevice {
    /// Claims an empty folder (a fresh file system's `lost+found` counts as nothing) and opens it.
    /// A folder that is a planc device already is only opened, so repeating it is harmless.
    ///
    /// # Errors
    /// [`DeviceError::Missing`]; [`DeviceError::Foreign`] when the folder holds anything else.
    pub fn init(name: &str, path: &Path) -> Result<Self, DeviceError> {
        let tree = Tree::open(name, path)?;
        if identity::is_claimed(&tree)? {
            return Self::open(name, path, None);
        }
        identity::check_empty(&tree, path)?;
        let uuid = identity::claim(&tree)?;
        Ok(Self::new(tree, path, uuid))
    }

    /// Opens a device for reading and writing; `expected` is the UUID under which its name is
    /// known. A read-only device can be opened, but [`Device::create`] refuses.
    ///
    /// # Errors
    /// [`DeviceError::Missing`], also of an empty folder; [`DeviceError::Foreign`] when the folder
    /// is no device of planc or another one than expected.
    pub fn open(name: &str, path: &Path, expected: Option<&str>) -> Result<Self, DeviceError> {
        let tree = Tree::open(name, path)?;
        let uuid = identity::read(&tree, path)?;
        match expected {
            Some(expected) if expected != uuid => Err(DeviceError::Foreign {
                device: name.to_owned(),
                path: path.to_owned(),
                detail: format!("its identity is {uuid}, but {expected} is known by this name"),
            }),
            _ => Ok(Self::new(tree, path, uuid)),
        }
    }

    /// As [`DirectoryDevice::open`], and proves that objects can be written.
    ///
    /// # Errors
    /// Also [`DeviceError::ReadOnly`] and [`DeviceError::Full`].
    pub fn open_writable(
        name: &str,
        path: &Path,
        expected: Option<&str>,
    ) -> Result<Self, DeviceError> {
        let device = Self::open(name, path, expected)?;
        temp::remove_abandoned(&device.tree)?;
        device.create()?;
        reserve::keep(&device.tree)?;
        Ok(device)
    }

    fn new(tree: Tree, path: &Path, uuid: String) -> Self {
        Self {
            tree: Arc::new(tree),
            path: path.to_owned(),
            uuid,
        }
    }

    /// Opens an object for reading. "Not found" is only said while the device is surely there.
    fn object(&self, object: &str) -> Result<(std::fs::File, u64), DeviceError> {
        self.tree.check_name(object)?;
        match self.tree.open_object(object) {
            Err(DeviceError::NotFound { device, object }) => {
                self.identity()?;
                Err(DeviceError::NotFound { device, object })
            }
            answer => answer,
        }
    }
}

impl Device for DirectoryDevice {
    fn name(&self) -> &str {
        &self.tree.device
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.tree.check_path(&self.path)?;
        let uuid = identity::read(&self.tree, &self.path)?;
        if uuid == self.uuid {
            return Ok(uuid);
        }
        Err(DeviceError::Foreign {
            device: self.tree.device.clone(),
            path: self.path.clone(),
            detail: format!("its identity changed from {} to {uuid}", self.uuid),
        })
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.tree.check_path(&self.path)?;
        Ok(Box::new(TempObject::create(Arc::clone(&self.tree))?))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.tree.check_name(name)?;
        let mut object = TempObject::create(Arc::clone(&self.tree))?;
        object.append(bytes)?;
        object.publish_as(name)
    }

    fn put_unproven(&self, name: &str, object: &Arc<Unproven>) -> Result<Put, DeviceError> {
        self.tree.check_name(name)?;
        let mut written = TempObject::create(Arc::clone(&self.tree))?;
        written.append(object.bytes())?;
        // the processor proves while the disk writes
        std::thread::scope(|scope| {
            let durable = scope.spawn(|| written.make_durable(name));
            let proven = object.prove();
            let durable = durable.join();
            durable.unwrap_or_else(|cause| std::panic::resume_unwind(cause))?;
            proven.map_err(|detail| self.tree.damaged(name, detail))
        })?;
        written.show_as(name)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        let (mut file, size) = self.object(name)?;
        let range = range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            let detail = format!("it has {size} bytes, but is read up to {}", range.end);
            return Err(self.tree.damaged(name, detail));
        }
        let read = |cause| self.tree.read_failed(name, cause);
        let length = usize::try_from(range.end - range.start).map_err(|_| {
            self.tree
                .damaged(name, "it is too long for this machine".into())
        })?;
        let mut bytes = vec![0; length];
        if range.start == 0 {
            file.read_exact(&mut bytes).map_err(read)?;
        } else {
            file.read_exact_at(&mut bytes, range.start).map_err(read)?;
        }
        Ok(bytes)
    }

    fn get_short(&self, name: &str, most: u64) -> Result<Vec<u8>, DeviceError> {
        let (mut file, size) = self.object(name)?;
        check_short(&self.tree.device, name, size, most)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let read = file.read_exact(&mut bytes);
        read.map_err(|cause| self.tree.read_failed(name, cause))?;
        Ok(bytes)
    }

    fn soon(&self, names: &[String]) {
        let valid = names
            .iter()
            .filter(|name| self.tree.check_name(name).is_ok());
        valid.for_each(|name| self.tree.read_ahead(name));
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.object(name).map(|(_, size)| size)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.tree.check_name(name)?;
        // "not there" must not be said of a mount that vanished
        self.identity()?;
        self.tree.remove_object(name)
    }

    fn make_room(&self) -> Result<bool, DeviceError> {
        reserve::give_up(&self.tree)
    }

    fn space(&self) -> Result<Option<Space>, DeviceError> {
        self.tree.space().map(Some)
    }

    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        let (file, _) = self.object(name)?;
        let stat = rustix::fs::fstat(&file);
        let stat = stat.map_err(|errno| self.tree.read_failed(name, errno.into()))?;
        Ok(Timestamp::from_second(stat.st_mtime).ok())
    }

    fn speed(&self, bytes: u64) -> Result<Option<Speed>, DeviceError> {
        self.identity()?;
        speed::measure(&self.tree, bytes).map(Some)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durable: !self.tree.is_in_memory(),
            ..Capabilities::FULL
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.identity()?;
        FolderListing::of(&self.tree, prefix).all()
    }

    fn listing(&self, prefix: &str) -> Result<Box<dyn Listing>, DeviceError> {
        self.identity()?;
        Ok(Box::new(FolderListing::of(&self.tree, prefix)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
