//! Owns a listing of a folder and all below it, piece by piece: memory does not grow with what
//! lies there. Must not know what objects mean.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, DirEntry, FileType};
use rustix::io::Errno;

use super::identity;
use super::tree::{TMP, Tree};
use crate::media::{DeviceError, Listing, name};

/// Names in a piece.
const PIECE: usize = 1 << 15;

/// A listing on its way.
pub(super) struct FolderListing {
    tree: Arc<Tree>,
    prefix: String,
    /// Folders that are still to be read.
    folders: Vec<String>,
    /// The one that is being read.
    open: Option<Folder>,
}

struct Folder {
    path: String,
    handle: OwnedFd,
    entries: Dir,
}

/// What stands under a name.
struct Found {
    path: String,
    kind: FileType,
    /// 0 unless it was looked for.
    length: u64,
}

impl FolderListing {
    /// A listing of the objects whose names begin with `prefix`.
    pub(super) fn of(tree: &Arc<Tree>, prefix: &str) -> Self {
        let folder = prefix.rfind('/').map_or("", |end| &prefix[..end]);
        let known = folder.is_empty() || name::is_valid(folder);
        Self {
            tree: Arc::clone(tree),
            prefix: prefix.to_owned(),
            folders: known.then(|| folder.to_owned()).into_iter().collect(),
            open: None,
        }
    }

    /// All names with lengths, sorted.
    pub(super) fn all(mut self) -> Result<Vec<(String, u64)>, DeviceError> {
        let mut all = Vec::new();
        while let Some(found) = self.object(true)? {
            all.push((found.path, found.length));
        }
        all.sort();
        Ok(all)
    }

    /// The next object; none at the end.
    fn object(&mut self, measure: bool) -> Result<Option<Found>, DeviceError> {
        while let Some(mut folder) = self.folder()? {
            let failed = |errno| self.tree.list_failed(&folder.path, errno);
            let Some(entry) = folder.entries.read().transpose().map_err(failed)? else {
                continue;
            };
            let found = folder.look(&entry, measure).map_err(failed)?;
            self.open = Some(folder);
            match found {
                Some(found) if found.kind == FileType::Directory => self.folders.push(found.path),
                Some(found) if found.is_object(&self.prefix) => return Ok(Some(found)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The folder that is being read; none when all were. One that is gone holds nothing.
    fn folder(&mut self) -> Result<Option<Folder>, DeviceError> {
        while self.open.is_none()
            && let Some(path) = self.folders.pop()
        {
            let read = self.tree.read_folder(&path)?;
            self.open = read.map(|(handle, entries)| Folder {
                path,
                handle,
                entries,
            });
        }
        Ok(self.open.take())
    }
}

impl Found {
    fn is_object(&self, prefix: &str) -> bool {
        self.kind == FileType::RegularFile && self.path.starts_with(prefix)
    }
}

impl Listing for FolderListing {
    fn next(&mut self) -> Result<Option<Vec<String>>, DeviceError> {
        let mut piece = Vec::new();
        while piece.len() < PIECE
            && let Some(found) = self.object(false)?
        {
            piece.push(found.path);
        }
        piece.sort_unstable();
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

impl Folder {
    /// What an entry is; none when it cannot be an object or was deleted since it was listed.
    fn look(&self, entry: &DirEntry, measure: bool) -> rustix::io::Result<Option<Found>> {
        let name = entry.file_name().to_string_lossy();
        let path = match self.path.as_str() {
            "" if name == TMP || name == identity::FILE => return Ok(None),
            "" => name.into_owned(),
            folder => format!("{folder}/{name}"),
        };
        if !name::is_valid(&path) {
            return Ok(None);
        }
        let (kind, length) = match entry.file_type() {
            FileType::Directory => (FileType::Directory, 0),
            FileType::RegularFile if !measure => (FileType::RegularFile, 0),
            // not every file system tells the kind in its listings
            _ => {
                match rustix::fs::statat(&self.handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                {
                    Err(Errno::NOENT) => return Ok(None),
                    stat => {
                        let stat = stat?;
                        let length = u64::try_from(stat.st_size).unwrap_or(0);
                        (FileType::from_raw_mode(stat.st_mode), length)
                    }
                }
            }
        };
        Ok(Some(Found { path, kind, length }))
    }
}
