//! P0504: incrementals or differentials have no full to stand on.

use crate::check::context::Context;
use crate::check::context::{backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{ComponentId, Method};

pub(super) static RULE: Rule = Rule {
    code: Code(504),
    name: "incremental-without-full",
    level: Severity::Error,
    allowable: true,
    summary: "incrementals or differentials have no full to stand on",
    explanation: "An incremental copy holds only what changed since the copy before it, and a \
        differential what changed since the last full. Without a full of the same \
        components there is nothing to restore them onto. Add `physical full every …` to \
        the backup, or to another backup of the same components.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical incremental every sun at 04:00
  store on nvme
  verify every 1d
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
  physical incremental every mon..sat at 04:00
  store on nvme
  verify every 1d
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
        let partial = backup.takes.iter().find(|take| builds_on_full(take.method));
        let Some(take) = partial else { continue };
        if !context.whole || backup.keeping.incomplete {
            continue;
        }
        let bare = backup
            .targets
            .iter()
            .find(|target| !has_full(context, **target));
        let Some(bare) = bare else { continue };
        let (name, words) = (&backup.name, take.method.words());
        let part = context.plan.component(*bare);
        let message = format!(
            "`{name}` takes `{words}` copies, and no full of {} exists",
            part.name
        );
        let finding = Diagnostic::new(RULE.code, message, take.span, "stands on nothing")
            .subject(subject(name, &backup.origin))
            .help("add `physical full every …`");
        out.push(Scope::Backup(id), finding);
    }
}

fn builds_on_full(method: Method) -> bool {
    matches!(
        method,
        Method::PhysicalIncremental | Method::PhysicalDifferential
    )
}

/// True also for engines that have no such copies: that is P0508's to say.
fn has_full(context: &Context<'_>, component: ComponentId) -> bool {
    let service = context.plan.component(component).service;
    let able = capability::of(context.plan.service(service).engine);
    if !able.methods.iter().any(|method| builds_on_full(*method)) {
        return true;
    }
    let mut takes = context
        .backups_of(component)
        .flat_map(|(_, backup)| &backup.takes);
    takes.any(|take| take.method == Method::PhysicalFull)
}
