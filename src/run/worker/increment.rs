//! Looks for what a copy of changes builds on: the base's manifest and the stored log. What cannot
//! be had is no failure; the engine then reads everything and says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Task;
use super::backup::log_holders;
use crate::engine::{BackupSession, BaseCopy, Engine};
use crate::facts::holdings::{Method, Position};
use crate::graph::step::BuildsOn;
use crate::media::manifest::Manifest;
use crate::media::{Device, DeviceError, log, name, part};
use crate::resolve::plan::EngineKind;
use crate::run::context::service_of;
use crate::run::message::{StepDone, StepFailure};
use crate::run::sessions::Bracket;

/// Parts of a chain that are looked at; hashes further below count as unknown.
const LONGEST: usize = 64;

/// What the manifest of the base says.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn look(task: &Task<'_>, base: &BuildsOn) -> Result<BaseCopy, String> {
    let holders = task.context.reachable(&base.from);
    let manifest = load(task, &base.part, &holders).map_err(|error| error.to_string())?;
    let windows = match manifest.header.engine {
        EngineKind::Files => windows(task, &manifest, &holders),
        _ => BTreeMap::new(),
    };
    let entries = manifest.entries.into_iter();
    Ok(BaseCopy {
        part: base.part.clone(),
        identity: manifest.header.identity,
        ended: manifest.ended,
        files: entries.map(|file| (file.entry.path, file.length)).collect(),
        windows,
    })
}

fn load(task: &Task<'_>, part: &str, holders: &[Arc<dyn Device>]) -> Result<Manifest, DeviceError> {
    let (manifest, replaced) = part::load_any(part, holders)?;
    task.healed(part, replaced);
    Ok(manifest)
}

/// The hashes of windows as a chain shows them. What lies in a part that cannot be read counts as
/// unknown.
fn windows(task: &Task<'_>, tip: &Manifest, holders: &[Arc<dyn Device>]) -> part::Windows {
    let mut below: Vec<Manifest> = Vec::new();
    while below.len() < LONGEST {
        let last = below.last().unwrap_or(tip);
        let Some(Ok(next)) = (last.header.base.as_ref()).map(|part| load(task, part, holders))
        else {
            break;
        };
        below.push(next);
    }
    let chain = below.iter().rev().chain([tip]);
    chain.fold(part::Windows::new(), |below, manifest| {
        part::windows(manifest, &below)
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
