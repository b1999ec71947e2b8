//! Owns taking over checkpoints: copying the log into the database file and emptying it without
//! a moment in which a commit could be lost. The argument is in the folder's `mod.rs`.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::chain::Chain;
use super::connection::{beside, failed, open};
use super::state::{LogState, Place};
use crate::engine::EngineError;

/// How long the last, quick part waits for a writer before it leaves the log as it is.
const SHORT: Duration = Duration::from_millis(200);

/// What `PRAGMA wal_checkpoint` answers.
struct Answer {
    busy: bool,
    frames: i64,
    copied: i64,
}

fn checkpoint(source: &Path, mode: &str, patience: Duration) -> Result<Answer, EngineError> {
    let connection = open(source)?;
    let error = failed(source, "checkpoint");
    connection.busy_timeout(patience).map_err(&error)?;
    connection
        .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok(Answer {
                busy: row.get::<_, i64>(0)? != 0,
                frames: row.get(1)?,
                copied: row.get(2)?,
            })
        })
        .map_err(error)
}

/// Whether the database file holds everything that the log holds. Changes nothing.
pub(super) fn is_backfilled(source: &Path) -> Result<bool, EngineError> {
    let answer = checkpoint(source, "NOOP", SHORT)?;
    Ok(!answer.busy && answer.frames == answer.copied)
}

/// Length of the log file.
fn log_bytes(source: &Path) -> u64 {
    std::fs::metadata(beside(source, "-wal")).map_or(0, |meta| meta.len())
}

/// What a checkpoint found out on the way.
pub(super) enum Outcome {
    /// The log is short, or others still read it: nothing changed.
    Nothing,
    /// The log was copied, and emptied if nobody was faster.
    Done,
    /// The chain is broken.
    Broken(String),
}

impl Chain {
    /// Empties the log when it is longer than `limit` and everything in it is captured.
    pub(super) fn checkpoint(
        &mut self,
        state: &mut LogState,
        limit: u64,
        now: Timestamp,
    ) -> Result<Outcome, EngineError> {
        if log_bytes(&self.source) < limit || state.place == Place::Empty {
            return Ok(Outcome::Nothing);
        }
        // the long part: move the anchor to the end, then copy without any lock on writers
        if let Some(reason) = self.move_anchor(state, now, false)? {
            return Ok(Outcome::Broken(reason));
        }
        checkpoint(&self.source, "PASSIVE", SHORT)?;
        // the short part: nobody commits while the rest is copied and the anchor is changed
        if let Some(reason) = self.move_anchor(state, now, true)? {
            return Ok(Outcome::Broken(reason));
        }
        self.empty(state)
    }

    /// Captures the rest and anchors at the end, all under the write lock; with `copy` the rest
    /// is copied to the database file as well, and the new anchor stands on a backfilled log.
    fn move_anchor(
        &mut self,
        state: &mut LogState,
        now: Timestamp,
        copy: bool,
    ) -> Result<Option<String>, EngineError> {
        // most of it before writers have to wait
        if let Err(reason) = self.capture_all(state, now)? {
            return Ok(Some(reason));
        }
        let lock = self.lock()?;
        if let Err(reason) = self.capture_all(state, now)? {
            return Ok(Some(reason));
        }
        self.anchor = Some(self.anchor_here(&state.incarnation, state.captured, &lock)?);
        if copy {
            checkpoint(&self.source, "PASSIVE", SHORT)?;
            let second = self.anchor_here(&state.incarnation, state.captured, &lock)?;
            self.anchor = Some(second);
        }
        lock.release();
        Ok(None)
    }

    fn capture_all(
        &self,
        state: &mut LogState,
        now: Timestamp,
    ) -> Result<Result<(), String>, EngineError> {
        loop {
            match self.capture(state, now)? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(reason) => return Ok(Err(reason)),
            }
        }
    }

    /// Cuts the log to nothing. It fails harmlessly when a writer was faster: what that writer
    /// wrote cannot leave the log while the anchor is held.
    fn empty(&mut self, state: &mut LogState) -> Result<Outcome, EngineError> {
        if !self
            .anchor
            .as_ref()
            .is_some_and(super::chain::Anchor::is_backfilled)
        {
            return Ok(Outcome::Nothing);
        }
        let emptied = match checkpoint(&self.source, "TRUNCATE", SHORT) {
            Ok(answer) => !answer.busy,
            Err(EngineError::Busy { .. }) => false,
            Err(error) => return Err(error),
        };
        if emptied {
            state.place = Place::Empty;
            self.save(state)?;
        }
        Ok(Outcome::Done)
    }
}
