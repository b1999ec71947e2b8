//! Owns the steps that make copies: brackets of backup mode, commits, shipments of log, and
//! copies that devices still lack.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::base::Bases;
use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::ids;
use super::moments::{Bracket, Moments};
use super::select::{self, Wanted, Work};
use super::step::{BuildsOn, EdgeKind, Estimate, Intent, Step, StepGraph, StepKind};
use super::world::{World, is_full, job_name};
use crate::facts::capability;
use crate::facts::holdings::Method;
use crate::quantity::{Duration, float};
use crate::resolve::plan::{ArchiveId, ComponentId, DeviceId, EngineKind, JobId, ServiceId};

/// Compiles backups, shipments and missing copies.
///
/// # Errors
/// When jobs wait for each other in a circle.
pub(super) fn build(world: &World<'_>, work: &Work) -> Result<StepGraph, GraphError> {
    let mut draft = Draft::new(world);
    let mut made = Made::default();
    let shipped = ships_before(world, &mut draft, work, &mut made);
    let mut moments = Moments::default();
    let bases = Bases::of(world);
    for wanted in &work.copies {
        let target = Target::of(world, &bases, wanted);
        let steps = bracket(world, &mut draft, (wanted, &target), &shipped, &mut made);
        moments.add(world, wanted, steps);
    }
    moments.join(&mut draft);
    after_edges(world, &mut draft, work, &made);
    missing_copies(world, &mut draft, &work.jobs);
    super::verify::rereads(world, &mut draft, &work.jobs);
    super::notify::jobs(world, &mut draft, &work.jobs);
    limits(world, &mut draft, &work.jobs);
    if *world.intent == Intent::Due {
        super::repair::due(world, &mut draft);
        super::expire::due(world, &mut draft);
    }
    draft.finish(world)
}

/// Compiles the copies that devices lack, and nothing else.
///
/// # Errors
/// As [`build`].
pub(super) fn catch_up(world: &World<'_>) -> Result<StepGraph, GraphError> {
    let mut draft = Draft::new(world);
    missing_copies(world, &mut draft, &world.jobs().collect::<Vec<_>>());
    draft.finish(world)
}

/// `finish within` of the jobs that have something to do.
fn limits(world: &World<'_>, draft: &mut Draft, jobs: &[JobId]) {
    for job in jobs {
        let Some(limit) = &world.keeping(*job).finish else {
            continue;
        };
        let name = job_name(world.plan, *job);
        let works = |step: &Step| super::notify::job_of(&step.kind) == Some(&name);
        if draft.steps().iter().any(works) {
            draft.limit(Some(name), limit.value);
        }
    }
}

/// First and last steps of each job, for `after`.
#[derive(Debug, Default)]
struct Made {
    first: BTreeMap<JobId, Vec<u32>>,
    last: BTreeMap<JobId, Vec<u32>>,
}

/// One shipment for each archive that is due or whose service is about to be copied.
fn ships_before(
    world: &World<'_>,
    draft: &mut Draft,
    work: &Work,
    made: &mut Made,
) -> BTreeMap<ServiceId, u32> {
    let mut shipped = BTreeMap::new();
    for (archive, why) in &work.archives {
        let step = ship(
            world,
            draft,
            (*archive, by_clock(world, *archive)),
            "",
            why.clone(),
        );
        let job = JobId::Archive(*archive);
        made.first.entry(job).or_default().push(step);
        made.last.entry(job).or_default().push(step);
        shipped.insert(world.plan.archives[archive.index()].service, step);
    }
    for wanted in &work.copies {
        let service = world.plan.component(wanted.component).service;
        if shipped.contains_key(&service) || wanted.method == Method::Logical {
            continue;
        }
        if let Some(archive) = world.archive_of(service) {
            let why = "the log so far is shipped before the copy begins".into();
            shipped.insert(
                service,
                ship(world, draft, (archive, None), " before the copy", why),
            );
        }
    }
    shipped
}

