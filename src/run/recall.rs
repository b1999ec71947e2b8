//! Owns which volumes a restore reads: told before it begins, so that people fetch those that are
//! away, and each passed over once, forward. An object that another device holds is read there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::open::OpenError;
use crate::graph::step::{StepGraph, StepKind};
use crate::media::volumes::{Need, Remembered};
use crate::media::{Device, DeviceError, name, part};

/// The volumes of a set that a restore reads, in the order in which they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The set.
    pub device: String,
    /// Its volumes.
    pub needs: Vec<Need>,
}

/// Finds the volumes that a graph needs, and lets their sets bring what is needed in one pass.
/// Steps in `done`, which is sorted, read nothing any more.
///
/// # Errors
/// [`OpenError::Fetch`] with all volumes that are away, [`OpenError::Device`] when a manifest
/// cannot be read.
pub fn calls(
    graph: &StepGraph,
    devices: &BTreeMap<String, Arc<dyn Device>>,
    done: &[usize],
) -> Result<Vec<Call>, OpenError> {
    let mut objects: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (object, from) in wanted(graph, done) {
        if let Some((device, found)) = on_volumes(object, from, devices)? {
            objects.entry(device).or_default().extend(found);
        }
    }
    let mut calls = Vec::new();
    for (name, objects) in objects {
        let set = devices.get(name).and_then(|device| device.volume_set());
        if let Some(set) = set {
            let objects: Vec<String> = objects.into_iter().collect();
            set.expect(&objects);
            calls.push(Call {
                device: name.to_owned(),
                needs: set.needs(&objects),
            });
        }
    }
    away(&calls)?;
    Ok(calls)
}

/// The parts and ranges of log that are still to be restored, with the devices that hold them.
fn wanted<'g>(graph: &'g StepGraph, done: &[usize]) -> Vec<(&'g str, &'g [String])> {
    let mut wanted: Vec<(&str, &[String])> = Vec::new();
    let steps = graph.steps.iter().enumerate();
    for (_, step) in steps.filter(|(index, _)| done.binary_search(index).is_err()) {
        match &step.kind {
            StepKind::FetchPart { part, from, .. } => wanted.push((part, from)),
            StepKind::ReplayLog { logs, .. } => {
                wanted.extend(
                    logs.iter()
                        .map(|(log, from)| (log.as_str(), from.as_slice())),
                );
            }
            _ => {}
        }
    }
    wanted
}

/// The set that an object is read from, and the objects on it that make it up; none when a device
/// holds it that needs no loading. Of several sets the first one whose volumes are all there.
fn on_volumes<'a>(
    object: &str,
    from: &'a [String],
    devices: &BTreeMap<String, Arc<dyn Device>>,
) -> Result<Option<(&'a str, Vec<String>)>, OpenError> {
    let there = from
        .iter()
        .filter_map(|name| Some((name, devices.get(name)?)));
    let there: Vec<(&String, &Arc<dyn Device>)> = there.collect();
    if there
        .iter()
        .any(|(_, device)| device.volume_set().is_none())
    {
        return Ok(None);
    }
    let mut first = None;
    for (name, device) in there {
        let found = made_of(object, device.as_ref())?;
        let needs = device.volume_set().map(|set| set.needs(&found));
        if needs.is_some_and(|needs| needs.iter().all(|need| need.here)) {
            return Ok(Some((name, found)));
        }
        first.get_or_insert((name.as_str(), found));
    }
    Ok(first)
}

/// The objects of a part or a range of log on a set.
///
/// # Errors
/// When a manifest that this host does not remember cannot be read.
pub fn made_of(object: &str, device: &dyn Device) -> Result<Vec<String>, DeviceError> {
    if let Some(log) = name::log_of_id(object) {
        return Ok(vec![part::find(device, &log)?]);
    }
    let manifest = part::find(device, &name::manifest(object))?;
    let Some(memory) = Remembered::of(device) else {
        return Ok(vec![manifest]);
    };
    let mut objects = vec![manifest];
    match part::load(&memory, object) {
        Ok(read) => {
            for pack in &read.packs {
                objects.push(part::find(device, &pack.name)?);
            }
        }
        // the volume of the manifest is called for first
        Err(DeviceError::Away { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(objects)
}

fn away(calls: &[Call]) -> Result<(), OpenError> {
    let away = calls.iter().flat_map(|call| {
        let needs = call.needs.iter().filter(|need| !need.here);
        needs.map(|need| match need.place {
            crate::media::volumes::Place::Library => {
                format!("{} of {} (not in the library)", need.volume, call.device)
            }
            ref place => format!("{} of {} ({place})", need.volume, call.device),
        })
    });
    let away: Vec<String> = away.collect();
    if away.is_empty() {
        return Ok(());
    }
    Err(OpenError::Fetch(away.join(", ")))
}
