//! P0609: copies outlive all log that could roll them forward, and have none beside them.

use crate::check::context::{Context, backups};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::cover::{holders, is_physical};
use crate::check::promise::reach::{kept, tier_span};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{BackupId, DeviceId, JobId, ServiceId, Tier};
use crate::source::Span;
use std::collections::BTreeMap;

pub(super) static RULE: Rule = Rule {
    code: Code(609),
    name: "data-here-log-elsewhere",
    level: Severity::Error,
    allowable: true,
    summary: "copies outlive all log that could roll them forward, and have none beside them",
    explanation: "A device holds hot copies for weeks but no log, and the devices that hold log drop it \
        earlier. A copy without the log of its own time is not consistent and cannot be used. \
        Copy the log to the same device, or keep it elsewhere for as long as the copies.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to tapes within 6h
  encrypt none
  retain on nvme window 15d
  retain on tapes weekly 6
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to tapes within 6h
  encrypt none
  retain on nvme window 15d
  retain on tapes weekly 6
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  copy to tapes within 6h
  retain window 36d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let Some(first) = backup.targets.first() else {
            continue;
        };
        let service = context.plan.component(*first).service;
        let engine = context.plan.service(service).engine;
        if capability::of(engine).self_contained || !is_physical(backup) {
            continue;
        }
        let logs = logs(context, service);
        let Some((longest, where_kept)) = logs.iter().map(|(id, kept)| (*kept, *id)).max() else {
            continue;
        };
        for (device, _) in holders(backup) {
            if logs.contains_key(&device) {
                continue;
            }
            if let Some((data, span)) = rolled_forward(context, id, device)
                && data > longest
            {
                let at = (device, where_kept);
                let finding = finding(context, id, at, (data, longest, span));
                out.push(Scope::Backup(id), finding);
            }
        }
    }
}

/// How long each device keeps the log of a service.
fn logs(context: &Context<'_>, service: ServiceId) -> BTreeMap<DeviceId, Duration> {
    let archives = context.service_archives(service);
    let each = archives.flat_map(|(id, _)| {
        let job = Job::new(context.plan, JobId::Archive(id));
        let devices = job.devices().into_iter();
        devices.map(move |device| (device, kept(&job, device).0))
    });
    let mut logs = BTreeMap::new();
    for (device, span) in each {
        let longest = logs.entry(device).or_insert(span);
        *longest = span.max(*longest);
    }
    logs
}

/// How long copies are kept that are meant to be rolled forward. Copies of whole months and
/// years are kept as they were, together with the log of their own run.
fn rolled_forward(
    context: &Context<'_>,
    id: BackupId,
    device: DeviceId,
) -> Option<(Duration, Span)> {
    let tiers = Job::new(context.plan, JobId::Backup(id))
        .tiers(device)
        .into_iter();
    let near = tiers
        .filter(|(tier, _)| matches!(tier, Tier::Window(_) | Tier::Daily(_) | Tier::Weekly(_)));
    near.map(|(tier, span)| (tier_span(tier), span))
        .max_by_key(|(kept, _)| *kept)
}

fn finding(
    context: &Context<'_>,
    id: BackupId,
    (device, log): (DeviceId, DeviceId),
    (data, longest, span): (Duration, Duration, Span),
) -> Diagnostic {
    let plan = context.plan;
    let (name, other) = (&plan.device(device).name, &plan.device(log).name);
    let message = format!(
        "{name} holds copies for {data}; log for that span exists nowhere, {other} keeps {longest}"
    );
    Diagnostic::new(RULE.code, message, span, "kept without log")
        .subject(format!(
            "{}:{name}",
            Job::new(plan, JobId::Backup(id)).subject()
        ))
        .help(format!("copy the log to {name} and keep it {data} there"))
}
