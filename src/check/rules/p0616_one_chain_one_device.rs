//! P0616: incrementals hang on a full that is stored once and never read again.

use crate::check::context::{Context, backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::promise::cover::holders;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{Backup, Method, Take, Verify};

pub(super) static RULE: Rule = Rule {
    code: Code(616),
    name: "one-chain-one-device",
    level: Severity::Warning,
    allowable: true,
    summary: "incrementals hang on a full that is stored once and never read again",
    explanation: "Every incremental needs its full. When the full is on one device only and nobody reads \
        it until the day of a restore, one bad block takes the whole week with it. Keep a \
        second copy of the fulls, or re-read them on a schedule with `verify every`.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  physical incremental every mon..sat at 04:00
  store on nvme
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
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
  physical incremental every mon..sat at 04:00
  store on nvme
  copy to bucket within 6h
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to bucket
  encrypt none
  retain window 15d
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let Some(chained) = backup.takes.iter().find(|take| hangs(take.method)) else {
            continue;
        };
        if !has_full(context, backup) {
            continue;
        }
        let held: Vec<_> = holders(backup).map(|(id, _)| id).collect();
        let [only] = held.as_slice() else {
            continue;
        };
        if backup.keeping.incomplete || reread(backup) {
            continue;
        }
        let (name, device) = (&backup.name, &context.plan.device(*only).name);
        let message = format!(
            "copies of `{name}` hang on a full that only {device} holds and nobody re-reads"
        );
        let finding = Diagnostic::new(RULE.code, message, chained.span, "hang on the full before")
            .subject(subject(name, &backup.origin))
            .help("add a second copy of the fulls with `copy to`, or `verify every 1d`");
        out.push(Scope::Backup(id), finding);
    }
}

/// False where other rules speak: without a full, or where the engine has no chains.
fn has_full(context: &Context<'_>, backup: &Backup) -> bool {
    let fulls = |take: &Take| take.method == Method::PhysicalFull;
    let able = backup.targets.iter().all(|id| {
        let service = context.plan.component(*id).service;
        let methods = capability::of(context.plan.service(service).engine).methods;
        methods.contains(&Method::PhysicalIncremental)
    });
    able && backup.takes.iter().any(fulls)
}

fn hangs(method: Method) -> bool {
    matches!(
        method,
        Method::PhysicalIncremental | Method::PhysicalDifferential
    )
}

fn reread(backup: &Backup) -> bool {
    let mut verify = backup.keeping.verify.iter();
    verify.any(|verify| matches!(verify, Verify::Every(_)))
}
