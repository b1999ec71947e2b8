//! P0907: the engine cannot leave one transaction out of a replay.

use crate::check::context::Context;
use crate::check::context::{scenario_services, subject};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::facts::capability;
use crate::resolve::plan::ActionKind;

pub(super) static RULE: Rule = Rule {
    code: Code(907),
    name: "cannot-skip",
    level: Severity::Error,
    allowable: true,
    summary: "the engine cannot leave one transaction out of a replay",
    explanation: "PostgreSQL and SQLite replay pages, not statements: what came after a transaction \
        builds on the pages it wrote, so it cannot be left out. MariaDB replays statements \
        and rows and can. Replay until just before the transaction, then bring later work \
        over by `extract`.",
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
archive changes of service notes {
  ship every 1min to near
  retain window 7d
}
recovery mistake {
  for human error
  given bad: transaction
  restore service notes to desk
  skip transaction $bad
  replay log to latest
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
archive changes of service notes {
  ship every 1min to near
  retain window 7d
}
recovery mistake {
  for human error
  given bad: transaction
  restore service notes to desk
  replay log until before $bad
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (id, scenario) in context.scenarios() {
        let services = scenario_services(context.plan, scenario);
        let engines = services.iter().map(|id| context.plan.service(*id).engine);
        let unable = engines
            .into_iter()
            .find(|e| !capability::of(*e).skip_transaction);
        let Some(engine) = unable else { continue };
        for action in &scenario.actions {
            if let ActionKind::Skip(_) = action.kind {
                let word = engine.word();
                let message = format!("{word} replays pages; it cannot leave one transaction out");
                let finding =
                    Diagnostic::new(RULE.code, message, action.span, "not with this engine")
                        .subject(subject(&scenario.name, &scenario.origin))
                        .help("write `replay log until before …`");
                out.push(Scope::Scenario(id), finding);
            }
        }
    }
}
