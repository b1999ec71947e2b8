//! Owns what retention is judged from: copies, what is known of them, and the clauses of the plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::facts::capability;
use crate::facts::holdings::{Holdings, Method};
use crate::graph::world::{World, is_full, job_name};
use crate::resolve::plan::{DeviceId, JobId, ResolvedPlan, Retain, Tier};

/// How long a backup's copies stay, and where they are to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobRule {
    /// The clauses that hold on each device of the plan.
    pub tiers: BTreeMap<String, Vec<Tier>>,
    /// Devices that are to hold copies that stand alone.
    pub full: BTreeSet<String>,
    /// Devices that are to hold copies that build on others.
    pub incremental: BTreeSet<String>,
    /// Component keys that are restored together: all physical parts of a service that is copied
    /// in parts. Empty for other services.
    pub sets: BTreeSet<String>,
}

impl JobRule {
    /// Devices that are to hold a copy taken in this way.
    #[must_use]
    pub fn required(&self, method: Method) -> &BTreeSet<String> {
        if is_full(method) {
            &self.full
        } else {
            &self.incremental
        }
    }
}

/// How long the log of a service stays, and where it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRule {
    /// The clauses that hold on each device of the plan, of all archives of the service.
    pub tiers: BTreeMap<String, Vec<Tier>>,
    /// Devices that are to hold it.
    pub required: BTreeSet<String>,
}

/// Everything that retention is judged from.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// All copies.
    pub holdings: &'a Holdings,
    /// Copies (object, device) that were last found damaged or lost.
    pub damaged: BTreeSet<(&'a str, &'a str)>,
    /// Tombstones (object, device) and since when they stand.
    pub condemned: BTreeMap<(&'a str, &'a str), Timestamp>,
    /// Objects that runs which did not end work with.
    pub in_use: BTreeSet<&'a str>,
    /// Backups by full name.
    pub jobs: BTreeMap<String, JobRule>,
    /// Archives by service.
    pub logs: BTreeMap<String, LogRule>,
    /// The zone of the plan.
    pub zone: TimeZone,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Question<'a> {
    /// The question that a plan and its copies ask at a moment.
    pub(in crate::graph) fn of_world(world: &World<'a>) -> Self {
        let jobs = world.jobs().filter(|job| matches!(job, JobId::Backup(_)));
        let jobs = jobs.map(|job| (job_name(world.plan, job), job_rule(world, job)));
        let mut logs: BTreeMap<String, LogRule> = BTreeMap::new();
        for job in world.jobs() {
            let JobId::Archive(id) = job else { continue };
            let service = world.plan.service(world.plan.archives[id.index()].service);
            let rule = logs.entry(service.name.clone()).or_default();
            rule.required
                .extend(names(world, &world.required(job, None)));
            for (device, tiers) in tiers(world.plan, &world.keeping(job).retain) {
                rule.tiers.entry(device).or_default().extend(tiers);
            }
        }
        Self {
            zone: world.calendar.zone().clone(),
            ..Self::of(world.holdings, jobs.collect(), logs, world.now)
        }
    }

    /// The question with these rules, in UTC.
    #[must_use]
    pub fn of(
        holdings: &'a Holdings,
        jobs: BTreeMap<String, JobRule>,
        logs: BTreeMap<String, LogRule>,
        now: Timestamp,
    ) -> Self {
        let pairs = holdings.damaged.iter();
        let tombs = holdings.condemned.iter();
        Self {
            holdings,
            damaged: pairs.map(|(a, b)| (a.as_str(), b.as_str())).collect(),
            condemned: tombs
                .map(|(object, device, at)| ((object.as_str(), device.as_str()), *at))
                .collect(),
            in_use: holdings.in_use.iter().map(String::as_str).collect(),
            jobs,
            logs,
            zone: TimeZone::UTC,
            now,
        }
    }
}

fn names(world: &World<'_>, devices: &[DeviceId]) -> BTreeSet<String> {
    devices.iter().map(|id| world.device_name(*id)).collect()
}

fn job_rule(world: &World<'_>, job: JobId) -> JobRule {
    JobRule {
        tiers: tiers(world.plan, &world.keeping(job).retain),
        full: names(world, &world.required(job, Some(Method::PhysicalFull))),
        incremental: names(
            world,
            &world.required(job, Some(Method::PhysicalIncremental)),
        ),
        sets: sets(world, job),
    }
}

/// The clauses of a job that hold on each device: said for it, for all devices, or at the device.
fn tiers(plan: &ResolvedPlan, own: &[Retain]) -> BTreeMap<String, Vec<Tier>> {
    let devices = (0..plan.devices.len()).map(DeviceId::from_index);
    let rules = devices.map(|id| {
        let device = plan.device(id);
        let here = |retain: &&Retain| retain.on.is_empty() || retain.on.contains(&id);
        let clauses = own.iter().filter(here).chain(&device.retain);
        let tiers = clauses.flat_map(|retain| retain.tiers.iter().copied());
        (device.name.clone(), tiers.collect())
    });
    rules.collect()
}

/// The components that are restored together with those of a job.
fn sets(world: &World<'_>, job: JobId) -> BTreeSet<String> {
    let JobId::Backup(id) = job else {
        return BTreeSet::new();
    };
    let plan = world.plan;
    let service_of = |id| plan.component(id).service;
    let own: BTreeSet<_> = plan.backups[id.index()]
        .targets
        .iter()
        .copied()
        .map(service_of)
        .collect();
    let in_parts = |service| capability::of(plan.service(service).engine).parts;
    let physical = plan.backups.iter().filter(|backup| {
        let mut takes = backup.takes.iter();
        takes.any(|take| take.method != Method::Logical)
    });
    let targets = physical.flat_map(|backup| backup.targets.iter().copied());
    let targets = targets.filter(|id| own.contains(&service_of(*id)) && in_parts(service_of(*id)));
    targets.map(|id| plan.component_key(id)).collect()
}
