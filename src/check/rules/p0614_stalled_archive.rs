//! P0614: a stalled archive can fill the disk before anyone has reacted.

use std::collections::BTreeSet;

use crate::check::context::{Context, archives};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::words::{amount, lasting};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::log_space;
use crate::facts::capability;
use crate::resolve::plan::{ArchiveId, JobId, ServiceId};

/// Seconds in which somebody has reacted, even at night and on a Sunday.
const REACTION: f64 = 86_400.0;

pub(super) static RULE: Rule = Rule {
    code: Code(614),
    name: "stalled-archive-can-fill-the-disk",
    level: Severity::Warning,
    allowable: true,
    summary: "a stalled archive can fill the disk of the database within a day",
    explanation: "The engine keeps its log until every device that must have it has it. When a device is away, log \
        piles up beside the database; at its peak it fills the free space of its disk within a \
        day, and then the database stops. The plan sets no `log space`, so that nothing warns \
        before. Set it, and decide in time whether the log or the database is to be sacrificed.",
    bad: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  log rate 1 GiB/h
  log peak 8 GiB/h
}
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
archive changes of service notes {
  ship every 5min to near
  retain window 7d
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts: {desk: {site: here, disks: {d1: {free: 40 GiB}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, write: 200 MiB/s}}
"#,
    good: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  log rate 1 GiB/h
  log peak 8 GiB/h
}
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
archive changes of service notes {
  ship every 5min to near
  retain window 7d
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts: {desk: {site: here, disks: {d1: {free: 400 GiB}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, write: 200 MiB/s}}
"#,
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let mut told: BTreeSet<ServiceId> = BTreeSet::new();
    for (id, archive) in archives(context.plan) {
        let service = archive.service;
        let mut objectives = context.service_objectives(service);
        let engine = context.plan.service(service).engine;
        let limited = objectives.any(|(_, objectives)| objectives.log_space.is_some());
        if limited || !capability::of(engine).log || !told.insert(service) {
            continue;
        }
        if let Some((disk, free, peak)) = least_room(context, service) {
            let full = log_space::until_full(free, peak);
            if let Some(full) = full.filter(|full| *full < REACTION) {
                let finding = finding(context, id, &disk, (free, full));
                out.push(Scope::Archive(id), finding);
            }
        }
    }
}

/// The disk of the service with least free space, and the peak of its log.
fn least_room(context: &Context<'_>, service: ServiceId) -> Option<(String, f64, f64)> {
    let plan = context.plan;
    let peak = context.known.log_peak(service)?;
    let host = plan.hosts.get(plan.service(service).host.as_ref()?)?;
    let parts = plan.components_of(service).map(|id| plan.component(id));
    let disks = parts.flat_map(|part| &part.disks);
    let free = disks.filter_map(|disk| Some((disk, host.disks.get(disk)?.free?)));
    let (disk, free) = free.min_by_key(|(_, free)| *free)?;
    Some((disk.clone(), crate::estimate::exposure::bytes(free), peak))
}

fn finding(
    context: &Context<'_>,
    id: ArchiveId,
    disk: &str,
    (free, full): (f64, f64),
) -> Diagnostic {
    let plan = context.plan;
    let archive = &plan.archives[id.index()];
    let job = Job::new(plan, JobId::Archive(id));
    let devices = job.first_devices().into_iter();
    let devices: Vec<&str> = devices.map(|id| plan.device(id).name.as_str()).collect();
    let message = format!(
        "if {} is away, log fills {} of {disk} in {} at peak",
        devices.join(" or "),
        amount(free),
        lasting(full),
    );
    let service = &plan.service(archive.service).name;
    Diagnostic::new(RULE.code, message, archive.span, "keeps its log until then")
        .subject(job.subject())
        .help(format!(
            "set `log space` in `objectives of {service}`, and decide which to sacrifice"
        ))
}
