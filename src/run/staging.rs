//! Owns where a restored copy is built: a folder beside its target, on the same file system, so
//! that publishing is one rename. The folder's name tells the run it belongs to.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::durable;
use rustix::fs::{AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags, renameat_with, statx};

/// The file of a staging folder that says which file is about to be published.
const NOTE: &str = ".publishing";

/// The staging folder of a target in a run: `.NAME.planc-staging-RUN` beside it.
#[must_use]
pub fn path(target: &Path, run: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.planc-staging-{run}"))
}

/// Whether a file system is mounted at a path: nothing can be renamed to it, and what lies beside it
/// is on another one.
#[must_use]
pub fn is_mounted(path: &Path) -> bool {
    let about = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
    about.is_ok_and(|about| about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Makes the empty staging folder; what an earlier try of the same run left in it is removed.
///
/// # Errors
/// When the system refuses.
pub fn make(folder: &Path) -> io::Result<()> {
    remove(folder)?;
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(folder)
}

/// Removes a staging folder; a missing one is fine.
///
/// # Errors
/// When the system refuses.
pub fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives the result its name, which must be free, and makes the name durable. Which file it is
/// was written down in the staging folder before, so that [`is_published`] can tell.
///
/// # Errors
/// `AlreadyExists` when the name is taken; otherwise what the system says.
pub fn publish(result: &Path, target: &Path, staging: &Path) -> io::Result<()> {
    let mut note = File::create(staging.join(NOTE))?;
    note.write_all(inode(result)?.as_bytes())?;
    note.sync_all()?;
    durable::sync_folder(staging)?;
    rename(result, target)?;
    durable::sync_folder(durable::parent(target))
}

/// True when the target is the very file that a process of this run meant to publish.
#[must_use]
pub fn is_published(target: &Path, run: &str) -> bool {
    let noted = std::fs::read_to_string(path(target, run).join(NOTE));
    noted.is_ok_and(|noted| inode(target).is_ok_and(|found| found == noted))
}

/// File system and number of a file: another file never has both while this one lives.
fn inode(path: &Path) -> io::Result<String> {
    let data = std::fs::symlink_metadata(path)?;
    Ok(format!("{} {}", data.dev(), data.ino()))
}

fn rename(result: &Path, target: &Path) -> io::Result<()> {
    match renameat_with(CWD, result, CWD, target, RenameFlags::NOREPLACE) {
        // an empty folder may be waiting as the target; a rename replaces nothing else
        Err(rustix::io::Errno::EXIST) if is_empty_folder(target) && result.is_dir() => {
            std::fs::rename(result, target)
        }
        other => other.map_err(io::Error::from),
    }
}

fn is_empty_folder(path: &Path) -> bool {
    let real = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir());
    real && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_system_is_mounted_is_known() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(folder.path()));
        assert!(!is_mounted(&folder.path().join("new")));
    }

    #[test]
    fn a_taken_name_is_never_replaced() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("old");
        let staging = path(&target, "r1");
        make(&staging).expect("made");
        std::fs::write(staging.join("new"), "new").expect("write");
        std::fs::write(&target, "old").expect("write");
        let error = publish(&staging.join("new"), &target, &staging).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&target).expect("read"), "old");
        assert!(!is_published(&target, "r1"));
    }

    #[test]
    fn an_empty_folder_may_wait_for_a_tree_but_a_full_one_is_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("tree");
        std::fs::create_dir(&target).expect("target");
        for run in ["r1", "r2"] {
            let staging = path(&target, run);
            make(&staging).expect("made");
            std::fs::create_dir(staging.join("result")).expect("result");
            std::fs::write(staging.join("result/a"), "a").expect("write");
            let published = publish(&staging.join("result"), &target, &staging);
            assert_eq!(published.is_ok(), run == "r1");
            assert_eq!(is_published(&target, run), run == "r1");
        }
    }
}
