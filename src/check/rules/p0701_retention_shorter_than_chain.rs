//! P0701: copies are kept for less than their chain lasts.

use crate::check::cadence::{days, joint_gap};
use crate::check::context::Context;
use crate::check::context::backups;
use crate::check::found::Found;
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::{Backup, CopyScope, DeviceId, JobId, Method, ResolvedPlan, Tier};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(701),
    name: "retention-shorter-than-chain",
    level: Severity::Error,
    allowable: true,
    summary: "copies are kept for less than their chain lasts",
    explanation: "An incremental can be restored only with the full below it and every copy between. \
        When the window is shorter than the time from one full to the next, the full goes \
        before the last of its incrementals, and those are worth nothing. Keep copies for \
        the chain and a day or two more.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  physical incremental every mon..sat at 04:00
  store on nvme
  verify every 1d
  retain window 5d
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
  retain window 9d
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
        let Some(chain) = chain_length(context.plan, backup) else {
            continue;
        };
        let job = Job::new(context.plan, JobId::Backup(id));
        for device in job
            .devices()
            .into_iter()
            .filter(|device| holds_chain(backup, *device))
        {
            let Some((window, span)) = only_window(&job.tiers(device)) else {
                continue;
            };
            if window >= chain {
                continue;
            }
            let name = &context.plan.device(device).name;
            let message = format!(
                "{name} keeps {window}; a chain lasts {chain}, so incrementals lose their full"
            );
            let finding = Diagnostic::new(RULE.code, message, span, "ends before the chain does")
                .subject(job.subject())
                .help(format!(
                    "write `window {}` (chain + 2d)",
                    Duration(chain.0 + days(2).0)
                ));
            out.push(job.id, finding);
        }
    }
}

/// Longest time between two fulls that incrementals stand on.
fn chain_length(plan: &ResolvedPlan, backup: &Backup) -> Option<Duration> {
    let fulls = backup
        .takes
        .iter()
        .filter(|take| take.method == Method::PhysicalFull);
    let chained = backup.takes.iter().any(|take| {
        matches!(
            take.method,
            Method::PhysicalIncremental | Method::PhysicalDifferential
        )
    });
    joint_gap(plan, fulls.map(|take| &take.schedule)).filter(|_| chained)
}

/// False for devices that get fulls only.
fn holds_chain(backup: &Backup, device: DeviceId) -> bool {
    let mut copies = backup
        .keeping
        .copies
        .iter()
        .filter(|copy| copy.device == device);
    !copies.any(|copy| copy.scope == CopyScope::Full)
}

/// The longest window, when nothing but windows keeps copies here.
fn only_window(tiers: &[(Tier, Span)]) -> Option<(Duration, Span)> {
    let windows = tiers.iter().map(|(tier, span)| match tier {
        Tier::Window(window) => Some((*window, *span)),
        _ => None,
    });
    windows
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .max_by_key(|(window, _)| *window)
}
