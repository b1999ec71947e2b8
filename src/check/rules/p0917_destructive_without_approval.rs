//! P0917: a running service would be overwritten without anybody's approval.

use crate::check::context::{Context, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{Action, ActionKind, LossKind, Scenario, ServiceId, Target};

pub(super) static RULE: Rule = Rule {
    code: Code(917),
    name: "destructive-without-approval",
    level: Severity::Error,
    allowable: true,
    summary: "a running service would be overwritten without anybody's approval",
    explanation: "After the loss of a disk there is nothing left to overwrite. After a mistake or damage \
        the service still runs and holds work that no copy has: an in-place restore throws that \
        away for good. Somebody has to say so: `require approval by …`. Or restore to scratch \
        and take from there what is needed.",
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
recovery undo {
  for human error
  restore service orders_db from nearest
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
recovery undo {
  for human error
  require approval by owner
  restore service orders_db from nearest
  replay log to latest
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        // a restore that is impossible anyway needs no approval
        if !runs_still(scenario) || out.has_error(Scope::Scenario(id)) {
            continue;
        }
        let mut approved = false;
        for action in &scenario.actions {
            approved |= matches!(action.kind, ActionKind::RequireApproval(_));
            let overwritten = overwritten(context, action).filter(|_| !approved);
            let Some(service) = overwritten else { continue };
            let name = &context.plan.service(service).name;
            let message = format!("the restore overwrites the running {name}");
            let finding = Diagnostic::new(RULE.code, message, action.span, "in place")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("put `require approval by …` before it, or restore to scratch");
            out.push(Scope::Scenario(id), finding);
            break;
        }
    }
}

/// True when the service still runs as the scenario begins: a rehearsal, a mistake, damage. One
/// that says no loss may begin at any time.
fn runs_still(scenario: &Scenario) -> bool {
    let running = |kind: &LossKind| matches!(kind, LossKind::HumanError | LossKind::Corruption);
    let mut covers = scenario.covers.iter();
    scenario.covers.is_empty() || covers.any(|loss| running(&loss.kind))
}

/// The service that a restore in place overwrites. Single files are never overwritten: their
/// place must be free.
fn overwritten(context: &Context<'_>, action: &Action) -> Option<ServiceId> {
    let ActionKind::Restore {
        targets, to: None, ..
    } = &action.kind
    else {
        return None;
    };
    let plan = context.plan;
    let mut services = targets.iter().filter_map(|target| match target {
        Target::Service(id) => Some(*id),
        Target::Components(ids) => ids.first().map(|id| plan.component(*id).service),
        Target::Input(_) | Target::Foreign(..) => None,
    });
    services.find(|id| !capability::of(plan.service(*id).engine).self_contained)
}
