//! Owns what backups and archives have in common, so that a rule about devices, retention or
//! schedules is written once for both.

use std::collections::BTreeSet;

use crate::check::context::{services_of, subject};
use crate::resolve::plan::{
    DeviceId, JobId, Keeping, Origin, ResolvedPlan, Retain, Schedule, ServiceId, Tier, Verify,
};
use crate::source::{SourceMap, Span};

/// A backup or archive seen alike.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Job<'a> {
    /// Which.
    pub(in crate::check) id: JobId,
    /// Its name.
    pub(in crate::check) name: &'a str,
    /// The policy it comes from.
    pub(in crate::check) origin: &'a Origin,
    /// The clauses both kinds share.
    pub(in crate::check) keeping: &'a Keeping,
    /// The head of its block.
    pub(in crate::check) span: Span,
    plan: &'a ResolvedPlan,
}

impl<'a> Job<'a> {
    /// The job of an id.
    pub(in crate::check) fn new(plan: &'a ResolvedPlan, id: JobId) -> Self {
        let (name, origin, keeping, span) = match id {
            JobId::Backup(id) => {
                let job = &plan.backups[id.index()];
                (&job.name, &job.origin, &job.keeping, job.span)
            }
            JobId::Archive(id) => {
                let job = &plan.archives[id.index()];
                (&job.name, &job.origin, &job.keeping, job.span)
            }
        };
        Self {
            id,
            name,
            origin,
            keeping,
            span,
            plan,
        }
    }

    /// The word that opens its block.
    pub(in crate::check) fn word(&self) -> &'static str {
        match self.id {
            JobId::Backup(_) => "backup",
            JobId::Archive(_) => "archive",
        }
    }

    /// Its name, with the service it was expanded for.
    pub(in crate::check) fn subject(&self) -> String {
        subject(self.name, self.origin)
    }

    /// The end of the line that says where it stores first: the place for a further `copy to`.
    pub(in crate::check) fn line_end(&self, sources: &SourceMap) -> Option<Span> {
        let archive = match self.id {
            JobId::Archive(id) => Some(&self.plan.archives[id.index()]),
            JobId::Backup(_) => None,
        };
        let ships = archive.into_iter().flat_map(|archive| &archive.ships);
        let mut spans = ships.map(|ship| ship.span);
        let span = spans.next().or(self.keeping.store.map(|at| at.span))?;
        let text = sources.file(span.file).text();
        let end = span.end as usize;
        let rest = text.get(end..)?.find('\n')?;
        Some(Span::new(span.file, end + rest, end + rest))
    }

    /// The devices it writes to before any copy is made.
    pub(in crate::check) fn first_devices(&self) -> Vec<DeviceId> {
        let mut devices: Vec<DeviceId> = self.keeping.store.iter().map(|at| at.value).collect();
        if let JobId::Archive(id) = self.id {
            let archive = &self.plan.archives[id.index()];
            devices.extend(archive.streams.iter().map(|stream| stream.device));
            devices.extend(archive.ships.iter().map(|ship| ship.device));
        }
        dedup(devices)
    }

    /// All devices it keeps copies on.
    pub(in crate::check) fn devices(&self) -> Vec<DeviceId> {
        dedup(
            self.first_devices()
                .into_iter()
                .chain(self.keeping.devices()),
        )
    }

    /// The services whose data it keeps.
    pub(in crate::check) fn services(&self) -> BTreeSet<ServiceId> {
        match self.id {
            JobId::Backup(id) => services_of(self.plan, &self.plan.backups[id.index()].targets),
            JobId::Archive(id) => BTreeSet::from([self.plan.archives[id.index()].service]),
        }
    }

    /// Everything it does by the clock: copies taken, shipments, re-reads.
    pub(in crate::check) fn schedules(&self) -> Vec<&'a Schedule> {
        let reread = self
            .keeping
            .verify
            .iter()
            .filter_map(|verify| match verify {
                Verify::Every(schedule) => Some(schedule),
                Verify::OnWrite(_) => None,
            });
        let own: Vec<&Schedule> = match self.id {
            JobId::Backup(id) => {
                let takes = self.plan.backups[id.index()].takes.iter();
                takes.map(|take| &take.schedule).collect()
            }
            JobId::Archive(id) => {
                let ships = self.plan.archives[id.index()].ships.iter();
                ships.map(|ship| &ship.schedule).collect()
            }
        };
        own.into_iter().chain(reread).collect()
    }

    /// What is kept on a device: said for it, for all devices of the job, or at the device.
    pub(in crate::check) fn tiers(&self, device: DeviceId) -> Vec<(Tier, Span)> {
        let here = |retain: &&Retain| retain.on.is_empty() || retain.on.contains(&device);
        let own = self.keeping.retain.iter().filter(here);
        let retains = own.chain(&self.plan.device(device).retain);
        retains
            .flat_map(|retain| retain.tiers.iter().map(|tier| (*tier, retain.span)))
            .collect()
    }
}

fn dedup(devices: impl IntoIterator<Item = DeviceId>) -> Vec<DeviceId> {
    let mut seen = Vec::new();
    for device in devices {
        if !seen.contains(&device) {
            seen.push(device);
        }
    }
    seen
}
