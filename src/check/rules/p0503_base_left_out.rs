//! P0503: tablespaces are copied without the base they belong to.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::coverage::Coverage;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(503),
    name: "base-left-out",
    level: Severity::Error,
    allowable: true,
    summary: "tablespaces are copied without the base they belong to",
    explanation: "The files of a tablespace mean nothing without the base of the same instance: \
        catalogs, transaction status and the control file live there. A recovery from \
        tablespaces alone cannot start. Add `base` to the targets, or take it in a backup \
        of its own.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of tablespace hot {
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
        let coverage = Coverage::new(context, id);
        let Some((job, backup)) = coverage.base_left_out() else {
            continue;
        };
        let service = context.plan.service(id);
        let engine = service.engine.word();
        let message = format!(
            "`{}` copies tablespaces of {} without `base`; {engine} cannot start from them",
            backup.name, service.name
        );
        let finding = Diagnostic::new(RULE.code, message, backup.span, "no base here")
            .subject(subject(&backup.name, &backup.origin))
            .help("add `base` to the targets");
        out.push(Scope::Backup(job), finding);
    }
}
