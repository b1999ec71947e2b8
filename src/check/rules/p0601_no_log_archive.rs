//! P0601: a hot physical copy has no log archive.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{Method, Take};

pub(super) static RULE: Rule = Rule {
    code: Code(601),
    name: "no-log-archive",
    level: Severity::Error,
    allowable: true,
    summary: "a hot physical copy has no log archive",
    explanation: "A physical copy of a running PostgreSQL or MariaDB server is taken while pages \
        change. It becomes consistent only by replaying the log written meanwhile, so \
        without an archive of that log the copy cannot be restored. SQLite files and file \
        trees are copied consistently and need none.",
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
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    for id in context.services() {
        let service = context.plan.service(id);
        let able = capability::of(service.engine);
        if able.self_contained || context.service_archives(id).next().is_some() {
            continue;
        }
        let physical = |take: &Take| take.method != Method::Logical;
        for (job, backup) in context.service_backups(id) {
            let Some(take) = backup.takes.iter().find(|take| physical(take)) else {
                continue;
            };
            let message = format!(
                "`{}` is a hot copy, and no `archive` covers {}: it cannot be made consistent",
                backup.name, service.name
            );
            let finding = Diagnostic::new(RULE.code, message, backup.span, "")
                .label(take.span, "copied while the server writes")
                .subject(subject(&backup.name, &backup.origin))
                .help(format!(
                    "add `archive log_of_it of {} {{ … }}`",
                    service.name
                ));
            out.push(Scope::Backup(job), finding);
        }
    }
}
