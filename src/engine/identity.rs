//! Owns the identity of a file or folder (R11): a random id, kept in the state folder and bound
//! to the very inode. Must never open the source: closing a descriptor of a `SQLite` file would
//! drop the locks that other connections of this process hold on it.
//!
//! Bound by inode number, birth time where the file system tells it, and device or file-system id
//! (either may change at a reboot, both together do not). A file that was deleted and made anew,
//! restored beside the old one and renamed, or copied to another place is another source. A state
//! folder may be moved: nothing in it depends on its own place.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statvfs, statx};
use serde::{Deserialize, Serialize};

use super::EngineError;
use super::store;

const NAME: &str = "identity.json";
/// Former ids that are remembered, newest last.
const FORMER: usize = 32;

/// What tells one inode from every other, now and after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inode {
    #[serde(rename = "inode")]
    number: u64,
    device: (u32, u32),
    filesystem: u64,
    born: Option<(i64, u32)>,
}

impl Inode {
    /// Looks at a path without opening it; follows links.
    pub(super) fn of(path: &Path) -> Result<Self, EngineError> {
        let look = || -> rustix::io::Result<Self> {
            let flags = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
            let found = statx(CWD, path, AtFlags::empty(), flags)?;
            let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
            let birth = (found.stx_btime.tv_sec, found.stx_btime.tv_nsec);
            Ok(Self {
                number: found.stx_ino,
                device: (found.stx_dev_major, found.stx_dev_minor),
                filesystem: statvfs(path)?.f_fsid,
                born: has_birth.then_some(birth),
            })
        };
        look().map_err(|error| EngineError::io("examine", path)(error.into()))
    }

    fn is(&self, other: &Self) -> bool {
        let place = self.device == other.device || self.filesystem == other.filesystem;
        self.number == other.number && self.born == other.born && place
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    id: String,
    bound_to: Inode,
    former: Vec<String>,
}

/// The identity of `source`; a source seen for the first time, or another one than before, gets
/// a new id that is durable when this returns.
pub(super) fn of(source: &Path, state_dir: &Path) -> Result<String, EngineError> {
    let inode = Inode::of(source)?;
    let known: Option<Known> = store::load(state_dir, NAME)?;
    let former = match known {
        Some(known) if known.bound_to.is(&inode) => return Ok(known.id),
        Some(known) => followers(known),
        None => Vec::new(),
    };
    let fresh = Known {
        id: store::random_id()?,
        bound_to: inode,
        former,
    };
    store::save(state_dir, NAME, &fresh)?;
    Ok(fresh.id)
}

/// Whether another source is known in the place of `source`.
pub(super) fn is_another(source: &Path, state_dir: &Path) -> Result<bool, EngineError> {
    let known: Option<Known> = store::load(state_dir, NAME)?;
    let inode = Inode::of(source)?;
    Ok(known.is_some_and(|known| !known.bound_to.is(&inode)))
}

fn followers(known: Known) -> Vec<String> {
    let mut former = known.former;
    former.push(known.id);
    let surplus = former.len().saturating_sub(FORMER);
    former.drain(..surplus);
    former
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_same_file_keeps_its_id_and_a_new_file_gets_another() {
        let folder = tempfile::tempdir().expect("it works here");
        let state = folder.path().join("state");
        let path = folder.path().join("db");
        fs::write(&path, "a").expect("it works here");
        let first = of(&path, &state).expect("it works here");
        fs::write(&path, "changed").expect("it works here");
        assert_eq!(of(&path, &state).expect("it works here"), first);
        let moved = folder.path().join("elsewhere");
        fs::rename(&state, &moved).expect("it works here");
        assert_eq!(of(&path, &moved).expect("it works here"), first);
        fs::remove_file(&path).expect("it works here");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, "a").expect("it works here");
        let second = of(&path, &moved).expect("it works here");
        assert_ne!(second, first);
        fs::copy(&path, folder.path().join("copy")).expect("it works here");
        assert_ne!(
            of(&folder.path().join("copy"), &moved).expect("it works here"),
            second
        );
    }

    #[test]
    fn a_damaged_identity_is_an_error_not_a_new_source() {
        let folder = tempfile::tempdir().expect("it works here");
        let path = folder.path().join("db");
        fs::write(&path, "a").expect("it works here");
        of(&path, folder.path()).expect("it works here");
        fs::write(folder.path().join(NAME), "{}").expect("it works here");
        assert!(matches!(
            of(&path, folder.path()),
            Err(EngineError::Damaged { .. })
        ));
    }
}
