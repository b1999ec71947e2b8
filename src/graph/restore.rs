//! Owns the steps that build a restored copy: refuse the target, fetch, replay, check, publish.

use std::collections::BTreeMap;

use super::chain::{Chain, Search};
use super::choice;
use super::draft::{Draft, NewStep};
use super::dumped;
use super::error::GraphError;
use super::place;
use super::step::{EdgeKind, Estimate, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use super::whole::{self, Whole};
use super::world::World;
use crate::facts::holdings::{LogHolding, PartHolding, checking, fetching, replaying};
use crate::facts::sizes;
use crate::resolve::plan::{ComponentId, EngineKind, Service, ServiceId};
use crate::similar;

/// Compiles an ad-hoc restore.
///
/// # Errors
/// When the service or device is unknown, its engine cannot be restored, or no chain of copies
/// reaches the target.
pub(super) fn build(world: &World<'_>, intent: &RestoreIntent) -> Result<StepGraph, GraphError> {
    let id = find_service(world, &intent.service)?;
    if let Some(from) = &intent.from
        && world.device_named(from).is_none()
    {
        return Err(unknown_device(world, from));
    }
    let target = if intent.delta {
        place::standing(world.plan.service(id))?
    } else {
        intent.to.clone()
    };
    let job = Restoring {
        service: id,
        target,
        until: intent.until.clone(),
        from: intent.from.clone(),
        relocate: intent.relocate.clone(),
        incarnation: intent.incarnation.clone(),
        only: Vec::new(),
        delta: intent.delta,
        settles: true,
        logical: Vec::new(),
    };
    let job = choice::take(world, job.or_dumped(world), &intent.only)?;
    let mut draft = Draft::new(world);
    let mut line = Line::default();
    job.stage(world, &mut draft, &mut line)?;
    if !job.delta {
        job.publish(world, &mut draft, &mut line);
    }
    draft.finish(world)
}

/// The service with this name.
///
/// # Errors
/// When the plan has none.
pub(super) fn find_service(world: &World<'_>, name: &str) -> Result<ServiceId, GraphError> {
    world.plan.find_service(name).ok_or_else(|| {
        let known = world
            .plan
            .services
            .iter()
            .map(|service| service.name.as_str());
        let help = match similar::nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a service of the plan or its inventory".into(),
        };
        GraphError::new(format!("no service is called `{name}`"), help)
    })
}

fn unknown_device(world: &World<'_>, name: &str) -> GraphError {
    let known = world.plan.devices.iter().map(|device| device.name.as_str());
    let help = match similar::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a device of the plan or its inventory".into(),
    };
    GraphError::new(format!("no device is called `{name}`"), help)
}

/// Steps that follow each other.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) steps: Vec<u32>,
}

impl Line {
    /// Adds a step after the last one.
    pub(super) fn then(&mut self, draft: &mut Draft, new: NewStep, why: &'static str) -> u32 {
        let step = draft.add(new);
        if let Some(last) = self.steps.last() {
            draft.edge(*last, step, EdgeKind::Success, why);
        }
        self.steps.push(step);
        step
    }
}

/// One service on its way back.
#[derive(Debug)]
pub(super) struct Restoring {
    pub(super) service: ServiceId,
    pub(super) target: String,
    pub(super) until: RecoveryTarget,
    pub(super) from: Option<String>,
    /// New places of components outside the target.
    pub(super) relocate: BTreeMap<String, String>,
    /// The history to follow.
    pub(super) incarnation: Option<String>,
    /// Databases that are wanted with their content; empty for all.
    pub(super) only: Vec<String>,
    /// The target is the service's own damaged folder.
    pub(super) delta: bool,
    /// The newest state that the stored log reaches will do where the newest copies lack theirs.
    pub(super) settles: bool,
    /// Components that are brought back from logical copies; empty for copies of files.
    pub(super) logical: Vec<ComponentId>,
}

