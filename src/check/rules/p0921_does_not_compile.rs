//! P0921: a recovery cannot be compiled to steps, even if every copy of the plan existed.

use crate::check::Refusal;
use crate::check::context::{Context, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Scenario;

pub(super) static RULE: Rule = Rule {
    code: Code(921),
    name: "does-not-compile",
    level: Severity::Error,
    allowable: true,
    summary: "a recovery cannot be compiled to steps, even if every copy existed",
    explanation: "Every recovery is compiled when the plan is checked, from the copies that the plan \
        executed as written would have made. One that does not compile would be refused during \
        the incident. The message is what `planc recover` would say.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
recovery back {
  for loss of disk
  require no running backup
  restore service notes to vault
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 7
}
recovery back {
  for loss of disk
  restore service notes to vault
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(rehearse) = context.rehearse.filter(|_| context.whole) else {
        return;
    };
    // what another rule says of it already is not said again in other words
    let scope = |at: usize| Scope::Scenario(ScenarioId::Recovery(at));
    let wrong = out.with_errors();
    let open = (0..context.plan.recoveries.len()).filter(|at| !wrong.contains(&scope(*at)));
    let open: Vec<usize> = open.collect();
    for (at, refusal) in rehearse(context.plan, context.known, context.now, &open) {
        if let Some(recovery) = context.plan.recoveries.get(at) {
            out.push(scope(at), refused(recovery, &refusal));
        }
    }
}

fn refused(recovery: &Scenario, refusal: &Refusal) -> Diagnostic {
    let name = subject(&recovery.name, &recovery.origin);
    let cause = &refusal.message;
    let message = format!("`{}` does not compile: {cause}", recovery.name);
    Diagnostic::new(RULE.code, message, recovery.span, "cannot be carried out")
        .subject(name)
        .help(&refusal.help)
}
