//! Owns the handle of a device's folder and everything that is resolved below it. Nothing here
//! follows a symbolic link or leaves the folder (R26).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::identity;
use crate::media::{DeviceError, Space, name};

/// Folder of objects that are being written.
pub(super) const TMP: &str = "tmp";

/// What is said of a path without a folder.
const NO_FOLDER: &str = "does not exist or is not a folder";

/// Bytes of a file that are read ahead at most.
const AHEAD: u64 = 1 << 20;

/// The folder of a device, held open.
pub(super) struct Tree {
    /// The device's name.
    pub(super) device: String,
    root: OwnedFd,
    /// Folders whose own names are known to be durable.
    durable: Mutex<BTreeSet<String>>,
}

impl Tree {
    /// Opens the folder.
    pub(super) fn open(device: &str, path: &Path) -> Result<Self, DeviceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(root) => Ok(Self::new(device, root)),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(missing(device, path, NO_FOLDER)),
            Err(errno) => Err(DeviceError::Io {
                device: device.to_owned(),
                action: "open",
                object: path.display().to_string(),
                cause: errno.into(),
            }),
        }
    }

    fn new(device: &str, root: OwnedFd) -> Self {
        Self {
            device: device.to_owned(),
            root,
            durable: Mutex::default(),
        }
    }

    /// A second handle of the same folder.
    pub(super) fn again(&self) -> Result<Self, DeviceError> {
        let root = self.root.try_clone();
        let root = root.map_err(|cause| self.read_failed(".", cause))?;
        Ok(Self::new(&self.device, root))
    }

    /// Refuses when the path no longer leads to the folder that is held: the mount vanished or
    /// something was mounted over it.
    pub(super) fn check_path(&self, path: &Path) -> Result<(), DeviceError> {
        let held = rustix::fs::fstat(&self.root).map_err(|errno| self.errno(".", errno))?;
        match rustix::fs::stat(path) {
            Ok(now) if (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino) => Ok(()),
            Ok(_) => Err(missing(&self.device, path, "is another folder than before")),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(missing(&self.device, path, NO_FOLDER)),
            Err(errno) => Err(self.errno(".", errno)),
        }
    }

    /// What is left of the file system that the folder lies on.
    pub(super) fn space(&self) -> Result<Space, DeviceError> {
        let look = || -> rustix::io::Result<Space> {
            let room = rustix::fs::fstatvfs(&self.root)?;
            Ok(Space {
                free: room.f_bavail.saturating_mul(room.f_frsize),
                place: rustix::fs::fstat(&self.root)?.st_dev,
            })
        };
        look().map_err(|errno| self.errno(".", errno))
    }

    /// Whether the folder lies in memory only. A file system that does not tell counts as durable.
    pub(super) fn is_in_memory(&self) -> bool {
        // tmpfs and ramfs
        const VOLATILE: [i64; 2] = [0x0102_1994, 0x8584_58f6];
        let kind = rustix::fs::fstatfs(&self.root).map(|stat| stat.f_type);
        kind.is_ok_and(|kind| VOLATILE.contains(&kind))
    }

    /// Refuses names that are not names of objects.
    pub(super) fn check_name(&self, object: &str) -> Result<(), DeviceError> {
        let first = object.split('/').next().unwrap_or_default();
        if name::is_valid(object) && first != TMP && first != identity::FILE {
            return Ok(());
        }
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "the name is not allowed");
        Err(self.io("name", object, cause))
    }

    /// Opens a file for reading; returns its length too.
    pub(super) fn open_object(&self, object: &str) -> Result<(File, u64), DeviceError> {
        let file = match self.beneath(object, OFlags::RDONLY | OFlags::NOFOLLOW) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(DeviceError::NotFound {
                    device: self.device.clone(),
                    object: object.to_owned(),
                });
            }
            Err(Errno::LOOP | Errno::XDEV) => {
                return Err(self.damaged(object, "a link stands in its place".into()));
            }
            Err(errno) => return Err(self.errno(object, errno)),
        };
        let stat = rustix::fs::fstat(&file).map_err(|errno| self.errno(object, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.damaged(object, "it is not a regular file".into()));
        }
        Ok((File::from(file), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// Asks the kernel to read the beginning of a file ahead. Whatever is wrong with the file is
    /// seen by those who read it.
    pub(super) fn read_ahead(&self, object: &str) {
        if let Ok(file) = self.beneath(object, OFlags::RDONLY | OFlags::NOFOLLOW) {
            let _ = rustix::fs::fadvise(&file, 0, NonZeroU64::new(AHEAD), Advice::WillNeed);
        }
    }

    /// Opens a folder below the root; the root itself for an empty name.
    pub(super) fn open_folder(&self, folder: &str) -> rustix::io::Result<OwnedFd> {
        let folder = if folder.is_empty() { "." } else { folder };
        self.beneath(folder, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn beneath(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), inside) {
            // a kernel or a filter without the call; names are checked, so this stays inside
            Err(Errno::NOSYS | Errno::PERM) => {
                let flags = flags | OFlags::NOFOLLOW;
                rustix::fs::openat(&self.root, path, flags, Mode::empty())
            }
            answer => answer,
        }
    }

    /// Makes a folder with all its parents and sees to it that their names are durable. A folder
    /// that is there already may come from a run that crashed before its sync, so each is synced
    /// once in the life of this handle.
    pub(super) fn make_folder(&self, folder: &str) -> Result<OwnedFd, DeviceError> {
        let ends = folder.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([folder.len()]) {
            let path = &folder[..end];
            if path.is_empty() || self.durable().contains(path) {
                continue;
            }
            match rustix::fs::mkdirat(&self.root, path, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.write_failed("create", path, errno.into())),
            }
            self.sync_folder(path.rfind('/').map_or("", |end| &path[..end]))?;
            self.durable().insert(path.to_owned());
        }
        let opened = self.open_folder(folder);
        opened.map_err(|errno| self.write_failed("open", folder, errno.into()))
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync_folder(&self, folder: &str) -> Result<(), DeviceError> {
        let opened = self.open_folder(folder);
        let opened = opened.map_err(|errno| self.errno(folder, errno))?;
        self.sync(&opened, folder)
    }

    /// Makes a file's bytes or a folder's names durable; a failure is never tried again (R5).
    pub(super) fn sync(&self, file: impl AsFd, object: &str) -> Result<(), DeviceError> {
        rustix::fs::fsync(file)
            .map_err(|errno| self.write_failed("make durable", object, errno.into()))
    }

    /// Removes a file and makes its absence durable; true when it was there. A file that a crash
    /// brings back is harmless: it is removed again.
    pub(super) fn remove_object(&self, object: &str) -> Result<bool, DeviceError> {
        let (folder, file) = object.rsplit_once('/').unwrap_or(("", object));
        let opened = match self.open_folder(folder) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(errno) => return Err(self.errno(folder, errno)),
        };
        match rustix::fs::unlinkat(&opened, file, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(errno @ (Errno::PERM | Errno::ACCESS)) => {
                return Err(DeviceError::Locked {
                    device: self.device.clone(),
                    object: object.to_owned(),
                    detail: io::Error::from(errno).to_string(),
                });
            }
            Err(errno) => return Err(self.write_failed("delete", object, errno.into())),
        }
        self.sync(&opened, folder)?;
        Ok(true)
    }

    /// Names in a folder, sorted; none when there is no such folder.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>, DeviceError> {
        let Some((_, entries)) = self.read_folder(folder)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|errno| self.list_failed(folder, errno))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }

    /// The handle of a folder and what stands in it; none when there is no such folder.
    pub(super) fn read_folder(&self, folder: &str) -> Result<Option<(OwnedFd, Dir)>, DeviceError> {
        let opened = match self.open_folder(folder) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(self.errno(folder, errno)),
        };
        let entries = Dir::read_from(&opened).map_err(|errno| self.list_failed(folder, errno))?;
        Ok(Some((opened, entries)))
    }

    /// The error of a listing that is not whole.
    pub(super) fn list_failed(&self, folder: &str, errno: Errno) -> DeviceError {
        self.io("list", folder, errno.into())
    }

    fn errno(&self, object: &str, errno: Errno) -> DeviceError {
        self.read_failed(object, errno.into())
    }

    /// The error of a failed read.
    pub(super) fn read_failed(&self, object: &str, cause: io::Error) -> DeviceError {
        self.io("read", object, cause)
    }

    /// The error of a failed write: full and read-only devices have their own.
    pub(super) fn write_failed(
        &self,
        action: &'static str,
        object: &str,
        cause: io::Error,
    ) -> DeviceError {
        let device = self.device.clone();
        match Errno::from_io_error(&cause) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => DeviceError::Full { device, cause },
            Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => {
                DeviceError::ReadOnly { device, cause }
            }
            _ => self.io(action, object, cause),
        }
    }

    /// The error of damaged bytes.
    pub(super) fn damaged(&self, object: &str, detail: String) -> DeviceError {
        DeviceError::Damaged {
            device: self.device.clone(),
            object: object.to_owned(),
            detail,
        }
    }

    pub(super) fn io(&self, action: &'static str, object: &str, cause: io::Error) -> DeviceError {
        DeviceError::Io {
            device: self.device.clone(),
            action,
            object: object.to_owned(),
            cause,
        }
    }
}

pub(super) fn missing(device: &str, path: &Path, found: &'static str) -> DeviceError {
    DeviceError::Missing {
        device: device.to_owned(),
        path: path.to_owned(),
        found,
    }
}
