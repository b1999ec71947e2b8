//! P0401: a window starts and ends at the same moment.

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(401),
    name: "empty-window",
    level: Severity::Error,
    allowable: true,
    summary: "a window starts and ends at the same moment",
    explanation: "A window whose end equals its start is never open, so nothing that is planned \
        `during` it ever runs. Often a whole night or day was meant: give the end, and the \
        day on which it ends when that is not the day of the start, for example `every sat \
        22:00..sun 22:00`.",
    bad: notes!(
        "\
objectives of notes {
  rpo 2d for loss of disk
}
window night every day 01:00..01:00
backup nightly of service notes {
  physical full every day during night
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 2d for loss of disk
}
window night every day 01:00..05:00
backup nightly of service notes {
  physical full every day during night
  store on near
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for window in &context.plan.windows {
        if window.from == window.until && window.days_later == 0 {
            let time = window.from.strftime("%H:%M");
            let message = format!("window `{}` starts and ends at {time}", window.name);
            let finding = Diagnostic::new(RULE.code, message, window.span, "never open")
                .subject(&window.name)
                .help("give an end after the start");
            out.push(Scope::Plan, finding);
        }
    }
}
