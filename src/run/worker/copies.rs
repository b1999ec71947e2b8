//! Stored copies: to a further device, and read back whole.

use std::sync::Arc;

use super::Task;
use crate::catalog::PartRecord;
use crate::engine::postgres::archived;
use crate::graph::step::Depth;
use crate::media::{Device, DeviceError, log, part, patient};
use crate::run::message::{Record, StepDone, StepFailure};

/// Copies a part or a range of log from any holder to a further device.
pub(super) fn copy(
    task: &Task<'_>,
    object: &str,
    from: &[String],
    to: &str,
) -> Result<StepDone, StepFailure> {
    if let Some(cause) = task.context.dropped.cause(to) {
        task.missed(to, cause.clone());
        return Err(StepFailure::left(cause));
    }
    let holders = task.context.holders(from)?;
    let target = task.context.device(to)?;
    match copy_to(task, object, &holders, target) {
        // the device died: a later run makes the copy, and the promise tells until when
        Err(error) if error.device() == Some(to) && task.judge(to, &error) => {
            task.missed(to, format!("{error}; {}", error.help()));
            Err(StepFailure::left(error.to_string()))
        }
        done => Ok(done?),
    }
}

fn copy_to(
    task: &Task<'_>,
    object: &str,
    holders: &[Arc<dyn Device>],
    target: &Arc<dyn Device>,
) -> Result<StepDone, DeviceError> {
    let to = target.name();
    if task
        .context
        .damaged
        .contains(&(object.to_owned(), to.to_owned()))
    {
        // counted before the try, so that one that kills the process counts too
        task.record(Record::Tried {
            object: object.to_owned(),
            device: to.to_owned(),
        });
    }
    task.context.carry_secrets(holders, target.as_ref())?;
    let progress = task.progress(task.step.estimate.bytes);
    let (bytes, replaced) = if task.context.logs.is_log(object) {
        let copied = log::copy(object, holders, target.as_ref())?;
        let (record, _, _) = log::get(object, std::slice::from_ref(target))?;
        // histories of SQLite's log are not named like timelines
        if let Ok(timeline) = record.from.incarnation.parse() {
            archived::follow(&record.service, timeline, holders, target.as_ref())?;
        }
        task.record(Record::Log(Box::new(record), to.to_owned()));
        copied
    } else {
        let copied = patient::watched(target.as_ref(), |target| {
            part::copy(object, holders, target, &progress)
        })?;
        let (manifest, content) = part::load_told(target.as_ref(), object)?;
        let record = PartRecord::of(&manifest, content);
        task.record(Record::Part(Box::new(record), to.to_owned()));
        copied
    };
    task.healed(object, replaced);
    Ok(StepDone::moved(bytes))
}

/// Looks at a copy; the catalog learns the answer. That all of it is there does not mean that it is
/// intact, but that it is not there does mean that it is not.
pub(super) fn verify(
    task: &Task<'_>,
    object: &str,
    device: &str,
    depth: Depth,
) -> Result<StepDone, StepFailure> {
    let holder = task.context.device(device)?.as_ref();
    let progress = task.progress(task.step.estimate.bytes);
    let read = match (task.context.logs.is_log(object), depth) {
        (true, Depth::Intact) => log::verify(object, holder),
        (true, Depth::Exists) => log::exists(object, holder),
        (false, Depth::Intact) => part::verify(object, holder, &progress),
        (false, Depth::Exists) => part::exists(object, holder),
    };
    // only a sure answer is written down: an error is not an absence
    let intact = match &read {
        Ok(_) => Some(true).filter(|_| depth.is_intact()),
        Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => Some(false),
        Err(_) => None,
    };
    if let Some(intact) = intact {
        task.record(Record::Verified {
            object: object.to_owned(),
            device: device.to_owned(),
            at: task.context.clock.now(),
            intact,
        });
    }
    if let Err(error @ DeviceError::Away { .. }) = &read {
        // a volume that travels is no failure: it is read when it is back
        task.warn(error.to_string());
        return Ok(StepDone::default().says("is away, not read"));
    }
    let bytes = read?;
    Ok(match depth {
        Depth::Intact => StepDone::moved(bytes),
        Depth::Exists => StepDone::default().says("is there in full length"),
    })
}