/// How long the plan lets log wait, when that is why it is shipped.
fn by_clock(world: &World<'_>, id: ArchiveId) -> Option<Duration> {
    let archive = &world.plan.archives[id.index()];
    let engine = world.plan.service(archive.service).engine;
    if engine != EngineKind::Postgresql || *world.intent != Intent::Due {
        return None;
    }
    let ships = archive.ships.iter();
    ships.filter_map(|ship| ship.schedule.longest_gap()).min()
}

fn ship(
    world: &World<'_>,
    draft: &mut Draft,
    (id, within): (ArchiveId, Option<Duration>),
    moment: &str,
    why: String,
) -> u32 {
    let archive = &world.plan.archives[id.index()];
    let service = world.plan.service(archive.service).name.clone();
    let job = JobId::Archive(id);
    let devices = names(world, &world.written(job, None));
    // no device lane: log is small and urgent and must not wait behind a copy
    let lanes = vec![draft.lane(format!("log/{service}"), 1)];
    let subject = format!("log of {service}{moment} -> {}", devices.join(", "));
    draft.add(NewStep {
        kind: StepKind::ArchiveLog {
            service,
            job: job_name(world.plan, job),
            within_ms: within.map(|within| within.0),
            devices,
            codec: archive.keeping.codec,
            key: world.plan.key_name(&archive.keeping),
        },
        subject,
        lanes,
        estimate: Estimate {
            seconds: world.known.job_seconds(&job_name(world.plan, job)),
            bytes: None,
        },
        why,
    })
}

/// Enter backup mode, copy, leave backup mode, commit, ship the log of the meantime.
fn bracket(
    world: &World<'_>,
    draft: &mut Draft,
    (wanted, target): (&Wanted, &Target),
    shipped: &BTreeMap<ServiceId, u32>,
    made: &mut Made,
) -> Bracket {
    let job = JobId::Backup(wanted.job);
    let begin = begin(world, draft, target, wanted);
    let copy = copy(world, draft, target, wanted);
    let end = end(draft, target);
    let commit = commit(draft, target);
    tie(draft, (begin, copy, end, commit));
    made.first.entry(job).or_default().push(begin);
    made.last.entry(job).or_default().push(commit);
    let steps = Bracket { begin, copy, end };
    if wanted.method == Method::Logical {
        // its rows have no place in the log
        return steps;
    }
    let service = world.plan.component(wanted.component).service;
    if let Some(before) = shipped.get(&service) {
        let why = "the log is short when the copy begins; a failed shipment does not stop it";
        draft.edge(*before, begin, EdgeKind::Always, why);
    }
    if let Some(archive) = world.archive_of(service) {
        let moment = format!(" after the copy of {}", target.component);
        let why = "the log written during the copy makes it recoverable to its end".into();
        let after = ship(world, draft, (archive, None), &moment, why);
        draft.edge(
            end,
            after,
            EdgeKind::Success,
            "the copy's end lies in this log",
        );
        if !capability::of(world.plan.service(service).engine).self_contained {
            draft.edge(
                after,
                commit,
                EdgeKind::Success,
                "without its log the copy could not be made consistent",
            );
        }
    }
    steps
}

/// The order within a bracket.
fn tie(draft: &mut Draft, (begin, copy, end, commit): (u32, u32, u32, u32)) {
    draft.edge(
        begin,
        copy,
        EdgeKind::Success,
        "the source must be in backup mode",
    );
    draft.edge(
        begin,
        end,
        EdgeKind::Success,
        "backup mode that was entered must be left",
    );
    draft.edge(
        copy,
        end,
        EdgeKind::Always,
        "backup mode is left whatever becomes of the copy",
    );
    draft.edge(
        copy,
        commit,
        EdgeKind::Success,
        "all bytes must be durable before the manifest",
    );
    draft.edge(
        end,
        commit,
        EdgeKind::Success,
        "the positions are known when backup mode ends",
    );
}

