//! P0913: a recovery is in no drill, though drills are promised.

use crate::check::context::Context;
use crate::check::context::{scenario_services, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{ActionKind, Scenario};

pub(super) static RULE: Rule = Rule {
    code: Code(913),
    name: "scenario-never-drilled",
    level: Severity::Advice,
    allowable: true,
    summary: "a recovery is in no drill, though drills are promised",
    explanation: "Drills are promised, and this recovery does something that no drill does. Its \
        steps have then never run before the day they are needed, and its time is a guess. \
        Rehearse the same steps in a drill.",
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
drill rehearsal every sun at 12:00 {
  restore service notes to desk
  probe notes \"select count(*) from entries\" >= 1
}
recovery move {
  for loss of host
  restore service notes to vault
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
  restore service notes to vault
  probe notes \"select count(*) from entries\" >= 1
}
recovery move {
  for loss of host
  restore service notes to vault
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (at, recovery) in context.plan.recoveries.iter().enumerate() {
        let services = scenario_services(context.plan, recovery);
        let promised = services.iter().any(|id| {
            let mut objectives = context.service_objectives(*id);
            objectives.any(|(_, objectives)| objectives.drill.is_some())
        });
        let mut drills = context.plan.drills.iter();
        if !promised || drills.any(|drill| rehearses(drill, recovery)) {
            continue;
        }
        let message = format!("`{}` has not been part of any drill", recovery.name);
        let finding = Diagnostic::new(RULE.code, message, recovery.span, "never rehearsed")
            .subject(subject(&recovery.name, &recovery.origin))
            .help("rehearse its steps in a `drill`");
        out.push(Scope::Scenario(ScenarioId::Recovery(at)), finding);
    }
}

/// True when the drill does everything that the recovery does to data.
fn rehearses(drill: &Scenario, recovery: &Scenario) -> bool {
    let mut steps = recovery.actions.iter().map(|action| &action.kind);
    steps.all(|step| {
        let mut drilled = drill.actions.iter().map(|action| &action.kind);
        drilled.any(|other| same_step(step, other)) || !touches_data(step)
    })
}

fn touches_data(step: &ActionKind) -> bool {
    matches!(
        step,
        ActionKind::Restore { .. }
            | ActionKind::Relocate { .. }
            | ActionKind::Replay { .. }
            | ActionKind::Skip(_)
            | ActionKind::Extract { .. }
    )
}

fn same_step(a: &ActionKind, b: &ActionKind) -> bool {
    match (a, b) {
        (
            ActionKind::Restore { targets, to, .. },
            ActionKind::Restore {
                targets: others,
                to: there,
                ..
            },
        ) => targets == others && to == there,
        (
            ActionKind::Relocate { targets, .. },
            ActionKind::Relocate {
                targets: others, ..
            },
        )
        | (
            ActionKind::Extract { targets, .. },
            ActionKind::Extract {
                targets: others, ..
            },
        ) => targets == others,
        (ActionKind::Replay { before, .. }, ActionKind::Replay { before: other, .. }) => {
            before == other
        }
        (ActionKind::Skip(_), ActionKind::Skip(_)) => true,
        _ => false,
    }
}
