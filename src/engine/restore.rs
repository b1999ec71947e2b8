//! Owns the contract of building a restored copy in a folder of its own.

use std::path::PathBuf;

use super::{EndedBackup, EngineError, Entry, LogRange};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// A restored copy that is being built in a staging folder.
pub trait RestoreSession: Send {
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

    /// Applies one range of log; ranges come in order. Stops by itself at the target; returns
    /// true when the target is reached and no further range is needed.
    ///
    /// # Errors
    /// [`EngineError::ChainBroken`] when the range does not continue the state.
    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError>;

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
