//! Owns everything an intent is compiled from, with the look-ups that all intents share.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use super::calendar::Calendar;
use super::draft::Draft;
use super::due;
use super::error::GraphError;
use super::hole::{self, Course};
use super::ids;
use super::retention::{Judgement, Question, judge};
use super::step::{Estimate, Intent};
use crate::estimate::{pace, volume};
use crate::facts::capability;
use crate::facts::holdings::{Holdings, LogHolding, Method, PartHolding, Position};
use crate::facts::known::Known;
use crate::quantity::{Duration, float};
use crate::resolve::plan::{
    ArchiveId, Backup, BackupId, Component, ComponentId, CopyScope, CopyTo, DeviceId, EngineKind,
    JobId, Keeping, Origin, ResolvedPlan, Service, ServiceId, Throttle,
};

/// The jobs of a plan by the services they work for.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    backups: BTreeMap<ServiceId, Vec<BackupId>>,
    archives: BTreeMap<ServiceId, Vec<ArchiveId>>,
}

impl Jobs {
    pub(super) fn of(plan: &ResolvedPlan) -> Self {
        let mut jobs = Self::default();
        for (at, backup) in plan.backups.iter().enumerate() {
            let services = backup.targets.iter().map(|id| plan.component(*id).service);
            for service in services.collect::<BTreeSet<_>>() {
                let own = jobs.backups.entry(service).or_default();
                own.push(BackupId::from_index(at));
            }
        }
        for (at, archive) in plan.archives.iter().enumerate() {
            let own = jobs.archives.entry(archive.service).or_default();
            own.push(ArchiveId::from_index(at));
        }
        jobs
    }

    /// In the order of the plan, each once.
    pub(super) fn backups_of(&self, services: &BTreeSet<ServiceId>) -> BTreeSet<BackupId> {
        let own = services.iter().filter_map(|id| self.backups.get(id));
        own.flatten().copied().collect()
    }

    /// In the order of the plan.
    pub(super) fn archives_of(&self, services: &BTreeSet<ServiceId>) -> BTreeSet<ArchiveId> {
        let own = services.iter().filter_map(|id| self.archives.get(id));
        own.flatten().copied().collect()
    }
}

/// The inputs of one compilation.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) plan: &'a ResolvedPlan,
    pub(super) holdings: &'a Holdings,
    pub(super) known: &'a Known,
    pub(super) intent: &'a Intent,
    pub(super) now: Timestamp,
    pub(super) run: String,
    pub(super) calendar: Calendar<'a>,
    parts: BTreeMap<&'a str, Vec<&'a PartHolding>>,
    ids: BTreeMap<&'a str, &'a PartHolding>,
    logs: BTreeMap<&'a str, Vec<&'a LogHolding>>,
    history: BTreeMap<(&'a str, Option<Method>), Timestamp>,
    devices: BTreeMap<&'a str, DeviceId>,
    jobs: OnceCell<Rc<Jobs>>,
    judged: OnceCell<Judgement>,
    courses: OnceCell<BTreeMap<ServiceId, Course>>,
}

impl<'a> World<'a> {
    /// The history that a recovery is told to follow where a service's log has it.
    pub(super) fn followed(&self) -> Option<&'a str> {
        match self.intent {
            Intent::Recover { incarnation, .. } => incarnation.as_deref(),
            _ => None,
        }
    }
}

/// A calendar in the plan's zone.
///
/// # Errors
/// When the zone is not known on this machine.
pub fn calendar(plan: &ResolvedPlan) -> Result<Calendar<'_>, GraphError> {
    Calendar::of(plan).ok_or_else(|| {
        let name = &plan.timezone.value;
        GraphError::new(
            format!("time zone `{name}` is not known on this machine"),
            "install the system's time zone data (package `tzdata`), or correct `timezone`",
        )
    })
}

/// Whether each copy of a range was damaged or gone when it was last read back: then nothing is
/// replayed from it.
fn is_lost(holdings: &Holdings, log: &LogHolding) -> bool {
    let damaged = |device: &String| {
        let mut known = holdings.damaged.iter();
        known.any(|(object, on)| *object == log.log && on == device)
    };
    !log.devices.is_empty() && log.devices.iter().all(damaged)
}