/// What a bracket is about.
struct Target {
    component: String,
    part: String,
    job: String,
    method: Method,
    /// The part that only changes are copied since.
    base: Option<BuildsOn>,
    /// Why now, and why in this way.
    why: String,
    devices: Vec<String>,
    ids: Vec<DeviceId>,
    /// Parts of the job that are copied at once.
    parallel: u32,
}

impl Target {
    fn of(world: &World<'_>, bases: &Bases<'_, '_>, wanted: &Wanted) -> Self {
        let job = JobId::Backup(wanted.job);
        let component = world.plan.component_key(wanted.component);
        let name = job_name(world.plan, job);
        let (method, base, why) = match bases.choose(&component, wanted.method) {
            Some((base, why)) => (wanted.method, Some(base), format!("{}; {why}", wanted.why)),
            None if is_full(wanted.method) => (wanted.method, None, wanted.why.clone()),
            None => {
                let why = "; no copy of it is whole, so a full is made";
                (Method::PhysicalFull, None, wanted.why.clone() + why)
            }
        };
        let ids = world.written(job, Some(method));
        Self {
            part: ids::part_id(&world.run, &name, &component),
            job: name,
            method,
            base,
            why,
            devices: names(world, &ids),
            ids,
            parallel: world.keeping(job).parallel.map_or(1, |at| at.value),
            component,
        }
    }
}

/// As many parts of a service are in backup mode at once as the job copies in parallel.
fn mode_lane(draft: &mut Draft, target: &Target) -> u32 {
    let component = target.component.as_str();
    let service = component.split('/').next().unwrap_or(component);
    draft.lane(format!("backup-mode/{service}"), target.parallel)
}

/// What the copy of a component claims: where it is read, where it is written, the job's share.
fn copy_lanes(world: &World<'_>, draft: &mut Draft, target: &Target, wanted: &Wanted) -> Vec<u32> {
    let mut lanes = world.source_lanes(draft, world.plan.component(wanted.component));
    for id in &target.ids {
        lanes.push(world.device_lane(draft, *id));
    }
    let keeping = world.keeping(JobId::Backup(wanted.job));
    if let Some(parallel) = keeping.parallel {
        lanes.push(draft.lane(format!("job/{}", target.job), parallel.value));
    }
    lanes
}

fn begin(world: &World<'_>, draft: &mut Draft, target: &Target, wanted: &Wanted) -> u32 {
    let mut lanes = vec![mode_lane(draft, target)];
    let service = world.plan.component(wanted.component).service;
    let engine = world.plan.service(service).engine;
    if !capability::of(engine).self_contained && target.method != Method::Logical {
        // log piles up in backup mode: it is entered when the copy could begin, not before
        lanes.extend(copy_lanes(world, draft, target, wanted));
    }
    draft.add(NewStep {
        kind: StepKind::BeginBackup {
            component: target.component.clone(),
            method: target.method,
            changed_since: wanted.when_changed.then(|| target.job.clone()),
            base: target.base.clone(),
        },
        subject: format!("{} for {}", target.component, target.job),
        lanes,
        estimate: Estimate::default(),
        why: if wanted.when_changed {
            format!("{}, if it changed since", target.why)
        } else {
            target.why.clone()
        },
    })
}

fn copy(world: &World<'_>, draft: &mut Draft, target: &Target, wanted: &Wanted) -> u32 {
    let keeping = world.keeping(JobId::Backup(wanted.job));
    let throttle = world.throttle(&keeping.throttle);
    let lanes = copy_lanes(world, draft, target, wanted);
    let estimate = copy_estimate(world, target, wanted.component, throttle);
    let why = match target.devices.as_slice() {
        [one] => format!("read once and written to {one}"),
        many => format!(
            "read once and written to {} devices at the same time",
            many.len()
        ),
    };
    draft.add(NewStep {
        kind: StepKind::CopyPart {
            component: target.component.clone(),
            part: target.part.clone(),
            method: target.method,
            base: target.base.clone(),
            devices: target.devices.clone(),
            codec: keeping.codec,
            key: world.plan.key_name(keeping),
            throttle,
            memory: keeping.memory.map(|at| at.value.0),
        },
        subject: format!("{} -> {}", target.component, target.devices.join(", ")),
        lanes,
        estimate,
        why,
    })
}

