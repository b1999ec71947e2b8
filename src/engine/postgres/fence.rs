//! Owns the control file of a cluster that is being worked on where it stands: it is set aside
//! before the first byte is written, so that no server starts on half of a recovery, and comes back
//! when label and signal lie there.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::control::{self, ControlFile};
use super::files::cannot;
use super::read;
use crate::durable;
use crate::engine::EngineError;

/// The control file as it was before.
pub(super) const KEPT: &str = "pg_control.planc-kept";

/// Sets the control file aside. What an earlier try left in its place is removed.
///
/// # Errors
/// When the folder refuses.
pub(super) fn shut(data: &Path) -> Result<(), EngineError> {
    let (control, kept) = (data.join(control::PATH), data.join(KEPT));
    if kept.exists() {
        remove(&control)?;
    } else if control.exists() {
        let moved = std::fs::rename(&control, &kept);
        moved.map_err(|error| cannot("set aside", &control, error))?;
    }
    // the folder may be lost with the control file
    if data.join("global").is_dir() {
        sync(data, "global")?;
    }
    sync(data, "")
}

/// The control file as it was before the work began, where it can be read.
pub(super) fn before(data: &Path) -> Option<ControlFile> {
    let kept = read::control_file(&data.join(KEPT)).ok();
    kept.or_else(|| read::control_file(&data.join(control::PATH)).ok())
}

/// Puts a control file in its place; durable when this returns.
///
/// # Errors
/// When the folder refuses.
pub(super) fn reopen(data: &Path, file: &ControlFile) -> Result<(), EngineError> {
    place(data, control::PATH, file.bytes())
}

/// Puts a file in place of another one, or where none was, for the owner of the data directory. It
/// is never seen half-written, and durable when this returns.
///
/// # Errors
/// When the folder refuses.
pub(super) fn place(data: &Path, name: &str, bytes: &[u8]) -> Result<(), EngineError> {
    let path = data.join(name);
    let written = durable::replace(&path, |new| {
        new.write_all(bytes)?;
        if rustix::process::geteuid().is_root() {
            let owner = std::fs::metadata(data)?;
            std::os::unix::fs::fchown(new, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(())
    });
    written.map_err(|error| cannot("write", &path, error))
}

/// The work has ended well: what was set aside goes.
///
/// # Errors
/// When the folder refuses.
pub(super) fn forget(data: &Path) -> Result<(), EngineError> {
    remove(&data.join(KEPT))?;
    sync(data, "")
}

/// Removes a file; a missing one is fine.
///
/// # Errors
/// When the folder refuses.
pub(super) fn remove(path: &Path) -> Result<(), EngineError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a folder of the data directory durable.
///
/// # Errors
/// When the folder refuses.
pub(super) fn sync(data: &Path, folder: &str) -> Result<(), EngineError> {
    let path = data.join(folder);
    durable::sync_folder(&path).map_err(|error| cannot("sync", &path, error))
}
