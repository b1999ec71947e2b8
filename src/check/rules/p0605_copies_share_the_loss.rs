//! P0605: a promised loss takes every copy with the original.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::promise::rpo::Lost;
use crate::check::promise::{Broken, Claim, Promise, Verdict, cover};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::check::words::loss_words;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::survive::{self, Survival};
use crate::resolve::plan::{DeviceId, LossKind};
use std::collections::BTreeSet;

pub(super) static RULE: Rule = Rule {
    code: Code(605),
    name: "copies-share-the-loss",
    level: Severity::Error,
    allowable: true,
    summary: "a promised loss takes every copy with the original",
    explanation: "The objective names a loss, and after that loss nothing is left of a component: all \
        copies, or all of the log they need, lie where the loss strikes. No schedule helps \
        against that. Keep a copy on a device that the loss spares: another disk, another \
        host, another site. When only places are missing from the inventory, this is not \
        reported; the promise is then unknown.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
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
  rpo 10min for loss of site
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
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
    let mut seen = BTreeSet::new();
    for promise in &context.promises {
        let (Claim::Rpo(_, loss) | Claim::Rto(_, loss)) = &promise.claim else {
            continue;
        };
        let Verdict::Broken(Broken::Lost(gone)) = &promise.verdict else {
            continue;
        };
        // without any archive P0601 speaks of the log already
        let log = data_is_left(context, gone);
        let spoken = log && context.service_archives(promise.service).next().is_none();
        if !spoken && seen.insert((promise.service, loss)) {
            let finding = finding(context, promise, (loss, gone), log);
            out.push(Scope::Objectives(promise.at), finding);
        }
    }
}

/// True when copies are left, so that it is their log that is lost.
fn data_is_left(context: &Context<'_>, gone: &Lost) -> bool {
    let mut devices = holders(context, gone).into_iter();
    devices.any(|id| survive::device(context.plan, id, &gone.case) != Survival::No)
}

fn holders(context: &Context<'_>, gone: &Lost) -> BTreeSet<DeviceId> {
    let backups = gone.backups.iter();
    let backups = backups.map(|id| &context.plan.backups[id.index()]);
    backups
        .flat_map(|backup| cover::holders(backup).map(|(id, _)| id))
        .collect()
}

fn finding(
    context: &Context<'_>,
    promise: &Promise,
    (loss, gone): (&LossKind, &Lost),
    log: bool,
) -> Diagnostic {
    let plan = context.plan;
    let service = &plan.service(promise.service).name;
    let part = &plan.component(gone.component).name;
    let words = loss_words(loss);
    let message = if log {
        format!("{words} takes {service} and all log that its copies need")
    } else {
        let names = holders(context, gone)
            .into_iter()
            .map(|id| &*plan.device(id).name);
        let names = names.collect::<Vec<_>>().join(", ");
        format!("{words} takes `{part}` and every copy of it: {names}")
    };
    let spared = (0..plan.devices.len()).map(DeviceId::from_index);
    let mut spared = spared.filter(|id| survive::device(plan, *id, &gone.case) == Survival::Yes);
    let help = match spared.next() {
        Some(id) => format!("add `copy to {} within 1h`", plan.device(id).name),
        None => "add a device that this loss spares".to_owned(),
    };
    let mut finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
        .subject(format!("{service}:{words}"))
        .help(help);
    if log {
        for (_, archive) in context.service_archives(promise.service).take(1) {
            finding = finding.related("the log goes here only", archive.span, "");
        }
    } else if let Some(id) = gone.backups.first() {
        let backup = &plan.backups[id.index()];
        finding = finding.related("the copies are made here", backup.span, "");
    }
    finding
}