/// By the rate of the job's last run when there was one, else by the slowest thing known.
fn copy_estimate(
    world: &World<'_>,
    target: &Target,
    id: ComponentId,
    throttle: Option<u64>,
) -> Estimate {
    let known = world.known;
    let mut rates = vec![throttle.map(float)];
    if let Some(rate) = known.job_rate(&target.job) {
        rates.push(Some(rate));
    } else {
        let part = world.plan.component(id);
        let host = world.plan.service(part.service).host.as_deref();
        let home = host.and_then(|host| world.plan.hosts.get(host)?.site.as_deref());
        for device in &target.devices {
            rates.push(world.write_rate(device));
            rates.push(world.link_rate(home, device));
        }
        let host = host.unwrap_or_default();
        let disks = part.disks.iter();
        rates.push(disks.map(|disk| known.disk_read(host, disk)).sum());
    }
    World::estimate(world.volume(id, target.method), &rates)
}

fn end(draft: &mut Draft, target: &Target) -> u32 {
    let lanes = vec![mode_lane(draft, target)];
    draft.add(NewStep {
        kind: StepKind::EndBackup {
            component: target.component.clone(),
            part: target.part.clone(),
        },
        subject: format!("{} for {}", target.component, target.job),
        lanes,
        estimate: Estimate::default(),
        why: "runs after failure and cancellation too".into(),
    })
}

fn commit(draft: &mut Draft, target: &Target) -> u32 {
    draft.add(NewStep {
        kind: StepKind::CommitPart {
            component: target.component.clone(),
            part: target.part.clone(),
            job: target.job.clone(),
            devices: target.devices.clone(),
        },
        subject: format!("{} on {}", target.component, target.devices.join(", ")),
        lanes: Vec::new(),
        estimate: Estimate::default(),
        why: "written last, so a part without it does not exist".into(),
    })
}

/// `after A, B`: every first step waits for every last step of those jobs, where they run too.
fn after_edges(world: &World<'_>, draft: &mut Draft, work: &Work, made: &Made) {
    for job in &work.jobs {
        let Some(firsts) = made.first.get(job) else {
            continue;
        };
        let after: BTreeSet<JobId> = world
            .keeping(*job)
            .after
            .iter()
            .map(|at| at.value)
            .collect();
        for before in after {
            if let Some(lasts) = made.last.get(&before) {
                join(draft, lasts, firsts, &job_name(world.plan, before));
            }
        }
    }
}

/// Every `first` waits for every `last`; many of both meet in one step between them.
fn join(draft: &mut Draft, lasts: &[u32], firsts: &[u32], before: &str) {
    let why = "`after` says so";
    if lasts.len() == 1 || firsts.len() == 1 {
        for (last, first) in lasts
            .iter()
            .flat_map(|l| firsts.iter().map(move |f| (l, f)))
        {
            draft.edge(*last, *first, EdgeKind::Success, why);
        }
        return;
    }
    let barrier = draft.add(NewStep {
        kind: StepKind::Barrier,
        subject: format!("all of {before} is done"),
        lanes: Vec::new(),
        estimate: Estimate {
            seconds: Some(0.0),
            bytes: None,
        },
        why: why.into(),
    });
    for last in lasts {
        draft.edge(*last, barrier, EdgeKind::Success, why);
    }
    for first in firsts {
        draft.edge(barrier, *first, EdgeKind::Success, why);
    }
}

