//! Owns the steps of retention: tombstones for what goes, deletion after the grace, and tombstones
//! taken away where the answer changed. What goes is judged in `retention`.

use jiff::{SignedDuration, Timestamp};

use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::retention::Fate;
use super::step::{EdgeKind, Estimate, StepGraph, StepKind};
use super::verify::known_device;
use super::world::{World, job_name, latest};
use crate::facts::holdings::Method;
use crate::resolve::plan::JobId;

/// Seconds that a tombstone stands before the copy is deleted, unless something else is asked for:
/// one day, in which a mistake in the plan can be taken back.
pub const GRACE: u64 = 86_400;

/// Compiles the intent to delete what no clause keeps, on one device or on all.
///
/// # Errors
/// When the plan has no such device, or a copy is newer than `now`, and no later run of its job
/// shows that its time is wrong and not that of now: then nothing can be judged to be old.
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
            "correct the clock; where the copy's time is wrong, a further run of its job shows that: \
             run that job by name",
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

/// The newest time of a copy that is ahead of now and may be right. Retention keeps all copies that
/// are ahead; that there are some tells that the clock is behind.
fn newest_ahead(world: &World<'_>) -> Option<Timestamp> {
    let latest = latest(world.now);
    let parts = world.holdings.parts.iter();
    let parts = parts.filter(|part| part.taken_at > latest);
    let parts = parts.filter(|part| !ran_since(world, &part.job, Some(part.method)));
    let logs = world
        .holdings
        .logs
        .iter()
        .filter(|log| log.last_at > latest);
    let logs = logs.filter(|log| {
        let service = world.plan.find_service(&log.service);
        let archive = service.and_then(|service| world.archive_of(service));
        let job = archive.map(|id| job_name(world.plan, JobId::Archive(id)));
        !job.is_some_and(|job| ran_since(world, &job, None))
    });
    let times = parts.map(|part| part.taken_at);
    times.chain(logs.map(|log| log.last_at)).max()
}

/// Whether a job that made a copy ahead of now ended well since under the clock of now: its last
/// success is kept, in the order of the runs, whatever their times.
fn ran_since(world: &World<'_>, job: &str, method: Option<Method>) -> bool {
    world.last(job, method).is_some()
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
