//! Owns extended attributes of a tree's entries, access lists and capabilities among them: how they
//! are read, the note of a manifest that keeps them, and how they are set again. Must not follow
//! links, which have none that count.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

use crate::engine::entry::{decode, encode};
use crate::engine::{EndedBackup, EngineError};

/// Note of a copy: rows of the entries that have some.
const NOTE: &str = "tree-extended";

/// Longest list of names, and longest value, that Linux has.
const LONGEST: usize = 1 << 16;

/// Names and values of one entry, as [`encode`] writes bytes.
pub(super) type Extended = BTreeMap<String, String>;

/// What the entries of a copy have, by their place in its order.
pub(super) struct Noted {
    rows: Vec<(usize, Extended)>,
    room: Vec<u8>,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            room: vec![0; 2 * LONGEST],
        }
    }
}

impl Noted {
    /// Looks at an entry. What vanished meanwhile, and file systems without attributes, have none.
    pub(super) fn look(&mut self, place: usize, path: &Path) -> Result<(), EngineError> {
        let failed = EngineError::io("read the extended attributes of", path);
        let found = read(path, &mut self.room).map_err(|errno| failed(errno.into()))?;
        if !found.is_empty() {
            self.rows.push((place, found));
        }
        Ok(())
    }

    /// The note; none when no entry has any.
    pub(super) fn print(&self) -> Option<(String, String)> {
        // rows of numbers and text always have a text
        let rows = serde_json::to_string(&self.rows).unwrap_or_default();
        (!self.rows.is_empty()).then(|| (NOTE.to_owned(), rows))
    }
}

/// What the note of a copy says.
pub(super) fn noted(ended: &EndedBackup) -> Result<BTreeMap<usize, Extended>, EngineError> {
    let Some(text) = ended.notes.get(NOTE) else {
        return Ok(BTreeMap::new());
    };
    let rows: Result<Vec<(usize, Extended)>, _> = serde_json::from_str(text);
    let rows = rows.map_err(|cause| EngineError::Damaged {
        what: format!("the note `{NOTE}` of a part"),
        detail: cause.to_string(),
    })?;
    Ok(rows.into_iter().collect())
}

/// Sets attributes of an open file or folder.
///
/// # Errors
/// The system's answer to the first that it refuses.
pub(super) fn set(file: impl AsFd, extended: &Extended) -> rustix::io::Result<()> {
    for (name, value) in extended {
        let bytes = |text: &str| decode(text).map_err(|_| Errno::INVAL);
        let (name, value) = (bytes(name)?, bytes(value)?);
        if is_kept(&name) {
            fsetxattr(&file, name.as_slice(), &value, XattrFlags::empty())?;
        }
    }
    Ok(())
}

/// Labels that a host's own policy gives are left to the host.
fn is_kept(name: &[u8]) -> bool {
    let whole: [&[u8]; 3] = [
        b"system.posix_acl_access",
        b"system.posix_acl_default",
        b"security.capability",
    ];
    name.starts_with(b"user.") || name.starts_with(b"trusted.") || whole.contains(&name)
}

fn read(path: &Path, room: &mut [u8]) -> rustix::io::Result<Extended> {
    let (names, values) = room.split_at_mut(LONGEST);
    let length = match llistxattr(path, &mut *names) {
        Err(Errno::NOTSUP | Errno::NOENT | Errno::NOTDIR) => 0,
        length => length?,
    };
    let names = names[..length].split(|byte| *byte == 0);
    let mut found = Extended::new();
    for name in names.filter(|name| is_kept(name)) {
        match lgetxattr(path, name, &mut *values) {
            Ok(length) => drop(found.insert(encode(name), encode(&values[..length]))),
            Err(Errno::NODATA | Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}
