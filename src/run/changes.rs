//! Owns in which state each component was when a job's newest copy of it was committed: `when
//! changed` compares with it. It is a memory of this machine; when it is lost, a copy is made.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::sessions::lock;
use crate::facts::holdings::Method;

/// The newest copy of a component by a job, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The part.
    pub part: String,
    /// How it was taken.
    pub method: Method,
    /// Identity of the source.
    pub identity: String,
    /// The state it shows, in the engine's own words.
    pub state: String,
}

/// States by job and component.
#[derive(Debug, Default)]
pub struct Changes {
    file: Option<PathBuf>,
    known: Mutex<BTreeMap<String, Known>>,
}

impl Changes {
    /// What the state folder remembers. A file that cannot be read counts as none.
    #[must_use]
    pub fn load(state: &Path) -> Self {
        let file = state.join("changes.json");
        let text = std::fs::read(&file).unwrap_or_default();
        Self {
            known: Mutex::new(serde_json::from_slice(&text).unwrap_or_default()),
            file: Some(file),
        }
    }

    /// The newest copy of a component by a job.
    #[must_use]
    pub fn known(&self, job: &str, component: &str) -> Option<Known> {
        lock(&self.known).get(&key(job, component)).cloned()
    }

    /// Remembers a copy that was committed.
    ///
    /// # Errors
    /// When it cannot be written down; the next run then copies once more than it must.
    pub fn remember(&self, job: &str, component: &str, copy: Known) -> std::io::Result<()> {
        let mut known = lock(&self.known);
        known.insert(key(job, component), copy);
        let Some(file) = &self.file else {
            return Ok(());
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&serde_json::to_vec(&*known)?)?;
        new.persist(file)?;
        Ok(())
    }
}

fn key(job: &str, component: &str) -> String {
    format!("{job} {component}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_nonsense_counts_as_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let copy = Known {
            part: "p".into(),
            method: Method::PhysicalFull,
            identity: "i".into(),
            state: "s".into(),
        };
        let changes = Changes::load(folder.path());
        changes.remember("j", "a/b", copy.clone()).expect("written");
        let again = Changes::load(folder.path());
        assert_eq!(again.known("j", "a/b"), Some(copy));
        assert_eq!(again.known("k", "a/b"), None);
        std::fs::write(folder.path().join("changes.json"), "{").expect("written");
        assert_eq!(Changes::load(folder.path()).known("j", "a/b"), None);
    }
}
