//! Owns rehearsal: the copies that a plan executed as written would have made, so that every
//! recovery can be compiled before the first copy exists. Must not judge the result.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use super::error::GraphError;
use super::step::{Estimate, Intent, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use super::world::{Jobs, World, full_name, is_full, job_name};
use super::{recover, restore};
use crate::check::Refusal;
use crate::facts::capability;
use crate::facts::holdings::{Holdings, LogHolding, LogPoint, Method, PartHolding, Position};
use crate::facts::known::Known;
use crate::quantity::float;
use crate::resolve::plan::{
    ActionKind, ArchiveId, BackupId, Component, ComponentKind, DeviceId, EngineKind, Input, JobId,
    Kind, ReplayPoint, ResolvedPlan, Scenario, ServiceId, Target,
};

/// Where the rehearsed copies end and the rehearsed log begins, in transactions.
const COPIED: u64 = 100;
/// The transaction an operator would name.
const NAMED: u64 = 150;
/// Where the rehearsed log ends.
const SHIPPED: u64 = 200;

/// A plan ready to be rehearsed: who copies what is looked up once for all its recoveries.
#[derive(Debug)]
pub struct Rehearsal<'a> {
    plan: &'a ResolvedPlan,
    known: &'a Known,
    now: Timestamp,
    jobs: Rc<Jobs>,
}

impl<'a> Rehearsal<'a> {
    /// Looks the jobs up.
    #[must_use]
    pub fn new(plan: &'a ResolvedPlan, known: &'a Known, now: Timestamp) -> Self {
        Self {
            plan,
            known,
            now,
            jobs: Rc::new(Jobs::of(plan)),
        }
    }

    /// The graph of a recovery of the plan, from the copies that are left.
    ///
    /// # Errors
    /// When a clause cannot be carried out, or no chain of the plan's copies reaches the target.
    pub fn recovery(
        &self,
        scenario: &'a Scenario,
        lost: &BTreeSet<String>,
    ) -> Result<StepGraph, GraphError> {
        let intent = Intent::Recover {
            scenario: full_name(&scenario.origin, &scenario.name),
            inputs: inputs(self.plan, scenario, self.now),
            to: None,
            incarnation: None,
        };
        self.compile(
            &intent,
            lost,
            &services(self.plan, scenario),
            Some(scenario),
        )
    }

    /// The graph of restoring a service whole to its newest state, from the copies that are left.
    ///
    /// # Errors
    /// As [`Self::recovery`].
    pub fn restoration(
        &self,
        service: &str,
        lost: &BTreeSet<String>,
    ) -> Result<StepGraph, GraphError> {
        let intent = Intent::Restore(RestoreIntent {
            service: service.to_owned(),
            to: format!("restored/{service}"),
            until: RecoveryTarget::Latest,
            from: None,
            relocate: BTreeMap::new(),
            only: Vec::new(),
            incarnation: None,
            delta: false,
        });
        let services = self.plan.find_service(service).into_iter().collect();
        self.compile(&intent, lost, &services, None)
    }

    fn compile(
        &self,
        intent: &Intent,
        lost: &BTreeSet<String>,
        services: &BTreeSet<ServiceId>,
        scenario: Option<&'a Scenario>,
    ) -> Result<StepGraph, GraphError> {
        let mut holdings = self.holdings(lost, services);
        holdings.points = self.points(services, scenario);
        let jobs = Rc::clone(&self.jobs);
        let world = World::sharing(self.plan, &holdings, self.known, intent, self.now, jobs)?;
        let mut graph = match (intent, scenario) {
            (Intent::Restore(wanted), _) => restore::build(&world, wanted),
            // found already: looking each up among thousands would take a while
            (Intent::Recover { inputs, to, .. }, Some(scenario)) => {
                recover::compiled(&world, scenario, inputs, to.as_deref())
            }
            _ => Err(GraphError::new(
                "only recoveries are rehearsed",
                "name a recovery of the plan",
            )),
        }?;
        forget_made_up(&mut graph, &holdings);
        Ok(graph)
    }

