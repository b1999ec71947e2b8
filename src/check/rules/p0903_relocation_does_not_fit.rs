//! P0903: what a scenario moves or restores does not fit its target.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::promise::cover;
use crate::check::rule::Rule;
use crate::check::words::amount;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::exposure::bytes;
use crate::quantity::Bytes;
use crate::resolve::plan::{
    ActionKind, ComponentId, ComponentKind, Host, Kind, Scenario, ServiceId, Target,
};
use crate::source::Span;

pub(super) static RULE: Rule = Rule {
    code: Code(903),
    name: "relocation-does-not-fit",
    level: Severity::Error,
    allowable: true,
    summary: "what a scenario moves or restores does not fit its target",
    explanation: "The disk or host named as target has less free space, by the inventory, than the parts that are \
        put there need by what is stated or measured. Where the operator names the part, the \
        largest one counts. A recovery that runs out of space ends hours later than one that \
        never began. Name a larger target, or split what is moved.",
    bad: r#"planc 1
plan orders
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size hot 900 GiB
}
objectives of orders_db {
  rpo 1d for loss of disk
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  retain window 15d
}
recovery lost_disk {
  for loss of disk
  restore tablespace hot
  relocate tablespace hot to spare_disk
  replay log to latest
  finish within 4h
}
drill weekly every sun at 12:00 {
  restore service orders_db to scratch
  replay log to latest
  probe orders_db "select count(*) from orders" > 0
  finish within 4h
}
--- inventory.yaml
inventory: 1
sites: {fra: {}}
hosts:
  pg1: {site: fra, disks: {d3: {}, spare_disk: {path: /mnt/spare, free: 700 GiB},
                           big_disk: {path: /mnt/big, free: 2 TiB}}}
  bk1: {site: fra}
  scratch: {site: fra, free: 6 TiB}
services:
  orders_db: {engine: postgresql, version: "17.4", host: pg1, path: /srv/pg, tablespaces: {hot: d3}}
devices:
  nvme: {host: bk1, path: /srv/backup}
facts: facts.yaml
--- facts.yaml
services: {orders_db: {log_rate: 4 GiB/h, log_peak: 30 GiB/h}}
devices: {nvme: {write: 2 GiB/s, read: 3 GiB/s}}
"#,
    good: r#"planc 1
plan orders
timezone UTC
environment prod inventory "inventory.yaml"
assume {
  size hot 900 GiB
}
objectives of orders_db {
  rpo 1d for loss of disk
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  retain window 15d
}
recovery lost_disk {
  for loss of disk
  restore tablespace hot
  relocate tablespace hot to big_disk
  replay log to latest
  finish within 4h
}
drill weekly every sun at 12:00 {
  restore service orders_db to scratch
  replay log to latest
  probe orders_db "select count(*) from orders" > 0
  finish within 4h
}
--- inventory.yaml
inventory: 1
sites: {fra: {}}
hosts:
  pg1: {site: fra, disks: {d3: {}, spare_disk: {path: /mnt/spare, free: 700 GiB},
                           big_disk: {path: /mnt/big, free: 2 TiB}}}
  bk1: {site: fra}
  scratch: {site: fra, free: 6 TiB}
services:
  orders_db: {engine: postgresql, version: "17.4", host: pg1, path: /srv/pg, tablespaces: {hot: d3}}
devices:
  nvme: {host: bk1, path: /srv/backup}
facts: facts.yaml
--- facts.yaml
services: {orders_db: {log_rate: 4 GiB/h, log_peak: 30 GiB/h}}
devices: {nvme: {write: 2 GiB/s, read: 3 GiB/s}}
"#,
};

/// What is put where.
struct Moved<'a> {
    /// In words.
    what: String,
    /// Bytes, as far as known.
    needs: f64,
    /// The target with its free space.
    to: (&'a str, Bytes),
    span: Span,
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        for moved in moves(context, scenario) {
            if moved.needs > bytes(moved.to.1) {
                let finding = finding(context, id, scenario, &moved);
                out.push(Scope::Scenario(id), finding);
            }
        }
    }
}

