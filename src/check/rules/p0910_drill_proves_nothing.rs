//! P0910: a drill asks nothing of what it restored.

use crate::check::context::Context;
use crate::check::context::{scenario_services, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::ActionKind;

pub(super) static RULE: Rule = Rule {
    code: Code(910),
    name: "drill-proves-nothing",
    level: Severity::Warning,
    allowable: true,
    summary: "a drill asks nothing of what it restored",
    explanation: "A restore that ends without an error can still give an empty, stale or damaged \
        database. A drill is worth what its probes ask: a count, the newest row, a sum \
        that is known. Add a `probe` that fails on stale data. Drills of file trees are \
        left out, because no query can be asked of them.",
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
drill rehearsal every sun at 12:00 {
  restore service notes to desk
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
drill rehearsal every sun at 12:00 {
  restore service notes to desk
  probe notes \"select count(*) from entries\" >= 1
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (at, drill) in context.plan.drills.iter().enumerate() {
        let probes = drill
            .actions
            .iter()
            .any(|a| matches!(a.kind, ActionKind::Probe { .. }));
        let services = scenario_services(context.plan, drill);
        let can = services.iter().any(|id| {
            let engine = context.plan.service(*id).engine;
            capability::of(engine).probe
        });
        if probes || !can || drill.incomplete {
            continue;
        }
        let message = format!("`{}` has no `probe`", drill.name);
        let finding = Diagnostic::new(RULE.code, message, drill.span, "proves nothing")
            .subject(subject(&drill.name, &drill.origin))
            .help("add a query that fails on stale data");
        out.push(Scope::Scenario(ScenarioId::Drill(at)), finding);
    }
}
