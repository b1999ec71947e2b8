//! Looks for what a copy of changes builds on: the base's manifest and the stored log. What cannot
//! be had is no failure; the engine then reads everything and says so.

use std::sync::Arc;

use super::Task;
use super::backup::log_holders;
use crate::engine::{BackupSession, BaseCopy, Engine};
use crate::facts::holdings::{Method, Position};
use crate::graph::step::BuildsOn;
use crate::media::{Device, log, name, part};
use crate::run::context::service_of;
use crate::run::message::{StepDone, StepFailure};
use crate::run::sessions::Bracket;

/// What the manifest of the base says.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn look(task: &Task<'_>, base: &BuildsOn) -> Result<BaseCopy, String> {
    let holders = task.context.reachable(&base.from);
    let found = part::load_any(&base.part, &holders);
    let (manifest, replaced) = found.map_err(|error| error.to_string())?;
    task.healed(&base.part, replaced);
    let entries = manifest.entries.into_iter();
    Ok(BaseCopy {
        part: base.part.clone(),
        identity: manifest.header.identity,
        ended: manifest.ended,
        files: entries.map(|file| (file.entry.path, file.length)).collect(),
    })
}

/// Enters backup mode for what changed since a base.
pub(super) fn begin(
    task: &Task<'_>,
    component: &str,
    engine: &dyn Engine,
    identity: &str,
    base: &BaseCopy,
) -> Result<Box<dyn BackupSession>, StepFailure> {
    let service = service_of(component);
    let names: Vec<String> = log_holders(task, service).into_iter().collect();
    let devices = task.context.reachable(&names);
    let mut stored = |at: &Position| piece(&devices, &name::log(service, identity, at));
    let now = task.context.clock.now();
    Ok(engine.begin_changed(component, base, &mut stored, now)?)
}

/// A piece of log from the first device that gives it.
fn piece(devices: &[Arc<dyn Device>], object: &str) -> Option<Vec<u8>> {
    let mut devices = devices.iter();
    devices.find_map(|device| log::read_payload(device.as_ref(), object).ok())
}

/// A copy that turned out to hold everything stands alone; else the report tells what was read.
pub(super) fn judge(bracket: &mut Bracket, done: StepDone) -> StepDone {
    let session = bracket.session.as_ref();
    let Some(selective) = session.and_then(|session| session.selective()) else {
        return done;
    };
    match selective.whole {
        Some(why) => {
            bracket.base = None;
            bracket.method = Some(Method::PhysicalFull);
            done.says(format!("all of it, as a full: {why}"))
        }
        None => done.says(selective.told),
    }
}