impl<'a> World<'a> {
    pub(super) fn new(
        plan: &'a ResolvedPlan,
        holdings: &'a Holdings,
        known: &'a Known,
        intent: &'a Intent,
        now: Timestamp,
    ) -> Result<Self, GraphError> {
        let mut parts: BTreeMap<&str, Vec<&PartHolding>> = BTreeMap::new();
        for part in &holdings.parts {
            parts.entry(&part.component).or_default().push(part);
        }
        let mut logs: BTreeMap<&str, Vec<&LogHolding>> = BTreeMap::new();
        for log in holdings.logs.iter().filter(|log| !is_lost(holdings, log)) {
            logs.entry(&log.service).or_default().push(log);
        }
        let mut history = BTreeMap::new();
        // a run in the future was begun by a wrong clock: nothing waits for it
        let latest = latest(now);
        for job in holdings.jobs.iter().filter(|job| job.began <= latest) {
            let last = history
                .entry((job.job.as_str(), job.method))
                .or_insert(job.began);
            *last = job.began.max(*last);
        }
        let devices = (plan.devices.iter().enumerate())
            .map(|(at, device)| (device.name.as_str(), DeviceId::from_index(at)))
            .collect();
        Ok(Self {
            plan,
            holdings,
            known,
            intent,
            now,
            run: ids::run_id(&plan.hash, &plan.environment, intent, now),
            calendar: calendar(plan)?,
            parts,
            ids: (holdings.parts.iter())
                .map(|part| (part.part.as_str(), part))
                .collect(),
            logs,
            history,
            devices,
            jobs: OnceCell::new(),
            judged: OnceCell::new(),
            courses: OnceCell::new(),
        })
    }

    /// As [`Self::new`], with jobs that were looked up before.
    pub(super) fn sharing(
        plan: &'a ResolvedPlan,
        holdings: &'a Holdings,
        known: &'a Known,
        intent: &'a Intent,
        now: Timestamp,
        jobs: Rc<Jobs>,
    ) -> Result<Self, GraphError> {
        let mut world = Self::new(plan, holdings, known, intent, now)?;
        world.jobs = OnceCell::from(jobs);
        Ok(world)
    }

    fn jobs_by_service(&self) -> &Jobs {
        self.jobs.get_or_init(|| Rc::new(Jobs::of(self.plan)))
    }

