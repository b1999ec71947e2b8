//! P0803: copies lie on the disk that holds the original.

use crate::check::context::Context;
use crate::check::context::{backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Backup, Component, ComponentId, DeviceId, JobId, ResolvedPlan};

pub(super) static RULE: Rule = Rule {
    code: Code(803),
    name: "copy-on-the-disk-it-protects",
    level: Severity::Warning,
    allowable: true,
    summary: "copies lie on the disk that holds the original",
    explanation: "When that disk fails, the data and the copy go together. Such a copy still helps \
        against a mistake, but not against the loss that most people have in mind. Use a \
        disk of another host.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for human error
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on local
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 5min for human error
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        for device in Job::new(context.plan, JobId::Backup(id)).devices() {
            if let Some(part) = shares_disk(context.plan, &backup.targets, device) {
                out.push(
                    Scope::Backup(id),
                    finding(context.plan, backup, device, part),
                );
            }
        }
    }
}

fn shares_disk<'a>(
    plan: &'a ResolvedPlan,
    targets: &[ComponentId],
    device: DeviceId,
) -> Option<&'a Component> {
    let device = plan.device(device);
    let disk = device.disk.as_ref()?;
    let mut parts = targets.iter().map(|id| plan.component(*id));
    parts.find(|part| {
        let host = &plan.service(part.service).host;
        host.is_some() && *host == device.host && part.disks.contains(disk)
    })
}

fn finding(plan: &ResolvedPlan, backup: &Backup, device: DeviceId, part: &Component) -> Diagnostic {
    let device = plan.device(device);
    let (name, disk) = (&device.name, device.disk.as_deref().unwrap_or_default());
    let (kind, what) = (part.kind.word(), &part.name);
    let message = format!("device {name} lies on {disk}, like {kind} `{what}` that it protects");
    Diagnostic::new(RULE.code, message, backup.span, "copied onto its own disk")
        .related("the device", device.span, "")
        .subject(subject(&backup.name, &backup.origin))
        .help("use another disk or host")
}
