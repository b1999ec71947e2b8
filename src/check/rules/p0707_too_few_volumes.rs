//! P0707: rotation and retention need more volumes than there are.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::p0703_device_too_small::proof;
use crate::check::steady::{self, Share};
use crate::check::words::amount;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::exposure::bytes;
use crate::resolve::plan::DeviceId;

pub(super) static RULE: Rule = Rule {
    code: Code(707),
    name: "too-few-volumes",
    level: Severity::Error,
    allowable: true,
    summary: "rotation and retention need more volumes than there are",
    explanation: "A volume is free again only when the last thing on it has expired. What must be kept fills a \
        number of volumes; where volumes travel, each full that is kept has left on a trip of \
        its own and holds a volume of its own; and one more is being written. The volume set \
        has fewer. Add volumes, use larger ones, or keep fewer periods.",
    bad: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
device tapes is volumes at here {
  rotate to there every mon, return when expired
}
assume {
  size 400 GiB
}
objectives of notes {
  rpo 9d for loss of disk
}
backup weekly of service notes {
  physical full every sun at 04:30
  store on tapes
  encrypt none
  retain weekly 8
}
--- inventory.yaml
inventory: 1
sites: {here: {}, there: {}}
hosts: {desk: {site: here, disks: {d1: {}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {tapes: {host: vault, volumes: 6, volume_size: 2 TiB, write: 200 MiB/s}}
"#,
    good: r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
device tapes is volumes at here {
  rotate to there every mon, return when expired
}
assume {
  size 400 GiB
}
objectives of notes {
  rpo 9d for loss of disk
}
backup weekly of service notes {
  physical full every sun at 04:30
  store on tapes
  encrypt none
  retain weekly 8
}
--- inventory.yaml
inventory: 1
sites: {here: {}, there: {}}
hosts: {desk: {site: here, disks: {d1: {}}}, vault: {site: here}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {tapes: {host: vault, volumes: 12, volume_size: 2 TiB, write: 200 MiB/s}}
"#,
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (device, shares) in steady::devices(context) {
        let Some((count, size)) = context.plan.device(device).volumes else {
            continue;
        };
        let size = size.map(bytes).filter(|size| *size > 0.0);
        let needed = needed(context, device, &shares, size);
        if let Some(first) = shares.first().filter(|_| needed > count) {
            let finding = finding(context, device, &shares, (needed, count, size));
            out.push(Scope::from(first.job), finding);
        }
    }
}

/// Volumes for what is kept, and the one that is written.
fn needed(context: &Context<'_>, device: DeviceId, shares: &[Share], size: Option<f64>) -> u32 {
    let filled = size.map_or(0.0, |size| (steady::total(shares) / size).ceil());
    let travels = context.plan.device(device).rotate.is_some();
    let trips = shares.iter().map(|share| share.fulls).max();
    let trips = f64::from(trips.filter(|_| travels).unwrap_or(0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; saturates"
    )]
    let kept = filled.max(trips) as u32;
    if kept == 0 { 0 } else { kept.saturating_add(1) }
}

fn finding(
    context: &Context<'_>,
    device: DeviceId,
    shares: &[Share],
    (needed, count, size): (u32, u32, Option<f64>),
) -> Diagnostic {
    let place = context.plan.device(device);
    let name = &place.name;
    let message = format!("rotation and retention need {needed} volumes of {name}; {count} exist");
    let largest = Job::new(context.plan, shares[0].job);
    let label = format!("keeps {} on them", amount(shares[0].bytes));
    let mut finding = Diagnostic::new(RULE.code, message, largest.span, label)
        .related("the volumes are declared here", place.span, "")
        .subject(name.clone())
        .help(format!(
            "add {} volumes, or keep fewer periods",
            needed - count
        ));
    if let Some(size) = size {
        let space = size * f64::from(count);
        finding.proof = Some(proof(context, shares, steady::total(shares), space));
    }
    finding
}
