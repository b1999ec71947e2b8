//! P0703: a device cannot hold what it must keep.

use crate::check::context::Context;
use crate::check::edit::quantity_after;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::steady::{self, Share};
use crate::check::words::amount;
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::quantity::{Bytes, Duration};
use crate::resolve::plan::{CopyScope, DeviceId, DeviceKind, JobId, Tier};
use crate::source::Span;

const DAY: u64 = 86_400_000;

/// The share of a device that estimates may fill: a fifth is kept in reserve.
pub(super) const FULL: f64 = 0.8;

pub(super) static RULE: Rule = Rule {
    code: Code(703),
    name: "device-too-small",
    level: Severity::Error,
    allowable: true,
    summary: "a device is too small for what it must keep",
    explanation: "When every job has run for as long as its retention reaches back, the copies and the log that \
        must be kept need more space than the device has. Copies are counted by the tiers of \
        `retain`, each kept copy with the chain it stands on, at their full size when no earlier \
        run shows how far they shrink. A full device stops new copies, and with them every \
        promise. Keep less, keep it elsewhere, or enlarge the device.",
    bad: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain window 30d
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts: {desk: {site: here, disks: {d1: {}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, capacity: 8 TiB, write: 200 MiB/s}}
"#,
    good: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain window 30d
}
--- inventory.yaml
inventory: 1
sites: {here: {}}
hosts: {desk: {site: here, disks: {d1: {}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies, capacity: 20 TiB, write: 200 MiB/s}}
"#,
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (device, shares) in steady::devices(context) {
        let Some(capacity) = capacity(context, device) else {
            continue;
        };
        let (needed, first) = (steady::total(&shares), shares.first());
        if let Some(first) = first.filter(|_| needed > capacity) {
            let finding = finding(context, device, (&shares, needed, capacity));
            out.push(Scope::from(first.job), finding);
        }
    }
}

/// The space of a device that is not made of volumes; those are counted one by one.
pub(super) fn capacity(context: &Context<'_>, id: DeviceId) -> Option<f64> {
    let device = context.plan.device(id);
    let capacity = device
        .capacity
        .filter(|_| device.kind != DeviceKind::Volumes)?;
    Some(crate::estimate::exposure::bytes(capacity))
}

fn finding(
    context: &Context<'_>,
    device: DeviceId,
    (shares, needed, capacity): (&[Share], f64, f64),
) -> Diagnostic {
    let plan = context.plan;
    let place = plan.device(device);
    let name = &place.name;
    let message = format!(
        "{name} needs {} for what must be kept, and holds {}",
        amount(needed),
        amount(capacity),
    );
    let largest = Job::new(plan, shares[0].job);
    let label = format!("keeps {} of it", amount(shares[0].bytes));
    let mut finding = Diagnostic::new(RULE.code, message, largest.span, label)
        .related("the device is declared here", place.span, "")
        .subject(name.clone());
    finding.proof = Some(proof(context, shares, needed, capacity));
    let enlarge = amount(needed / FULL);
    match shorter(context, device, shares, capacity) {
        Some((days, span)) => {
            let window = format!("{days}d");
            let help = format!("`retain window {window}`, compress, or enlarge it to {enlarge}");
            let finding = finding.help(help);
            match quantity_after(context.sources, span, "window ") {
                Some(place) => finding.fix(false, place, window),
                None => finding,
            }
        }
        None => finding.help(format!("keep less, compress, or enlarge it to {enlarge}")),
    }
}

pub(super) fn proof(context: &Context<'_>, shares: &[Share], needed: f64, capacity: f64) -> Proof {
    let terms = shares.iter().filter(|share| share.bytes > 0.0);
    let terms = terms.map(|share| (Job::new(context.plan, share.job).subject(), share.bytes));
    Proof {
        claim: "space".to_owned(),
        loss: String::new(),
        limit: capacity,
        found: needed,
        terms: terms.collect(),
    }
}

/// The longest window of the largest job that leaves room, when a window is all it keeps.
fn shorter(
    context: &Context<'_>,
    device: DeviceId,
    shares: &[Share],
    capacity: f64,
) -> Option<(u64, Span)> {
    let largest = shares.first()?;
    let JobId::Backup(id) = largest.job else {
        return None;
    };
    let tiers = Job::new(context.plan, largest.job).tiers(device);
    let [(Tier::Window(now), span)] = tiers.as_slice() else {
        return None;
    };
    let room = capacity * FULL - (steady::total(shares) - largest.bytes);
    let backup = &context.plan.backups[id.index()];
    let agenda = context.agenda.as_ref()?;
    let fits = |days: &u64| {
        let tiers = [Tier::Window(Duration(days * DAY))];
        let share = steady::of_backup(agenda, (id, backup), CopyScope::All, &tiers);
        share.bytes <= room
    };
    let longest = (1..now.0 / DAY).rev().find(fits)?;
    Some((longest, *span))
}

/// Bytes in words, for rules that speak of capacities.
pub(super) fn words(bytes: f64) -> Bytes {
    amount(bytes)
}