    /// Backups that copy something of a service.
    pub(super) fn backups_of(&self, service: ServiceId) -> impl Iterator<Item = &'a Backup> {
        let ids = self.jobs_by_service().backups.get(&service);
        let plan = self.plan;
        ids.into_iter()
            .flatten()
            .map(|id| &plan.backups[id.index()])
    }

    /// What stays and what goes; computed at first use.
    pub(super) fn judged(&self) -> &Judgement {
        self.judged.get_or_init(|| judge(&Question::of_world(self)))
    }

    /// How the log of each service goes on; computed at first use.
    pub(super) fn courses(&self) -> &BTreeMap<ServiceId, Course> {
        self.courses.get_or_init(|| hole::courses(self))
    }

    /// Copies (object, device) that nothing keeps.
    pub(super) fn going(&self) -> impl Iterator<Item = (&str, &str)> {
        let fates = self.judged().fates.iter().filter(|fate| fate.goes());
        fates.map(|fate| (fate.object.as_str(), fate.device.as_str()))
    }

    /// Copies of a component, oldest first.
    pub(super) fn parts_of(&self, component: &str) -> &[&'a PartHolding] {
        self.parts.get(component).map_or(&[], Vec::as_slice)
    }

    /// The part with this id.
    pub(super) fn part_of_id(&self, id: &str) -> Option<&'a PartHolding> {
        self.ids.get(id).copied()
    }

    /// Log ranges of a service.
    pub(super) fn logs_of(&self, service: &str) -> &[&'a LogHolding] {
        self.logs.get(service).map_or(&[], Vec::as_slice)
    }

    /// When a job last began a run that ended well.
    pub(super) fn last(&self, job: &str, method: Option<Method>) -> Option<Timestamp> {
        self.history.get(&(job, method)).copied()
    }

    pub(super) fn device_named(&self, name: &str) -> Option<DeviceId> {
        self.devices.get(name).copied()
    }

    pub(super) fn device_name(&self, id: DeviceId) -> String {
        self.plan.device(id).name.clone()
    }

    /// Every job in the order of the plan: backups, then archives.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> + use<> {
        let backups = (0..self.plan.backups.len()).map(BackupId::from_index);
        let archives = (0..self.plan.archives.len()).map(ArchiveId::from_index);
        (backups.map(JobId::Backup)).chain(archives.map(JobId::Archive))
    }

    /// What a job keeps where.
    pub(super) fn keeping(&self, job: JobId) -> &'a Keeping {
        match job {
            JobId::Backup(id) => &self.plan.backups[id.index()].keeping,
            JobId::Archive(id) => &self.plan.archives[id.index()].keeping,
        }
    }

    /// The archive of a service whose engine can give its log away.
    pub(super) fn archive_of(&self, service: ServiceId) -> Option<ArchiveId> {
        if !capability::of(self.plan.service(service).engine).log {
            return None;
        }
        let own = self.jobs_by_service().archives.get(&service)?;
        own.first().copied()
    }

    /// Devices that are to hold what a job makes with this method (`None`: log), in the order
    /// of the plan, first the one that is stored on.
    pub(super) fn required(&self, job: JobId, method: Option<Method>) -> Vec<DeviceId> {
        self.devices_of(job, method, &|_| true)
    }

    /// As [`World::required`], only those that are written while the source is read. The others
    /// are copied to at set times.
    pub(super) fn written(&self, job: JobId, method: Option<Method>) -> Vec<DeviceId> {
        self.devices_of(job, method, &|copy| copy.live)
    }

    fn devices_of(
        &self,
        job: JobId,
        method: Option<Method>,
        wanted: &dyn Fn(&CopyTo) -> bool,
    ) -> Vec<DeviceId> {
        let keeping = self.keeping(job);
        let mut devices: Vec<DeviceId> = Vec::new();
        let mut add = |device: DeviceId| {
            if !devices.contains(&device) {
                devices.push(device);
            }
        };
        if let Some(store) = keeping.store {
            add(store.value);
        }
        if let JobId::Archive(id) = job {
            let archive = &self.plan.archives[id.index()];
            archive.ships.iter().for_each(|ship| add(ship.device));
            archive.streams.iter().for_each(|stream| add(stream.device));
        }
        for copy in keeping
            .copies
            .iter()
            .filter(|copy| carries(copy.scope, method) && wanted(copy))
        {
            add(copy.device);
        }
        devices
    }

    /// Whether a job's copy on a device that lacks what was made at a moment is made now: at its
    /// set times when it has some, else at every run.
    pub(super) fn copies_now(&self, job: JobId, device: DeviceId, made: Timestamp) -> bool {
        let mut copies = self.keeping(job).copies.iter();
        let copy = copies.find(|copy| copy.device == device);
        let every = copy.and_then(|copy| copy.every.as_ref());
        every.is_none_or(|every| due::due(&self.calendar, every, Some(made), self.now).is_some())
    }

    /// The devices by name, those nearest to a service first: on its host, at its site, others.
    pub(super) fn nearest_first(&self, service: &Service, names: &[String]) -> Vec<String> {
        let site = |host: &Option<String>| {
            let host = self.plan.hosts.get(host.as_deref()?)?;
            host.site.clone()
        };
        let home = site(&service.host);
        let distance = |name: &String| {
            let Some(device) = self.device_named(name).map(|id| self.plan.device(id)) else {
                return 3;
            };
            if device.host.is_some() && device.host == service.host {
                0
            } else if home.is_some() && device.site == home {
                1
            } else {
                2
            }
        };
        let mut sorted = names.to_vec();
        sorted.sort_by_key(distance);
        sorted
    }

    /// Bytes per second that a job may use at `now`.
    pub(super) fn throttle(&self, throttles: &[Throttle]) -> Option<u64> {
        let found = pace::in_force(throttles, &self.calendar, self.now)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate in bytes is positive and far below 2^63"
        )]
        Some(found.rate.0.max(1.0) as u64)
    }

    /// The lane of a device: its drives.
    pub(super) fn device_lane(&self, draft: &mut Draft, id: DeviceId) -> u32 {
        let device = self.plan.device(id);
        draft.lane(format!("device/{}", device.name), device.drives)
    }

    /// Lanes of devices by name; names the plan does not know have none.
    pub(super) fn device_lanes(&self, draft: &mut Draft, names: &[String]) -> Vec<u32> {
        let known = names.iter().filter_map(|name| self.device_named(name));
        known.map(|id| self.device_lane(draft, id)).collect()
    }

    /// Lanes of the disks a component is read from; of its service when no disk is known.
    pub(super) fn source_lanes(&self, draft: &mut Draft, component: &Component) -> Vec<u32> {
        let service = self.plan.service(component.service);
        let host = service.host.as_deref().unwrap_or(&service.name);
        if component.disks.is_empty() {
            return vec![draft.lane(format!("source/{}", service.name), 1)];
        }
        let disks = component.disks.iter();
        disks
            .map(|disk| draft.lane(format!("disk/{host}/{disk}"), 1))
            .collect()
    }

    /// Rate at which a device gives copies back.
    pub(super) fn read_rate(&self, device: &str) -> Option<f64> {
        self.known.read(self.device_named(device)?)
    }

    /// Rate at which a device takes copies.
    pub(super) fn write_rate(&self, device: &str) -> Option<f64> {
        self.known.write(self.device_named(device)?)
    }

    /// The line from a service's host, or from a device, to a device.
    pub(super) fn link_rate(&self, from: Option<&str>, to: &str) -> Option<f64> {
        let to = self.device_named(to).map(|id| self.plan.device(id))?;
        Some(pace::link(self.plan, from, to.site.as_deref())?.rate)
    }

    /// How long it takes to move this much at the slowest of the known rates.
    pub(super) fn estimate(bytes: Option<u64>, rates: &[Option<f64>]) -> Estimate {
        let slowest = rates.iter().flatten().copied().filter(|rate| *rate > 0.0);
        let slowest = slowest.reduce(f64::min);
        let seconds = bytes.zip(slowest).map(|(bytes, rate)| float(bytes) / rate);
        Estimate {
            seconds: seconds.map(rounded),
            bytes,
        }
    }

    /// Seconds that so many bytes of some work take, as its last run has shown.
    pub(super) fn paced(&self, work: &str, bytes: u64) -> Option<f64> {
        self.known.paced(work, bytes).map(rounded)
    }

    /// As long as such work took when it was last done; its bytes are not counted.
    pub(super) fn as_before(&self, work: &str) -> Estimate {
        Estimate {
            seconds: self.known.job_seconds(work).map(rounded),
            bytes: None,
        }
    }

    /// Bytes of the next copy of a component, by the newest that is known of it.
    pub(super) fn volume(&self, id: ComponentId, method: Method) -> Option<u64> {
        let parts = self.parts_of(&self.plan.component_key(id)).iter();
        let whole = method == Method::PhysicalDifferential;
        let mut bases = parts.filter(|part| {
            is_physical(part.method) && (!whole || part.method == Method::PhysicalFull)
        });
        let base = bases.next_back().map(|part| part.taken_at);
        let since = base.and_then(|base| {
            let millis = self.now.duration_since(base).as_millis();
            u64::try_from(millis).ok().map(Duration)
        });
        let size = self.known.latest_size(id)?;
        let bytes = volume::of(size, self.known.change(id), method, since)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; saturates"
        )]
        Some(bytes.round() as u64)
    }

    /// Whether a component has a copy that a restore could begin with.
    pub(super) fn has_full(&self, component: ComponentId) -> bool {
        let key = self.plan.component_key(component);
        (self.parts_of(&key).iter()).any(|p| is_full(p.method) && !p.devices.is_empty())
    }
}