impl Restoring {
    /// Refuses the target, fetches every component, replays and checks: a sound copy in staging.
    ///
    /// # Errors
    /// When the engine cannot be restored or no chain reaches the target.
    pub(super) fn stage(
        &self,
        world: &World<'_>,
        draft: &mut Draft,
        line: &mut Line,
    ) -> Result<(), GraphError> {
        let service = world.plan.service(self.service);
        let reading = Reading {
            world,
            service,
            target: &self.target,
            from: self.from.as_deref(),
            only: &self.only,
        };
        match service.engine {
            EngineKind::Postgresql if !self.logical.is_empty() => {
                self.refuse_relocation(service)?;
                let from = self.from.as_deref();
                let chain = dumped::chain(world, &self.logical, from, &self.until)?;
                line.then(draft, self.prepare(world, service), "one after the other");
                reading.chain(draft, line, &chain, &self.until);
            }
            EngineKind::Postgresql => {
                let chain = self.whole(world, service).chain(&self.until)?;
                line.then(draft, self.prepare(world, service), "one after the other");
                reading.chain(draft, line, &chain, &self.until);
            }
            EngineKind::Sqlite | EngineKind::Files => {
                self.refuse_relocation(service)?;
                line.then(draft, self.prepare(world, service), "one after the other");
                for component in world.plan.components_of(self.service) {
                    let search = self.search(world, service, component);
                    let chain = search.chain(&self.until)?;
                    reading.chain(draft, line, &chain, &self.until);
                }
            }
            EngineKind::Mariadb => return Err(not_restored(service)),
        }
        line.then(draft, reading.check(), "the copy must be complete");
        Ok(())
    }

    /// A service of which only logical copies are made is brought back from them.
    pub(super) fn or_dumped(mut self, world: &World<'_>) -> Self {
        let files = self.logical.is_empty() && dumped::has_physical(world, self.service);
        if self.logical.is_empty() && !files {
            self.logical = dumped::databases(world, self.service);
        }
        self
    }

    fn whole<'w, 'a>(&'w self, world: &'w World<'a>, service: &'a Service) -> Whole<'w, 'a> {
        Whole {
            world,
            id: self.service,
            service,
            from: self.from.as_deref(),
            incarnation: self.incarnation.as_deref(),
            settles: self.settles,
        }
    }

    fn search<'w, 'a>(
        &'w self,
        world: &'w World<'a>,
        service: &'a Service,
        component: ComponentId,
    ) -> Search<'w, 'a> {
        Search {
            world,
            service,
            component,
            from: self.from.as_deref(),
        }
    }

    fn refuse_relocation(&self, service: &Service) -> Result<(), GraphError> {
        let Some(name) = self.relocate.keys().next() else {
            return Ok(());
        };
        let what = if self.logical.is_empty() {
            format!("`{}` is {}", service.name, service.engine.word())
        } else {
            format!("a logical copy of `{}` has no files", service.name)
        };
        Err(GraphError::new(
            format!("{what}: it has no tablespace `{name}` to relocate"),
            "leave the relocation out",
        ))
    }

    fn prepare(&self, world: &World<'_>, service: &Service) -> NewStep {
        if self.delta {
            return self.prepare_delta(service);
        }
        NewStep {
            kind: StepKind::PrepareTarget {
                service: service.name.clone(),
                target: self.target.clone(),
                relocate: self.relocate.clone(),
                only: self.only.clone(),
                logical: !self.logical.is_empty(),
            },
            subject: self.prepared(world, service),
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "a target that holds data or is live is refused before anything is read".into(),
        }
    }

    fn prepare_delta(&self, service: &Service) -> NewStep {
        NewStep {
            kind: StepKind::PrepareDelta {
                service: service.name.clone(),
                target: self.target.clone(),
            },
            subject: format!("{} onto {}", service.name, self.target),
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "a folder that is in use or another cluster's is refused before it is touched"
                .into(),
        }
    }

