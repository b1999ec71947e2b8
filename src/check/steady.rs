//! Owns how much each device holds when everything has run for long: what retention keeps of
//! copies and of log. Must not judge; what is not known counts as nothing.

use std::collections::BTreeMap;

use crate::check::context::{Context, archives, backups};
use crate::check::deadline::carries;
use crate::check::job::Job;
use crate::check::promise::reach;
use crate::estimate::Agenda;
use crate::estimate::horizon::WEEKS;
use crate::estimate::load::Load;
use crate::estimate::retention::{Cadence, Kept, steady};
use crate::quantity::Duration;
use crate::resolve::plan::{ArchiveId, Backup, BackupId, CopyScope, DeviceId, JobId, Method, Tier};

const DAY: f64 = 86_400.0;

/// What one job has on a device.
#[derive(Debug, Clone)]
pub(in crate::check) struct Share {
    /// The job.
    pub(in crate::check) job: JobId,
    /// Bytes at steady state, as far as known.
    pub(in crate::check) bytes: f64,
    /// Bytes with the share by which they grow in a day.
    pub(in crate::check) growing: Vec<(f64, f64)>,
    /// Copies that stand alone.
    pub(in crate::check) fulls: u32,
}

/// What lies on each device, the largest share first.
pub(in crate::check) fn devices(context: &Context<'_>) -> BTreeMap<DeviceId, Vec<Share>> {
    let mut found: BTreeMap<DeviceId, Vec<Share>> = BTreeMap::new();
    let Some(agenda) = &context.agenda else {
        return found;
    };
    for (id, backup) in backups(context.plan) {
        for (device, scope) in places(backup) {
            let tiers = Job::new(context.plan, JobId::Backup(id)).tiers(device);
            let tiers: Vec<Tier> = tiers.into_iter().map(|(tier, _)| tier).collect();
            let share = of_backup(agenda, (id, backup), scope, &tiers);
            found.entry(device).or_default().push(share);
        }
    }
    for (id, _) in archives(context.plan) {
        for device in Job::new(context.plan, JobId::Archive(id)).devices() {
            if let Some(share) = of_archive(context, id, device) {
                found.entry(device).or_default().push(share);
            }
        }
    }
    for shares in found.values_mut() {
        shares.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
    }
    found
}

/// Bytes of some shares.
pub(in crate::check) fn total(shares: &[Share]) -> f64 {
    shares.iter().map(|share| share.bytes).sum()
}

/// Where a backup's copies lie, and which of them.
fn places(backup: &Backup) -> Vec<(DeviceId, CopyScope)> {
    let store = backup.keeping.store.iter();
    let mut places: Vec<(DeviceId, CopyScope)> =
        store.map(|at| (at.value, CopyScope::All)).collect();
    for copy in &backup.keeping.copies {
        if places.iter().all(|(device, _)| *device != copy.device) {
            places.push((copy.device, copy.scope));
        }
    }
    places
}

/// What a backup has on a device with these tiers.
pub(in crate::check) fn of_backup(
    agenda: &Agenda<'_>,
    (id, backup): (BackupId, &Backup),
    scope: CopyScope,
    tiers: &[Tier],
) -> Share {
    let mut share = Share {
        job: JobId::Backup(id),
        bytes: 0.0,
        growing: Vec::new(),
        fulls: 0,
    };
    let from = agenda.loads.partition_point(|load| load.backup < id);
    let own = agenda.loads_of(id).iter().zip(&agenda.slots[from..]);
    let takes: Vec<(&Load, f64)> = own
        .filter(|(load, _)| carries(scope, backup.takes[load.take].method))
        .map(|(load, slots)| (load, days_between(slots.len(), slots)))
        .collect();
    let method = |load: &Load| backup.takes[load.take].method;
    let logical = takes
        .iter()
        .filter(|(load, _)| method(load) == Method::Logical);
    for (load, days) in logical {
        let cadence = Cadence {
            fulls: *days,
            runs: *days,
            chained: false,
        };
        share.add(load, steady(tiers, cadence).fulls, 1.0);
    }
    let physical: Vec<&(&Load, f64)> = takes
        .iter()
        .filter(|(load, _)| method(load) != Method::Logical)
        .collect();
    share.add_chain(&physical, backup, tiers);
    share
}

/// The mean number of days from one occurrence to the next.
fn days_between(count: usize, slots: &[crate::estimate::calendar::Slot]) -> f64 {
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return 0.0;
    };
    if count < 2 {
        return f64::from(WEEKS * 7);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let gaps = (count - 1) as f64;
    last.start.duration_since(first.start).as_secs_f64() / DAY / gaps
}

impl Share {
    fn add(&mut self, load: &Load, copies: u32, part: f64) {
        let copies = f64::from(copies) * part;
        self.bytes += load.bytes() * copies;
        let parts = load.parts.iter();
        self.growing
            .extend(parts.map(|part| (part.bytes.0 * copies, part.bytes.1)));
    }

    /// Fulls and what stands on them.
    fn add_chain(&mut self, takes: &[&(&Load, f64)], backup: &Backup, tiers: &[Tier]) {
        let is_full = |load: &Load| backup.takes[load.take].method == Method::PhysicalFull;
        let rate = |full: bool| -> f64 {
            let these = takes.iter().filter(|(load, _)| is_full(load) == full);
            these
                .filter(|(_, days)| *days > 0.0)
                .map(|(_, days)| 1.0 / days)
                .sum()
        };
        let (fulls, increments) = (rate(true), rate(false));
        if fulls <= 0.0 {
            return;
        }
        let mut methods = takes.iter().map(|(load, _)| backup.takes[load.take].method);
        let cadence = Cadence {
            fulls: 1.0 / fulls,
            runs: 1.0 / (fulls + increments),
            chained: !methods.any(|method| method == Method::PhysicalDifferential),
        };
        let kept: Kept = steady(tiers, cadence);
        self.fulls = kept.fulls;
        for (load, days) in takes {
            let (count, all) = if is_full(load) {
                (kept.fulls, fulls)
            } else {
                (kept.increments, increments)
            };
            // takes of one kind share what is kept by how often they come
            self.add(load, count, 1.0 / days / all);
        }
    }
}

fn of_archive(context: &Context<'_>, id: ArchiveId, device: DeviceId) -> Option<Share> {
    let service = context.plan.archives[id.index()].service;
    let rate = context.known.log_mean_low(service)?;
    let job = JobId::Archive(id);
    let (kept, ..) = reach::kept(&Job::new(context.plan, job), device);
    let kept = Some(kept).filter(|kept| *kept != Duration(u64::MAX))?;
    let bytes = rate * kept.as_secs();
    Some(Share {
        job,
        bytes,
        growing: vec![(bytes, 0.0)],
        fulls: 0,
    })
}
