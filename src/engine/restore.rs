//! Owns the contract of building a restored copy in a folder of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{EndedBackup, EngineError, Entry, LogRange};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// A session that puts something back where it was leaves a file of this name in its staging folder
/// when all is replayed. A later try of the same run finds it there, and writes nothing again.
pub const WHOLE: &str = "whole";

/// What of an entry's content a session wants.
#[derive(Debug)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// Only the entry itself.
    Name,
    /// What overlaps these bytes; more around them may come.
    Ranges(Vec<Range<u64>>),
    /// What differs from the content of this file, which stays otherwise; more around it may come.
    Beside(File),
}

/// Asked during what takes long; says no when somebody wants it to end.
#[derive(Clone)]
pub struct GoOn(Arc<dyn Fn() -> bool + Send + Sync>);

impl GoOn {
    /// From what knows it.
    #[must_use]
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Whether to go on.
    #[must_use]
    pub fn yes(&self) -> bool {
        (self.0)()
    }
}

impl Default for GoOn {
    fn default() -> Self {
        Self::new(|| true)
    }
}

impl std::fmt::Debug for GoOn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "GoOn({})", self.yes())
    }
}

/// A restored copy that is being built in a staging folder.
pub trait RestoreSession: Send {
    /// Whom to ask, from now on, whether to go on; who takes long and does not ask ends late.
    fn heed(&mut self, _go_on: &GoOn) {}

    /// Judges before anything is fetched whether log that is stored up to a position, and what the
    /// source still has behind it, leads to the state that a lost piece is put back into.
    ///
    /// # Errors
    /// When it does not.
    fn follows(&self, _stored: &Position) -> Result<(), EngineError> {
        Ok(())
    }

    /// Puts components that lie outside the result elsewhere, by name.
    ///
    /// # Errors
    /// When the engine has none, or a place is not free.
    fn relocate(&mut self, places: &BTreeMap<String, PathBuf>) -> Result<(), EngineError> {
        let Some(name) = places.keys().next() else {
            return Ok(());
        };
        Err(EngineError::refused(
            format!("relocate {name}"),
            "the engine has no component outside its own folder",
        ))
    }

    /// Something is taken out of the copy, which is then dropped: it need not outlive a crash of the
    /// host.
    fn will_be_dropped(&mut self) {}

    /// The copy gets a name of its own and stays, maybe beside its original.
    fn will_stay(&mut self) {}

    /// Wants the content of these databases only; everything else is restored as far as the
    /// engine needs it to work. `newest` is the newest part that comes: it tells what there is.
    ///
    /// # Errors
    /// When the part does not tell.
    fn only(&mut self, _databases: &[String], _newest: &EndedBackup) -> Result<(), EngineError> {
        Ok(())
    }

    /// The part whose entries come next, as its manifest describes it.
    ///
    /// # Errors
    /// When the part cannot be used here; nothing of it was read then.
    fn begin_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
        Ok(())
    }

    /// Whether the content of an entry is wanted; the name is taken in any case.
    fn wants(&self, _entry: &Entry) -> bool {
        true
    }

    /// What of an entry's content must come; asked for every entry of a part before the first of
    /// them is written.
    ///
    /// # Errors
    /// When what lies there already cannot be read.
    fn wanted(&mut self, entry: &Entry) -> Result<Wanted, EngineError> {
        Ok(if self.wants(entry) {
            Wanted::Whole
        } else {
            Wanted::Name
        })
    }

    /// Receives one entry of a part.
    ///
    /// # Errors
    /// When the name is unsafe or the folder refuses.
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError>;

    /// Writes bytes of the entry announced last at `offset`.
    ///
    /// # Errors
    /// When the staging folder refuses.
    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError>;

    /// Ends the entry announced last; `length` is its full length, holes included.
    ///
    /// # Errors
    /// When the staging folder refuses.
    fn close(&mut self, length: u64) -> Result<(), EngineError>;

    /// All entries of the part have come. `notes` and positions are those of the manifest.
    ///
    /// # Errors
    /// When the whole is not what the engine needs.
    fn finish_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError>;

    /// Where an incarnation of the log comes from, in the engine's own words; told before its first
    /// range is applied.
    ///
    /// # Errors
    /// When the staging folder refuses.
    fn history(&mut self, _incarnation: &str, _text: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Told before the first range of log, what the last ranges hold: `earlier` gives the last one
    /// and then, from call to call, the one before it; none when there is no other. An engine whose
    /// server must know its target before it begins looks here.
    ///
    /// # Errors
    /// When the log cannot lead to the target.
    fn foresee(
        &mut self,
        _until: &RecoveryTarget,
        _earlier: &mut dyn FnMut() -> Result<Option<LogRange>, EngineError>,
    ) -> Result<(), EngineError> {
        Ok(())
    }

    /// Applies one range of log; ranges come in order. Stops by itself at the target; returns
    /// true when the target is reached and no further range is needed.
    ///
    /// # Errors
    /// [`EngineError::ChainBroken`] when the range does not continue the state.
    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError>;

    /// All log that was asked for has come, `reached` tells whether the last range was enough:
    /// brings the copy to the target, where that is not done range by range. Answers whether the
    /// target is reached.
    ///
    /// # Errors
    /// [`EngineError::NotReached`].
    fn reach(&mut self, _until: &RecoveryTarget, reached: bool) -> Result<bool, EngineError> {
        Ok(reached)
    }

    /// How long [`Self::reach`] was at the log itself, beyond what was done of it before and apart
    /// from what it takes whatever the log; none when it cannot tell.
    fn redo(&self) -> Option<Duration> {
        None
    }

    /// The position reached.
    fn position(&self) -> Option<Position>;

    /// Checks the copy by the engine's own means (`integrity_check`, hashes …) and makes it
    /// durable.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    fn check(&mut self) -> Result<(), EngineError>;

    /// What people should know: owners that could not be set, attributes that were left out.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Path inside the staging folder that is to be published under the target's name.
    fn result(&self) -> PathBuf;
}
