//! Owns which parts of a service a recovery means: a component that is put back where it was, the
//! databases a scratch copy needs, the folders that tablespaces move to.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, NewStep};
use super::dumped;
use super::error::GraphError;
use super::lostfiles;
use super::restore::{Line, Reading};
use super::step::{Estimate, RecoveryTarget, StepKind};
use super::whole::Whole;
use super::world::World;
use crate::facts::holdings::Position;
use crate::resolve::plan::{
    ActionKind, Component, ComponentId, ComponentKind, EngineKind, Kind, Scenario, Service,
    ServiceId, Target,
};
use crate::similar;

/// A lost component on its way back to where it was.
#[derive(Debug)]
pub(super) struct InPlace {
    pub(super) component: ComponentId,
    /// Read only from this device.
    pub(super) from: Option<String>,
    /// Where it is put instead.
    pub(super) relocate: Option<String>,
    /// Only these files, or pages of them; empty for all of it.
    pub(super) files: Vec<String>,
}

impl InPlace {
    pub(super) fn new(component: ComponentId, from: Option<String>) -> Self {
        Self {
            component,
            from,
            relocate: None,
            files: Vec::new(),
        }
    }

    /// Claims the place, fetches the part, replays the log to its end and checks.
    ///
    /// # Errors
    /// When the service's folder is not known or no copy reaches the present.
    pub(super) fn stage(
        &self,
        world: &World<'_>,
        draft: &mut Draft,
        line: &mut Line,
    ) -> Result<(), GraphError> {
        let component = world.plan.component(self.component);
        let service = world.plan.service(component.service);
        let folder = standing(service)?;
        let whole = Whole {
            world,
            id: component.service,
            service,
            from: self.from.as_deref(),
            incarnation: None,
            settles: false,
        };
        let chain = whole.lost(self.component, &self.files)?;
        let stored = chain.logs.last().map(|log| log.until.clone());
        let prepare = self.prepare(world, &folder, stored);
        line.then(draft, prepare, "one after the other");
        let reading = Reading {
            world,
            service,
            target: &folder,
            from: self.from.as_deref(),
            only: &[],
        };
        reading.chain(draft, line, &chain, &RecoveryTarget::Latest);
        line.then(draft, reading.check(), "everything must be in its place");
        Ok(())
    }

    fn prepare(&self, world: &World<'_>, folder: &str, stored: Option<Position>) -> NewStep {
        let key = world.plan.component_key(self.component);
        let place = self.relocate.as_deref();
        let place = place.map_or_else(|| "where it was".to_owned(), |to| format!("to {to}"));
        let files = match self.files.as_slice() {
            [] => String::new(),
            files => format!("{} of ", files.join(" and ")),
        };
        NewStep {
            subject: format!("{files}{key} {place}"),
            kind: StepKind::PrepareInPlace {
                component: key,
                target: folder.to_owned(),
                relocate: self.relocate.clone(),
                files: self.files.clone(),
                stored,
            },
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "a service that runs, and a place that holds something, are refused".into(),
        }
    }
}

/// The folder of a service that is restored in place.
///
/// # Errors
/// When the inventory names none, or the engine has no such way.
pub(super) fn standing(service: &Service) -> Result<String, GraphError> {
    let name = &service.name;
    if service.engine != EngineKind::Postgresql {
        return Err(GraphError::new(
            format!(
                "`{name}` is {}: only postgresql is restored in place",
                service.engine.word()
            ),
            "restore it to a path of its own: `--to PATH`",
        ));
    }
    service.path.clone().ok_or_else(|| {
        GraphError::new(
            format!("the inventory says no `path` of service `{name}`"),
            "add `path: DATA-DIRECTORY` to the service",
        )
    })
}

