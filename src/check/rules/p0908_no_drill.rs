//! P0908: drills are promised and none is planned.

use std::collections::BTreeSet;

use crate::check::context::Context;
use crate::check::context::scenario_services;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::ServiceId;

pub(super) static RULE: Rule = Rule {
    code: Code(908),
    name: "no-drill",
    level: Severity::Error,
    allowable: true,
    summary: "drills are promised and none is planned",
    explanation: "`drill every 7d` promises that recovery is rehearsed, and no drill restores this \
        service. A recovery that was never rehearsed is a hope: times are unknown, and \
        what is missing is found out on the worst day. Add a `drill`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
  drill every 7d
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
  drill every 7d
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
drill rehearsal every sun at 12:00 {
  restore service notes to desk
  probe notes \"select count(*) from entries\" >= 1
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    if !context.whole {
        return;
    }
    let drills = context.plan.drills.iter();
    let drilled: BTreeSet<ServiceId> = drills
        .flat_map(|drill| scenario_services(context.plan, drill))
        .collect();
    for (at, objectives) in context.plan.objectives.iter().enumerate() {
        let Some(promise) = objectives.drill.as_ref() else {
            continue;
        };
        if drilled.contains(&objectives.service) {
            continue;
        }
        let name = &context.plan.service(objectives.service).name;
        let message = format!("drills of {name} are promised, but no drill restores it");
        let finding = Diagnostic::new(RULE.code, message, promise.span, "promised here")
            .subject(name)
            .help("add a `drill`");
        out.push(Scope::Objectives(at), finding);
    }
}
