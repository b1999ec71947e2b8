//! P0509: version or settings of the surveyed instance stand in the way of a job.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::facts::instance::Instance;
use crate::resolve::plan::{EngineKind, Method, ServiceId};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(509),
    name: "setting-stands-in-the-way",
    level: Severity::Error,
    allowable: true,
    summary: "version or settings of the instance stand in the way of a job",
    explanation: "The survey found a version or a setting under which the job cannot do what the plan \
        says: a log that is not archived, or too sparse to recover from, torn pages that no log \
        repairs, too few senders for a stream. The run would refuse at night what can be seen by \
        day. Change the setting (the help names it), or the plan.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
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
",
        "\
instances:
  orders_db:
    version: \"18.4\"
    settings: {archive_mode: \"off\", wal_level: replica, full_page_writes: \"on\"}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
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
",
        "\
instances:
  orders_db:
    version: \"18.4\"
    settings: {archive_mode: \"on\", wal_level: replica, full_page_writes: \"on\"}
"
    ),
};

/// What a job needs of the instance and does not have.
struct Obstacle {
    message: String,
    help: &'static str,
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, instance) in context.instances() {
        if context.plan.service(id).engine != EngineKind::Postgresql {
            continue;
        }
        if let Some(obstacle) = version(instance) {
            let service = context.plan.service(id);
            let place = (service.span, service.name.clone());
            push(
                context,
                (Scope::Service(id), place),
                instance,
                obstacle,
                out,
            );
            continue;
        }
        backups(context, id, instance, out);
        archives(context, id, instance, out);
    }
}

fn version(instance: &Instance) -> Option<Obstacle> {
    let major = instance.major()?;
    if capability::POSTGRESQL_VERSIONS.contains(&major) {
        return None;
    }
    let known = capability::POSTGRESQL_VERSIONS.map(|major| major.to_string());
    Some(Obstacle {
        message: format!("planc drives PostgreSQL {}, not {major}", known.join(", ")),
        help: "use a planc that knows this version; an unknown log format is never guessed",
    })
}

fn backups(context: &Context<'_>, id: ServiceId, instance: &Instance, out: &mut Found) {
    let archived = context.service_archives(id).next().is_some();
    for (job, backup) in context.service_backups(id) {
        let physical = backup
            .takes
            .iter()
            .find(|take| take.method != Method::Logical);
        let Some(take) = physical else { continue };
        let partial = backup.takes.iter().find(|take| {
            use Method::{PhysicalDifferential, PhysicalIncremental};
            matches!(take.method, PhysicalIncremental | PhysicalDifferential)
        });
        let blind = partial.filter(|_| !archived && !summarizes(instance));
        let found = match blind {
            Some(take) => Some((take.span, no_changes())),
            None => copy_obstacle(instance).map(|obstacle| (take.span, obstacle)),
        };
        if let Some((span, obstacle)) = found {
            let place = (span, subject(&backup.name, &backup.origin));
            push(
                context,
                (Scope::Backup(job), place),
                instance,
                obstacle,
                out,
            );
        }
    }
}

fn copy_obstacle(instance: &Instance) -> Option<Obstacle> {
    if instance.setting("wal_level") == Some("minimal") {
        return Some(Obstacle {
            message: "a hot copy needs wal_level = replica; it is minimal".to_owned(),
            help: "set `wal_level = replica` and restart the server",
        });
    }
    (instance.setting("full_page_writes") == Some("off")).then(|| Obstacle {
        message: "parts of different age need full_page_writes = on; it is off".to_owned(),
        help: "set `full_page_writes = on` and reload the server",
    })
}

/// Can the server itself tell which pages changed?
fn summarizes(instance: &Instance) -> bool {
    instance.major().is_none_or(|major| major >= 17)
        && instance
            .setting("summarize_wal")
            .is_none_or(|set| set == "on")
}

fn no_changes() -> Obstacle {
    Obstacle {
        message: "incremental needs an archived log, or PostgreSQL 17 with summarize_wal = on"
            .to_owned(),
        help: "add an `archive` of the log, or turn summarize_wal on",
    }
}

fn archives(context: &Context<'_>, id: ServiceId, instance: &Instance, out: &mut Found) {
    for (job, archive) in context.service_archives(id) {
        let ships = archive.ships.first().map(|ship| ship.span);
        let streams = archive.streams.first().map(|stream| stream.span);
        let found = match (ships, streams) {
            (Some(span), _) if instance.setting("archive_mode") == Some("off") => {
                Some((span, no_archive()))
            }
            (_, Some(span)) => stream_obstacle(instance).map(|obstacle| (span, obstacle)),
            _ => None,
        };
        if let Some((span, obstacle)) = found {
            let place = (span, subject(&archive.name, &archive.origin));
            push(
                context,
                (Scope::Archive(job), place),
                instance,
                obstacle,
                out,
            );
        }
    }
}

fn no_archive() -> Obstacle {
    Obstacle {
        message: "shipping the log needs archive_mode = on; it is off".to_owned(),
        help: "set `archive_mode = on` with `archive_command = '/PATH/planc log push --plan \
               /PATH/X.plan --service NAME %p'`, where each PATH is whole, and restart the server",
    }
}

fn stream_obstacle(instance: &Instance) -> Option<Obstacle> {
    let none = |name: &str| instance.setting(name) == Some("0");
    let name = ["max_wal_senders", "max_replication_slots"]
        .into_iter()
        .find(|name| none(name))?;
    Some(Obstacle {
        message: format!("a stream needs a sender and a slot; {name} is 0"),
        help: "raise the setting and restart the server",
    })
}

fn push(
    context: &Context<'_>,
    (scope, (span, name)): (Scope, (Span, String)),
    instance: &Instance,
    obstacle: Obstacle,
    out: &mut Found,
) {
    let dated = context.dated(instance);
    let label = format!("{dated} say so");
    let finding = Diagnostic::new(RULE.code, obstacle.message, span, label);
    out.push(scope, finding.subject(name).help(obstacle.help));
}