/// The components that a target of `restore` without `to` puts back where they were; none when the
/// whole service is meant.
///
/// # Errors
/// When the operator named none of the service's.
pub(super) fn lost(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    target: &Target,
) -> Result<Vec<InPlace>, GraphError> {
    let is_postgres = |id: ServiceId| world.plan.service(id).engine == EngineKind::Postgresql;
    let ids = match target {
        Target::Components(ids) => ids.clone(),
        Target::Input(name) => match input(scenario, name) {
            Some((Kind::Tablespace, _)) => tablespaces(world, scenario, given, target)?,
            Some((Kind::Files, Some(service))) if is_postgres(service) => {
                let text = given.get(name).map_or("", String::as_str);
                return Ok(vec![lostfiles::read(world, service, text)?]);
            }
            _ => Vec::new(),
        },
        Target::Service(_) | Target::Foreign(..) => Vec::new(),
    };
    let lost = ids.into_iter().filter(|id| {
        let component = world.plan.component(*id);
        let engine = world.plan.service(component.service).engine;
        engine == EngineKind::Postgresql && component.kind == ComponentKind::Tablespace
    });
    Ok(lost.map(|id| InPlace::new(id, None)).collect())
}

fn input(scenario: &Scenario, name: &str) -> Option<(Kind, Option<ServiceId>)> {
    let found = scenario.inputs.iter().find(|input| input.name == name)?;
    Some((found.kind, found.service))
}

/// The tablespaces that a target means.
///
/// # Errors
/// When it means none, or the operator named none of the service's.
pub(super) fn tablespaces(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    target: &Target,
) -> Result<Vec<ComponentId>, GraphError> {
    let is_one = |id: &ComponentId| world.plan.component(*id).kind == ComponentKind::Tablespace;
    match target {
        Target::Components(ids) if ids.iter().all(is_one) => Ok(ids.clone()),
        Target::Input(name) => {
            let text = given.get(name).map_or("", String::as_str);
            match input(scenario, name) {
                Some((Kind::Tablespace, Some(service))) => {
                    named(world, service, ComponentKind::Tablespace, text).map(|id| vec![id])
                }
                _ => Err(no_tablespace(scenario, &format!("${name}"))),
            }
        }
        _ => Err(no_tablespace(scenario, "the target")),
    }
}

fn no_tablespace(scenario: &Scenario, what: &str) -> GraphError {
    GraphError::new(
        format!("recovery `{}`: {what} is no tablespace", scenario.name),
        "name tablespaces that the service declares",
    )
}

/// The component of a service with this name, alone or behind the service's.
fn named(
    world: &World<'_>,
    service: ServiceId,
    kind: ComponentKind,
    text: &str,
) -> Result<ComponentId, GraphError> {
    let owner = &world.plan.service(service).name;
    let name = text.strip_prefix(&format!("{owner}.")).unwrap_or(text);
    let all: Vec<ComponentId> = (world.plan.components_of(service))
        .filter(|id| world.plan.component(*id).kind == kind)
        .collect();
    let is = |component: &Component| {
        let database = component.database.as_deref().unwrap_or_default();
        component.name == name || format!("{database}.{}", component.name) == name
    };
    let found: Vec<&ComponentId> = all
        .iter()
        .filter(|id| is(world.plan.component(**id)))
        .collect();
    let word = kind.word();
    match found.as_slice() {
        [one] => return Ok(**one),
        [] => {}
        _ => {
            return Err(GraphError::new(
                format!("`{owner}` has more than one {word} `{name}`"),
                "name its database too: `database.name`",
            ));
        }
    }
    let known = all.iter().map(|id| world.plan.component(*id).name.as_str());
    let help = match similar::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it in the plan or the inventory".to_owned(),
    };
    Err(GraphError::new(
        format!("`{owner}` has no {word} `{name}`"),
        help,
    ))
}

/// The folder that a tablespace moves to: a path, or a disk of the inventory with its `path`.
///
/// # Errors
/// When the disk is not known or has no path.
pub(super) fn folder(
    world: &World<'_>,
    component: &Component,
    to: &str,
) -> Result<String, GraphError> {
    if to.starts_with('/') {
        return Ok(to.to_owned());
    }
    let service = world.plan.service(component.service);
    let own = service
        .host
        .as_ref()
        .and_then(|host| world.plan.hosts.get(host));
    let hosts = own.into_iter().chain(world.plan.hosts.values());
    let disk = hosts.into_iter().find_map(|host| host.disks.get(to));
    let path = disk.and_then(|disk| disk.path.as_deref());
    let path = path.ok_or_else(|| {
        GraphError::new(
            format!("the inventory says no `path` of disk `{to}`"),
            "add `path: FOLDER` to the disk, or write `relocate … to \"/folder\"`",
        )
    })?;
    let path = path.trim_end_matches('/');
    Ok(format!("{path}/{}-{}", service.name, component.name))
}

