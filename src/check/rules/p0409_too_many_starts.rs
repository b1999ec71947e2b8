//! P0409: too many jobs start at one minute on one device.

use std::collections::BTreeMap;

use jiff::civil::Time;

use crate::check::context::{Context, backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{BackupId, DeviceId};
use crate::source::Span;

/// Starts at one minute on one device that still are a schedule and not a crowd.
const CROWD: usize = 20;

pub(super) static RULE: Rule = Rule {
    code: Code(409),
    name: "too-many-starts-at-once",
    level: Severity::Warning,
    allowable: true,
    summary: "many jobs start at the same minute on one device",
    explanation: "A fixed time of day in a policy makes every service start at once: the device \
        and the network stand in a queue, and most runs wait while they hold their source. \
        `during` leaves the start to planc, which spreads them over the window.",
    bad: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
policy kept for service $it {
  objectives of $it {
    rpo 3d for human error
  }
  backup nightly of $it {
    physical full every day at 01:00
    store on near
    retain daily 30
  }
}
for each service $s {
  apply kept to $s
}
--- inventory.yaml
inventory: 1
sites: {home: {}}
hosts: {box: {site: home}, nas: {site: home}}
services:
  s01: {engine: files, host: box, path: s01}
  s02: {engine: files, host: box, path: s02}
  s03: {engine: files, host: box, path: s03}
  s04: {engine: files, host: box, path: s04}
  s05: {engine: files, host: box, path: s05}
  s06: {engine: files, host: box, path: s06}
  s07: {engine: files, host: box, path: s07}
  s08: {engine: files, host: box, path: s08}
  s09: {engine: files, host: box, path: s09}
  s10: {engine: files, host: box, path: s10}
  s11: {engine: files, host: box, path: s11}
  s12: {engine: files, host: box, path: s12}
  s13: {engine: files, host: box, path: s13}
  s14: {engine: files, host: box, path: s14}
  s15: {engine: files, host: box, path: s15}
  s16: {engine: files, host: box, path: s16}
  s17: {engine: files, host: box, path: s17}
  s18: {engine: files, host: box, path: s18}
  s19: {engine: files, host: box, path: s19}
  s20: {engine: files, host: box, path: s20}
  s21: {engine: files, host: box, path: s21}
devices:
  near: {host: nas, path: near}
"#,
    good: r#"planc 1
plan tree
timezone UTC
environment prod inventory "inventory.yaml"
window night every day 01:00..05:30
policy kept for service $it {
  objectives of $it {
    rpo 3d for human error
  }
  backup nightly of $it {
    physical full every day during night
    store on near
    retain daily 30
  }
}
for each service $s {
  apply kept to $s
}
--- inventory.yaml
inventory: 1
sites: {home: {}}
hosts: {box: {site: home}, nas: {site: home}}
services:
  s01: {engine: files, host: box, path: s01}
  s02: {engine: files, host: box, path: s02}
  s03: {engine: files, host: box, path: s03}
  s04: {engine: files, host: box, path: s04}
  s05: {engine: files, host: box, path: s05}
  s06: {engine: files, host: box, path: s06}
  s07: {engine: files, host: box, path: s07}
  s08: {engine: files, host: box, path: s08}
  s09: {engine: files, host: box, path: s09}
  s10: {engine: files, host: box, path: s10}
  s11: {engine: files, host: box, path: s11}
  s12: {engine: files, host: box, path: s12}
  s13: {engine: files, host: box, path: s13}
  s14: {engine: files, host: box, path: s14}
  s15: {engine: files, host: box, path: s15}
  s16: {engine: files, host: box, path: s16}
  s17: {engine: files, host: box, path: s17}
  s18: {engine: files, host: box, path: s18}
  s19: {engine: files, host: box, path: s19}
  s20: {engine: files, host: box, path: s20}
  s21: {engine: files, host: box, path: s21}
devices:
  near: {host: nas, path: near}
"#,
};

/// The jobs that start at one time of day on one device, with the clause of the first.
struct Starts {
    jobs: usize,
    first: (BackupId, Span),
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let mut crowds: BTreeMap<(DeviceId, Time), Starts> = BTreeMap::new();
    for (id, backup) in backups(context.plan) {
        let Some(device) = &backup.keeping.store else {
            continue;
        };
        for take in &backup.takes {
            let Some(at) = &take.schedule.at else {
                continue;
            };
            let first = (id, take.span);
            let starts = crowds.entry((device.value, at.value));
            starts.or_insert(Starts { jobs: 0, first }).jobs += 1;
        }
    }
    for ((device, at), starts) in crowds {
        if starts.jobs > CROWD {
            let finding = finding(context, device, at, &starts);
            out.push(Scope::Backup(starts.first.0), finding);
        }
    }
}

fn finding(context: &Context<'_>, device: DeviceId, at: Time, starts: &Starts) -> Diagnostic {
    let plan = context.plan;
    let (id, span) = starts.first;
    let backup = &plan.backups[id.index()];
    let (jobs, device) = (starts.jobs, &plan.device(device).name);
    let at = at.strftime("%H:%M");
    Diagnostic::new(
        RULE.code,
        format!("{jobs} jobs start at {at} on {device}"),
        span,
        "all at this minute",
    )
    .subject(subject(&backup.name, &backup.origin))
    .help("use `during` with a window; planc spreads the starts")
}
