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
    sum(database_of(component, instance)?, names)
}

fn sum(database: &DatabaseFacts, names: &[String]) -> Option<Bytes> {
    let mut sum = 0_u64;
    for (_, table) in members(database, names) {
        sum = sum.saturating_add(table.size?.0);
    }
    Some(Bytes(sum))
}

/// Bytes of tables of a database, or of all of it when none are named; none when the instance does
/// not know one of them.
#[must_use]
pub fn taken(instance: &Instance, database: Option<&str>, names: &[String]) -> Option<Bytes> {
    let database = match database {
        Some(name) => instance.databases.get(name)?,
        None => only(instance)?,
    };
    let known = |name: &String| !members(database, std::slice::from_ref(name)).is_empty();
    match names {
        [] => database.size,
        names => sum(database, names).filter(|_| names.iter().all(known)),
    }
}

/// Databases that a PostgreSQL server itself needs.
pub const NEEDED: [&str; 3] = ["postgres", "template0", "template1"];

/// Bytes of the databases that come when only some are wanted with their content, and of all; none
/// when all are wanted, or a size is not known.
#[must_use]
pub fn kept(instance: &Instance, only: &[String]) -> Option<(u64, u64)> {
    let (mut kept, mut all) = (0_u64, 0_u64);
    for (name, database) in &instance.databases {
        let size = database.size?.0;
        all = all.saturating_add(size);
        if needed(name, only) {
            kept = kept.saturating_add(size);
        }
    }
    (!only.is_empty() && all > 0).then_some((kept, all))
}

/// What stays empty when only some databases are wanted with their content: the other databases, and
/// tablespaces that nothing wanted lies in, as far as the instance told.
#[must_use]
pub fn left_out(instance: &Instance, only: &[String]) -> Vec<String> {
    let (mut databases, mut theirs, mut ours) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (name, database) in &instance.databases {
        let spaces = if needed(name, only) {
            &mut ours
        } else {
            databases.push(format!("database {name}"));
            &mut theirs
        };
        let tables = database.tables.values().map(|table| &table.tablespace);
        spaces.extend(tables.chain([&database.tablespace]).flatten());
    }
    let spaces = theirs.difference(&ours);
    databases.extend(spaces.map(|name| format!("tablespace {name}")));
    databases
}

/// Whether the content of a database comes, when only some are wanted.
fn needed(name: &str, only: &[String]) -> bool {
    NEEDED.contains(&name) || only.iter().any(|wanted| wanted == name)
}

/// The database of an instance that has just one.
fn only(instance: &Instance) -> Option<&DatabaseFacts> {
    let mut all = instance.databases.values();
    all.next().filter(|_| instance.databases.len() == 1)
}

/// The database that a group or table belongs to; the only one when the plan names none.
#[must_use]
pub fn database_of<'a>(component: &Component, instance: &'a Instance) -> Option<&'a DatabaseFacts> {
    match &component.database {
        Some(name) => instance.databases.get(name),
        None => only(instance),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::instance::TableFacts;

    fn instance() -> Instance {
        let table = |size| TableFacts {
            size: Some(Bytes(size)),
            ..TableFacts::default()
        };
        let tables = [("public.a", 3), ("sales.b", 4)];
        let orders = DatabaseFacts {
            size: Some(Bytes(10)),
            tables: tables
                .map(|(name, size)| (name.to_owned(), table(size)))
                .into(),
            ..DatabaseFacts::default()
        };
        let plain = |size| DatabaseFacts {
            size: Some(Bytes(size)),
            ..DatabaseFacts::default()
        };
        let databases = [
            ("orders", orders),
            ("other", plain(70)),
            ("postgres", plain(20)),
        ];
        Instance {
            databases: databases.map(|(name, one)| (name.to_owned(), one)).into(),
            ..Instance::default()
        }
    }

    #[test]
    fn what_is_taken_is_known_only_when_all_of_it_is() {
        let taken = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            taken(&instance(), Some("orders"), &names)
        };
        assert_eq!(taken(&[]), Some(Bytes(10)));
        assert_eq!(taken(&["a", "sales.*"]), Some(Bytes(7)));
        assert_eq!(taken(&["a", "gone"]), None);
    }

    #[test]
    fn databases_that_nobody_asked_for_stay_out() {
        assert_eq!(kept(&instance(), &["orders".to_owned()]), Some((30, 100)));
        assert_eq!(kept(&instance(), &[]), None);
        let mut cold = instance();
        for name in ["other", "postgres"] {
            let place = Some(format!("under {name}"));
            cold.databases.get_mut(name).expect("there").tablespace = place;
        }
        let left_out = left_out(&cold, &["orders".to_owned()]);
        assert_eq!(left_out, ["database other", "tablespace under other"]);
    }
}
