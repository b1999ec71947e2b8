//! P0402: a schedule never meets its window.

use crate::check::cadence;
use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::plan::{Days, Every};

pub(super) static RULE: Rule = Rule {
    code: Code(402),
    name: "never-in-window",
    level: Severity::Error,
    allowable: true,
    summary: "a schedule never meets its window",
    explanation: "The days of the schedule and the days on which the window opens have none in \
        common, so the job never runs. An occurrence of a window belongs to the day it \
        starts on: a window from Saturday 22:00 to Sunday 09:00 is Saturday's, and `every \
        sun during` it never comes true.",
    bad: notes!(
        "\
objectives of notes {
  rpo 8d for loss of disk
}
window weekend every sat 22:00..sun 09:00
backup weekly of service notes {
  physical full every sun during weekend
  store on near
  retain weekly 5
}
"
    ),
    good: notes!(
        "\
objectives of notes {
  rpo 8d for loss of disk
}
window weekend every sat 22:00..sun 09:00
backup weekly of service notes {
  physical full every sat during weekend
  store on near
  retain weekly 5
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    for (scope, subject, schedule) in context.schedules() {
        let (Some(during), Every::Days(days)) = (&schedule.during, &schedule.every) else {
            continue;
        };
        let window = context.plan.window(during.value);
        if meet(days, &window.days) {
            continue;
        }
        let written = context.sources.text(schedule.span);
        let (name, opens) = (&window.name, cadence::words(&window.days));
        let message = format!("`{written}` never runs: window `{name}` opens on {opens}");
        let finding = Diagnostic::new(RULE.code, message, schedule.span, "no day in common")
            .related("the window opens on other days", window.span, "")
            .subject(subject)
            .help(format!(
                "write `every {opens} during {name}`, or choose another window"
            ));
        out.push(scope, finding);
    }
}

/// True when some day can be in both. Days of the month fall on any day of the week.
fn meet(a: &Days, b: &Days) -> bool {
    match (a, b) {
        (Days::Week(a), Days::Week(b)) => a.iter().zip(b).any(|(a, b)| *a && *b),
        (Days::Week(week), Days::Month { weekday, .. })
        | (Days::Month { weekday, .. }, Days::Week(week)) => {
            weekday.is_none_or(|day| week[usize::from(day % 7)])
        }
        (Days::Month { .. }, Days::Month { .. }) => a == b || !same_counting(a, b),
    }
}

/// Days of the month given by number alone meet only when they are equal; others may.
fn same_counting(a: &Days, b: &Days) -> bool {
    let numbered = |days: &Days| {
        matches!(
            days,
            Days::Month {
                ordinal: 1..,
                weekday: None
            }
        )
    };
    numbered(a) && numbered(b)
}
