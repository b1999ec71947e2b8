//! Owns writing below one folder and nowhere else (R26): every name is resolved from the folder's
//! own descriptor, no link is ever followed, nothing that exists is ever opened for writing but
//! files that were created here before.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;

use super::entry::components;
use super::{EngineError, Entry};

/// A folder below which is written.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    path: PathBuf,
}

/// A place below the folder: an open parent and a last name.
pub(super) struct Place {
    parent: OwnedFd,
    name: Vec<u8>,
    path: PathBuf,
}

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Beneath {
    /// Opens the folder.
    pub(super) fn open(path: &Path) -> Result<Self, EngineError> {
        let root = fs::open(path, OFlags::RDONLY | FOLDER, Mode::empty())
            .map_err(|error| EngineError::io("open", path)(error.into()))?;
        Ok(Self {
            root,
            path: path.to_owned(),
        })
    }

    /// The folder itself, seen from within. Only its attributes may be set by this.
    pub(super) fn itself(&self) -> Result<Place, EngineError> {
        let parent = self
            .folder(&[])
            .map_err(|error| EngineError::io("open", &self.path)(error.into()))?;
        Ok(Place {
            parent,
            name: b".".to_vec(),
            path: self.path.clone(),
        })
    }

    /// Resolves all but the last component of an entry's path.
    pub(super) fn place(&self, path: &str) -> Result<Place, EngineError> {
        let mut names =
            components(path).map_err(|cause| EngineError::refused("restore an entry", cause))?;
        let name = names.pop().unwrap_or_default();
        let full = names
            .iter()
            .chain([&name])
            .fold(self.path.clone(), |at, part| {
                at.join(OsStr::from_bytes(part))
            });
        let parent = self
            .folder(&names)
            .map_err(|error| EngineError::io("open the folder of", &full)(error.into()))?;
        Ok(Place {
            parent,
            name,
            path: full,
        })
    }

    fn folder(&self, names: &[Vec<u8>]) -> rustix::io::Result<OwnedFd> {
        if names.is_empty() {
            return fs::openat(&self.root, ".", OFlags::RDONLY | FOLDER, Mode::empty());
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let joined = names.join(&b'/');
        let flags = OFlags::RDONLY | FOLDER;
        match fs::openat2(&self.root, joined.as_slice(), flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => self.step_down(names),
            answer => answer,
        }
    }

    /// The same where the system has no `openat2`: one component at a time, no links.
    fn step_down(&self, names: &[Vec<u8>]) -> rustix::io::Result<OwnedFd> {
        let mut at = fs::openat(&self.root, ".", OFlags::RDONLY | FOLDER, Mode::empty())?;
        for name in names {
            at = fs::openat(&at, name.as_slice(), OFlags::RDONLY | FOLDER, Mode::empty())?;
        }
        Ok(at)
    }

    /// Makes all files below the folder durable.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        fs::syncfs(&self.root).map_err(|error| EngineError::io("sync", &self.path)(error.into()))
    }
}

impl Place {
    fn error(&self, action: &'static str) -> impl FnOnce(Errno) -> EngineError {
        let path = self.path.clone();
        move |error| EngineError::io(action, path)(error.into())
    }

    /// Path for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a file that must not exist.
    pub(super) fn create_file(&self) -> Result<File, EngineError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(
            &self.parent,
            self.name.as_slice(),
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map(File::from)
        .map_err(self.error("create"))
    }

    /// Opens a file that was created here before, for writing.
    pub(super) fn reopen_file(&self) -> Result<File, EngineError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fs::openat(&self.parent, self.name.as_slice(), flags, Mode::empty())
            .map(File::from)
            .map_err(self.error("open"))
    }

    /// Opens what stands here to set its attributes; no link is followed, no pipe is waited for.
    pub(super) fn open(&self) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fs::openat(&self.parent, self.name.as_slice(), flags, Mode::empty())
    }

    /// Creates a folder that must not exist; only its owner may use it until it is complete.
    pub(super) fn create_folder(&self) -> Result<(), EngineError> {
        fs::mkdirat(&self.parent, self.name.as_slice(), Mode::RWXU).map_err(self.error("create"))
    }

    /// Creates a symbolic link; its target is stored, never looked at.
    pub(super) fn create_symlink(&self, target: &[u8]) -> Result<(), EngineError> {
        fs::symlinkat(target, &self.parent, self.name.as_slice()).map_err(self.error("link"))
    }

    /// Gives a file that was restored before a further name.
    pub(super) fn create_link(&self, to: &Place) -> Result<(), EngineError> {
        let (from, name) = (to.parent.as_fd(), to.name.as_slice());
        fs::linkat(
            from,
            name,
            &self.parent,
            self.name.as_slice(),
            AtFlags::empty(),
        )
        .map_err(self.error("link"))
    }

    /// Creates a named pipe.
    pub(super) fn create_fifo(&self) -> Result<(), EngineError> {
        let mode = Mode::RUSR | Mode::WUSR;
        fs::mknodat(&self.parent, self.name.as_slice(), FileType::Fifo, mode, 0)
            .map_err(self.error("create"))
    }

    /// Removes what stands here: an empty folder, or anything else. No link is followed.
    pub(super) fn remove(&self, is_folder: bool) -> Result<(), EngineError> {
        let flags = if is_folder {
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        fs::unlinkat(&self.parent, self.name.as_slice(), flags).map_err(self.error("remove"))
    }

    /// Sets owner, mode and time, in this order, without following a link. An owner that may not
    /// be set is no error: answered with a sentence, and set-id bits are then left out.
    pub(super) fn set_attributes(&self, entry: &Entry) -> Result<Option<String>, EngineError> {
        let (at, name) = (self.parent.as_fd(), self.name.as_slice());
        let link = matches!(entry.kind, super::EntryKind::Symlink { .. });
        let (user, group) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let owned = match fs::chownat(at, name, Some(user), Some(group), flags) {
            Ok(()) => true,
            Err(Errno::PERM | Errno::INVAL) => self.is_owned_by(entry)?,
            Err(error) => return Err(self.error("change the owner of")(error)),
        };
        if !link {
            // nothing but a link could redirect this, and this folder was made by us alone
            let mask = if owned { 0o7777 } else { 0o1777 };
            let mode = Mode::from_raw_mode(entry.mode & mask);
            fs::chmodat(at, name, mode, AtFlags::empty()).map_err(self.error("change"))?;
        }
        fs::utimensat(at, name, &times(entry.mtime), flags)
            .map_err(self.error("set the time of"))?;
        Ok((!owned).then(|| not_owned(entry)))
    }

    fn is_owned_by(&self, entry: &Entry) -> Result<bool, EngineError> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let found =
            fs::statat(&self.parent, self.name.as_slice(), flags).map_err(self.error("examine"))?;
        Ok(found.st_uid == entry.uid && found.st_gid == entry.gid)
    }

    /// Length of the file that stands here, links not followed.
    pub(super) fn length(&self) -> Result<u64, EngineError> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        fs::statat(&self.parent, self.name.as_slice(), flags)
            .map(|found| u64::try_from(found.st_size).unwrap_or(0))
            .map_err(self.error("examine"))
    }
}

fn not_owned(entry: &Entry) -> String {
    format!(
        "{}: owner {}:{} could not be set (not permitted)",
        entry.path, entry.uid, entry.gid
    )
}

fn times(mtime: (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime.0,
        tv_nsec: mtime.1.min(999_999_999).into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
