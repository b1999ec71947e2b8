//! Owns the drives of a set: which volume is in which, and who waits for one. A volume stays in its
//! drive after use, so that the next read goes on where the last one ended. Must not know objects.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::drive::{Library, Medium, MediumError};

/// Where in a file the medium stands.
#[derive(Debug, Default)]
pub(super) struct At {
    pub(super) file: u64,
    /// Where in the data the block begins that was read last.
    pub(super) from: u64,
    pub(super) block: Vec<u8>,
}

/// A volume in a drive.
pub(super) struct Loaded {
    pub(super) volume: String,
    pub(super) medium: Box<dyn Medium>,
    /// None when it is not known.
    pub(super) at: Option<At>,
    /// True until its label was read.
    pub(super) fresh: bool,
}

#[derive(Default)]
struct State {
    idle: Vec<Loaded>,
    busy: Vec<String>,
}

/// The drives.
pub(super) struct Drives {
    count: usize,
    state: Mutex<State>,
    freed: Condvar,
}

impl Drives {
    pub(super) fn new(count: u32) -> Self {
        Self {
            count: usize::try_from(count).unwrap_or(1).max(1),
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Has a volume in a drive; waits for its present user, or for a free drive.
    pub(super) fn take(
        &self,
        library: &dyn Library,
        volume: &str,
    ) -> Result<InDrive<'_>, MediumError> {
        let mut state = self.lock();
        loop {
            let used = state.busy.iter().any(|busy| busy == volume);
            if !used && let Some(at) = state.idle.iter().position(|one| one.volume == volume) {
                let loaded = state.idle.remove(at);
                state.busy.push(volume.to_owned());
                drop(state);
                return self.wake(loaded);
            }
            if !used && state.busy.len() < self.count {
                // the one that was used longest ago makes room
                if state.busy.len() + state.idle.len() >= self.count {
                    drop(state.idle.remove(0));
                }
                state.busy.push(volume.to_owned());
                drop(state);
                return self.load(library, volume);
            }
            let waited = self.freed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a volume out of its drive.
    pub(super) fn unload(&self, volume: &str) {
        self.lock().idle.retain(|loaded| loaded.volume != volume);
    }

    fn wake(&self, mut loaded: Loaded) -> Result<InDrive<'_>, MediumError> {
        let woken = loaded.medium.wake();
        let in_drive = InDrive {
            drives: self,
            loaded: Some(loaded),
        };
        woken.map(|()| in_drive)
    }

    fn load(&self, library: &dyn Library, volume: &str) -> Result<InDrive<'_>, MediumError> {
        match library.load(volume) {
            Ok(medium) => Ok(InDrive {
                drives: self,
                loaded: Some(Loaded {
                    volume: volume.to_owned(),
                    medium,
                    at: None,
                    fresh: true,
                }),
            }),
            Err(error) => {
                self.release(volume, None);
                Err(error)
            }
        }
    }

    fn release(&self, volume: &str, loaded: Option<Loaded>) {
        let mut state = self.lock();
        state.busy.retain(|busy| busy != volume);
        state.idle.extend(loaded);
        drop(state);
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A volume in a drive, for one user.
pub(super) struct InDrive<'a> {
    drives: &'a Drives,
    loaded: Option<Loaded>,
}

impl InDrive<'_> {
    /// The volume; it is there until this is dropped.
    pub(super) fn loaded(&mut self) -> Result<&mut Loaded, MediumError> {
        let gone = || MediumError::Library(io::Error::other("the drive is empty"));
        self.loaded.as_mut().ok_or_else(gone)
    }
}

impl Drop for InDrive<'_> {
    fn drop(&mut self) {
        if let Some(mut loaded) = self.loaded.take() {
            loaded.medium.rest();
            let volume = loaded.volume.clone();
            self.drives.release(&volume, Some(loaded));
        }
    }
}
