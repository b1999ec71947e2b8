//! Owns which backups can bring a component back, and on which devices their copies lie.
//! Must not judge how old the copies are.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{
    Backup, BackupId, Component, ComponentId, ComponentKind, CopyScope, DeviceId, Method,
    ServiceId, Take,
};

/// Components that the same backups cover: what holds for one holds for all of them.
#[derive(Debug)]
pub(in crate::check) struct Class {
    /// One of the components.
    pub(in crate::check) example: ComponentId,
    /// The backups that cover them, each once, in order; never empty.
    pub(in crate::check) backups: Vec<BackupId>,
}

/// A part that is brought back by its own copies.
#[derive(Debug)]
pub(in crate::check) struct Unit {
    /// The part.
    pub(in crate::check) component: ComponentId,
    /// The backups that name it, physical ones when there are any.
    pub(in crate::check) backups: Vec<BackupId>,
    /// True when they are physical, so that log can be replayed on them.
    pub(in crate::check) physical: bool,
}

/// The parts of a service that are brought back one by one: what is copied physically, and
/// besides only what no physical copy holds.
pub(in crate::check) fn units(context: &Context<'_>, service: ServiceId) -> Vec<Unit> {
    let whole = Whole::of(context, service);
    let physical = |id: &BackupId| is_physical(&context.plan.backups[id.index()]);
    let mut units = Vec::new();
    for component in context.plan.components_of(service) {
        let named: Vec<BackupId> = context.backups_of(component).map(|(id, _)| id).collect();
        let own: Vec<BackupId> = named.iter().copied().filter(physical).collect();
        if !own.is_empty() {
            units.push(Unit {
                component,
                backups: own,
                physical: true,
            });
            continue;
        }
        let held = whole
            .covering(context.plan.component(component))
            .any(|id| physical(&id));
        if !held && !named.is_empty() {
            units.push(Unit {
                component,
                backups: named,
                physical: false,
            });
        }
    }
    units
}

/// The classes of a service's components. Components that nothing covers are left out: another
/// rule speaks of them, and no promise about them can be proved.
pub(in crate::check) fn classes(context: &Context<'_>, service: ServiceId) -> Vec<Class> {
    let mut classes: BTreeMap<Vec<BackupId>, ComponentId> = BTreeMap::new();
    for (id, backups) in covering(context, service) {
        if !backups.is_empty() {
            classes.entry(backups).or_insert(id);
        }
    }
    let classes = classes.into_iter();
    classes
        .map(|(backups, example)| Class { example, backups })
        .collect()
}

/// The components of a service, each with the backups that cover it, once and in order.
pub(in crate::check) fn covering(
    context: &Context<'_>,
    service: ServiceId,
) -> Vec<(ComponentId, Vec<BackupId>)> {
    let whole = Whole::of(context, service);
    let backups = |id: ComponentId| {
        let mut backups: Vec<BackupId> = context.backups_of(id).map(|(id, _)| id).collect();
        backups.extend(whole.covering(context.plan.component(id)));
        backups.sort_unstable();
        backups.dedup();
        backups
    };
    let components = context.plan.components_of(service);
    components.map(|id| (id, backups(id))).collect()
}

/// True when some component of the service is in no backup.
pub(in crate::check) fn has_gaps(context: &Context<'_>, service: ServiceId) -> bool {
    let whole = Whole::of(context, service);
    // a base that nobody copies is left out on purpose where all else is copied logically
    context.plan.components_of(service).any(|id| {
        let part = context.plan.component(id);
        part.kind != ComponentKind::Base
            && context.backups_of(id).next().is_none()
            && whole.covering(part).next().is_none()
    })
}

/// Backups of a service's base and of its databases, which cover what lies inside them.
struct Whole<'a> {
    base: Vec<BackupId>,
    databases: BTreeMap<&'a str, Vec<BackupId>>,
    parts: bool,
}

impl<'a> Whole<'a> {
    fn of(context: &Context<'a>, service: ServiceId) -> Self {
        let engine = context.plan.service(service).engine;
        let mut whole = Self {
            base: Vec::new(),
            databases: BTreeMap::new(),
            parts: capability::of(engine).parts,
        };
        for id in context.plan.components_of(service) {
            let part = context.plan.component(id);
            let named = context.backups_of(id);
            match part.kind {
                ComponentKind::Base => {
                    let physical = named.filter(|(_, backup)| is_physical(backup));
                    whole.base.extend(physical.map(|(id, _)| id));
                }
                ComponentKind::Database => {
                    let ids = named.map(|(id, _)| id).collect();
                    whole.databases.insert(&part.name, ids);
                }
                _ => {}
            }
        }
        whole
    }

    fn covering(&self, part: &Component) -> impl Iterator<Item = BackupId> {
        let base: &[BackupId] = match part.kind {
            ComponentKind::Tablespace if self.parts => &[],
            ComponentKind::Base => &[],
            _ => &self.base,
        };
        let around = match part.kind {
            ComponentKind::Group | ComponentKind::Table => part.database.as_deref(),
            _ => None,
        };
        let database = around.and_then(|name| self.databases.get(name));
        base.iter().chain(database.into_iter().flatten()).copied()
    }
}

/// True when the backup takes physical copies, onto which log can be replayed.
pub(in crate::check) fn is_physical(backup: &Backup) -> bool {
    let mut takes = backup.takes.iter();
    takes.any(|take| take.method != Method::Logical)
}

/// What one device gets of a backup's copies.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Holding<'a> {
    /// The backup.
    pub(in crate::check) backup: &'a Backup,
    /// The device.
    pub(in crate::check) device: DeviceId,
    /// How long after the run its copies are there; `None` when no deadline is stated.
    pub(in crate::check) within: Option<Duration>,
    scope: CopyScope,
}

impl<'a> Holding<'a> {
    /// The takes whose copies come to the device.
    pub(in crate::check) fn takes(self) -> impl Iterator<Item = &'a Take> + Clone {
        let fulls = self.scope == CopyScope::Full;
        let takes = self.backup.takes.iter();
        takes.filter(move |take| !fulls || is_full(take.method))
    }
}

/// The devices that hold whole copies of a backup: those that get fulls.
pub(in crate::check) fn holdings(backup: &Backup) -> impl Iterator<Item = Holding<'_>> {
    let holding = move |device, scope, within| Holding {
        backup,
        device,
        within,
        scope,
    };
    let store = backup.keeping.store.iter();
    let store = store.map(move |at| holding(at.value, CopyScope::All, Some(Duration(0))));
    let copies = backup.keeping.copies.iter();
    let copies = copies.filter(|copy| matches!(copy.scope, CopyScope::All | CopyScope::Full));
    store.chain(copies.map(move |copy| holding(copy.device, copy.scope, copy.within)))
}

/// The devices of [`holdings`], each with the deadline after the run.
pub(in crate::check) fn holders(
    backup: &Backup,
) -> impl Iterator<Item = (DeviceId, Option<Duration>)> {
    holdings(backup).map(|holding| (holding.device, holding.within))
}

/// True when a copy stands on no other.
pub(in crate::check) fn is_full(method: Method) -> bool {
    matches!(method, Method::PhysicalFull | Method::Logical)
}
