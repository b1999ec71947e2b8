//! Replays stored log into a restored copy until the target is reached.

use std::sync::mpsc;
use std::time::Instant;

use super::Task;
use super::restore::with_building;
use crate::engine::{EngineError, GoOn, LogRange};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;
use crate::media::manifest::LogRecord;
use crate::media::{log, name};
use crate::resolve::plan::EngineKind;
use crate::run::message::{StepDone, StepFailure};
use crate::run::sessions::Building;
use crate::run::shipped;

/// A stored range by its id, and who holds it.
type Stored = (String, Vec<String>);

/// A range as it is stored: one object, or the tails of one that is not finished.
type Pieces<'a> = &'a [Stored];

fn ranges(logs: &[Stored]) -> Vec<Pieces<'_>> {
    let is_tail = |(object, _): &Stored| name::is_tail(object);
    let ranges = logs.chunk_by(|one, next| is_tail(one) && is_tail(next));
    ranges.collect()
}

/// Replays log until the target is reached.
pub(super) fn replay(
    task: &Task<'_>,
    target: &str,
    logs: &[Stored],
    until: &RecoveryTarget,
) -> Result<StepDone, StepFailure> {
    with_building(task.context, target, |building| {
        let began = Instant::now();
        let stop = task.stop.clone();
        building.session.heed(&GoOn::new(move || !stop.asked()));
        let logs = ranges(logs);
        foresee(task, building, &logs, until)?;
        let (bytes, reached) = apply(task, building, &logs, until)?;
        let given = began.elapsed();
        let reached = building.session.reach(until, reached)?;
        let redo = building.session.redo();
        let paced = redo.map_or_else(|| began.elapsed(), |redo| given + redo);
        let position = building.session.position();
        if !reached {
            judge_end(task, until, position.as_ref())?;
        }
        let at = position.map_or_else(String::new, |at| at.reach());
        Ok(StepDone::moved(bytes).paced(paced).says(at))
    })
}

/// Shows the session the end of the log, and gives it the newest history.
fn foresee(
    task: &Task<'_>,
    building: &mut Building,
    logs: &[Pieces<'_>],
    until: &RecoveryTarget,
) -> Result<(), StepFailure> {
    let (mut last, mut failed) = (None, None);
    let mut left = logs.iter().rev();
    let mut earlier = || {
        let Some(stored) = left.next() else {
            return Ok(None);
        };
        match fetch(task, stored) {
            Ok((record, range)) => {
                last.get_or_insert((stored, record));
                Ok(Some(range))
            }
            Err(failure) => {
                failed = Some(failure);
                Ok(None)
            }
        }
    };
    let foreseen = building.session.foresee(until, &mut earlier);
    failed.map_or(Ok(()), Err)?;
    foreseen?;
    match last {
        Some((stored, record)) => tell_history(task, building, stored, &record),
        None => Ok(()),
    }
}

/// Gives the session one range after the other; how many bytes, and whether it needs no more.
fn apply(
    task: &Task<'_>,
    building: &mut Building,
    logs: &[Pieces<'_>],
    until: &RecoveryTarget,
) -> Result<(u64, bool), StepFailure> {
    let progress = task.progress(task.step.estimate.bytes);
    let (mut bytes, mut incarnation) = (0, String::new());
    let reached = in_advance(task, logs, |stored, (record, range)| {
        if range.from.incarnation != incarnation {
            incarnation.clone_from(&range.from.incarnation);
            tell_history(task, building, stored, &record)?;
        }
        bytes += range.payload.len() as u64;
        let reached = building.session.apply(&range, until)?;
        if progress(bytes) {
            Ok(reached)
        } else {
            Err(StepFailure::stopped())
        }
    });
    Ok((bytes, reached?))
}

/// So few ranges are not worth the memory of a second one.
const FEW: usize = 8;

/// Fetches each range while one is worked at, where there are many, until `work` says that it needs
/// no more.
fn in_advance(
    task: &Task<'_>,
    logs: &[Pieces<'_>],
    mut work: impl FnMut(Pieces<'_>, (LogRecord, LogRange)) -> Result<bool, StepFailure>,
) -> Result<bool, StepFailure> {
    if logs.len() <= FEW {
        for stored in logs {
            if work(stored, fetch(task, stored)?)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    std::thread::scope(|scope| {
        let (fetched, coming) = mpsc::sync_channel(0);
        scope.spawn(move || {
            for stored in logs {
                // nobody waits for it any more
                if fetched.send((stored, fetch(task, stored))).is_err() {
                    return;
                }
            }
        });
        for (stored, range) in coming {
            if work(stored, range?)? {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Fetches a range; tails are put together.
fn fetch(task: &Task<'_>, pieces: Pieces<'_>) -> Result<(LogRecord, LogRange), StepFailure> {
    let mut fetched: Option<(LogRecord, LogRange)> = None;
    let mut bytes = Vec::new();
    for (object, from) in pieces {
        let holders = task.context.holders(from)?;
        let (record, range, replaced) = log::get(object, &holders)?;
        task.healed(object, replaced);
        if pieces.len() > 1 {
            bytes.extend_from_slice(&range.payload);
        }
        let (_, whole) = fetched.get_or_insert_with(|| (record, range.clone()));
        (whole.until, whole.last_at) = (range.until, range.last_at);
    }
    let (record, mut range) = fetched.ok_or_else(|| EngineError::Damaged {
        what: "the log of the step".to_owned(),
        detail: "it names no object".to_owned(),
    })?;
    if !bytes.is_empty() {
        range.payload = bytes.into();
    }
    Ok((record, range))
}

/// Tells where the incarnation of a range comes from.
fn tell_history(
    task: &Task<'_>,
    building: &mut Building,
    pieces: Pieces<'_>,
    record: &LogRecord,
) -> Result<(), StepFailure> {
    if record.engine != EngineKind::Postgresql {
        return Ok(());
    }
    let incarnation = &record.from.incarnation;
    let from = pieces.first().map_or(&[][..], |(_, from)| from);
    let holders = task.context.holders(from)?;
    if let Some(text) = shipped::history(&record.service, incarnation, &holders)? {
        building.session.history(incarnation, &text)?;
    }
    Ok(())
}

/// The log ended before the target said stop: is that what was asked for?
fn judge_end(
    task: &Task<'_>,
    until: &RecoveryTarget,
    position: Option<&Position>,
) -> Result<(), StepFailure> {
    let at = position.map_or(0, |position| position.value);
    let missed = |wanted: u64| {
        let text = format!("transaction {wanted}: the stored log ends at {at}");
        Err(EngineError::NotReached(text).into())
    };
    match until {
        RecoveryTarget::Transaction(wanted) if at < wanted.value => missed(wanted.value),
        RecoveryTarget::Before(wanted) if at + 1 < wanted.value => missed(wanted.value),
        RecoveryTarget::Latest
        | RecoveryTarget::Backup
        | RecoveryTarget::Transaction(_)
        | RecoveryTarget::Before(_) => Ok(()),
        RecoveryTarget::Instant(instant) => {
            task.warn(format!(
                "the stored log ends before {instant}: this is the newest state that is stored"
            ));
            Ok(())
        }
    }
}
