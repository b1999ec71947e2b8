//! Owns the steps that put good copies beside damaged ones: copied from another holder, then read
//! back. Nothing is deleted and nothing overwritten. Must not judge damage; reading back does.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::step::{Depth, EdgeKind, StepGraph, StepKind};
use super::verify::{Stored, known_device, stored};
use super::world::World;

/// How often a copy is replaced without being found intact afterwards, before people must look.
pub const MOST_TRIES: u32 = 3;

/// Compiles the intent to repair all known damage, on one device or on all. What was tried in vain
/// too often is tried once more: somebody asked.
///
/// # Errors
/// When the plan has no such device.
pub(super) fn build(world: &World<'_>, device: Option<&str>) -> Result<StepGraph, GraphError> {
    known_device(world, device)?;
    let mut draft = Draft::new(world);
    steps(world, &mut draft, device, u32::MAX);
    draft.finish(world)
}

/// Adds repairs to a run, for damage that was not tried in vain too often.
pub(super) fn due(world: &World<'_>, draft: &mut Draft) {
    steps(world, draft, None, MOST_TRIES);
}

fn steps(world: &World<'_>, draft: &mut Draft, device: Option<&str>, most: u32) {
    let pairs = world.holdings.damaged.iter();
    let damaged: BTreeSet<(&str, &str)> = pairs.map(|(a, b)| (a.as_str(), b.as_str())).collect();
    if damaged.is_empty() {
        return;
    }
    let tries = world.holdings.tried.iter();
    let tries: BTreeMap<(&str, &str), u32> = tries
        .map(|(object, device, count)| ((object.as_str(), device.as_str()), *count))
        .collect();
    let going: BTreeSet<(&str, &str)> = world.going().collect();
    for object in stored(world) {
        for holder in object.devices.iter().map(String::as_str) {
            let copy = (object.id, holder);
            let wanted = device.is_none_or(|name| name == holder);
            let open = tries.get(&copy).copied().unwrap_or(0) < most;
            if wanted && open && damaged.contains(&copy) && !going.contains(&copy) {
                repair(world, draft, &object, holder, &damaged);
            }
        }
    }
}

/// A copy that is known to be damaged is a source only of a part of which no good one is left, and
/// together with others: its frames are proven one by one, and what one lacks another may have.
fn repair(
    world: &World<'_>,
    draft: &mut Draft,
    object: &Stored<'_>,
    to: &str,
    damaged: &BTreeSet<(&str, &str)>,
) {
    let holders = object.devices.iter();
    let holders = holders.filter(|name| world.device_named(name).is_some());
    let (spoilt, mut from): (Vec<String>, Vec<String>) = holders
        .cloned()
        .partition(|name| damaged.contains(&(object.id, name.as_str())));
    if from.is_empty() && object.is_part() && spoilt.len() > 1 {
        from = spoilt;
        // the lanes are those of the first, and of the device that is written to
        from.sort_by_key(|name| name == to);
    }
    if from.is_empty() || world.device_named(to).is_none() {
        return; // nobody can give good bytes; `planc verify` names the loss
    }
    let lanes = world.device_lanes(draft, &[from[0].clone(), to.to_owned()]);
    let rates = [world.read_rate(&from[0]), world.write_rate(to)];
    let copy = draft.add(NewStep {
        kind: StepKind::CopyStored {
            object: object.id.to_owned(),
            job: object.job(world),
            from: from.clone(),
            to: to.to_owned(),
        },
        subject: format!("{}, {} -> {to}", object.what, from.join(" or ")),
        lanes,
        estimate: World::estimate(Some(object.bytes), &rates),
        why: format!("the copy on {to} is damaged; a good one is added beside it"),
    });
    let lanes = world.device_lanes(draft, &[to.to_owned()]);
    let check = draft.add(NewStep {
        kind: StepKind::VerifyStored {
            object: object.id.to_owned(),
            device: to.to_owned(),
            depth: Depth::Intact,
        },
        subject: format!("{} on {to}", object.what),
        lanes,
        estimate: World::estimate(Some(object.bytes), &[world.read_rate(to)]),
        why: "only what reads back whole is repaired".into(),
    });
    draft.edge(copy, check, EdgeKind::Success, "the new copy is read back");
}
