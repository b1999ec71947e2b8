//! P0408: a start falls into the hour that daylight saving skips or repeats.

use std::fmt;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::check::cadence;
use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::resolve::zone;

pub(super) static RULE: Rule = Rule {
    code: Code(408),
    name: "daylight-saving",
    level: Severity::Warning,
    allowable: true,
    summary: "a start falls into the hour that daylight saving skips or repeats",
    explanation: "When clocks go forward an hour of the local day does not exist, and when they go \
        back an hour comes twice. A start fixed in that hour is skipped or done twice, \
        once a year, at night. Backups have been missed and doubled that way in many \
        products. Use a window and leave the start to the planner, or a time outside the \
        hour.",
    bad: notes!(
        "\
objectives of notes {
  rpo 1d for loss of disk
}
backup nightly of service notes {
  physical full every day at 02:30
  store on near
  retain daily 7
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
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let changes = clock_changes(&context.plan.timezone.value, context.now);
    for (scope, subject, schedule) in context.schedules() {
        let Some(at) = &schedule.at else { continue };
        let hit = |change: &&Change| {
            change.holds(at.value) && cadence::runs_on(schedule, change.from.date().weekday())
        };
        let said: Vec<String> = changes.iter().filter(hit).map(Change::to_string).collect();
        if said.is_empty() {
            continue;
        }
        let (time, zone) = (at.value.strftime("%H:%M"), &context.plan.timezone.value);
        let message = format!("{time} in {zone} {}", said.join(" and "));
        let finding = Diagnostic::new(RULE.code, message, at.span, "the clock changes here")
            .subject(subject)
            .help(format!(
                "use `during` a window, or a time {}",
                outside(&changes)
            ));
        out.push(scope, finding);
    }
}

/// An hour of local time that is missing or comes twice: `from..until`.
struct Change {
    from: DateTime,
    until: DateTime,
    missing: bool,
}

impl Change {
    fn holds(&self, time: Time) -> bool {
        let moment = self.from.date().to_datetime(time);
        self.from <= moment && moment < self.until
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.from.date();
        if self.missing {
            write!(out, "does not exist on {date}")
        } else {
            write!(out, "comes twice on {date}")
        }
    }
}

fn outside(changes: &[Change]) -> String {
    let hours = changes.first().map(|change| {
        let time = |moment: DateTime| moment.strftime("%H:%M").to_string();
        format!("outside {}..{}", time(change.from), time(change.until))
    });
    hours.unwrap_or_default()
}

/// The changes of the clock within a year from `now`; none for an unknown zone.
fn clock_changes(zone: &str, now: Timestamp) -> Vec<Change> {
    let Some(zone) = zone::find(zone) else {
        return Vec::new();
    };
    let Ok(horizon) = now.checked_add(SignedDuration::from_hours(366 * 24)) else {
        return Vec::new();
    };
    let ahead = zone.following(now);
    let ahead = ahead.take_while(|change| change.timestamp() < horizon);
    ahead
        .filter_map(|change| clock_change(&zone, change.timestamp()))
        .collect()
}

fn clock_change(zone: &TimeZone, moment: Timestamp) -> Option<Change> {
    let just_before = moment.checked_sub(SignedDuration::from_secs(1)).ok()?;
    let (before, after) = (zone.to_offset(just_before), zone.to_offset(moment));
    let (old, new) = (before.to_datetime(moment), after.to_datetime(moment));
    (old != new).then(|| Change {
        from: old.min(new),
        until: old.max(new),
        missing: old < new,
    })
}
