//! Owns an object that is being written: a locked file in `tmp/` that is made durable, then
//! renamed to its name without ever replacing anything, then made durable there.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Advice, AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::reserve;
use super::tree::{TMP, Tree};
use crate::media::{DeviceError, ObjectWriter, Put};

/// Bytes after which the kernel is told to begin writing back, so that the final sync is short
/// and a long copy does not push the database out of the page cache.
const WRITE_BACK: u64 = 8 << 20;

/// Bytes that are compared at a time.
const COMPARE: usize = 1 << 20;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// An object without a name.
pub(super) struct TempObject {
    tree: Arc<Tree>,
    tmp: OwnedFd,
    /// Name in `tmp/`; none once the file is gone from there.
    temp: Option<String>,
    file: File,
    length: u64,
    written_back: u64,
}

impl TempObject {
    /// Makes a new file that nobody else has, and locks it so that nobody cleans it up.
    pub(super) fn create(tree: Arc<Tree>) -> Result<Self, DeviceError> {
        let tmp = tree.make_folder(TMP)?;
        loop {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{count}", std::process::id());
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&tmp, &name, flags, Mode::RUSR | Mode::WUSR);
            let file = match opened {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(errno) => return Err(tree.write_failed("create", TMP, errno.into())),
            };
            // between creation and lock another process may have taken it for an abandoned one
            if lock(&file) && is_linked(&file) {
                return Ok(Self {
                    tree,
                    tmp,
                    temp: Some(name),
                    file,
                    length: 0,
                    written_back: 0,
                });
            }
        }
    }

    /// Adds bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.write_all(bytes)
            .map_err(|cause| self.tree.write_failed("write", TMP, cause))
    }

    /// Asks the kernel to write back, and to forget, what was written a while ago. Only advice:
    /// whether it was heard does not matter.
    fn write_back(&mut self) {
        if self.length - self.written_back < WRITE_BACK {
            return;
        }
        let from = self.written_back;
        let length = NonZeroU64::new(self.length - from);
        let _ = rustix::fs::fadvise(&self.file, from, length, Advice::DontNeed);
        self.written_back = self.length;
    }

    /// Makes the bytes durable, then visible, then the name durable.
    pub(super) fn publish_as(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.make_durable(name)?;
        self.show_as(name)
    }

    /// Makes the bytes of what is to have a name durable.
    pub(super) fn make_durable(&self, name: &str) -> Result<(), DeviceError> {
        self.tree.sync(&self.file, name)
    }

    /// Makes bytes visible that are durable, then the name durable.
    pub(super) fn show_as(&mut self, name: &str) -> Result<Put, DeviceError> {
        let folder = name.rfind('/').map_or("", |end| &name[..end]);
        let file = name.rsplit('/').next().unwrap_or(name);
        let target = self.tree.make_folder(folder)?;
        let put = match self.rename(&target, file) {
            Ok(()) => Put::Created,
            Err(Errno::EXIST) => self.compare(name)?,
            Err(errno) => return Err(self.tree.write_failed("publish", name, errno.into())),
        };
        self.tree.sync(&target, name)?;
        self.check_alive(name)?;
        Ok(put)
    }

    /// A file system that was shut down by an error can say of a folder that it is durable: XFS
    /// does, when what the folder waited for was thrown away. It lets nobody read any more.
    fn check_alive(&self, name: &str) -> Result<(), DeviceError> {
        let read = self.file.read_at(&mut [0], 0);
        read.map(drop)
            .map_err(|cause| self.tree.write_failed("make durable", name, cause))
    }

    /// Asks the kernel to forget the bytes, then reads them all in steps of `buffer`; how many.
    pub(super) fn read_through(&self, buffer: &mut [u8]) -> Result<u64, DeviceError> {
        // only advice: a file system in memory keeps them
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
        let mut at = 0;
        loop {
            let read = self.file.read_at(buffer, at);
            match read.map_err(|cause| self.tree.read_failed(TMP, cause))? {
                0 => return Ok(at),
                read => at += read as u64,
            }
        }
    }

    fn rename(&mut self, target: &OwnedFd, file: &str) -> rustix::io::Result<()> {
        let Some(temp) = &self.temp else {
            return Err(Errno::NOENT);
        };
        match rustix::fs::renameat_with(&self.tmp, temp, target, file, RenameFlags::NOREPLACE) {
            Ok(()) => {
                self.temp = None;
                Ok(())
            }
            // file systems without this flag: a link never replaces either, and dropping this
            // value removes the first name
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::linkat(&self.tmp, temp, target, file, AtFlags::empty())
            }
            Err(errno) => Err(errno),
        }
    }

    /// Somebody was first: the same bytes are synced once more, others are refused (R2), and so
    /// is what cannot be read.
    fn compare(&self, name: &str) -> Result<Put, DeviceError> {
        let (there, size) = self.tree.open_object(name)?;
        let same = size == self.length
            && same_bytes(&self.file, &there, size)
                .map_err(|cause| self.tree.read_failed(TMP, cause))?;
        if !same {
            return Err(DeviceError::Different {
                device: self.tree.device.clone(),
                object: name.to_owned(),
            });
        }
        self.tree.sync(&there, name)?;
        Ok(Put::Same)
    }
}

/// Whether the right file gives the same bytes; an error is one of the left file.
fn same_bytes(left: &File, right: &File, size: u64) -> io::Result<bool> {
    let mut at = 0;
    let (mut ours, mut theirs) = (vec![0; COMPARE], vec![0; COMPARE]);
    while at < size {
        // at most COMPARE
        let now = usize::try_from((size - at).min(COMPARE as u64)).unwrap_or(COMPARE);
        left.read_exact_at(&mut ours[..now], at)?;
        let read = right.read_exact_at(&mut theirs[..now], at);
        if read.is_err() || ours[..now] != theirs[..now] {
            return Ok(false);
        }
        at += now as u64;
    }
    Ok(true)
}

fn lock(file: &File) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn is_linked(file: &File) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink > 0)
}

impl Write for TempObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        self.write_back();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ObjectWriter for TempObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.tree.check_name(name)?;
        self.publish_as(name)
    }
}

impl Drop for TempObject {
    fn drop(&mut self) {
        if let Some(temp) = &self.temp {
            // what stays behind is removed by a later run
            let _ = rustix::fs::unlinkat(&self.tmp, temp, AtFlags::empty());
        }
    }
}

/// Removes files in `tmp/` that no living process writes: their locks are free.
pub(super) fn remove_abandoned(tree: &Tree) -> Result<(), DeviceError> {
    let tmp = tree.make_folder(TMP)?;
    for name in tree
        .names(TMP)?
        .iter()
        .filter(|name| *name != reserve::FILE)
    {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(&tmp, name, flags, Mode::empty()) else {
            continue;
        };
        let file = File::from(file);
        if lock(&file) {
            // still locked while it is removed: its maker, if there is one, sees that it is gone
            let _ = rustix::fs::unlinkat(&tmp, name, AtFlags::empty());
        }
    }
    Ok(())
}
