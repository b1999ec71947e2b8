//! Owns where tablespaces lie in a copy that is built aside: beside the data directory, with links
//! that lead there, but for those that lay in the data directory itself. Must not lead out of the
//! copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::cannot;
use super::label::MappedTablespace;
use crate::durable;
use crate::engine::EngineError;

const LINKS: &str = "cluster/data/pg_tblspc";
const BESIDE: &str = "cluster/tablespaces";

/// Where the link of a tablespace leads.
pub(super) fn link(oid: u32) -> String {
    format!("../../tablespaces/{oid}")
}

/// Moves tablespaces that have no link into the data directory: they lay there, or were made while
/// it was copied, and the log makes them again.
///
/// # Errors
/// When a folder refuses.
pub(super) fn put_inside(root: &Path, linked: &[MappedTablespace]) -> Result<(), EngineError> {
    let beside = root.join(BESIDE);
    let entries = std::fs::read_dir(&beside).map_err(|error| cannot("list", &beside, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot("list", &beside, error))?;
        let oid = entry.file_name().to_string_lossy().parse();
        if !linked.iter().any(|one| Ok(one.oid) == oid) {
            rename(&entry.path(), &root.join(LINKS).join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Moves tablespaces that the log made in the data directory to where the others lie; durable when
/// this returns.
///
/// # Errors
/// When a folder refuses.
pub(super) fn put_beside(root: &Path, made: &BTreeSet<u32>) -> Result<(), EngineError> {
    for oid in made {
        let inside: PathBuf = root.join(LINKS).join(oid.to_string());
        // one that was known before is a link, one that was dropped is gone
        if std::fs::symlink_metadata(&inside).is_ok_and(|about| about.is_dir()) {
            rename(&inside, &root.join(BESIDE).join(oid.to_string()))?;
            let linked = std::os::unix::fs::symlink(link(*oid), &inside);
            linked.map_err(|error| cannot("create", &inside, error))?;
        }
    }
    [BESIDE, LINKS].iter().try_for_each(|folder| {
        let folder = root.join(folder);
        durable::sync_folder(&folder).map_err(|error| cannot("make durable", &folder, error))
    })
}

fn rename(from: &Path, to: &Path) -> Result<(), EngineError> {
    std::fs::rename(from, to).map_err(|error| cannot("move", from, error))
}
