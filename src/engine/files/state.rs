//! Owns the text that tells one state of a tree from another: a hash over names and attributes.
//! Reads no content; a change of content moves a file's change time, which nobody can set.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::seen::GRAIN;
use super::walk::{Found, entries};
use crate::engine::EngineError;

/// The state of a tree, without files that are left out of copies. None when something in it
/// changed within the last moments, or vanished while it was looked at.
pub(super) fn of(
    root: &Path,
    left_out: impl Fn(&Path, &Metadata) -> bool,
) -> Result<Option<String>, EngineError> {
    let mut hash = blake3::Hasher::new();
    let meta = root
        .symlink_metadata()
        .map_err(EngineError::io("examine", root))?;
    let mut newest = add(&mut hash, root, &meta);
    for found in entries(root) {
        let Found::Entry(entry) = found? else {
            return Ok(None);
        };
        let Ok(meta) = entry.path().symlink_metadata() else {
            return Ok(None);
        };
        if !left_out(entry.path(), &meta) {
            newest = newest.max(add(&mut hash, entry.path(), &meta));
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let settled = now.checked_sub(GRAIN).is_some_and(|before| newest < before);
    Ok(settled.then(|| hash.finalize().to_hex().to_string()))
}

/// Adds one entry; returns when it changed last.
fn add(hash: &mut blake3::Hasher, path: &Path, meta: &Metadata) -> Duration {
    let name = path.as_os_str().as_bytes();
    hash.update(&(name.len() as u64).to_le_bytes());
    hash.update(name);
    for number in [meta.dev(), meta.ino(), meta.size(), meta.rdev()] {
        hash.update(&number.to_le_bytes());
    }
    for number in [meta.mode(), meta.uid(), meta.gid()] {
        hash.update(&number.to_le_bytes());
    }
    for number in [
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    ] {
        hash.update(&number.to_le_bytes());
    }
    let seconds = u64::try_from(meta.ctime()).unwrap_or(0);
    Duration::new(seconds, u32::try_from(meta.ctime_nsec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(root: &Path) -> Option<String> {
        std::thread::sleep(GRAIN + Duration::from_millis(100));
        of(root, |_, _| false).expect("a tree")
    }

    #[test]
    fn a_tree_that_nobody_touched_has_the_same_state_and_any_change_another() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("a");
        std::fs::write(&file, "one").expect("written");
        let fresh = of(folder.path(), |_, _| false).expect("a tree");
        assert_eq!(fresh, None, "what changed a moment ago is not judged");
        let first = aged(folder.path()).expect("settled");
        assert_eq!(
            of(folder.path(), |_, _| false).expect("a tree"),
            Some(first.clone())
        );
        let times = std::fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        let handle = File::options().write(true).open(&file).expect("open");
        handle.set_times(times).expect("times are set");
        std::fs::write(&file, "two").expect("written");
        handle.set_times(times).expect("times are set");
        assert_ne!(aged(folder.path()).expect("settled"), first);
    }

    use std::fs::File;
}
