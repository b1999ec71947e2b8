//! Owns the steps of retention: tombstones for what goes, deletion after the grace, and tombstones
//! taken away where the answer changed. What goes is judged in `retention`.

use jiff::{SignedDuration, Timestamp};

use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::retention::Fate;
use super::step::{EdgeKind, Estimate, StepGraph, StepKind};
use super::verify::known_device;
use super::world::{World, latest};

/// Seconds that a tombstone stands before the copy is deleted, unless something else is asked for:
/// one day, in which a mistake in the plan can be taken back.
pub const GRACE: u64 = 86_400;

/// Compiles the intent to delete what no clause keeps, on one device or on all.
///
/// # Errors
/// When the plan has no such device, or a copy is newer than `now`: then the clock is wrong, and
/// nothing can be judged to be old.
pub(super) fn build(
    world: &World<'_>,
    device: Option<&str>,
    grace: u64,
) -> Result<StepGraph, GraphError> {
    known_device(world, device)?;
    if let Some(newest) = newest_ahead(world) {
        let now = world.now;
        return Err(GraphError::new(
            format!("it is {now}, but there is a copy of {newest}: nothing can be judged by age"),
            "correct the clock; a copy with a wrong time has to grow old first",
        ));
    }
    let mut draft = Draft::new(world);
    steps(world, &mut draft, device, grace);
    draft.finish(world)
}

/// Adds what retention makes due to a run; it begins when all copies of the run are made.
pub(super) fn due(world: &World<'_>, draft: &mut Draft) {
    if newest_ahead(world).is_some() {
        return; // `planc expire` says why
    }
    let writers = draft.steps_that(|kind| {
        matches!(
            kind,
            StepKind::CommitPart { .. } | StepKind::CopyStored { .. }
        )
    });
    let first = steps(world, draft, None, GRACE);
    if first.is_empty() || writers.is_empty() {
        return;
    }
    let barrier = draft.add(NewStep {
        kind: StepKind::Barrier,
        subject: "all copies of this run are made".into(),
        lanes: Vec::new(),
        estimate: Estimate {
            seconds: Some(0.0),
            bytes: None,
        },
        why: "nothing is deleted while copies are made".into(),
    });
    for writer in writers {
        draft.edge(
            writer,
            barrier,
            EdgeKind::Always,
            "whatever becomes of the copy",
        );
    }
    for step in first {
        draft.edge(
            barrier,
            step,
            EdgeKind::Success,
            "nothing is deleted while copies are made",
        );
    }
}

fn newest_ahead(world: &World<'_>) -> Option<Timestamp> {
    let parts = world.holdings.parts.iter().map(|part| part.taken_at);
    let logs = world.holdings.logs.iter().map(|log| log.last_at);
    let newest = parts.chain(logs).max()?;
    (newest > latest(world.now)).then_some(newest)
}

/// Adds the steps; gives their indices.
fn steps(world: &World<'_>, draft: &mut Draft, device: Option<&str>, grace: u64) -> Vec<u32> {
    let judged = world.judged();
    let ours = |fate: &&Fate| {
        let wanted = device.is_none_or(|name| name == fate.device);
        wanted && world.device_named(&fate.device).is_some()
    };
    let fates = judged.fates.iter().chain(&judged.left).filter(ours);
    fates
        .filter_map(|fate| step_of(world, draft, fate, grace))
        .collect()
}

fn is_over(world: &World<'_>, since: Timestamp, grace: u64) -> bool {
    let grace = SignedDuration::from_secs(i64::try_from(grace).unwrap_or(i64::MAX));
    since.checked_add(grace).is_ok_and(|end| end <= world.now)
}

fn step_of(world: &World<'_>, draft: &mut Draft, fate: &Fate, grace: u64) -> Option<u32> {
    let (object, device) = (fate.object.clone(), fate.device.clone());
    let (kind, why) = match (fate.stays.first(), fate.condemned) {
        (None, None) => (
            StepKind::Condemn { object, device },
            "no clause keeps it and nothing that stays needs it".to_owned(),
        ),
        (None, Some(since)) if is_over(world, since, grace) => (
            StepKind::DeleteStored {
                object,
                device,
                grace,
            },
            format!("its tombstone stands since {since}"),
        ),
        (Some(reason), Some(_)) => (
            StepKind::Reprieve { object, device },
            format!("it stays after all: {reason}"),
        ),
        _ => return None,
    };
    let lanes = world.device_lanes(draft, std::slice::from_ref(&fate.device));
    Some(draft.add(NewStep {
        kind,
        subject: format!("{} on {}", fate.what, fate.device),
        lanes,
        estimate: Estimate {
            seconds: None,
            bytes: Some(fate.bytes).filter(|_| fate.condemned.is_some() && fate.goes()),
        },
        why,
    }))
}
