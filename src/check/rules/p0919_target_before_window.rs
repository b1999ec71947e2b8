//! P0919: a replay aims at an instant before the recovery window.

use jiff::SignedDuration;

use crate::check::context::Context;
use crate::check::context::{scenario_services, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::quantity::Duration;
use crate::resolve::plan::{ActionKind, ReplayPoint, Scenario};

pub(super) static RULE: Rule = Rule {
    code: Code(919),
    name: "target-before-window",
    level: Severity::Error,
    allowable: true,
    summary: "a replay aims at an instant before the recovery window",
    explanation: "The recovery window says how far back any instant can be reached. A fixed instant \
        before it has no log left by the day the scenario runs. Choose a later instant, or \
        take it from the operator with `given`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
  recovery window 7d
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 8
}
archive changes of service notes {
  ship every 1min to near
  retain window 7d
}
recovery before_migration {
  for human error
  restore service notes to desk
  replay log until 2020-01-02T00:00:00Z
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
  recovery window 7d
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain daily 8
}
archive changes of service notes {
  ship every 1min to near
  retain window 7d
}
recovery before_migration {
  for human error
  given moment: time
  restore service notes to desk
  replay log until $moment
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        let Some(window) = window(context, scenario) else {
            continue;
        };
        let back = SignedDuration::try_from(window.std()).ok();
        let Some(oldest) = back.and_then(|back| context.now.checked_sub(back).ok()) else {
            continue;
        };
        for action in &scenario.actions {
            let ActionKind::Replay {
                point: ReplayPoint::Instant(instant),
                ..
            } = action.kind
            else {
                continue;
            };
            if instant >= oldest {
                continue;
            }
            let message = format!("{instant} is older than the {window} recovery window");
            let finding = Diagnostic::new(RULE.code, message, action.span, "no log reaches back")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("choose a later instant, or take it from the operator with `given`");
            out.push(Scope::Scenario(id), finding);
        }
    }
}

/// The longest recovery window of the services the scenario works on.
fn window(context: &Context<'_>, scenario: &Scenario) -> Option<Duration> {
    let services = scenario_services(context.plan, scenario).into_iter();
    let objectives = services.flat_map(|id| context.service_objectives(id));
    objectives.filter_map(|(_, o)| Some(o.window?.value)).max()
}
