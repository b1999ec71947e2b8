//! Owns the steps that read stored copies back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::draft::{Draft, NewStep};
use super::due;
use super::error::GraphError;
use super::step::{Depth, StepGraph, StepKind};
use super::world::{World, job_name};
use crate::resolve::plan::{JobId, Schedule, Verify};
use crate::similar;

/// Compiles the intent to read everything back, from one device or from all.
///
/// # Errors
/// When the plan has no such device.
pub(super) fn build(world: &World<'_>, device: Option<&str>) -> Result<StepGraph, GraphError> {
    known_device(world, device)?;
    let mut draft = Draft::new(world);
    let wanted = |name: &str| device.is_none_or(|device| device == name);
    for object in stored(world) {
        for holder in object.devices.iter().filter(|name| wanted(name)) {
            let why = "asked for: every byte is read back and compared".into();
            add(world, &mut draft, &object, (holder, Depth::Intact), why);
        }
    }
    draft.finish(world)
}

/// Refuses the name of a device that the plan does not know.
///
/// # Errors
/// With the nearest name.
pub(super) fn known_device(world: &World<'_>, device: Option<&str>) -> Result<(), GraphError> {
    let Some(name) = device.filter(|name| world.device_named(name).is_none()) else {
        return Ok(());
    };
    let known = world.plan.devices.iter().map(|device| device.name.as_str());
    let help = match similar::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a device of the plan or its inventory".into(),
    };
    let message = format!("no device is called `{name}`");
    Err(GraphError::new(message, help))
}

/// To whom a stored object belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner<'a> {
    /// A part: to the job that took it.
    Job(&'a str),
    /// A log range: to the service whose log it is.
    Log(&'a str),
}

/// A stored part or log range.
pub(super) struct Stored<'a> {
    pub(super) id: &'a str,
    pub(super) what: String,
    owner: Owner<'a>,
    since: Timestamp,
    pub(super) bytes: u64,
    pub(super) devices: &'a [String],
}

impl Stored<'_> {
    pub(super) fn is_part(&self) -> bool {
        matches!(self.owner, Owner::Job(_))
    }

    /// The job to which it belongs; of log the archive, empty when the plan has none.
    pub(super) fn job(&self, world: &World<'_>) -> String {
        match self.owner {
            Owner::Job(name) => name.to_owned(),
            Owner::Log(service) => {
                let archive = (world.plan.find_service(service))
                    .and_then(|service| world.archive_of(service));
                archive.map_or_else(String::new, |id| job_name(world.plan, JobId::Archive(id)))
            }
        }
    }
}

/// Every part and log range that some device holds.
pub(super) fn stored<'a>(world: &World<'a>) -> Vec<Stored<'a>> {
    let parts = world.holdings.parts.iter().map(|part| Stored {
        id: &part.part,
        what: format!("{} of {:.0}", part.component, part.taken_at),
        owner: Owner::Job(&part.job),
        since: part.taken_at,
        bytes: part.stored_bytes,
        devices: &part.devices,
    });
    let logs = world.holdings.logs.iter().map(|log| Stored {
        id: &log.log,
        what: format!("log of {} up to {}", log.service, log.until.reach()),
        owner: Owner::Log(&log.service),
        since: log.last_at,
        bytes: log.stored_bytes,
        devices: &log.devices,
    });
    parts.chain(logs).collect()
}