/// Stored parts and log ranges that a device of their job still lacks are copied from a holder.
fn missing_copies(world: &World<'_>, draft: &mut Draft, jobs: &[JobId]) {
    for job in jobs {
        match job {
            JobId::Backup(id) => {
                let name = job_name(world.plan, *job);
                let backup = &world.plan.backups[id.index()];
                for component in select::all_targets(world, backup) {
                    let key = world.plan.component_key(component);
                    let parts = world.parts_of(&key).iter().filter(|part| part.job == name);
                    for part in parts {
                        let required = names(world, &world.required(*job, Some(part.method)));
                        let lacks = Lack {
                            object: &part.part,
                            holders: &part.devices,
                            made: part.taken_at,
                            bytes: part.stored_bytes,
                            what: format!("{key} of {:.0}", part.taken_at),
                        };
                        copy_stored(world, draft, *job, &lacks, &required);
                    }
                }
            }
            JobId::Archive(id) => {
                let service = world.plan.archives[id.index()].service;
                let service = &world.plan.service(service).name;
                let required = names(world, &world.required(*job, None));
                for log in world.logs_of(service) {
                    let lacks = Lack {
                        object: &log.log,
                        holders: &log.devices,
                        made: log.last_at,
                        bytes: log.stored_bytes,
                        what: format!("log of {service} up to {}", log.until.reach()),
                    };
                    copy_stored(world, draft, *job, &lacks, &required);
                }
            }
        }
    }
}

/// A stored object with those who hold it.
struct Lack<'a> {
    object: &'a str,
    holders: &'a [String],
    made: Timestamp,
    bytes: u64,
    what: String,
}

fn copy_stored(
    world: &World<'_>,
    draft: &mut Draft,
    job: JobId,
    lack: &Lack<'_>,
    required: &[String],
) {
    let holders = sources(world, lack);
    // a copy that the device would not keep is not brought back to it
    let wanted = |to: &&String| {
        let copy = (lack.object.to_owned(), (*to).clone());
        world.judged().wanted.contains(&copy)
    };
    let missing = required.iter().filter(|name| !lack.holders.contains(*name));
    let due = |to: &&String| {
        let device = world.device_named(to);
        device.is_none_or(|device| world.copies_now(job, device, lack.made))
    };
    let missing = missing.filter(wanted).filter(due);
    for to in missing.filter(|_| !holders.is_empty()) {
        let ends = [holders[0].clone(), to.clone()];
        let lanes = world.device_lanes(draft, &ends);
        let from = world.device_named(&holders[0]);
        let from = from.and_then(|id| world.plan.device(id).site.as_deref());
        let rates = [
            world.read_rate(&holders[0]),
            world.write_rate(to),
            world.link_rate(from, to),
        ];
        draft.add(NewStep {
            kind: StepKind::CopyStored {
                object: lack.object.to_owned(),
                job: job_name(world.plan, job),
                from: holders.clone(),
                to: to.clone(),
            },
            subject: format!("{}, {} -> {to}", lack.what, holders.join(" or ")),
            lanes,
            estimate: World::estimate(Some(lack.bytes), &rates),
            why: format!("{to} missed it; a stored copy is read, not the source"),
        });
    }
}

/// Devices that a stored object is copied from: never from one whose copy is known to be damaged.
fn sources(world: &World<'_>, lack: &Lack<'_>) -> Vec<String> {
    let damaged = |name: &String| {
        let mut known = world.holdings.damaged.iter();
        known.any(|(object, device)| object == lack.object && device == name)
    };
    let holders = lack.holders.iter();
    let known = holders.filter(|name| world.device_named(name).is_some());
    known.filter(|name| !damaged(name)).cloned().collect()
}

fn names(world: &World<'_>, devices: &[DeviceId]) -> Vec<String> {
    devices.iter().map(|id| world.device_name(*id)).collect()
}
