//! Owns what lives between the steps of one bracket: open backup sessions, written parts, restores
//! that are being built. Handed to the worker of a step and put back; no lock is held meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::{BackupSession, EndedBackup, RestoreSession};
use crate::facts::holdings::Method;
use crate::media::part::{Ready, WrittenPart};

/// The bracket of one component.
#[derive(Default)]
pub struct Bracket {
    /// The open session; none before it begins, after it ends, and when it was spoilt.
    pub session: Option<Box<dyn BackupSession>>,
    /// Identity of the source, read when the session began.
    pub identity: String,
    /// How it is copied.
    pub method: Option<Method>,
    /// The part that only changes are copied since; none for a copy that stands alone.
    pub base: Option<String>,
    /// The state it was in when the session began, when the step asks for it.
    pub state: Option<String>,
    /// The part that shows the same state: nothing is copied then.
    pub same_as: Option<String>,
    /// What was written.
    pub written: Option<WrittenPart>,
    /// Its manifest, once it is to be committed: it took the files and frames over.
    pub manifest: Option<Ready>,
    /// What was known when it ended.
    pub ended: Option<EndedBackup>,
}

/// A restored copy that is being built beside its target.
pub struct Building {
    /// The folder in which it is built.
    pub staging: PathBuf,
    /// The engine's session; none once it is published.
    pub session: Box<dyn RestoreSession>,
}

/// Brackets by component, restores by target.
#[derive(Default)]
pub struct Sessions {
    brackets: Mutex<BTreeMap<String, Bracket>>,
    buildings: Mutex<BTreeMap<String, Building>>,
}

impl Sessions {
    /// Takes the bracket of a component out of the table.
    pub fn take_bracket(&self, component: &str) -> Option<Bracket> {
        lock(&self.brackets).remove(component)
    }

    /// Puts a bracket into the table.
    pub fn put_bracket(&self, component: &str, bracket: Bracket) {
        lock(&self.brackets).insert(component.to_owned(), bracket);
    }

    /// Takes the restore of a target out of the table.
    pub fn take_building(&self, target: &str) -> Option<Building> {
        lock(&self.buildings).remove(target)
    }

    /// Puts a restore into the table.
    pub fn put_building(&self, target: &str, building: Building) {
        lock(&self.buildings).insert(target.to_owned(), building);
    }

    /// Drops everything that is still open: sources leave backup mode, restores close their files.
    pub fn clear(&self) {
        lock(&self.brackets).clear();
        lock(&self.buildings).clear();
    }
}

/// A step that panicked leaves the table as it was: entries are taken out before they are used.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
