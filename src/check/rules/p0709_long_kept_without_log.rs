//! P0709: fulls are kept for months on a device that has no log to make them consistent.

use crate::check::context::{Context, backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::cover::{holders, is_physical};
use crate::check::promise::reach::tier_span;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{Archive, Backup, BackupId, DeviceId, JobId, Method, ServiceId, Tier};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(709),
    name: "long-kept-without-log",
    level: Severity::Warning,
    allowable: true,
    summary: "fulls are kept for months where no log makes them consistent",
    explanation: "A hot copy needs the log of its own run to become consistent. planc keeps that log as long as \
        the copy, on every device to which the archive writes; this device gets copies and no \
        log. When the other devices are lost, or their log is, what was kept for months cannot be \
        opened. Copy the log there too, or add a logical copy, which needs none.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to vault within 6h
  encrypt none
  retain on nvme window 15d
  retain on vault monthly 12
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
  rpo 1d for loss of disk
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  copy to vault within 6h
  encrypt none
  retain on nvme window 15d
  retain on vault monthly 12
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  copy to vault within 6h
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let first = backup.targets.first();
        let Some(service) = first.map(|id| context.plan.component(*id).service) else {
            continue;
        };
        let engine = context.plan.service(service).engine;
        if capability::of(engine).self_contained || !is_physical(backup) {
            continue;
        }
        // without any archive another rule speaks
        let Some((_, archive)) = context.service_archives(service).next() else {
            continue;
        };
        for (device, _) in holders(backup) {
            let kept = long_kept(context, id, device);
            let bare = !has_log(context, service, device);
            if let Some(kept) = kept.filter(|kept| bare && !logical(context, service, *kept)) {
                let finding = finding(context, (id, backup), device, kept, archive);
                out.push(Scope::Backup(id), finding);
            }
        }
    }
}

/// Copies of whole months and years, with the clause; shorter ones are P0609.
fn long_kept(context: &Context<'_>, id: BackupId, device: DeviceId) -> Option<(Tier, Span)> {
    let tiers = Job::new(context.plan, JobId::Backup(id)).tiers(device);
    let long = tiers
        .into_iter()
        .filter(|(tier, _)| matches!(tier, Tier::Monthly(_) | Tier::Yearly(_)));
    long.max_by_key(|(tier, _)| tier_span(*tier))
}

fn has_log(context: &Context<'_>, service: ServiceId, device: DeviceId) -> bool {
    let mut archives = context.service_archives(service);
    archives.any(|(id, _)| {
        let devices = Job::new(context.plan, JobId::Archive(id)).devices();
        devices.contains(&device)
    })
}

/// True when a logical copy of the service is kept as long.
fn logical(context: &Context<'_>, service: ServiceId, (tier, _): (Tier, Span)) -> bool {
    let long = tier_span(tier);
    let mut backups = context.service_backups(service);
    backups.any(|(id, backup)| {
        let mut takes = backup.takes.iter();
        let job = Job::new(context.plan, JobId::Backup(id));
        takes.any(|take| take.method == Method::Logical)
            && holders(backup).any(|(device, _)| {
                let tiers = job.tiers(device).into_iter();
                tiers.map(|(tier, _)| tier_span(tier)).max() >= Some(long)
            })
    })
}

fn finding(
    context: &Context<'_>,
    (id, backup): (BackupId, &Backup),
    device: DeviceId,
    (tier, span): (Tier, Span),
    archive: &Archive,
) -> Diagnostic {
    let name = &context.plan.device(device).name;
    let (word, length) = match tier {
        Tier::Yearly(count) => ("yearly", format!("{count}y")),
        Tier::Monthly(count) => ("monthly", format!("{count}mo")),
        other => ("kept", Duration(tier_span(other).0).to_string()),
    };
    let message = format!("{word} fulls live {length} on {name}, and no log is kept there");
    let job = Job::new(context.plan, JobId::Backup(id));
    Diagnostic::new(RULE.code, message, span, "kept without its log")
        .related("the log goes elsewhere", archive.span, "")
        .subject(format!("{}:{name}", subject(&backup.name, job.origin)))
        .help(format!(
            "add `copy to {name} within 1d` to `archive {}`, or a `logical` copy as long",
            archive.name
        ))
}
