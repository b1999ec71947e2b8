//! Owns how the sizes of a plan's components follow from what an instance said: which tablespace,
//! database or table each one is. Pure sums; a component that the instance does not know has none.

use std::collections::BTreeSet;

use super::instance::{DatabaseFacts, Instance};
use crate::quantity::Bytes;
use crate::resolve::plan::{
    Component, ComponentId, ComponentKind, Method, ResolvedPlan, ServiceId,
};

/// Sizes of a service's components, by their keys.
#[must_use]
pub fn of_components(
    plan: &ResolvedPlan,
    service: ServiceId,
    instance: &Instance,
) -> Vec<(String, Bytes)> {
    let apart = apart(plan, service);
    let sizes = plan.components_of(service).filter_map(|id| {
        let component = plan.component(id);
        let size = match component.kind {
            ComponentKind::Base => base(plan, &apart, instance),
            _ => size(component, instance),
        };
        Some((plan.component_key(id), size?))
    });
    sizes.collect()
}

/// Components that some backup copies physically as parts of their own: base leaves them out.
fn apart(plan: &ResolvedPlan, service: ServiceId) -> BTreeSet<ComponentId> {
    let physical = plan.backups.iter().filter(|backup| {
        let mut takes = backup.takes.iter();
        takes.any(|take| take.method != Method::Logical)
    });
    let targets = physical.flat_map(|backup| backup.targets.iter().copied());
    let own = |id: &ComponentId| {
        let component = plan.component(*id);
        let kinds = [ComponentKind::Tablespace, ComponentKind::Database];
        component.service == service && kinds.contains(&component.kind)
    };
    targets.filter(own).collect()
}

/// All tablespaces, less what is copied apart.
fn base(plan: &ResolvedPlan, apart: &BTreeSet<ComponentId>, instance: &Instance) -> Option<Bytes> {
    let mut all = instance.tablespaces.values().map(|one| one.size);
    let whole = all.try_fold(0_u64, |sum, size| Some(sum.saturating_add(size?.0)))?;
    if instance.tablespaces.is_empty() {
        return None;
    }
    let apart = apart.iter().map(|id| size(plan.component(*id), instance));
    let apart: u64 = apart.map(|size| size.map_or(0, |size| size.0)).sum();
    Some(Bytes(whole.saturating_sub(apart)))
}

fn size(component: &Component, instance: &Instance) -> Option<Bytes> {
    match component.kind {
        ComponentKind::Tablespace => instance.tablespaces.get(&component.name)?.size,
        ComponentKind::Database => instance.databases.get(&component.name)?.size,
        ComponentKind::Table => tables(component, instance, std::slice::from_ref(&component.name)),
        ComponentKind::Group => tables(component, instance, &component.tables),
        ComponentKind::Base | ComponentKind::Files => None,
    }
}

fn tables(component: &Component, instance: &Instance, names: &[String]) -> Option<Bytes> {
    let database = database_of(component, instance)?;
    let mut sum = 0_u64;
    for (_, table) in members(database, names) {
        sum = sum.saturating_add(table.size?.0);
    }
    Some(Bytes(sum))
}

/// The database that a group or table belongs to; the only one when the plan names none.
#[must_use]
pub fn database_of<'a>(component: &Component, instance: &'a Instance) -> Option<&'a DatabaseFacts> {
    match &component.database {
        Some(name) => instance.databases.get(name),
        None if instance.databases.len() == 1 => instance.databases.values().next(),
        None => None,
    }
}

/// The tables that names and patterns mean, each once.
#[must_use]
pub fn members<'a>(
    database: &'a DatabaseFacts,
    names: &[String],
) -> Vec<(&'a str, &'a super::instance::TableFacts)> {
    let meant = |full: &str| names.iter().any(|name| matches(full, name));
    let tables = database.tables.iter().filter(|(full, _)| meant(full));
    tables.map(|(full, table)| (full.as_str(), table)).collect()
}

/// Does a name or pattern of the plan mean the table `schema.name`?
#[must_use]
pub fn matches(full: &str, pattern: &str) -> bool {
    if !is_pattern(pattern) {
        return super::instance::is_called(full, pattern);
    }
    let Ok(glob) = globset::Glob::new(pattern) else {
        return false;
    };
    let glob = glob.compile_matcher();
    let own = full.split_once('.').map_or(full, |(_, own)| own);
    glob.is_match(full) || glob.is_match(own)
}

/// Is it a pattern rather than a name?
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