    /// The restore points that a recovery names: they are made when they are needed, so nobody can
    /// say before that they are missing.
    fn points(&self, services: &BTreeSet<ServiceId>, scenario: Option<&Scenario>) -> Vec<LogPoint> {
        let plan = self.plan;
        let mut services = services.iter().map(|id| plan.service(*id));
        let Some(server) = services.find(|one| one.engine == EngineKind::Postgresql) else {
            return Vec::new();
        };
        let actions = scenario.into_iter().flat_map(|one| &one.actions);
        let named = actions.filter_map(|action| match &action.kind {
            ActionKind::Replay {
                point: ReplayPoint::RestorePoint(name),
                ..
            } => Some(name),
            _ => None,
        });
        let point = |name: &String| LogPoint {
            service: server.name.clone(),
            name: format!("point:{name}"),
            at: position(NAMED),
            time: before(self.now, 1800),
        };
        named.map(point).collect()
    }

    /// Copies of some services as they would lie on the devices an hour after every job has run,
    /// without the devices that are lost.
    fn holdings(&self, lost: &BTreeSet<String>, services: &BTreeSet<ServiceId>) -> Holdings {
        let (plan, now) = (self.plan, self.now);
        let mut holdings = Holdings::default();
        for id in self.jobs.backups_of(services) {
            holdings.parts.extend(parts(plan, self.known, id, now));
        }
        for id in self.jobs.archives_of(services) {
            holdings.logs.push(log(plan, id, now));
        }
        let left = |devices: &mut Vec<String>| {
            devices.retain(|device| !lost.contains(device));
            !devices.is_empty()
        };
        holdings.parts.retain_mut(|part| left(&mut part.devices));
        holdings.logs.retain_mut(|log| left(&mut log.devices));
        holdings.parts.sort_by(|a, b| a.part.cmp(&b.part));
        holdings.logs.sort_by(|a, b| a.service.cmp(&b.service));
        holdings
    }
}

/// Those of some recoveries, by index, that do not compile, each with the first reason.
#[must_use]
pub fn refusals(
    plan: &ResolvedPlan,
    known: &Known,
    now: Timestamp,
    recoveries: &[usize],
) -> Vec<(usize, Refusal)> {
    if recoveries.is_empty() {
        return Vec::new();
    }
    let rehearsal = Rehearsal::new(plan, known, now);
    let nothing_lost = BTreeSet::new();
    let judged = recoveries.iter().filter_map(|at| {
        let scenario = plan.recoveries.get(*at)?;
        let error = rehearsal.recovery(scenario, &nothing_lost).err()?;
        let first = error.problems.into_iter().next()?;
        let refusal = Refusal {
            message: first.message,
            help: first.help,
        };
        Some((*at, refusal))
    });
    judged.collect()
}

fn parts(plan: &ResolvedPlan, known: &Known, id: BackupId, now: Timestamp) -> Vec<PartHolding> {
    let backup = &plan.backups[id.index()];
    let full = backup.takes.iter().map(|take| take.method);
    let Some(method) = full.into_iter().find(|method| is_full(*method)) else {
        return Vec::new();
    };
    let job = job_name(plan, JobId::Backup(id));
    let devices = devices(plan, JobId::Backup(id));
    let part = |component| {
        let key = plan.component_key(component);
        let engine = plan.service(plan.component(component).service).engine;
        let position =
            (capability::of(engine).log && method != Method::Logical).then(|| position(COPIED));
        let bytes = whole(known.latest_size(component));
        PartHolding {
            part: format!("{job}/{key}"),
            job: job.clone(),
            run: "rehearsal".to_owned(),
            method,
            identity: "rehearsal".to_owned(),
            taken_at: before(now, 3600),
            from: position.clone(),
            until: position,
            base: None,
            bytes,
            stored_bytes: stored(bytes, known.stored_ratio(component)),
            devices: devices.clone(),
            component: key,
        }
    };
    let mut targets = backup.targets.clone();
    if method == Method::Logical {
        targets.extend(plan.dumped_with_base(backup));
    }
    targets.into_iter().map(part).collect()
}

fn stored(bytes: u64, ratio: Option<f64>) -> u64 {
    ratio.map_or(bytes, |ratio| whole(Some(float(bytes) * ratio)))
}

/// Bytes as a count; what is not known counts as nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; saturates"
)]
fn whole(bytes: Option<f64>) -> u64 {
    bytes.unwrap_or_default() as u64
}

fn log(plan: &ResolvedPlan, id: ArchiveId, now: Timestamp) -> LogHolding {
    let service = &plan.service(plan.archives[id.index()].service).name;
    LogHolding {
        log: format!("log/{service}"),
        service: service.clone(),
        identity: "rehearsal".to_owned(),
        from: position(COPIED),
        until: position(SHIPPED),
        first_at: before(now, 3600),
        last_at: now,
        stored_bytes: 0,
        devices: devices(plan, JobId::Archive(id)),
    }
}

