//! P0902: something is relocated onto a disk that holds live data or copies.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ActionKind, Scenario, Target};

pub(super) static RULE: Rule = Rule {
    code: Code(902),
    name: "hazardous-relocation",
    level: Severity::Error,
    allowable: true,
    summary: "something is relocated onto a disk that holds live data or copies",
    explanation: "A relocation writes gigabytes onto a disk in the middle of an incident. When that disk \
        holds live data, or the copies that the recovery reads from, a full disk or a wrong path \
        turns one loss into two. Relocate to a disk that holds nothing.",
    bad: orders!(
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
recovery lost_hot {
  for loss of disk
  restore tablespace hot from nearest
  relocate tablespace hot to d3
  replay log to latest
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
recovery lost_hot {
  for loss of disk
  restore tablespace hot from nearest
  relocate tablespace hot to d5
  replay log to latest
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        for (at, action) in scenario.actions.iter().enumerate() {
            let ActionKind::Relocate { targets, to } = &action.kind else {
                continue;
            };
            let Some(host) = host(context, scenario, at, targets) else {
                continue;
            };
            let Some(held) = held(context, &host, to) else {
                continue;
            };
            let message = format!("`{to}` holds {held}; relocating onto it endangers both");
            let finding = Diagnostic::new(RULE.code, message, action.span, "not an empty place")
                .subject(subject(&scenario.name, &scenario.origin))
                .help(help(context, &host));
            out.push(Scope::Scenario(id), finding);
        }
    }
}

/// The host on which the relocated thing lies: where the last `restore` put it, else its own.
fn host(
    context: &Context<'_>,
    scenario: &Scenario,
    at: usize,
    targets: &[Target],
) -> Option<String> {
    let before = scenario.actions[..at].iter().rev();
    let restored = before.filter_map(|action| match &action.kind {
        ActionKind::Restore { to, .. } => Some(to.clone()),
        _ => None,
    });
    if let Some(Some(elsewhere)) = restored.into_iter().next() {
        return Some(elsewhere);
    }
    let plan = context.plan;
    let service = targets.iter().find_map(|target| match target {
        Target::Components(ids) => ids.first().map(|id| plan.component(*id).service),
        Target::Service(id) => Some(*id),
        Target::Input(name) => {
            let mut inputs = scenario.inputs.iter();
            inputs.find(|input| input.name == *name)?.service
        }
        Target::Foreign(..) => None,
    })?;
    plan.service(service).host.clone()
}

/// What lies on a disk of a host, in words.
fn held(context: &Context<'_>, host: &str, disk: &str) -> Option<String> {
    let plan = context.plan;
    let here = |name: &Option<String>| name.as_deref() == Some(host);
    let mut parts = plan.components.iter();
    let live = parts.find(|part| {
        here(&plan.service(part.service).host) && part.disks.iter().any(|own| own == disk)
    });
    if let Some(part) = live {
        let service = &plan.service(part.service).name;
        let (kind, name) = (part.kind.word(), &part.name);
        return Some(format!("live {kind} {name} of {service}"));
    }
    let mut devices = plan.devices.iter();
    let device = devices.find(|device| here(&device.host) && device.disk.as_deref() == Some(disk));
    device.map(|device| format!("the copies of device {}", device.name))
}

fn help(context: &Context<'_>, host: &str) -> String {
    let disks = context.plan.hosts.get(host).map(|host| host.disks.keys());
    let mut disks = disks.into_iter().flatten();
    match disks.find(|disk| held(context, host, disk).is_none()) {
        Some(free) => format!("choose an empty place; nothing lies on {free}"),
        None => format!("choose an empty place; {host} needs another disk"),
    }
}
