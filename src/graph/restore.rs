//! Owns the steps that build a restored copy: refuse the target, fetch, replay, check, publish.

use super::chain::{Chain, Search};
use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::step::{EdgeKind, Estimate, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use super::world::World;
use crate::facts::measured::float;
use crate::resolve::plan::{EngineKind, Service, ServiceId};
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
    let job = Restoring {
        service: id,
        target: intent.to.clone(),
        until: intent.until.clone(),
        from: intent.from.clone(),
    };
    let mut draft = Draft::new(world);
    let mut line = Line::default();
    job.stage(world, &mut draft, &mut line)?;
    job.publish(world, &mut draft, &mut line);
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
        if !matches!(service.engine, EngineKind::Sqlite | EngineKind::Files) {
            return Err(GraphError::new(
                format!(
                    "service `{}` is {}; sqlite and files are the engines that can be restored",
                    service.name,
                    service.engine.word()
                ),
                "restore this service with its own tools; `planc list` shows its copies",
            ));
        }
        line.then(draft, self.prepare(service), "one after the other");
        for component in world.plan.components_of(self.service) {
            let search = Search {
                world,
                service,
                component,
                from: self.from.as_deref(),
            };
            let chain = search.chain(&self.until)?;
            self.fetch(&search, draft, line, &chain);
            if !chain.logs.is_empty() {
                self.replay(&search, draft, line, &chain);
            }
        }
        let check = NewStep {
            kind: StepKind::CheckRestored {
                service: service.name.clone(),
                target: self.target.clone(),
            },
            subject: format!("{} for {}", service.name, self.target),
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "only a sound copy is published".into(),
        };
        line.then(draft, check, "the copy must be complete");
        Ok(())
    }

    fn prepare(&self, service: &Service) -> NewStep {
        NewStep {
            kind: StepKind::PrepareTarget {
                service: service.name.clone(),
                target: self.target.clone(),
            },
            subject: format!("{} for {}", self.target, service.name),
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "a target that holds data or is live is refused before anything is read".into(),
        }
    }

    fn fetch(
        &self,
        search: &Search<'_, '_>,
        draft: &mut Draft,
        line: &mut Line,
        chain: &Chain<'_>,
    ) {
        let (world, part) = (search.world, chain.part);
        let from = search.holders(&part.devices);
        // all holders are read at once, so their rates add up
        let rates: Vec<f64> = from
            .iter()
            .filter_map(|d| world.measured.device_read(d))
            .collect();
        let rate = (!rates.is_empty()).then(|| rates.iter().sum());
        let step = NewStep {
            kind: StepKind::FetchPart {
                service: search.service.name.clone(),
                part: part.part.clone(),
                from: from.clone(),
                target: self.target.clone(),
            },
            subject: format!(
                "{} of {:.0} from {}",
                part.component,
                part.taken_at,
                from.join(", ")
            ),
            lanes: world.device_lanes(draft, &from),
            estimate: Estimate {
                bytes: Some(part.bytes),
                ..World::estimate(Some(part.stored_bytes), &[rate])
            },
            why: chain.why.clone(),
        };
        line.then(
            draft,
            step,
            "the target must be free before anything is fetched",
        );
    }

    fn replay(
        &self,
        search: &Search<'_, '_>,
        draft: &mut Draft,
        line: &mut Line,
        chain: &Chain<'_>,
    ) {
        let world = search.world;
        let logs: Vec<(String, Vec<String>)> = (chain.logs.iter())
            .map(|log| (log.log.clone(), search.holders(&log.devices)))
            .collect();
        let mut devices: Vec<String> = logs.iter().flat_map(|(_, from)| from.clone()).collect();
        devices.sort_unstable();
        devices.dedup();
        let bytes = chain.logs.iter().map(|log| log.stored_bytes).sum();
        let rate = (search.service.host.as_ref()).and_then(|host| world.measured.replay(host));
        let seconds = rate
            .filter(|rate| *rate > 0.0)
            .map(|rate| float(bytes) / rate);
        let span = match (chain.logs.first(), chain.logs.last()) {
            (Some(first), Some(last)) => {
                format!(
                    "transactions after {} up to {}",
                    first.from.value, last.until.value
                )
            }
            _ => String::new(),
        };
        let step = NewStep {
            kind: StepKind::ReplayLog {
                service: search.service.name.clone(),
                target: self.target.clone(),
                logs,
                until: chain.until.clone(),
            },
            subject: format!("{} {}", search.service.name, target_words(&self.until)),
            lanes: world.device_lanes(draft, &devices),
            estimate: Estimate {
                seconds,
                bytes: Some(bytes),
            },
            why: format!("the stored log holds {span} without a gap"),
        };
        line.then(draft, step, "log continues the fetched part");
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
