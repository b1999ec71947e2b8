//! P0403: `at` lies outside the window of `during`.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::Window;
use jiff::civil::Time;

pub(super) static RULE: Rule = Rule {
    code: Code(403),
    name: "outside-window",
    level: Severity::Error,
    allowable: true,
    summary: "`at` lies outside the window of `during`",
    explanation: "`at` fixes the start and `during` confines it; a start outside the window can \
        never come true. Usually one of the two is left over from an earlier version of \
        the plan. Drop `at` and let the planner place the run inside the window, or widen \
        the window.",
    bad: notes!(
        "\
objectives of notes {
  rpo 2d for loss of disk
}
window night every day 01:00..05:30
backup nightly of service notes {
  physical full every day at 07:00 during night
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
window night every day 01:00..05:30
backup nightly of service notes {
  physical full every day at 04:00 during night
  store on near
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (scope, subject, schedule) in context.schedules() {
        let (Some(at), Some(during)) = (&schedule.at, &schedule.during) else {
            continue;
        };
        let window = context.plan.window(during.value);
        if inside(window, at.value) {
            continue;
        }
        let time = |time: Time| time.strftime("%H:%M").to_string();
        let (name, from, until) = (&window.name, time(window.from), time(window.until));
        let message = format!("{} is outside `{name}` ({from}..{until})", time(at.value));
        let finding = Diagnostic::new(RULE.code, message, at.span, "outside the window")
            .related("the window is declared here", window.span, "")
            .subject(subject)
            .help("drop `at`, or widen the window");
        out.push(scope, finding);
    }
}

fn inside(window: &Window, at: Time) -> bool {
    match window.days_later {
        // an empty window is a finding of its own
        0 => window.from == window.until || (window.from <= at && at < window.until),
        1 => at >= window.from || at < window.until,
        _ => true,
    }
}
