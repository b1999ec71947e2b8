//! P1109: what the plan assumes, or the inventory states, is contradicted by what was measured.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::facts_file::MeasuredFacts;
use crate::facts::known::stated_parts;
use crate::quantity::float;
use crate::quantity::{Bytes, BytesPerSecond};
use crate::resolve::plan::{Assumption, AssumptionKind, Device, ResolvedPlan, ServiceId};
use crate::source::Span;

/// Measurements vary; only what is worse than stated by more than this factor contradicts it.
const TOLERANCE: f64 = 1.1;

pub(super) static RULE: Rule = Rule {
    code: Code(1109),
    name: "assumption-contradicted",
    level: Severity::Error,
    allowable: true,
    summary: "an assumption is contradicted by what was measured",
    explanation: "`assume` states what is not measured yet. Here the survey found more than a tenth \
        above it: more data, more change or more log than the plan counts with. Estimates use \
        the larger of both, but a plan that says otherwise misleads its readers. Update the \
        assumption or remove it, because the facts are there now. The same holds for rates in the \
        inventory: a device or host that was measured more than a tenth slower than stated, and a \
        device stated as immutable on which `planc device certify` could delete what it wrote.",
    bad: orders!(
        "\
assume {
  size hot 600 GiB
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
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
assume {
  size hot 900 GiB
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
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
    let Some(facts) = context.facts else { return };
    for assumed in &context.plan.assumptions {
        let Some(contradiction) = contradiction(context, facts, assumed) else {
            continue;
        };
        let Contradiction { what, said, found } = contradiction;
        let message = format!("{what} is assumed to be {said}; measured {found}");
        let finding = Diagnostic::new(RULE.code, message, assumed.span, "assumed here")
            .subject(what)
            .help("update the plan or remove the line; estimates use the larger");
        out.push(Scope::Plan, finding);
    }
    for (what, said, found, span) in slower(context.plan, facts) {
        let message = format!("{what} is stated as {said}; measured {found}");
        let finding = Diagnostic::new(RULE.code, message, span, "stated here")
            .subject(what)
            .help("correct the inventory, or remove the rate there; estimates use the smaller");
        out.push(Scope::Plan, finding);
    }
    for device in unlocked(context.plan, facts) {
        let name = &device.name;
        let message = format!("{name} is stated as immutable, but it was certified without a lock");
        let span = device.inventory_span.unwrap_or(device.span);
        let finding = Diagnostic::new(RULE.code, message, span, "stated here")
            .subject(name)
            .help(format!(
                "lock new objects there, or take from this account the right to delete; then run \
                 `planc device certify {name}`. Else remove `immutable`"
            ));
        out.push(Scope::Plan, finding);
    }
}

/// Devices of which the inventory says that nothing can be deleted there, and a certificate does
/// not.
fn unlocked<'a>(
    plan: &'a ResolvedPlan,
    facts: &'a MeasuredFacts,
) -> impl Iterator<Item = &'a Device> {
    plan.devices.iter().filter(|device| {
        let found = facts.certified.get(&device.name);
        let lock = found.and_then(|found| found.get("lock"));
        device.immutable && lock.is_some_and(|lock| lock != "proved")
    })
}

/// Rates of the inventory that were measured lower: what, stated, measured, and where it stands.
fn slower(
    plan: &ResolvedPlan,
    facts: &MeasuredFacts,
) -> Vec<(String, BytesPerSecond, BytesPerSecond, Span)> {
    let mut rates = Vec::new();
    for device in &plan.devices {
        let Some((write, read)) = facts.devices.get(&device.name) else {
            continue;
        };
        let span = device.inventory_span.unwrap_or(device.span);
        for (word, said, found) in [("write", device.write, write), ("read", device.read, read)] {
            let what = format!("the {word} speed of {}", device.name);
            rates.push((what, said, *found, span));
        }
    }
    for (name, found) in &facts.hosts {
        if let Some(host) = plan.hosts.get(name) {
            let what = format!("the replay speed of {name}");
            rates.push((what, host.replay, *found, host.span));
        }
    }
    let both = rates.into_iter();
    both.filter_map(|(what, said, found, span)| Some((what, said?, found?, span)))
        .filter(|(_, said, found, _)| above(said.0, found.0))
        .collect()
}

struct Contradiction {
    what: String,
    said: String,
    found: String,
}

fn contradiction(
    context: &Context<'_>,
    facts: &MeasuredFacts,
    assumed: &Assumption,
) -> Option<Contradiction> {
    let plan = context.plan;
    let parts = stated_parts(plan, &assumed.of, assumed.service);
    let parts = parts.into_iter().map(|id| {
        let component = plan.component(id);
        let what = format!("{} `{}`", component.kind.word(), component.name);
        (what, facts.components.get(&plan.component_key(id)))
    });
    let mut parts = parts.filter_map(|(what, found)| Some((what, *found?)));
    match assumed.kind {
        AssumptionKind::Size(said) => parts.find_map(|(what, (size, ..))| {
            let found = size.filter(|found| above(float(found.0), float(said.0)))?;
            Some(told(format!("the size of {what}"), said, found))
        }),
        AssumptionKind::Change(said) => parts.find_map(|(what, (_, change, _))| {
            let found = change.filter(|found| above(*found, said))?;
            Some(Contradiction {
                what: format!("the change of {what}"),
                said: share(said),
                found: share(found),
            })
        }),
        AssumptionKind::Growth(said) => parts.find_map(|(what, (_, _, growth))| {
            let found = growth.filter(|found| above(*found, said))?;
            Some(Contradiction {
                what: format!("the growth of {what}"),
                said: share(said),
                found: share(found),
            })
        }),
        AssumptionKind::LogRate(said) => {
            let (mean, _) = rates(context, facts, assumed)?;
            log(mean, said, "the mean log rate")
        }
        AssumptionKind::LogPeak(said) => {
            let (_, peak) = rates(context, facts, assumed)?;
            log(peak, said, "the log peak")
        }
    }
}

fn told(what: String, said: Bytes, found: Bytes) -> Contradiction {
    Contradiction {
        what,
        said: said.to_string(),
        found: found.to_string(),
    }
}

fn log(found: Option<BytesPerSecond>, said: BytesPerSecond, what: &str) -> Option<Contradiction> {
    let found = found.filter(|found| above(found.0, said.0))?;
    Some(Contradiction {
        what: what.to_owned(),
        said: said.to_string(),
        found: found.to_string(),
    })
}

/// Mean and peak of the service that is meant; of the only one when none is named.
fn rates(
    context: &Context<'_>,
    facts: &MeasuredFacts,
    assumed: &Assumption,
) -> Option<(Option<BytesPerSecond>, Option<BytesPerSecond>)> {
    let only = (context.plan.services.len() == 1).then_some(ServiceId(0));
    let service = context.plan.service(assumed.service.or(only)?);
    facts.services.get(&service.name).copied()
}

fn above(worse: f64, better: f64) -> bool {
    worse > better * TOLERANCE
}

fn share(share: f64) -> String {
    let percent = (share * 1000.0).round() / 10.0;
    format!("{percent}%/day")
}
