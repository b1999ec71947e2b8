//! P0921: a recovery cannot be compiled to steps, even if every copy of the plan existed.

use std::collections::BTreeSet;

use crate::check::context::{Context, scenario_services, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::graph::{GraphError, rehearse};
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
    if !context.whole || context.plan.recoveries.is_empty() {
        return;
    }
    for (at, recovery) in context.plan.recoveries.iter().enumerate() {
        let scope = Scope::Scenario(ScenarioId::Recovery(at));
        // what another rule says of it already is not said again in other words
        if out.has_error(scope) || !is_possible(context, recovery) {
            continue;
        }
        let lost = BTreeSet::new();
        let compiled =
            rehearse::recovery(context.plan, context.known, recovery, &lost, context.now);
        if let Err(error) = compiled {
            out.push(scope, refused(recovery, &error));
        }
    }
}

/// True when graphs can be compiled for the engines of all services that it works on.
fn is_possible(context: &Context<'_>, recovery: &Scenario) -> bool {
    let services = scenario_services(context.plan, recovery);
    let mut engines = services.iter().map(|id| context.plan.service(*id).engine);
    !services.is_empty() && engines.all(rehearse::is_possible)
}

fn refused(recovery: &Scenario, error: &GraphError) -> Diagnostic {
    let name = subject(&recovery.name, &recovery.origin);
    let first = error.problems.first();
    let cause = first.map_or("no reason given", |problem| &problem.message);
    let message = format!("`{}` does not compile: {cause}", recovery.name);
    let finding = Diagnostic::new(RULE.code, message, recovery.span, "cannot be carried out");
    let finding = finding.subject(name);
    match first {
        Some(problem) => finding.help(&problem.help),
        None => finding,
    }
}
