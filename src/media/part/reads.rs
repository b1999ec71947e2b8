//! Owns what the workers still have to read themselves: a piece of a file that fills a frame. Must
//! not know frames.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::EngineError;
use crate::engine::piece::PieceSource;

/// A piece that is read later.
pub(super) struct Later {
    /// The file.
    pub(super) source: Arc<dyn PieceSource>,
    /// Its name, for messages.
    pub(super) path: Arc<Path>,
    /// Where the piece begins.
    pub(super) at: u64,
    /// Who waits for it.
    pub(super) reads: Arc<Reads>,
}

impl Later {
    /// Reads it; false when that failed, which the reader of the part is told.
    pub(super) fn read(self, piece: &mut [u8]) -> bool {
        let read = self.source.read(self.at, piece);
        let failed = read.map_err(EngineError::io("read", &*self.path)).err();
        let good = failed.is_none();
        self.reads.end(failed);
        good
    }
}

/// How many pieces are still to be read, and what went wrong.
#[derive(Default)]
pub(super) struct Reads {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    open: usize,
    failed: Option<EngineError>,
}

impl Reads {
    /// One more.
    pub(super) fn begin(&self) {
        self.lock().open += 1;
    }

    fn end(&self, failed: Option<EngineError>) {
        let mut state = self.lock();
        state.open -= 1;
        if state.failed.is_none() {
            state.failed = failed;
        }
        self.ended.notify_all();
    }

    /// What went wrong first; told once.
    pub(super) fn failed(&self) -> Option<EngineError> {
        self.lock().failed.take()
    }

    /// Whether all ended; waits so long for it.
    pub(super) fn all_ended(&self, patience: Duration) -> bool {
        let wait = self
            .ended
            .wait_timeout_while(self.lock(), patience, |state| state.open > 0);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        state.open == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
