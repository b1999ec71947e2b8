//! Owns where the stored log of a service breaks off and goes on later, because segments are lost or
//! lack what the server did: from a copy before such a hole nothing behind it can be recovered.
//! Must not make steps.

use std::collections::BTreeMap;

use super::past::Past;
use super::whole;
use super::world::{World, job_name};
use crate::facts::holdings::{LogHolding, Method, PartHolding, lsn};
use crate::resolve::plan::{ComponentId, EngineKind, JobId, ServiceId};

/// Log that is missing behind the newest copy of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Where the stored log breaks off.
    pub from: u64,
    /// Where it goes on.
    pub until: u64,
}

impl Hole {
    /// From where to where, as the engine writes positions.
    #[must_use]
    pub fn words(self) -> String {
        format!("from {} to {}", lsn(self.from), lsn(self.until))
    }
}

/// The log of one service as its newest range continues it.
#[derive(Debug)]
pub(super) struct Course {
    identity: String,
    past: Past,
    holes: Vec<Hole>,
}

/// The courses of all services whose log is pages' history; a service without log has none.
pub(super) fn courses(world: &World<'_>) -> BTreeMap<ServiceId, Course> {
    let services = world.plan.services.iter().enumerate();
    let own = services.filter(|(_, service)| service.engine == EngineKind::Postgresql);
    let ids = own.map(|(at, _)| ServiceId::from_index(at));
    ids.filter_map(|id| Some((id, course(world, id)?)))
        .collect()
}

fn course(world: &World<'_>, id: ServiceId) -> Option<Course> {
    let name = &world.plan.service(id).name;
    let newest = world.logs_of(name).iter().max_by_key(|log| log.last_at)?;
    let histories = world.holdings.histories.iter();
    let histories: Vec<_> = histories.filter(|one| one.service == *name).collect();
    let past = Past::of(&newest.until.incarnation, &histories);
    let logs = world.logs_of(name).iter().copied().filter(|log| {
        let from = &log.from;
        log.identity == newest.identity && past.uses(&from.incarnation, from.value, log.until.value)
    });
    let mut logs: Vec<&LogHolding> = logs.collect();
    logs.sort_by_key(|log| log.from.value);
    let archive = world.archive_of(id);
    let job = archive.map(|id| job_name(world.plan, JobId::Archive(id)));
    let shipped = job.and_then(|job| world.last(&job, None));
    let mut holes = Vec::new();
    let mut reached = None;
    for log in logs {
        // what came before a shipment that ended well is not on its way any more
        let settled = shipped.is_some_and(|began| log.last_at <= began);
        if let Some(from) = reached.filter(|reached| log.from.value > *reached && settled) {
            let until = log.from.value;
            holes.push(Hole { from, until });
        }
        reached = reached.max(Some(log.until.value));
    }
    Some(Course {
        identity: newest.identity.clone(),
        past,
        holes,
    })
}

/// The newest hole behind the newest copy of a component's files.
pub(super) fn behind(world: &World<'_>, id: ComponentId) -> Option<Hole> {
    let component = world.plan.component(id);
    if !whole::is_place(component.kind) {
        return None;
    }
    let course = world.courses().get(&component.service)?;
    if course.holes.is_empty() {
        return None;
    }
    let key = world.plan.component_key(id);
    let physical = |part: &&&PartHolding| {
        part.method != Method::Logical && !part.devices.is_empty() && part.from.is_some()
    };
    let part = world.parts_of(&key).iter().rev().find(physical)?;
    let (from, until) = (part.from.as_ref()?, part.until.as_ref()?);
    // of another history nothing is known here
    let own =
        part.identity == course.identity && course.past.contains(&until.incarnation, until.value);
    let mut behind = course.holes.iter().rev();
    let hole = behind.find(|hole| hole.until > from.value).filter(|_| own);
    hole.copied()
}
