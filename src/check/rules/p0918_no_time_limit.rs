//! P0918: a recovery has no time limit, though an RTO is promised for its loss.

use crate::check::context::Context;
use crate::check::context::{scenario_services, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Loss;

pub(super) static RULE: Rule = Rule {
    code: Code(918),
    name: "no-time-limit",
    level: Severity::Warning,
    allowable: true,
    summary: "a recovery has no time limit, though an RTO is promised for its loss",
    explanation: "The objectives promise a time for this loss, and the recovery that answers it \
        never says how long it may take. A run that is too slow is then noticed by the \
        users. State `finish within …`; it is compared with the promise.",
    bad: notes!(
        "\
assume {
  size 2 GiB
}
objectives of notes {
  rpo 2d for loss of disk
  rto 2h for loss of host
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
recovery move {
  for loss of host
  restore service notes to vault
}
"
    ),
    good: notes!(
        "\
assume {
  size 2 GiB
}
objectives of notes {
  rpo 2d for loss of disk
  rto 2h for loss of host
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
recovery move {
  for loss of host
  restore service notes to vault
  finish within 2h
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (at, recovery) in context.plan.recoveries.iter().enumerate() {
        if recovery.finish.is_some() || recovery.incomplete {
            continue;
        }
        let services = scenario_services(context.plan, recovery);
        let objectives = services
            .iter()
            .flat_map(|id| context.service_objectives(*id));
        let mut rtos = objectives.flat_map(|(_, objectives)| &objectives.rtos);
        let answers = |loss: &Loss| recovery.covers.iter().any(|own| same_kind(own, loss));
        let Some((limit, ..)) = rtos.find(|(_, loss, ..)| answers(loss)) else {
            continue;
        };
        let message = format!("`{}` has no `finish within`", recovery.name);
        let finding = Diagnostic::new(RULE.code, message, recovery.span, "how long may it take?")
            .subject(subject(&recovery.name, &recovery.origin))
            .help(format!("state it: the objectives promise {limit}"));
        out.push(Scope::Scenario(ScenarioId::Recovery(at)), finding);
    }
}

fn same_kind(a: &Loss, b: &Loss) -> bool {
    std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
}
