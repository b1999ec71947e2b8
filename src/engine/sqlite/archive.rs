//! Owns one call of `archive`: what is known, what is new, what is stored, and when the chain is
//! said to be broken.

use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::chain::Chain;
use super::checkpoint::frames;
use super::connection::{journal_mode, open};
use super::state::LogState;
use crate::engine::{Archived, EngineError, LogSink};
use crate::facts::holdings::Position;

/// What is known of the log: its state, or why there is none to go on from (none at first use).
pub(super) type Known = Result<LogState, Option<String>>;

/// One call of `archive`: when it began, and what the log held then. A writer that never stops
/// cannot keep it from ending.
pub(super) struct Call {
    now: Timestamp,
    clock: Instant,
    last: u32,
}

impl Call {
    fn begin(source: &Path, now: Timestamp) -> Result<Self, EngineError> {
        Ok(Self {
            now,
            clock: Instant::now(),
            last: frames(source)?,
        })
    }

    /// The time now: of what was committed since the call began.
    pub(super) fn time(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.clock.elapsed());
        let time = passed
            .ok()
            .and_then(|passed| self.now.checked_add(passed).ok());
        time.unwrap_or(self.now)
    }
}

impl Chain {
    /// The stored state, if it belongs to this very database file.
    pub(super) fn known(&mut self) -> Result<Known, EngineError> {
        let identity = self.identity()?;
        Ok(match LogState::load(&self.state_dir) {
            Ok(Some(state)) if state.identity == identity => Ok(state),
            Ok(Some(_)) => {
                self.anchor = None;
                Err(Some(
                    "the database file was replaced by another one".to_owned(),
                ))
            }
            Ok(None) => Err(None),
            Err(EngineError::Damaged { what, detail }) => Err(Some(format!(
                "planc's own record {what} is damaged: {detail}"
            ))),
            Err(error) => return Err(error),
        })
    }

    /// Ships everything that was committed when it was called.
    pub(super) fn archive(
        &mut self,
        after: Option<&Position>,
        now: Timestamp,
        limit: u64,
        sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError> {
        let known = self.known()?;
        if let Some(mode) = self.other_mode()? {
            return self.no_log(known.is_ok(), &mode);
        }
        let call = Call::begin(&self.source, now)?;
        let known = known_after(known, after);
        let (mut state, mut transactions) = self.resume(known, &call, sink)?;
        if let Err(reason) = self.ship(&mut state, &call, limit, sink, &mut transactions)? {
            // a new history begins where the log ends now; the next call ships what follows
            state = self.restart(Err(Some(reason)), &call)?;
        }
        self.settle_stamp(&mut state)?;
        Ok(Archived {
            unit: None,
            position: Some(state.position(state.shipped)),
            transactions,
            broken: state.needs_full,
        })
    }

    /// What waited from an earlier call goes first: it is good whatever happened to the log since.
    fn resume(
        &mut self,
        known: Known,
        call: &Call,
        sink: &mut dyn LogSink,
    ) -> Result<(LogState, u64), EngineError> {
        let mut state = match known {
            Ok(state) => state,
            missing => return Ok((self.restart(missing, call)?, 0)),
        };
        let sent = match self.flush(&mut state, sink) {
            Ok(sent) => sent,
            Err(EngineError::Damaged { what, detail }) => {
                let reason = format!("the waiting range {what} is damaged: {detail}");
                return Ok((self.restart(Err(Some(reason)), call)?, 0));
            }
            Err(error) => return Err(error),
        };
        if self.anchor.is_none() {
            state = self.restart(Ok(state), call)?;
        }
        Ok((state, sent))
    }

    /// Anchors at the end of the log, on the known history or on a new one.
    fn restart(&mut self, known: Known, call: &Call) -> Result<LogState, EngineError> {
        let ahead = match &known {
            Ok(state) => self.ahead(state)?,
            Err(_) => None,
        };
        let lock = self.lock()?;
        let (state, _) = self.settle(known, ahead.as_ref(), call.time(), &lock)?;
        lock.release();
        Ok(state)
    }

    /// Captures and stores what the log held when the call began, then empties a long log. The
    /// inner error is the reason why the chain is broken.
    fn ship(
        &mut self,
        state: &mut LogState,
        call: &Call,
        limit: u64,
        sink: &mut dyn LogSink,
        transactions: &mut u64,
    ) -> Result<Result<(), String>, EngineError> {
        loop {
            match self.capture(state, call.now, call.last)? {
                Ok(true) => *transactions += self.flush(state, sink)?,
                Ok(false) => break,
                Err(reason) => return Ok(Err(reason)),
            }
        }
        let verdict = self.checkpoint(state, limit, call)?;
        *transactions += self.flush(state, sink)?;
        Ok(verdict)
    }

    /// The journal mode, when it is one that has no log to archive.
    fn other_mode(&self) -> Result<Option<String>, EngineError> {
        if self.anchor.is_some() {
            // nobody can leave WAL mode while a reader is there
            return Ok(None);
        }
        let mode = journal_mode(&open(&self.source)?, &self.source)?;
        Ok((mode != "wal").then_some(mode))
    }

    fn no_log(&self, had_log: bool, mode: &str) -> Result<Archived, EngineError> {
        let advice = "run `PRAGMA journal_mode=WAL` in it once";
        if had_log {
            LogState::remove(&self.state_dir)?;
            return Ok(Archived {
                unit: None,
                position: None,
                transactions: 0,
                broken: Some(format!(
                    "the journal mode was switched from `wal` to `{mode}`: \
                     only full copies protect it until you {advice}"
                )),
            });
        }
        Err(EngineError::refused(
            format!("archive the log of {}", self.source.display()),
            format!("its journal mode is `{mode}` and has no log; {advice}"),
        ))
    }
}

/// Holds the stored state against what the caller knows to be stored.
fn known_after(known: Known, after: Option<&Position>) -> Known {
    let state = match (known, after) {
        (Ok(state), _) => state,
        (Err(None), Some(_)) => {
            return Err(Some("planc's own record of the log is missing".to_owned()));
        }
        (missing, _) => return missing,
    };
    let stored = after.filter(|after| after.incarnation == state.incarnation);
    let stored = stored.map_or(0, |after| after.value);
    // one range may be stored and not yet struck off: a crash fell between the two
    let last = state
        .outbox
        .first()
        .map_or(state.shipped, |queued| queued.until);
    if stored == state.shipped || stored == last {
        return Ok(state);
    }
    Err(Some(format!(
        "copies hold its log up to transaction {stored}, but planc's own record says {}",
        state.shipped
    )))
}
