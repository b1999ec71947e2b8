//! Owns the walk over a tree: sorted, links not followed, errors told apart from absence.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use walkdir::{DirEntry, WalkDir};

use crate::engine::EngineError;

/// One thing found by the walk.
pub(super) enum Found {
    /// An entry.
    Entry(DirEntry),
    /// It was listed, then it was gone.
    Vanished(PathBuf),
    /// What the entry before it holds: its path is longer than the system takes.
    TooLong,
}

/// All entries below the root, without the root, folders before what they hold, each folder's
/// entries sorted by the bytes of their names.
pub(super) fn entries(root: &Path) -> impl Iterator<Item = Result<Found, EngineError>> {
    WalkDir::new(root)
        .min_depth(1)
        .follow_links(false)
        .sort_by_file_name()
        .into_iter()
        .map(judge)
}

fn judge(found: walkdir::Result<DirEntry>) -> Result<Found, EngineError> {
    let error = match found {
        Ok(entry) => return Ok(Found::Entry(entry)),
        Err(error) => error,
    };
    let path = error.path().unwrap_or(Path::new("?")).to_owned();
    let depth = error.depth();
    let cause = error
        .into_io_error()
        .unwrap_or_else(|| std::io::Error::other("the tree loops"));
    if cause.kind() == std::io::ErrorKind::NotFound && depth > 0 {
        return Ok(Found::Vanished(path));
    }
    if is_too_long(&cause) {
        return Ok(Found::TooLong);
    }
    Err(EngineError::io("list", path)(cause))
}

/// Whether a path is longer than the system takes.
pub(super) fn is_too_long(cause: &std::io::Error) -> bool {
    cause.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error())
}

/// Whether there is nothing below the root.
pub(super) fn is_empty(root: &Path) -> Result<bool, EngineError> {
    entries(root)
        .next()
        .transpose()
        .map(|found| found.is_none())
}

/// Bytes of all regular files, holes included.
pub(super) fn size(root: &Path) -> Result<u64, EngineError> {
    let mut total = 0_u64;
    for found in entries(root) {
        let Found::Entry(entry) = found? else {
            continue;
        };
        if entry.file_type().is_file()
            && let Ok(meta) = entry.metadata()
        {
            total = total.saturating_add(meta.len());
        }
    }
    Ok(total)
}