    /// What is prepared, in words.
    fn prepared(&self, world: &World<'_>, service: &Service) -> String {
        let mut words = format!("{} for {}", self.target, service.name);
        for (name, place) in &self.relocate {
            words = format!("{words}, {name} at {place}");
        }
        if !self.logical.is_empty() {
            return format!("{words}, a fresh server for logical copies");
        }
        if !self.only.is_empty() {
            let (only, others) = (self.only.join(", "), self.left_out(world, service));
            words = format!("{words}, content of {only} only{others}");
        }
        words
    }

    /// What stays empty when the content of some databases only is wanted.
    fn left_out(&self, world: &World<'_>, service: &Service) -> String {
        let instance = world.known.instance(&service.name);
        match instance.map(|one| sizes::left_out(one, &self.only).join(", ")) {
            Some(names) if names.is_empty() => String::new(),
            Some(names) => format!(" (left out: {names})"),
            None => " (left out: what else it has; a survey tells the names)".to_owned(),
        }
    }

    /// Makes the staged copy visible.
    pub(super) fn publish(&self, world: &World<'_>, draft: &mut Draft, line: &mut Line) {
        let service = world.plan.service(self.service).name.clone();
        let step = NewStep {
            subject: format!("{service} as {}", self.target),
            kind: StepKind::Publish {
                service,
                target: self.target.clone(),
            },
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "published last, so a half copy is never taken for a whole one".into(),
        };
        line.then(draft, step, "everything before it must have held");
    }
}

/// Reads parts and log of one service back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) service: &'w Service,
    pub(super) target: &'w str,
    /// Read only from this device.
    pub(super) from: Option<&'w str>,
    /// Databases that are wanted with their content; empty for all.
    pub(super) only: &'w [String],
}

impl Reading<'_, '_> {
    /// Fetches the parts of a chain and replays its log.
    pub(super) fn chain(
        &self,
        draft: &mut Draft,
        line: &mut Line,
        chain: &Chain<'_>,
        until: &RecoveryTarget,
    ) {
        for part in &chain.parts {
            self.fetch(draft, line, part, &chain.why);
        }
        if !chain.logs.is_empty() {
            self.replay(draft, line, chain, until);
        }
    }

    /// Devices to read from, nearest first.
    fn holders(&self, devices: &[String]) -> Vec<String> {
        let known = |name: &&String| self.world.device_named(name).is_some();
        let wanted = devices.iter().filter(known);
        let wanted = wanted.filter(|device| self.from.is_none_or(|from| from == device.as_str()));
        let wanted: Vec<String> = wanted.cloned().collect();
        self.world.nearest_first(self.service, &wanted)
    }

    fn fetch(&self, draft: &mut Draft, line: &mut Line, part: &PartHolding, why: &str) {
        let world = self.world;
        let from = self.holders(&part.devices);
        // all holders are read at once, so their rates add up
        let rates: Vec<f64> = from.iter().filter_map(|d| world.read_rate(d)).collect();
        let together = (!rates.is_empty()).then(|| rates.iter().sum());
        // an earlier restore has shown how fast it is with all that is done on the way
        let wanted = self.wanted(part.bytes);
        let shown = world.paced(&fetching(&self.service.name, &from), wanted);
        let stored = World::estimate(Some(self.wanted(part.stored_bytes)), &[together]);
        let step = NewStep {
            kind: StepKind::FetchPart {
                service: self.service.name.clone(),
                part: part.part.clone(),
                from: from.clone(),
                target: self.target.to_owned(),
            },
            subject: format!(
                "{} of {:.0} from {}",
                part.component,
                part.taken_at,
                from.join(", ")
            ),
            lanes: world.device_lanes(draft, &from),
            estimate: Estimate {
                seconds: shown.or(stored.seconds),
                bytes: Some(wanted),
            },
            why: why.to_owned(),
        };
        line.then(
            draft,
            step,
            "the target must be free before anything is fetched",
        );
    }

    /// What is read of so many bytes, when the content of other databases stays where it is; by
    /// the sizes of the last survey, all of it when they are not known.
    fn wanted(&self, bytes: u64) -> u64 {
        let instance = self.world.known.instance(&self.service.name);
        let Some((kept, all)) = instance.and_then(|one| sizes::kept(one, self.only)) else {
            return bytes;
        };
        let part = u128::from(bytes) * u128::from(kept) / u128::from(all.max(1));
        u64::try_from(part).unwrap_or(bytes)
    }

