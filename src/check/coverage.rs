//! Owns which components of a service some backup covers, and how often.
//! A physical copy of the base covers the databases and groups inside it; a tablespace is
//! outside the base and has to be named itself.

use std::collections::BTreeSet;

use crate::check::cadence::joint_gap;
use crate::check::context::Context;
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{
    Backup, BackupId, Component, ComponentId, ComponentKind, Method, ServiceId,
};

/// The backups of one service, seen by component.
#[derive(Debug)]
pub(in crate::check) struct Coverage<'c, 'a> {
    context: &'c Context<'a>,
    service: ServiceId,
    /// The base, when it is copied.
    base: bool,
    /// Databases that are copied, by name.
    databases: BTreeSet<&'a str>,
}

impl<'c, 'a> Coverage<'c, 'a> {
    /// Looks at every component of the service once.
    pub(in crate::check) fn new(context: &'c Context<'a>, service: ServiceId) -> Self {
        let mut coverage = Self {
            context,
            service,
            base: false,
            databases: BTreeSet::new(),
        };
        for id in context.plan.components_of(service) {
            let part = context.plan.component(id);
            if coverage.named(id) {
                match part.kind {
                    ComponentKind::Base => coverage.base = true,
                    ComponentKind::Database => {
                        coverage.databases.insert(&part.name);
                    }
                    _ => {}
                }
            }
        }
        coverage
    }

    fn named(&self, id: ComponentId) -> bool {
        self.context.backups_of(id).next().is_some()
    }

    fn components(&self) -> impl Iterator<Item = (ComponentId, &'a Component)> {
        let plan = self.context.plan;
        plan.components_of(self.service)
            .map(|id| (id, plan.component(id)))
    }

    /// True when no backup names any component of the service.
    pub(in crate::check) fn nothing(&self) -> bool {
        self.context.service_backups(self.service).next().is_none()
    }

    /// Components that no backup covers.
    pub(in crate::check) fn uncovered(&self) -> Vec<ComponentId> {
        let bare = self
            .components()
            .filter(|(id, part)| !self.covers(*id, part));
        bare.map(|(id, _)| id).collect()
    }

    fn covers(&self, id: ComponentId, part: &Component) -> bool {
        let database = part.database.as_deref();
        self.named(id)
            || match part.kind {
                // left out on purpose when everything is copied logically; else P0503 says it
                ComponentKind::Base => !self.nothing(),
                ComponentKind::Tablespace => self.base && !self.parts(),
                ComponentKind::Database | ComponentKind::Files => self.base,
                ComponentKind::Group | ComponentKind::Table => {
                    self.base || database.is_some_and(|name| self.databases.contains(name))
                }
            }
    }

    fn parts(&self) -> bool {
        capability::of(self.context.plan.service(self.service).engine).parts
    }

    /// The backup that copies tablespaces physically while nothing copies their base.
    pub(in crate::check) fn base_left_out(&self) -> Option<(BackupId, &'a Backup)> {
        if self.base || !self.parts() {
            return None;
        }
        let spaces = self.components();
        let mut spaces = spaces.filter(|(_, part)| part.kind == ComponentKind::Tablespace);
        spaces.find_map(|(id, _)| {
            let physical = |backup: &Backup| {
                let mut takes = backup.takes.iter();
                takes.any(|take| take.method != Method::Logical)
            };
            let mut backups = self.context.backups_of(id);
            backups.find(|(_, backup)| physical(backup))
        })
    }

    /// The longest time between two copies of the component that is copied most seldom. `None`
    /// when a component is copied at no regular time, or not at all (which is P0501).
    pub(in crate::check) fn worst_gap(&self) -> Option<Duration> {
        let named = self.components().filter(|(id, _)| self.named(*id));
        let gaps = named.map(|(id, _)| {
            let backups = self.context.backups_of(id);
            joint_gap(
                self.context.plan,
                backups.flat_map(|(_, job)| job.takes.iter().map(|take| &take.schedule)),
            )
        });
        gaps.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}
