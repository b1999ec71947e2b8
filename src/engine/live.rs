//! Owns the list of database files that this process holds locks on. Locks of files belong to a
//! process: whoever closes any descriptor of such a file drops them all, and then a checkpoint of
//! others could discard log that is not stored yet. Who reads files that it did not choose asks
//! here first. Must not open anything.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A database and the files that belong to it.
const ENDINGS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

static HELD: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as it lives, a database counts as held.
#[derive(Debug)]
pub(super) struct Hold(PathBuf);

impl Hold {
    pub(super) fn new(database: &Path) -> Self {
        held().push(database.to_owned());
        Self(database.to_owned())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = held();
        if let Some(at) = held.iter().position(|path| *path == self.0) {
            held.swap_remove(at);
        }
    }
}

/// The files that must not be opened, as they are now.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    paths: BTreeSet<PathBuf>,
    inodes: BTreeSet<(u64, u64)>,
}

impl Guarded {
    /// What is held at this moment.
    pub(super) fn now() -> Self {
        let mut guarded = Self::default();
        for database in held().iter() {
            let real = database.canonicalize().unwrap_or_else(|_| database.clone());
            for ending in ENDINGS {
                let mut path = real.clone().into_os_string();
                path.push(ending);
                guarded.add(path.into());
            }
        }
        guarded
    }

    fn add(&mut self, path: PathBuf) {
        // one that does not exist yet is known by its name
        if let Ok(meta) = path.metadata() {
            self.inodes.insert((meta.dev(), meta.ino()));
        }
        self.paths.insert(path);
    }

    /// Whether this file is one of them, by name or by inode.
    pub(super) fn holds(&self, path: &Path, meta: &Metadata) -> bool {
        self.paths.contains(path) || self.inodes.contains(&(meta.dev(), meta.ino()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_database_is_guarded_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        let (database, other) = (root.join("app.db"), root.join("other"));
        fs::write(&database, "x").expect("written");
        fs::write(&other, "x").expect("written");
        fs::hard_link(&database, root.join("alias")).expect("linked");
        let first = Hold::new(&database);
        let second = Hold::new(&database);
        drop(first);
        let guarded = Guarded::now();
        fs::write(root.join("app.db-shm"), "x").expect("written");
        for name in ["app.db", "alias", "app.db-shm"] {
            let path = root.join(name);
            let meta = path.metadata().expect("it exists");
            assert!(guarded.holds(&path, &meta), "{name}");
        }
        let meta = other.metadata().expect("it exists");
        assert!(!guarded.holds(&other, &meta));
        drop(second);
        let meta = database.metadata().expect("it exists");
        assert!(!Guarded::now().holds(&database, &meta));
    }
}
