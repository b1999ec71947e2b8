//! P0807: components of one disk are read in parallel.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::check::context::{backups, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ComponentId, ResolvedPlan};

pub(super) static RULE: Rule = Rule {
    code: Code(807),
    name: "parallel-on-one-disk",
    level: Severity::Warning,
    allowable: true,
    summary: "components of one disk are read in parallel",
    explanation: "Two readers on one disk make it seek, and both together are slower than one after \
        the other. planc orders components by disk when nothing is said. Remove \
        `parallel`, or set it to the number of disks.",
    bad: "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
objectives of letters {
  rpo 1d for loss of disk
}
backup nightly of service notes, service letters {
  physical full every day at 04:30
  parallel 2
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {desk: {disks: {d1: {}}}, vault: {}}
services:
  notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}
  letters: {engine: sqlite, host: desk, disk: d1, path: /srv/letters.db}
devices: {near: {host: vault, path: /srv/copies}}
",
    good: "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
objectives of notes {
  rpo 1d for loss of disk
}
objectives of letters {
  rpo 1d for loss of disk
}
backup nightly of service notes, service letters {
  physical full every day at 04:30
  parallel 1
  store on near
  retain daily 7
}
--- inventory.yaml
inventory: 1
hosts: {desk: {disks: {d1: {}}}, vault: {}}
services:
  notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}
  letters: {engine: sqlite, host: desk, disk: d1, path: /srv/letters.db}
devices: {near: {host: vault, path: /srv/copies}}
",
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, backup) in backups(context.plan) {
        let Some(parallel) = backup
            .keeping
            .parallel
            .filter(|parallel| parallel.value > 1)
        else {
            continue;
        };
        let Some((disk, a, b)) = shared_disk(context.plan, &backup.targets) else {
            continue;
        };
        let message = format!("{a} and {b} are both read from disk {disk}");
        let finding = Diagnostic::new(RULE.code, message, parallel.span, "read at once")
            .subject(subject(&backup.name, &backup.origin))
            .help("write `parallel 1`, or leave it out and let planc order by disk");
        out.push(Scope::Backup(id), finding);
    }
}

/// The first disk that two components lie on, with their names.
fn shared_disk<'a>(
    plan: &'a ResolvedPlan,
    targets: &[ComponentId],
) -> Option<(&'a str, &'a str, &'a str)> {
    let mut first: BTreeMap<(Option<&str>, &str), &str> = BTreeMap::new();
    for part in targets.iter().map(|id| plan.component(*id)) {
        let host = plan.service(part.service).host.as_deref();
        for disk in &part.disks {
            if let Some(other) = first.insert((host, disk), &part.name) {
                return Some((disk, other, &part.name));
            }
        }
    }
    None
}
