//! Owns which logical parts bring components back: the newest that the target allows, of the
//! component or of the database that it is in. They have no log: nothing is replayed onto them.

use super::chain::Chain;
use super::error::GraphError;
use super::step::RecoveryTarget;
use super::world::World;
use crate::facts::holdings::{Method, PartHolding};
use crate::resolve::plan::{ComponentId, ComponentKind, EngineKind, ServiceId};

/// Whether a component is brought back from a logical copy: it has no files of its own.
pub(super) fn is_dumped(world: &World<'_>, id: ComponentId) -> bool {
    let component = world.plan.component(id);
    if world.plan.service(component.service).engine != EngineKind::Postgresql {
        return false;
    }
    match component.kind {
        ComponentKind::Group | ComponentKind::Table => true,
        ComponentKind::Database => !has_physical(world, component.service),
        _ => false,
    }
}

/// Whether any backup copies files of a service.
pub(super) fn has_physical(world: &World<'_>, service: ServiceId) -> bool {
    !super::whole::components(world, service).is_empty()
}

/// The databases of a service that has logical copies only.
pub(super) fn databases(world: &World<'_>, service: ServiceId) -> Vec<ComponentId> {
    let of_kind = |id: &ComponentId| {
        let kind = world.plan.component(*id).kind;
        kind == ComponentKind::Database && is_dumped(world, *id)
    };
    let dumped = |id: &ComponentId| {
        let mut parts = world.parts_of(&world.plan.component_key(*id)).iter();
        parts.any(|part| part.method == Method::Logical)
    };
    let all = world.plan.components_of(service);
    all.filter(of_kind).filter(dumped).collect()
}

/// The parts that bring the components back.
///
/// # Errors
/// When one has no logical copy within reach, or the target needs log.
pub(super) fn chain<'a>(
    world: &World<'a>,
    components: &[ComponentId],
    from: Option<&str>,
    until: &RecoveryTarget,
) -> Result<Chain<'a>, GraphError> {
    if matches!(
        until,
        RecoveryTarget::Transaction(_) | RecoveryTarget::Before(_)
    ) {
        return Err(GraphError::new(
            "a logical copy has no place in the log: it cannot end at a transaction",
            "restore the service, replay its log and `extract`, or take the newest copy",
        ));
    }
    let mut parts: Vec<&PartHolding> = Vec::new();
    for id in components {
        let part = newest(world, *id, from, until)?;
        if !parts.iter().any(|known| known.part == part.part) {
            parts.push(part);
        }
    }
    let moments: Vec<String> = parts
        .iter()
        .map(|part| format!("{:.0}", part.taken_at))
        .collect();
    Ok(Chain {
        parts,
        logs: Vec::new(),
        until: RecoveryTarget::Backup,
        why: format!("the newest logical copy, of {}", moments.join(" and ")),
    })
}

fn newest<'a>(
    world: &World<'a>,
    id: ComponentId,
    from: Option<&str>,
    until: &RecoveryTarget,
) -> Result<&'a PartHolding, GraphError> {
    let key = world.plan.component_key(id);
    let reachable = |part: &PartHolding| {
        let known = |name: &String| world.device_named(name).is_some();
        let wanted = |name: &String| from.is_none_or(|from| from == name);
        part.devices.iter().any(|name| known(name) && wanted(name))
    };
    let in_time = |part: &PartHolding| match until {
        RecoveryTarget::Instant(at) => part.taken_at <= *at,
        _ => true,
    };
    let fits =
        |part: &PartHolding| part.method == Method::Logical && reachable(part) && in_time(part);
    // of copies of one moment the component's own is the smallest: it comes last
    let found = holders(world, id).into_iter().rev().filter_map(|key| {
        let mut parts = world.parts_of(&key).iter().rev().copied();
        parts.find(|part| fits(part))
    });
    found.max_by_key(|part| part.taken_at).ok_or_else(|| {
        let place = from.map_or(String::new(), |from| format!(" on `{from}`"));
        GraphError::new(
            format!("there is no logical copy of `{key}`{place} to restore from"),
            "run its `logical` backup first, or restore the service to scratch and `extract`",
        )
    })
}

/// The components whose dumps hold this one, itself first.
fn holders(world: &World<'_>, id: ComponentId) -> Vec<String> {
    let plan = world.plan;
    let component = plan.component(id);
    let mut keys = vec![plan.component_key(id)];
    let above = plan.components_of(component.service).filter(|other| {
        let other = plan.component(*other);
        match other.kind {
            ComponentKind::Database => component.database.as_ref() == Some(&other.name),
            ComponentKind::Group => {
                component.kind == ComponentKind::Table
                    && component.database == other.database
                    && other.tables.contains(&component.name)
            }
            _ => false,
        }
    });
    keys.extend(above.map(|other| plan.component_key(other)));
    keys
}
