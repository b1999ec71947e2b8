//! P0608: a device keeps log for a shorter time than the copies that need it.

use crate::check::context::{Context, archives};
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::promise::cover::{holders, is_physical};
use crate::check::promise::reach::kept;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{DeviceId, JobId, ServiceId, Tier};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(608),
    name: "log-retention-gap",
    level: Severity::Error,
    allowable: true,
    summary: "a device keeps log for a shorter time than the copies that need it",
    explanation: "A hot copy is consistent only together with the log written while it was taken, and a \
        recovery window means log without a gap from the oldest full to now. Here the copies \
        live longer than the log beside them, and no other device keeps the log so long: the \
        older copies cannot be rolled forward. Keep the log as long as the copies.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 9d
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
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, archive) in archives(context.plan) {
        let engine = context.plan.service(archive.service).engine;
        if capability::of(engine).self_contained || archive.keeping.incomplete {
            continue;
        }
        let job = Job::new(context.plan, JobId::Archive(id));
        let logs: Vec<_> = job
            .devices()
            .into_iter()
            .map(|at| (at, kept(&job, at)))
            .collect();
        let longest = logs.iter().map(|(_, kept)| kept.0).max();
        for (device, (log, _, span)) in &logs {
            let Some((data, backup)) = window(context, archive.service, *device) else {
                continue;
            };
            if *log >= data || longest >= Some(data) {
                continue;
            }
            let name = &context.plan.device(*device).name;
            let message =
                format!("{name} keeps log {log}, but copies that have to be rolled forward {data}");
            let finding = Diagnostic::new(RULE.code, message, *span, format!("log: {log}"))
                .related("copies are kept longer", backup, format!("copies: {data}"))
                .subject(format!("{}:{name}", job.subject()))
                .help(format!(
                    "write `retain on {name} window {data}` in `archive {}`",
                    job.name
                ));
            out.push(Scope::Archive(id), finding);
        }
    }
}

/// The longest recovery window that physical copies of the service have on the device.
fn window(context: &Context<'_>, service: ServiceId, device: DeviceId) -> Option<(Duration, Span)> {
    let backups = context.service_backups(service);
    let backups = backups.filter(|(_, backup)| is_physical(backup));
    let holding = backups.filter(|(_, backup)| holders(backup).any(|(id, _)| id == device));
    let tiers = holding.flat_map(|(id, _)| Job::new(context.plan, JobId::Backup(id)).tiers(device));
    let windows = tiers.filter_map(|(tier, span)| match tier {
        Tier::Window(window) => Some((window, span)),
        _ => None,
    });
    windows.max_by_key(|(window, _)| *window)
}