/// The databases that a scratch copy of a service is made for: those that tables are taken into.
/// Empty when all of it is wanted.
pub(super) fn only(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    service: ServiceId,
) -> Vec<String> {
    if world.plan.service(service).engine != EngineKind::Postgresql {
        return Vec::new();
    }
    let mut wanted = BTreeSet::new();
    for action in &scenario.actions {
        match &action.kind {
            ActionKind::Extract { targets, into, .. } => {
                let into = database(world, into);
                for target in targets {
                    let whole = whole_database(world, scenario, given, target);
                    // a database that the plan does not name: nothing can be left out
                    let Some(name) = whole.or_else(|| into.clone()) else {
                        return Vec::new();
                    };
                    wanted.insert(name);
                }
            }
            ActionKind::Probe { database, .. } => {
                wanted.insert(database.clone());
            }
            _ => {}
        }
    }
    let extracts = |kind: &ActionKind| matches!(kind, ActionKind::Extract { .. });
    if !scenario.actions.iter().any(|action| extracts(&action.kind)) {
        return Vec::new();
    }
    wanted.remove(&world.plan.service(service).name);
    wanted.into_iter().collect()
}

/// The database that a target of `extract` takes whole.
fn whole_database(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    target: &Target,
) -> Option<String> {
    let ids = components(world, scenario, given, target).ok()?;
    let component = world.plan.component(*ids.first()?);
    (component.kind == ComponentKind::Database).then(|| component.name.clone())
}

/// The components that a target means; none when it means a service or something foreign.
///
/// # Errors
/// When the operator named none of the service's.
pub(super) fn components(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    target: &Target,
) -> Result<Vec<ComponentId>, GraphError> {
    let name = match target {
        Target::Components(ids) => return Ok(ids.clone()),
        Target::Input(name) => name,
        Target::Service(_) | Target::Foreign(..) => return Ok(Vec::new()),
    };
    let text = given.get(name).map_or("", String::as_str);
    let kind = match input(scenario, name) {
        Some((Kind::Group, Some(service))) => (ComponentKind::Group, service),
        Some((Kind::Database, Some(service))) => (ComponentKind::Database, service),
        Some((Kind::Tablespace, Some(service))) => (ComponentKind::Tablespace, service),
        _ => return Ok(Vec::new()),
    };
    named(world, kind.1, kind.0, text).map(|id| vec![id])
}

/// The components of a target of `restore` that come back from logical copies; none when files
/// are restored.
///
/// # Errors
/// When the operator named none of the service's, or the target mixes both.
pub(super) fn dumped(
    world: &World<'_>,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    target: &Target,
) -> Result<Vec<ComponentId>, GraphError> {
    let ids = components(world, scenario, given, target)?;
    let dumped = ids.iter().filter(|id| dumped::is_dumped(world, **id));
    Ok(dumped.copied().collect())
}

/// The tables of a component, by name or pattern; empty for a whole database.
pub(super) fn taken(component: &Component) -> Vec<String> {
    match component.kind {
        ComponentKind::Database => Vec::new(),
        _ => component.taken(),
    }
}

/// The database that a target means.
pub(super) fn database(world: &World<'_>, target: &Target) -> Option<String> {
    match target {
        Target::Components(ids) => {
            let component = world.plan.component(*ids.first()?);
            match component.kind {
                ComponentKind::Database if is_postgres(world, component) => {
                    Some(component.name.clone())
                }
                ComponentKind::Group | ComponentKind::Table => component.database.clone(),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_postgres(world: &World<'_>, component: &Component) -> bool {
    world.plan.service(component.service).engine == EngineKind::Postgresql
}
