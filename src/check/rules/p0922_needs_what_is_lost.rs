//! P0922: a recovery restores to a host, or reads from a device, that its own loss takes.

use crate::check::context::{Context, scenario_services, subject};
use crate::check::found::{Found, ScenarioId, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::loss_words;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::survive::{self, Case, Survival};
use crate::resolve::plan::{Action, ActionKind, Scenario, Source};

pub(super) static RULE: Rule = Rule {
    code: Code(922),
    name: "recovery-needs-what-is-lost",
    level: Severity::Error,
    allowable: true,
    summary: "a recovery restores to a host, or reads from a device, that its own loss takes",
    explanation: "A recovery `for loss of site` is carried out while that site is gone: its hosts cannot \
        be restored to, and its devices cannot be read. Name a host that is left, and read `from \
        nearest` or from a device that is left.",
    bad: notes!(
        "\
objectives of notes {
  rpo 2d for loss of site
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 6h
  encrypt none
  retain daily 7
}
recovery moved {
  for loss of site here
  restore service notes to vault
  finish within 2h
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 2d for loss of site
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 6h
  encrypt none
  retain daily 7
}
recovery moved {
  for loss of site here
  restore service notes to depot
  finish within 2h
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (at, recovery) in context.plan.recoveries.iter().enumerate() {
        for action in &recovery.actions {
            if let Some(finding) = lost(context, recovery, action) {
                out.push(Scope::Scenario(ScenarioId::Recovery(at)), finding);
            }
        }
    }
}

/// What is said of a step that needs what is surely gone in some case of the loss.
fn lost(context: &Context<'_>, recovery: &Scenario, action: &Action) -> Option<Diagnostic> {
    let ActionKind::Restore { to, from, .. } = &action.kind else {
        return None;
    };
    let plan = context.plan;
    recovery.covers.iter().find_map(|loss| {
        let services = scenario_services(plan, recovery).into_iter();
        let cases = services.flat_map(|service| survive::cases(plan, service, &loss.kind));
        let cases: Vec<Case> = cases.collect();
        let gone = |left: &dyn Fn(&Case) -> Survival| {
            let mut cases = cases.iter();
            cases.any(|case| left(case) == Survival::No)
        };
        let host = to.as_deref();
        let host = host.filter(|host| gone(&|case| survive::host(plan, host, case)));
        let (does, name, help) = if let Some(host) = host {
            ("restores to", host, "restore to a host that is left")
        } else {
            let Source::Device(id) = from else {
                return None;
            };
            gone(&|case| survive::device(plan, *id, case)).then_some(())?;
            let help = "read `from nearest`, or from a device that is left";
            ("reads from", plan.device(*id).name.as_str(), help)
        };
        let (recovery, words) = (
            subject(&recovery.name, &recovery.origin),
            loss_words(&loss.kind),
        );
        let message = format!("`{recovery}` {does} {name}, which {words} takes");
        let finding = Diagnostic::new(RULE.code, message, action.span, "gone by then");
        Some(finding.subject(recovery).help(help))
    })
}