fn moves<'a>(context: &Context<'a>, scenario: &'a Scenario) -> Vec<Moved<'a>> {
    let plan = context.plan;
    let mut host: Option<&'a Host> = None;
    let relocates = |kind: &ActionKind| matches!(kind, ActionKind::Relocate { .. });
    let relocated = scenario
        .actions
        .iter()
        .any(|action| relocates(&action.kind));
    let mut found = Vec::new();
    for action in &scenario.actions {
        let (targets, to) = match &action.kind {
            ActionKind::Restore { targets, to, .. } => {
                let name = to.as_deref().or_else(|| home(context, targets));
                host = name.and_then(|name| plan.hosts.get(name));
                let free = host.and_then(|host| host.free);
                // what is relocated does not come to lie on the host itself
                let to = to.as_deref().zip(free).filter(|_| !relocated);
                (targets, to)
            }
            ActionKind::Relocate { targets, to } => {
                let disk = host.and_then(|host| host.disks.get(to.as_str()));
                (
                    targets,
                    disk.and_then(|disk| Some((to.as_str(), disk.free?))),
                )
            }
            _ => continue,
        };
        if let Some(to) = to {
            let (what, needs) = size(context, scenario, targets);
            found.push(Moved {
                what,
                needs,
                to,
                span: action.span,
            });
        }
    }
    found
}

/// The host of what is restored in place.
fn home<'a>(context: &Context<'a>, targets: &[Target]) -> Option<&'a str> {
    let plan = context.plan;
    let service = targets.iter().find_map(|target| match target {
        Target::Components(ids) => Some(plan.component(*ids.first()?).service),
        Target::Service(id) => Some(*id),
        Target::Input(_) | Target::Foreign(..) => None,
    });
    let only = (plan.services.len() == 1).then_some(ServiceId(0));
    plan.service(service.or(only)?).host.as_deref()
}

/// The targets in words and their bytes; of incident input the largest part it can name.
fn size(context: &Context<'_>, scenario: &Scenario, targets: &[Target]) -> (String, f64) {
    let plan = context.plan;
    let of = |id: ComponentId| context.known.size(id).unwrap_or(0.0);
    let (mut names, mut total) = (Vec::new(), 0.0);
    for target in targets {
        match target {
            Target::Components(ids) => {
                names.extend(ids.iter().map(|id| plan.component(*id).name.clone()));
                total += ids.iter().map(|id| of(*id)).sum::<f64>();
            }
            Target::Service(id) => {
                names.push(plan.service(*id).name.clone());
                let units = cover::units(context, *id).into_iter();
                total += units.map(|unit| of(unit.component)).sum::<f64>();
            }
            Target::Input(name) => {
                if let Some(largest) = largest_input(context, scenario, name) {
                    names.push(plan.component(largest).name.clone());
                    total += of(largest);
                }
            }
            Target::Foreign(_, name) => names.push(name.clone()),
        }
    }
    (names.join(" and "), total)
}

fn largest_input(context: &Context<'_>, scenario: &Scenario, name: &str) -> Option<ComponentId> {
    let input = scenario.inputs.iter().find(|input| input.name == name)?;
    let kind = match input.kind {
        Kind::Tablespace => ComponentKind::Tablespace,
        Kind::Database => ComponentKind::Database,
        _ => return None,
    };
    let plan = context.plan;
    let parts = plan.components_of(input.service?);
    let parts = parts.filter(|id| plan.component(*id).kind == kind);
    parts.max_by(|a, b| {
        let size = |id: &ComponentId| context.known.size(*id).unwrap_or(0.0);
        size(a).total_cmp(&size(b))
    })
}

fn finding(
    context: &Context<'_>,
    id: ScenarioId,
    scenario: &Scenario,
    moved: &Moved<'_>,
) -> Diagnostic {
    let (to, free) = moved.to;
    let message = format!(
        "{} needs {}; {to} has {free}",
        moved.what,
        amount(moved.needs)
    );
    let name = subject(&scenario.name, &scenario.origin);
    let help = match roomier(context, moved) {
        Some(other) => format!("another target; {other} has room"),
        None => "another target".to_owned(),
    };
    Diagnostic::new(RULE.code, message, moved.span, "does not fit")
        .related("in this scenario", id.of(context.plan).span, "")
        .subject(format!("{name}:{to}"))
        .help(help)
}

/// A disk beside the target, or another host, with enough space.
fn roomier<'a>(context: &Context<'a>, moved: &Moved<'_>) -> Option<&'a str> {
    let fits = |free: Option<Bytes>| free.is_some_and(|free| bytes(free) >= moved.needs);
    let hosts = &context.plan.hosts;
    let beside = hosts
        .values()
        .find(|host| host.disks.contains_key(moved.to.0));
    let disk = beside.and_then(|host| host.disks.iter().find(|(_, disk)| fits(disk.free)));
    if beside.is_some() {
        return disk.map(|(name, _)| name.as_str());
    }
    let host = hosts.iter().find(|(_, host)| fits(host.free));
    host.map(|(name, _)| name.as_str())
}
