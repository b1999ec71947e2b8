//! P0905: part of an instance is restored in place to an earlier time than the rest.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::{
    Action, ActionKind, ComponentId, ComponentKind, ReplayPoint, ResolvedPlan, Target,
};

pub(super) static RULE: Rule = Rule {
    code: Code(905),
    name: "part-to-earlier-time",
    level: Severity::Error,
    allowable: true,
    summary: "part of an instance is restored in place to an earlier time than the rest",
    explanation: "An engine that replays pages keeps one log for the whole instance: one tablespace \
        cannot stand at an earlier moment than the rest, because the others would refer to \
        rows it does not have. Restore to scratch up to that moment, then `extract` what \
        is wanted.",
    bad: orders!(
        "\
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
recovery hot_before {
  for human error
  given bad: transaction
  restore tablespace hot from nearest
  replay log until before $bad
}
"
    ),
    good: orders!(
        "\
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
recovery hot_again {
  for loss of disk
  restore tablespace hot from nearest
  replay log to latest
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        let actions = &scenario.actions;
        let restore = actions
            .iter()
            .find(|action| in_place_part(context.plan, action));
        let replay = actions.iter().find(|action| is_earlier(&action.kind));
        let (Some(restore), Some(replay)) = (restore, replay) else {
            continue;
        };
        let message = "one part of an instance cannot stand at an earlier time than the rest";
        let finding = Diagnostic::new(RULE.code, message, replay.span, "an earlier time")
            .label(restore.span, "for this part only, in place")
            .subject(subject(&scenario.name, &scenario.origin))
            .help("restore to scratch, then `extract`");
        out.push(Scope::Scenario(id), finding);
    }
}

fn in_place_part(plan: &ResolvedPlan, action: &Action) -> bool {
    let ActionKind::Restore {
        targets, to: None, ..
    } = &action.kind
    else {
        return false;
    };
    targets.iter().any(|target| match target {
        Target::Components(ids) => ids.iter().any(|id| is_part(plan, *id)),
        _ => false,
    })
}

fn is_part(plan: &ResolvedPlan, id: ComponentId) -> bool {
    let part = plan.component(id);
    let able = capability::of(plan.service(part.service).engine);
    part.kind != ComponentKind::Base && able.parts && !able.skip_transaction
}

fn is_earlier(kind: &ActionKind) -> bool {
    match kind {
        ActionKind::Replay { point, .. } => *point != ReplayPoint::Latest,
        _ => false,
    }
}
