//! Owns taking over checkpoints: copying the log into the database file and emptying it without
//! a moment in which a commit could be lost. The argument is in the folder's `mod.rs`.

use std::path::Path;
use std::time::Duration;

use super::archive::Call;
use super::chain::{Anchor, Chain, Located};
use super::connection::{beside, failed, open};
use super::state::{LogState, Place, Stamp};
use crate::engine::EngineError;

/// How long the last, quick part waits for a writer before it leaves the log as it is.
const SHORT: Duration = Duration::from_millis(200);

/// Frames that are read while writers wait, rather than before, in a range of their own.
const LITTLE: u32 = 256;

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

/// Number of frames that are committed in the log now. Changes nothing.
pub(super) fn frames(source: &Path) -> Result<u32, EngineError> {
    let answer = checkpoint(source, "NOOP", SHORT)?;
    Ok(u32::try_from(answer.frames).unwrap_or(0))
}

/// Length of the log file.
fn log_bytes(source: &Path) -> u64 {
    std::fs::metadata(beside(source, "-wal")).map_or(0, |meta| meta.len())
}

/// The inner error is the reason why the chain is broken.
type Verdict = Result<(), String>;

impl Chain {
    /// Empties the log when it is longer than `limit`. Captures everything in it first; it is
    /// stored by the caller. Nothing changes when others still read the log.
    pub(super) fn checkpoint(
        &mut self,
        state: &mut LogState,
        limit: u64,
        call: &Call,
    ) -> Result<Verdict, EngineError> {
        if log_bytes(&self.source) < limit || state.place == Place::Empty {
            return Ok(Ok(()));
        }
        // the long part: move the anchor to the end, then copy without any lock on writers
        if let Err(reason) = self.advance(state)? {
            return Ok(Err(reason));
        }
        checkpoint(&self.source, "PASSIVE", SHORT)?;
        // the short part: nobody commits while the rest is copied and the anchor is changed
        if let Err(reason) = self.take_over(state, call)? {
            return Ok(Err(reason));
        }
        self.empty(state)?;
        Ok(Ok(()))
    }

    /// Anchors at the end of the log, which may lie behind what is captured: what is between was
    /// kept by the old anchor, so it is not copied, and the new one begins in the log itself.
    fn advance(&mut self, state: &mut LogState) -> Result<Verdict, EngineError> {
        let ahead = self.ahead(state)?;
        let lock = self.lock()?;
        if let Err(reason) = self.enter(state)? {
            return Ok(Err(reason));
        }
        let end = self.locate(ahead.as_ref().unwrap_or(state), u32::MAX)?;
        let ordinal = match end {
            Located::End(_, ordinal) => ordinal,
            Located::Broken(reason) => return Ok(Err(reason)),
        };
        self.anchor = Some(self.anchor_here(&state.incarnation, ordinal, &lock)?);
        lock.release();
        Ok(Ok(()))
    }

    /// Captures the rest, copies it to the database file and anchors on the copied log, all under
    /// the write lock.
    fn take_over(&mut self, state: &mut LogState, call: &Call) -> Result<Verdict, EngineError> {
        let last = frames(&self.source)?;
        if state.place.is_behind(last, LITTLE) {
            // most of it before writers have to wait
            if let Err(reason) = self.capture_all(state, call.time(), last)? {
                return Ok(Err(reason));
            }
        }
        let lock = self.lock()?;
        if let Err(reason) = self.capture_all(state, call.time(), u32::MAX)? {
            return Ok(Err(reason));
        }
        self.anchor = Some(self.anchor_here(&state.incarnation, state.captured, &lock)?);
        checkpoint(&self.source, "PASSIVE", SHORT)?;
        self.anchor = Some(self.anchor_here(&state.incarnation, state.captured, &lock)?);
        lock.release();
        Ok(Ok(()))
    }

    /// Cuts the log to nothing. It fails harmlessly when a writer was faster: what that writer
    /// wrote cannot leave the log while the anchor is held.
    fn empty(&self, state: &mut LogState) -> Result<(), EngineError> {
        if !self.anchor.as_ref().is_some_and(Anchor::is_copied) {
            return Ok(());
        }
        let emptied = match checkpoint(&self.source, "TRUNCATE", SHORT) {
            Ok(answer) => !answer.busy,
            Err(EngineError::Busy { .. }) => false,
            Err(error) => return Err(error),
        };
        if emptied {
            state.place = Place::Empty;
            // the anchor keeps everybody from writing the database file meanwhile
            state.stamp = Stamp::settle(&self.source)?;
            self.save(state)?;
        }
        Ok(())
    }

    /// Notes that the file was left alone long enough since the log was emptied, on file systems
    /// whose clock is coarse.
    pub(super) fn settle_stamp(&self, state: &mut LogState) -> Result<(), EngineError> {
        if state.place != Place::Empty || state.stamp.is_settled() || !self.is_held(state) {
            return Ok(());
        }
        let now = Stamp::of(&self.source)?;
        if now.is_settled() && state.stamp.has_same_content(&self.source)? {
            state.stamp = now;
            self.save(state)?;
        }
        Ok(())
    }
}
