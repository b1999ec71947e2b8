//! P0617: parts of different age make a whole only with log that is not kept long enough.

use crate::check::cadence::{days, joint_gap};
use crate::check::context::{Context, subject};
use crate::check::edit::quantity_after;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::cover::{self, Unit};
use crate::check::promise::reach::kept;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{
    Archive, ArchiveId, BackupId, ComponentId, DeviceId, JobId, Method, ServiceId,
};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(617),
    name: "mixed-age-not-bridged",
    level: Severity::Error,
    allowable: true,
    summary: "parts of different age make a whole only with log that is not kept so long",
    explanation: "Parts that were copied on different days are brought to one moment by the log written since the \
        oldest of them began. Here a part can be older than any log that is kept, so that the \
        newest copies of all parts make no whole. Keep log longer than the time between two \
        copies of the part that is copied most seldom, or take the parts in one run.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
}
backup small of base {
  physical full every sun at 04:00
  store on nvme
  encrypt none
  retain last 3
}
backup large of tablespace hot {
  physical full every day at 05:00
  store on nvme
  encrypt none
  retain last 7
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 5d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
}
backup small of base {
  physical full every sun at 04:00
  store on nvme
  encrypt none
  retain last 3
}
backup large of tablespace hot {
  physical full every day at 05:00
  store on nvme
  encrypt none
  retain last 7
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 9d
}
"
    ),
};

/// A part with the time between two of its copies.
#[derive(Debug, Clone, Copy)]
struct Aged {
    component: ComponentId,
    backup: BackupId,
    gap: Duration,
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for service in context.services() {
        let engine = capability::of(context.plan.service(service).engine);
        if engine.self_contained || !engine.parts {
            continue;
        }
        let units = cover::units(context, service);
        let aged: Vec<Aged> = units
            .iter()
            .filter_map(|unit| aged(context, unit))
            .collect();
        let (Some(seldom), Some(often)) = (
            aged.iter().max_by_key(|aged| aged.gap),
            aged.iter().min_by_key(|aged| aged.gap),
        ) else {
            continue;
        };
        let Some(log) = longest_log(context, service) else {
            continue; // without any archive another rule speaks
        };
        if seldom.backup != often.backup && log.kept < seldom.gap {
            let finding = finding(context, seldom, often, &log);
            out.push(Scope::Archive(log.archive), finding);
        }
    }
}

fn aged(context: &Context<'_>, unit: &Unit) -> Option<Aged> {
    let backup = *unit.backups.first().filter(|_| unit.physical)?;
    let backups = unit
        .backups
        .iter()
        .map(|id| &context.plan.backups[id.index()]);
    let takes = backups.flat_map(|backup| &backup.takes);
    let takes = takes.filter(|take| take.method != Method::Logical);
    let gap = joint_gap(context.plan, takes.map(|take| &take.schedule))?;
    Some(Aged {
        component: unit.component,
        backup,
        gap,
    })
}

/// The log that is kept longest.
struct Log {
    kept: Duration,
    device: Option<DeviceId>,
    archive: ArchiveId,
    span: Span,
}

fn longest_log(context: &Context<'_>, service: ServiceId) -> Option<Log> {
    let archives = context.service_archives(service);
    let logs = archives.flat_map(|(archive, _)| {
        let job = Job::new(context.plan, JobId::Archive(archive));
        let devices = job.devices().into_iter();
        devices.map(move |device| {
            let (kept, device, span) = kept(&job, device);
            Log {
                kept,
                device,
                archive,
                span,
            }
        })
    });
    logs.max_by_key(|log| log.kept)
}

fn finding(context: &Context<'_>, seldom: &Aged, often: &Aged, log: &Log) -> Diagnostic {
    let plan = context.plan;
    let name = |aged: &Aged| plan.component(aged.component).name.clone();
    let archive: &Archive = &plan.archives[log.archive.index()];
    let device = log.device.map_or("", |id| &plan.device(id).name);
    let message = format!(
        "{} is copied every {} and {} every {}; log to bridge them is kept only {} on {device}",
        name(seldom),
        seldom.gap,
        name(often),
        often.gap,
        log.kept,
    );
    // a day for the run and for a copy that comes late
    let needed = Duration(seldom.gap.0 + days(1).0);
    let old = &plan.backups[seldom.backup.index()];
    let finding = Diagnostic::new(RULE.code, message, log.span, format!("log: {}", log.kept))
        .related("copied most seldom", old.span, "")
        .subject(subject(&archive.name, &archive.origin))
        .help(format!(
            "`retain window {needed}` in `archive {}`, or take the parts in one run",
            archive.name
        ));
    match quantity_after(context.sources, log.span, "window ") {
        Some(place) => finding.fix(false, place, needed.to_string()),
        None => finding,
    }
}