/// Compiles the intent to look at copies, those first that were not read for the longest time.
///
/// # Errors
/// When the plan has no such device.
pub(super) fn scrub(
    world: &World<'_>,
    depth: Depth,
    device: Option<&str>,
    (older, limit): (Option<u64>, Option<u64>),
) -> Result<StepGraph, GraphError> {
    known_device(world, device)?;
    let read = last_read(world);
    let before = older.map(|age| {
        let age = SignedDuration::from_secs(i64::try_from(age).unwrap_or(i64::MAX));
        world.now.checked_sub(age).unwrap_or(Timestamp::MIN)
    });
    let objects = stored(world);
    let mut copies: Vec<(Option<Timestamp>, &Stored<'_>, &str)> = Vec::new();
    for object in &objects {
        let holders = object.devices.iter().map(String::as_str);
        for holder in holders.filter(|name| device.is_none_or(|device| device == *name)) {
            let last = read.get(&(object.id, holder)).copied();
            if before.is_none_or(|before| last.is_none_or(|last| last <= before)) {
                copies.push((last, object, holder));
            }
        }
    }
    copies.sort_by_key(|(last, object, holder)| (*last, object.since, object.id, *holder));
    let mut draft = Draft::new(world);
    let mut left = limit.unwrap_or(u64::MAX);
    for (last, object, holder) in copies {
        if left == 0 {
            break;
        }
        left = left.saturating_sub(object.bytes);
        let why = match last {
            None => "it was never read back".to_owned(),
            Some(last) => format!("it was last read back at {last}"),
        };
        add(world, &mut draft, object, (holder, depth), why);
    }
    draft.finish(world)
}

/// When each copy was last read back and found intact.
fn last_read<'a>(world: &World<'a>) -> BTreeMap<(&'a str, &'a str), Timestamp> {
    let mut read: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for (object, device, at) in &world.holdings.verified {
        let last = read.entry((object, device)).or_insert(*at);
        *last = (*last).max(*at);
    }
    read
}

fn add(
    world: &World<'_>,
    draft: &mut Draft,
    object: &Stored<'_>,
    (device, depth): (&str, Depth),
    why: String,
) {
    if world.device_named(device).is_none() {
        return; // the plan no longer knows this device, so nobody can open it
    }
    let lanes = world.device_lanes(draft, &[device.to_owned()]);
    draft.add(NewStep {
        kind: StepKind::VerifyStored {
            object: object.id.to_owned(),
            device: device.to_owned(),
            depth,
        },
        subject: format!("{} on {device}", object.what),
        lanes,
        estimate: World::estimate(Some(object.bytes), &[world.read_rate(device)]),
        why,
    });
}

/// Adds what `verify every …` makes due: copies of these jobs that were neither written nor
/// read back since the last occurrence.
pub(super) fn rereads(world: &World<'_>, draft: &mut Draft, jobs: &[JobId]) {
    let names: Vec<String> = jobs.iter().map(|job| job_name(world.plan, *job)).collect();
    let mut scheduled: BTreeMap<Owner<'_>, Vec<&Schedule>> = BTreeMap::new();
    for (job, name) in jobs.iter().zip(&names) {
        for schedule in schedules(world, *job) {
            scheduled
                .entry(owner(world, *job, name))
                .or_default()
                .push(schedule);
        }
    }
    if scheduled.is_empty() {
        return;
    }
    let verified = last_read(world);
    let going: BTreeSet<(&str, &str)> = world.going().collect();
    for object in stored(world) {
        let Some(rhythms) = scheduled.get(&object.owner) else {
            continue;
        };
        let stays = |device: &&String| !going.contains(&(object.id, device.as_str()));
        for device in object.devices.iter().filter(stays) {
            let read = verified.get(&(object.id, device.as_str())).copied();
            let last = read.map_or(object.since, |read| read.max(object.since));
            let due = |schedule| due::due(&world.calendar, schedule, Some(last), world.now);
            if let Some(due) = rhythms.iter().copied().find_map(due) {
                let why = format!("reading back is due: {}", due.why);
                add(world, draft, &object, (device, Depth::Intact), why);
            }
        }
    }
}

fn owner<'a>(world: &World<'a>, job: JobId, name: &'a str) -> Owner<'a> {
    match job {
        JobId::Backup(_) => Owner::Job(name),
        JobId::Archive(id) => {
            let service = world.plan.archives[id.index()].service;
            Owner::Log(&world.plan.service(service).name)
        }
    }
}

/// When a job's copies are read back.
fn schedules<'a>(world: &World<'a>, job: JobId) -> impl Iterator<Item = &'a Schedule> {
    let verify = world.keeping(job).verify.iter();
    verify.filter_map(|verify| match verify {
        Verify::Every(schedule) => Some(schedule),
        Verify::OnWrite(_) => None,
    })
}