    fn replay(
        &self,
        draft: &mut Draft,
        line: &mut Line,
        chain: &Chain<'_>,
        until: &RecoveryTarget,
    ) {
        let world = self.world;
        let logs: Vec<(String, Vec<String>)> = (chain.logs.iter())
            .map(|log| (log.log.clone(), self.holders(&log.devices)))
            .collect();
        let mut devices: Vec<String> = logs.iter().flat_map(|(_, from)| from.clone()).collect();
        devices.sort_unstable();
        devices.dedup();
        let bytes = chain.logs.iter().map(|log| self.volume(log)).sum();
        let stated = (self.service.host.as_ref()).and_then(|host| world.known.replay(host));
        let stated = World::estimate(Some(bytes), &[stated]).seconds;
        let shown = world.paced(&replaying(&self.service.name), bytes);
        let step = NewStep {
            kind: StepKind::ReplayLog {
                service: self.service.name.clone(),
                target: self.target.to_owned(),
                logs,
                until: chain.until.clone(),
                to_take: false,
            },
            subject: format!("{} {}", self.service.name, self.words(until)),
            lanes: world.device_lanes(draft, &devices),
            estimate: Estimate {
                seconds: shown.or(stated),
                bytes: Some(bytes),
            },
            why: format!("the stored log holds {} without a gap", self.span(chain)),
        };
        line.then(draft, step, "log continues the fetched part");
    }

    /// Bytes of log: as the server reads it where positions count bytes, else as it is stored.
    fn volume(&self, log: &LogHolding) -> u64 {
        match self.service.engine {
            EngineKind::Postgresql => log.until.value.saturating_sub(log.from.value),
            _ => log.stored_bytes,
        }
    }

    /// What the log of a chain holds.
    fn span(&self, chain: &Chain<'_>) -> String {
        let (Some(first), Some(last)) = (chain.logs.first(), chain.logs.last()) else {
            return String::new();
        };
        match self.service.engine {
            EngineKind::Postgresql => format!(
                "{} up to {}",
                whole::words(&first.from),
                whole::words(&last.until)
            ),
            _ => format!(
                "transactions after {} up to {}",
                first.from.value, last.until.value
            ),
        }
    }

    fn words(&self, until: &RecoveryTarget) -> String {
        match (self.service.engine, until) {
            (EngineKind::Postgresql, RecoveryTarget::Transaction(at)) => {
                format!("to {}", whole::words(at))
            }
            (EngineKind::Postgresql, RecoveryTarget::Before(at)) => {
                format!("to just before {}", whole::words(at))
            }
            _ => target_words(until),
        }
    }

    /// Checks the copy by the engine's own means.
    pub(super) fn check(&self) -> NewStep {
        NewStep {
            kind: StepKind::CheckRestored {
                service: self.service.name.clone(),
                target: self.target.to_owned(),
            },
            subject: format!("{} for {}", self.service.name, self.target),
            lanes: Vec::new(),
            estimate: self.world.as_before(&checking(&self.service.name)),
            why: "only a sound copy is published".into(),
        }
    }
}

fn not_restored(service: &Service) -> GraphError {
    GraphError::new(
        format!(
            "service `{}` is {}; postgresql, sqlite and files are the engines that can be restored",
            service.name,
            service.engine.word()
        ),
        "restore this service with its own tools; `planc list` shows its copies",
    )
}

/// A recovery target in words.
#[must_use]
pub(super) fn target_words(target: &RecoveryTarget) -> String {
    match target {
        RecoveryTarget::Latest => "to the newest state".into(),
        RecoveryTarget::Instant(at) => format!("to {at}"),
        RecoveryTarget::Transaction(at) => format!("to transaction {}", at.value),
        RecoveryTarget::Before(at) => format!("to just before transaction {}", at.value),
        RecoveryTarget::Backup => "as it was copied".into(),
    }
}
