//! Retention on a device: tombstones come and go, and copies whose grace has passed are deleted.
//! A device that is away, or that does not let go yet, is left for the next time. A host that holds
//! public halves of keys only cannot tell which packs a copy has: what its runs would take is left
//! to `planc expire` where the secret halves are.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Task;
use crate::graph::step::Intent;
use crate::media::tomb::{self, Buried, Tomb};
use crate::media::{Device, DeviceError, log, name, part};
use crate::run::clock::Clock;
use crate::run::message::{Record, StepDone, StepFailure};

/// Clocks that differ by more judge nothing.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Puts a tombstone beside a copy.
pub(super) fn condemn(
    task: &Task<'_>,
    object: &str,
    device: &str,
) -> Result<StepDone, StepFailure> {
    let Some(holder) = task.context.devices.get(device) else {
        return Ok(away(device));
    };
    let others: Vec<Arc<dyn Device>> = task.context.devices.values().cloned().collect();
    let now = task.context.clock.now();
    let what = (object, task.context.logs.is_log(object));
    let tomb = match tomb::put(holder.as_ref(), &others, what, (&task.graph.run, now)) {
        Err(DeviceError::Sealed { .. }) if !is_asked(task) => return Ok(closed()),
        tomb => tomb?,
    };
    if let Err(failure) = clocks_agree(task, holder.as_ref(), &tomb, now) {
        tomb::lift(holder.as_ref(), object)?;
        return Err(failure);
    }
    task.record(Record::Condemned {
        object: object.to_owned(),
        device: device.to_owned(),
        at: tomb.at,
    });
    Ok(StepDone::default().says(format!("tombstone of {}", tomb.at)))
}

/// A fresh tombstone must bear the device's time of now: otherwise one of the clocks is wrong, and
/// with it what was judged to be old.
fn clocks_agree(
    task: &Task<'_>,
    device: &dyn Device,
    tomb: &Tomb,
    now: Timestamp,
) -> Result<(), StepFailure> {
    if tomb.at != now || !matches!(task.context.clock, Clock::System) {
        return Ok(());
    }
    let written = device.written_at(&name::tomb(&tomb.object))?;
    match written {
        Some(written) if written.duration_since(now).abs() > SKEW => {
            let name = device.name();
            let cause = format!("here it is {now}, on device {name} it is {written}");
            let help = "correct the clocks; until then nothing is judged to be old enough";
            Err(StepFailure::new(cause).help(help))
        }
        _ => Ok(()),
    }
}

/// Deletes a copy whose tombstone stood for the grace.
pub(super) fn delete(
    task: &Task<'_>,
    object: &str,
    device: &str,
    grace: u64,
) -> Result<StepDone, StepFailure> {
    let Some(holder) = task.context.devices.get(device) else {
        return Ok(away(device));
    };
    let holder = holder.as_ref();
    let tomb = match tomb::get(holder, object) {
        Err(DeviceError::NotFound { .. } | DeviceError::Damaged { .. }) => {
            return without_tomb(task, object, holder);
        }
        tomb => tomb?,
    };
    let now = task.context.clock.now();
    let ends = grace_ends(task, holder, &tomb, grace)?;
    if ends > now {
        return Ok(StepDone::default().says(format!("its grace ends at {ends}")));
    }
    let index = task.context.manifests(device);
    let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
    match tomb::bury(holder, &tomb, &mut index, now) {
        Ok(Buried::Freed(bytes)) => {
            gone(task, object, device);
            Ok(StepDone::moved(bytes).says("deleted"))
        }
        Ok(Buried::LockedUntil(until)) => {
            Ok(StepDone::default().says(format!("stays: locked until {until}")))
        }
        Ok(Buried::NeededBy(part)) => {
            let cause = format!("part {part} on {device} builds on {object}");
            let help =
                format!("`planc catalog rebuild --from {device}` teaches the catalog that part");
            Err(StepFailure::new(cause).help(help))
        }
        Err(error @ DeviceError::Locked { .. }) => {
            task.warn(format!("{error}; {}", error.help()));
            Ok(StepDone::default().says("stays: the device does not let go of it"))
        }
        Err(DeviceError::Sealed { .. }) if !is_asked(task) => Ok(closed()),
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody asked for nothing but this.
fn is_asked(task: &Task<'_>) -> bool {
    matches!(task.graph.intent, Intent::Expire { .. })
}

fn closed() -> StepDone {
    StepDone::default()
        .says("stays: no key at hand opens it; run `planc expire --apply` where the secret half is")
}

/// The younger of the two clocks' answers counts.
fn grace_ends(
    task: &Task<'_>,
    device: &dyn Device,
    tomb: &Tomb,
    grace: u64,
) -> Result<Timestamp, DeviceError> {
    let mut since = tomb.at;
    if matches!(task.context.clock, Clock::System) {
        let written = device.written_at(&name::tomb(&tomb.object))?;
        since = written.map_or(since, |written| written.max(since));
    }
    let grace = SignedDuration::from_secs(i64::try_from(grace).unwrap_or(i64::MAX));
    Ok(since.checked_add(grace).unwrap_or(Timestamp::MAX))
}

/// A copy without a tombstone is not deleted; one that is not there was deleted before, by a run
/// that died before it could say so.
fn without_tomb(
    task: &Task<'_>,
    object: &str,
    device: &dyn Device,
) -> Result<StepDone, StepFailure> {
    if is_gone(task, object, device) {
        gone(task, object, device.name());
        Ok(StepDone::default().says("was deleted before"))
    } else {
        let cause = format!(
            "no sound tombstone stands beside {object} on {}",
            device.name()
        );
        let help = "run `planc expire` again: it begins with a tombstone";
        task.record(Record::Reprieved {
            object: object.to_owned(),
            device: device.name().to_owned(),
        });
        Err(StepFailure::new(cause).help(help))
    }
}

/// Whether it is sure that a copy is not there.
fn is_gone(task: &Task<'_>, object: &str, device: &dyn Device) -> bool {
    let there = if task.context.logs.is_log(object) {
        log::verify(object, device)
    } else {
        part::load(device, object).map(|_| 0)
    };
    matches!(there, Err(DeviceError::NotFound { .. }))
}

/// Takes the tombstone of a copy away. A deletion that did not end may have taken the copy: then
/// another holder gives it back.
pub(super) fn reprieve(
    task: &Task<'_>,
    object: &str,
    device: &str,
) -> Result<StepDone, StepFailure> {
    let Some(holder) = task.context.devices.get(device) else {
        return Ok(away(device));
    };
    tomb::lift(holder.as_ref(), object)?;
    if is_gone(task, object, holder.as_ref()) {
        gone(task, object, device);
        return Ok(StepDone::default().says("was deleted before"));
    }
    task.record(Record::Reprieved {
        object: object.to_owned(),
        device: device.to_owned(),
    });
    Ok(StepDone::default().says("stays"))
}

fn gone(task: &Task<'_>, object: &str, device: &str) {
    task.record(Record::Gone {
        object: object.to_owned(),
        device: device.to_owned(),
    });
}

fn away(device: &str) -> StepDone {
    StepDone::default().says(format!("{device} is away; next time"))
}
