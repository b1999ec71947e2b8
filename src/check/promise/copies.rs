//! Owns how many copies each job keeps, on how many sites and of which kinds.
//! A job is one restorable chain; copies of another job do not make up for missing ones.

use std::collections::BTreeSet;

use crate::check::context::Context;
use crate::check::job::Job;
use crate::check::promise::cover::is_physical;
use crate::check::promise::{Broken, Verdict, cover};
use crate::estimate::{Figure, survive};
use crate::facts::capability;
use crate::resolve::plan::{CopiesPromise, Device, DeviceId, DeviceKind, JobId, ServiceId};

/// Of what a job has too few.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) enum Of {
    /// Devices.
    Copies,
    /// Sites.
    Sites,
    /// `offline`, `offsite`, `immutable`.
    Special(String),
}

/// A shortage.
#[derive(Debug, Clone)]
pub(in crate::check) struct Short {
    /// The job.
    pub(in crate::check) job: JobId,
    /// Of what.
    pub(in crate::check) of: Of,
    /// How many there are.
    pub(in crate::check) found: u32,
    /// How many are promised.
    pub(in crate::check) promised: u32,
}

/// Judges one promise about copies.
pub(in crate::check) fn judge(
    context: &Context<'_>,
    service: ServiceId,
    promise: &CopiesPromise,
) -> Verdict {
    let jobs = jobs(context, service);
    if jobs.is_empty() || cover::has_gaps(context, service) {
        return Verdict::Open;
    }
    let mut short = Vec::new();
    let mut unknown = None;
    let mut fewest = u32::MAX;
    for id in jobs {
        let devices = devices(context, id);
        fewest = fewest.min(number(devices.len()));
        for (of, promised) in asked(promise) {
            let (sure, hoped) = have(context, service, &devices, &of);
            if hoped < promised {
                short.push(Short {
                    job: id,
                    of,
                    found: hoped,
                    promised,
                });
            } else if sure < promised {
                unknown = Some("the sites of devices".to_owned());
            }
        }
    }
    match (short.is_empty(), unknown) {
        (false, _) => Verdict::Broken(Broken::Copies(short)),
        (true, Some(missing)) => Verdict::Unknown(missing),
        (true, None) => Verdict::Proved(Figure::of("copies of each", f64::from(fewest))),
    }
}

/// Backups of the service; its archives too where a copy is worth nothing without the log.
fn jobs(context: &Context<'_>, service: ServiceId) -> Vec<JobId> {
    let engine = context.plan.service(service).engine;
    let backups = context.service_backups(service);
    let mut jobs: Vec<JobId> = Vec::new();
    let mut hot = false;
    for (id, backup) in backups {
        jobs.push(JobId::Backup(id));
        hot |= is_physical(backup);
    }
    if hot && !capability::of(engine).self_contained {
        let archives = context.service_archives(service);
        jobs.extend(archives.map(|(id, _)| JobId::Archive(id)));
    }
    jobs
}

/// The devices that hold whole copies of a job.
pub(in crate::check) fn devices(context: &Context<'_>, id: JobId) -> Vec<DeviceId> {
    match id {
        JobId::Backup(id) => {
            let backup = &context.plan.backups[id.index()];
            let devices: BTreeSet<DeviceId> = cover::holders(backup).map(|(id, _)| id).collect();
            devices.into_iter().collect()
        }
        JobId::Archive(_) => Job::new(context.plan, id).devices(),
    }
}

fn asked(promise: &CopiesPromise) -> impl Iterator<Item = (Of, u32)> {
    let special = promise.special.iter();
    let special = special.map(|(kind, number)| (Of::Special(kind.clone()), *number));
    let sites = promise.sites.map(|sites| (Of::Sites, sites));
    std::iter::once((Of::Copies, promise.count))
        .chain(sites)
        .chain(special)
}

/// How many there are for sure, and how many there may be.
fn have(context: &Context<'_>, service: ServiceId, devices: &[DeviceId], of: &Of) -> (u32, u32) {
    let plan = context.plan;
    let home = survive::home(plan, service);
    let mut sites: BTreeSet<&str> = BTreeSet::new();
    let (mut sure, mut placeless) = (0, 0);
    for id in devices {
        let device = plan.device(*id);
        let site = rests_at(device);
        sites.extend(site);
        let offsite = home.zip(site).map(|(home, site)| home != site);
        let counts = match of {
            Of::Copies => Some(true),
            Of::Sites => site.map(|_| false),
            Of::Special(kind) => match kind.as_str() {
                "offsite" => offsite,
                "immutable" => Some(device.immutable),
                _ => Some(device.immutable || travels(device)),
            },
        };
        match counts {
            Some(true) => sure += 1,
            Some(false) => {}
            None => placeless += 1,
        }
    }
    if *of == Of::Sites {
        sure = number(sites.len());
    }
    (sure, sure + placeless)
}

/// The site where a copy stays: volumes that travel are at home only until they leave.
pub(in crate::check) fn rests_at(device: &Device) -> Option<&str> {
    let away = device.rotate.as_ref().map(|rotation| &*rotation.to);
    away.or(device.site.as_deref())
}

fn travels(device: &Device) -> bool {
    device.kind == DeviceKind::Volumes && device.rotate.is_some()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