/// The devices that hold whole copies of a job, by name, sorted.
fn devices(plan: &ResolvedPlan, job: JobId) -> Vec<String> {
    use crate::resolve::plan::CopyScope;
    let (keeping, first): (_, Vec<DeviceId>) = match job {
        JobId::Backup(id) => (&plan.backups[id.index()].keeping, Vec::new()),
        JobId::Archive(id) => {
            let archive = &plan.archives[id.index()];
            let ships = archive.ships.iter().map(|ship| ship.device);
            let streams = archive.streams.iter().map(|stream| stream.device);
            (&archive.keeping, ships.chain(streams).collect())
        }
    };
    let own = match job {
        JobId::Backup(_) => CopyScope::Full,
        JobId::Archive(_) => CopyScope::Log,
    };
    let copies = keeping.copies.iter();
    let copies = copies.filter(|copy| copy.scope == CopyScope::All || copy.scope == own);
    let store = keeping.store.iter().map(|at| at.value);
    let all = store.chain(first).chain(copies.map(|copy| copy.device));
    let names: BTreeSet<String> = all.map(|id| plan.device(id).name.clone()).collect();
    names.into_iter().collect()
}

fn position(value: u64) -> Position {
    Position {
        incarnation: "rehearsal".to_owned(),
        value,
    }
}

fn before(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds))
        .unwrap_or(now)
}

/// What an operator could type for a recovery's incident input.
#[must_use]
pub fn inputs(
    plan: &ResolvedPlan,
    scenario: &Scenario,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let inputs = scenario.inputs.iter();
    inputs
        .map(|input| (input.name.clone(), typed(plan, input, now)))
        .collect()
}

fn typed(plan: &ResolvedPlan, input: &Input, now: Timestamp) -> String {
    let part = |kind| {
        let of = |part: &&Component| {
            part.kind == kind && input.service.is_none_or(|service| part.service == service)
        };
        let found = plan.components.iter().find(of);
        found.map_or_else(|| input.name.clone(), |part| part.name.clone())
    };
    match input.kind {
        Kind::Transaction => NAMED.to_string(),
        Kind::Time => before(now, 1800).to_string(),
        Kind::Service => match input
            .service
            .or((!plan.services.is_empty()).then_some(ServiceId(0)))
        {
            Some(service) => plan.service(service).name.clone(),
            None => input.name.clone(),
        },
        Kind::Database => part(ComponentKind::Database),
        Kind::Tablespace => part(ComponentKind::Tablespace),
        Kind::Group => part(ComponentKind::Group),
        Kind::Table => part(ComponentKind::Table),
        Kind::Files => match input.service {
            Some(service) if plan.service(service).engine == EngineKind::Postgresql => {
                "base/1/1".to_owned()
            }
            _ => part(ComponentKind::Files),
        },
        Kind::Site => plan.sites.keys().next().cloned().unwrap_or_default(),
        Kind::Device => plan
            .devices
            .first()
            .map(|device| device.name.clone())
            .unwrap_or_default(),
    }
}

/// Every service that a recovery can read.
fn services(plan: &ResolvedPlan, scenario: &Scenario) -> BTreeSet<ServiceId> {
    let mut services: BTreeSet<ServiceId> =
        scenario.inputs.iter().filter_map(|i| i.service).collect();
    for action in &scenario.actions {
        let ActionKind::Restore { targets, .. } = &action.kind else {
            continue;
        };
        for target in targets {
            match target {
                Target::Service(id) => drop(services.insert(*id)),
                Target::Components(ids) => {
                    services.extend(ids.iter().map(|id| plan.component(*id).service));
                }
                Target::Input(_) => drop(services.insert(ServiceId(0))),
                Target::Foreign(..) => {}
            }
        }
    }
    services
}

/// Rehearsed log has no size, nor have parts of unknown size: what is derived from them is not
/// known.
fn forget_made_up(graph: &mut StepGraph, holdings: &Holdings) {
    let sized = |id: &str| {
        let mut parts = holdings.parts.iter();
        parts.any(|part| part.part == id && part.bytes > 0)
    };
    for step in &mut graph.steps {
        let made_up = match &step.kind {
            StepKind::ReplayLog { .. } => true,
            StepKind::FetchPart { part, .. } => !sized(part),
            _ => false,
        };
        if made_up {
            step.estimate = Estimate::default();
        }
    }
}
