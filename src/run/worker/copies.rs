//! Stored copies: to a further device, and read back whole.

use super::Task;
use crate::media::{DeviceError, log, part};
use crate::run::message::{Record, StepDone, StepFailure};

/// Copies a part or a range of log from any holder to a further device.
pub(super) fn copy(
    task: &Task<'_>,
    object: &str,
    from: &[String],
    to: &str,
) -> Result<StepDone, StepFailure> {
    let holders = task.context.holders(from)?;
    let target = task.context.device(to)?;
    let progress = task.progress(task.step.estimate.bytes);
    let (bytes, replaced) = if task.context.logs.is_log(object) {
        let copied = log::copy(object, &holders, target.as_ref())?;
        let (record, _, _) = log::get(object, std::slice::from_ref(target))?;
        task.record(Record::Log(Box::new(record), to.to_owned()));
        copied
    } else {
        let copied = part::copy(object, &holders, target.as_ref(), &progress)?;
        let manifest = part::load(target.as_ref(), object)?;
        task.record(Record::Part(Box::new(manifest), to.to_owned()));
        copied
    };
    task.healed(replaced);
    Ok(StepDone::moved(bytes))
}

/// Reads a copy back and compares every hash; the catalog learns the answer either way.
pub(super) fn verify(task: &Task<'_>, object: &str, device: &str) -> Result<StepDone, StepFailure> {
    let holder = task.context.device(device)?;
    let progress = task.progress(task.step.estimate.bytes);
    let read = if task.context.logs.is_log(object) {
        log::verify(object, holder.as_ref())
    } else {
        part::verify(object, holder.as_ref(), &progress)
    };
    // only a sure answer is written down: an error is not an absence
    let intact = match &read {
        Ok(_) => Some(true),
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
    Ok(StepDone::moved(read?))
}
