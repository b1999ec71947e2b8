//! P0704: a device will be nearly full at steady state.

use jiff::ToSpan;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::p0703_device_too_small::{FULL, capacity, proof, words};
use crate::check::steady::{self, Share};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::growth;
use crate::resolve::plan::DeviceId;

pub(super) static RULE: Rule = Rule {
    code: Code(704),
    name: "device-nearly-full",
    level: Severity::Warning,
    allowable: true,
    summary: "a device will be nearly full when all that must be kept lies on it",
    explanation: "At steady state, copies and log that retention keeps fill more than four fifths of the device. \
        Estimates keep a fifth in reserve: a growing database, a late deletion or a second full \
        needs that space at once. The date is the first day on which stated or measured growth \
        passes what the device holds.",
    bad: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
  growth 0.1%/day
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
devices: {near: {host: vault, path: /srv/copies, capacity: 13 TiB, write: 200 MiB/s}}
"#,
    good: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size 400 GiB
  growth 0.1%/day
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
        let needed = steady::total(&shares);
        let tight = needed > FULL * capacity && needed <= capacity;
        if let Some(first) = shares.first().filter(|_| tight) {
            let finding = finding(context, device, (&shares, needed, capacity));
            out.push(Scope::from(first.job), finding);
        }
    }
}

fn finding(
    context: &Context<'_>,
    device: DeviceId,
    (shares, needed, capacity): (&[Share], f64, f64),
) -> Diagnostic {
    let place = context.plan.device(device);
    let name = &place.name;
    let message = format!(
        "{name} will be {:.0} % full at steady state",
        (needed / capacity * 100.0).floor()
    );
    let largest = Job::new(context.plan, shares[0].job);
    let label = format!("keeps {} of {}", words(shares[0].bytes), words(capacity));
    let mut finding = Diagnostic::new(RULE.code, message, largest.span, label)
        .related("the device is declared here", place.span, "")
        .subject(name.clone())
        .help(match full_by(context, shares, capacity) {
            Some(date) => format!("plan space before {date}"),
            None => "plan space, or keep less".to_owned(),
        });
    finding.proof = Some(proof(context, shares, needed, capacity));
    finding
}

/// The first day on which growth fills it.
fn full_by(context: &Context<'_>, shares: &[Share], capacity: f64) -> Option<jiff::civil::Date> {
    let parts: Vec<(f64, f64)> = shares.iter().flat_map(|s| s.growing.clone()).collect();
    let days = growth::first_beyond(&parts, capacity)?;
    let today = context.agenda.as_ref()?.calendar().date(context.now);
    today.checked_add(i64::from(days).days()).ok()
}
