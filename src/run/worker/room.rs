//! The watch over log space: backup mode makes a source write more log, so it is not entered where
//! the log is about to reach what the plan allows, or the end of its file system.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::Task;
use crate::engine::{LogHeld, Retry};
use crate::quantity::Bytes;
use crate::run::message::StepFailure;

/// How often it is looked at while a copy runs.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pieces of log that must fit beside what is there.
const PIECES: u64 = 4;

/// Refuses, for now, where too little room is left for log.
pub(super) fn check(task: &Task<'_>, service: &str) -> Result<(), StepFailure> {
    let Some(held) = task.context.engine(service)?.log_held()? else {
        return Ok(());
    };
    let limit = task.context.log_limits.get(service).copied();
    judge(service, held, limit).map_err(|cause| StepFailure {
        retry: Retry::Later,
        ..StepFailure::new(cause).help(
            "see that the log is archived (`planc log status`), let the server checkpoint, \
             then run again",
        )
    })
}

/// Does what takes long, and looks meanwhile at the room for log: where it becomes too little,
/// people are told while they can still act. The copy goes on, since backup mode itself holds no
/// log; parts that have not entered it are refused by [`check`].
pub(super) fn watched<T>(task: &Task<'_>, service: &str, work: impl FnOnce() -> T) -> T {
    let (ended, wait) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // ends when the sender goes with the work
            while wait.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(short) = check(task, service) {
                    task.warn(format!("{}: no other part enters it", short.cause));
                    return;
                }
            }
        });
        let done = work();
        drop(ended);
        done
    })
}

/// Why backup mode may not be entered.
fn judge(service: &str, held: LogHeld, limit: Option<u64>) -> Result<(), String> {
    let ahead = held.piece.saturating_mul(PIECES);
    let now = Bytes(held.bytes);
    if let Some(limit) = limit
        && held.bytes.saturating_add(ahead) > limit
    {
        let limit = Bytes(limit);
        return Err(format!(
            "the log of {service} holds {now}, and the plan allows {limit}: backup mode would add \
             to it"
        ));
    }
    if held.free < ahead {
        let free = Bytes(held.free);
        return Err(format!(
            "{free} are free where the log of {service} lies, which holds {now}: backup mode would \
             add to it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_mode_is_not_entered_before_the_limit_is_reached() {
        let held = |bytes, free| LogHeld {
            bytes,
            free,
            piece: 16,
        };
        let may = |held, limit| judge("shop", held, limit).is_ok();
        assert!(may(held(1000, 64), None));
        assert!(!may(held(1000, 63), None));
        assert!(may(held(936, 64), Some(1000)));
        assert!(!may(held(937, 1 << 40), Some(1000)));
        assert!(!may(held(u64::MAX, 1 << 40), Some(1000)));
    }
}
