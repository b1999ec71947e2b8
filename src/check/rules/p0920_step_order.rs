//! P0920: a step comes before the restore it needs.

use crate::check::context::Context;
use crate::check::context::subject;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Action, ActionKind};

pub(super) static RULE: Rule = Rule {
    code: Code(920),
    name: "step-order",
    level: Severity::Error,
    allowable: true,
    summary: "a step comes before the restore it needs",
    explanation: "The steps of a scenario run as they are written. Replaying, relocating, extracting \
        and probing work on what a restore has brought back, so they cannot come before \
        it. Move the line down.",
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
  replay log until before $bad
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
        let restore = |action: &Action| matches!(action.kind, ActionKind::Restore { .. });
        let Some(at) = scenario.actions.iter().position(restore) else {
            continue;
        };
        let first = &scenario.actions[at];
        for early in scenario.actions[..at]
            .iter()
            .filter(|action| needs_restore(&action.kind))
        {
            let words = context.sources.text(early.span);
            let word = words.split_whitespace().next().unwrap_or("this step");
            let message = format!("`{word}` comes before the `restore` it works on");
            let finding = Diagnostic::new(RULE.code, message, early.span, "nothing is there yet")
                .label(first.span, "restored here")
                .subject(subject(&scenario.name, &scenario.origin))
                .help("move the line down");
            out.push(Scope::Scenario(id), finding);
        }
    }
}

fn needs_restore(kind: &ActionKind) -> bool {
    matches!(
        kind,
        ActionKind::Replay { .. }
            | ActionKind::Skip(_)
            | ActionKind::Relocate { .. }
            | ActionKind::Extract { .. }
            | ActionKind::Probe { .. }
    )
}