impl World<'_> {
    /// Whether the newest log of a component's service continues none of its copies: the log
    /// began a new history, and nothing could be recovered with it before a fresh full.
    pub(super) fn log_is_cut_off(&self, component: ComponentId) -> bool {
        let service = self.plan.service(self.plan.component(component).service);
        if service.engine != EngineKind::Sqlite {
            return false; // elsewhere one history can continue another
        }
        let newest = self
            .logs_of(&service.name)
            .iter()
            .max_by_key(|log| log.last_at);
        let Some(newest) = newest else {
            return false;
        };
        let key = self.plan.component_key(component);
        let mut placed = (self.parts_of(&key).iter())
            .filter(|part| is_full(part.method))
            .filter_map(|part| Some((part.identity.as_str(), part.until.as_ref()?)))
            .peekable();
        let history = |(identity, until): (&str, &Position)| {
            identity == newest.identity && until.incarnation == newest.until.incarnation
        };
        // copies without a position say nothing about the log
        placed.peek().is_some() && !placed.any(history)
    }
}

fn is_physical(method: Method) -> bool {
    method != Method::Logical
}

/// Whether a copy stands alone.
pub(super) fn is_full(method: Method) -> bool {
    matches!(method, Method::PhysicalFull | Method::Logical)
}

fn carries(scope: CopyScope, method: Option<Method>) -> bool {
    match (scope, method) {
        (CopyScope::All, _) | (CopyScope::Log, None) => true,
        (CopyScope::Full, Some(method)) => is_full(method),
        (CopyScope::Incremental, Some(method)) => !is_full(method),
        _ => false,
    }
}

/// The name under which a job is run, shown and recorded: `instance/name` for jobs of a policy.
#[must_use]
pub fn full_name(origin: &Origin, name: &str) -> String {
    origin.full_name(name)
}

/// [`full_name`] of a job.
#[must_use]
pub fn job_name(plan: &ResolvedPlan, job: JobId) -> String {
    match job {
        JobId::Backup(id) => {
            let job = &plan.backups[id.index()];
            full_name(&job.origin, &job.name)
        }
        JobId::Archive(id) => {
            let job = &plan.archives[id.index()];
            full_name(&job.origin, &job.name)
        }
    }
}

/// How far ahead of this clock another one may be.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The latest moment at `now` that is not in the future.
pub(super) fn latest(now: Timestamp) -> Timestamp {
    now.checked_add(SKEW).unwrap_or(Timestamp::MAX)
}

/// A millisecond is as exact as it can mean anything; it also keeps the text short.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
