//! Owns which work is due at a moment, and when it is due next.
//! Must not look at copies; the caller says when the work was last done well.

use jiff::{SignedDuration, Timestamp};

use super::calendar::{Calendar, Slot};
use crate::quantity::Duration;
use crate::resolve::plan::{Every, Schedule};

const DAY_MS: u64 = 86_400_000;

/// How often work that waits for an amount of log only is looked at.
const POLL: SignedDuration = SignedDuration::from_secs(60);

/// Why something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Since when.
    pub since: Timestamp,
    /// In plain words, for the graph.
    pub why: String,
}

/// Whether work with this schedule is due at `now`, given the beginning of the last run of it
/// that ended well.
///
/// Work with a window is due only while the window is open, and once for each opening. Work with
/// a time is due from that time on until it is done. An interval counts from beginning to
/// beginning; work that was never done is due at once, or as soon as its window opens.
#[must_use]
pub fn due(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Due> {
    match &schedule.every {
        Every::Days(_) | Every::Hour => {
            let slot = calendar.latest(schedule, now)?;
            let done = last.is_some_and(|last| last >= slot.start);
            let over = slot.end.is_some_and(|end| now >= end);
            (!done && !over).then(|| from_slot(calendar, schedule, slot))
        }
        Every::Interval(length, _) => by_interval(calendar, schedule, *length, last, now),
        Every::Size(size) => Some(Due {
            since: now,
            why: format!("ships whenever {size} have gathered, or on request"),
        }),
    }
}

/// When this work is due next: `now` when it is due already, none when it never is.
#[must_use]
pub fn next_due(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    if let Every::Size(_) = schedule.every {
        return last.map_or(Some(now), |last| last.checked_add(POLL).ok());
    }
    if due(calendar, schedule, last, now).is_some() {
        return Some(now);
    }
    match &schedule.every {
        Every::Interval(length, _) => next_interval(calendar, schedule, *length, last, now),
        _ => calendar.next(schedule, now).map(|slot| slot.start),
    }
}

fn from_slot(calendar: &Calendar<'_>, schedule: &Schedule, slot: Slot) -> Due {
    let day = calendar.date(slot.start);
    let why = match slot.end {
        Some(end) if schedule.during.is_some() => {
            format!("due in the window of {day}, {} to {end}", slot.start)
        }
        _ => format!("due since {}", slot.start),
    };
    Due {
        since: slot.start,
        why,
    }
}

fn by_interval(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    length: Duration,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Due> {
    if let Some(window) = schedule.during {
        calendar.opening(window.value.index(), now)?;
    }
    let Some(last) = last else {
        return Some(Due {
            since: now,
            why: "it was never done before".into(),
        });
    };
    let since = interval_end(calendar, schedule, length, last)?;
    (since <= now).then(|| Due {
        since,
        why: format!("{length} have passed since {last}"),
    })
}

/// The moment at which an interval that began at `last` is over.
fn interval_end(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    length: Duration,
    last: Timestamp,
) -> Option<Timestamp> {
    let over = last.checked_add(signed(length)).ok()?;
    match schedule.at {
        // whole days with a time: the clock decides, so that the run does not drift
        Some(at) if length.0 >= DAY_MS && length.0.is_multiple_of(DAY_MS) => {
            let half_a_day = SignedDuration::from_hours(12);
            calendar.at_time_after(over.checked_sub(half_a_day).ok()?, at.value)
        }
        _ => Some(over),
    }
}

fn next_interval(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    length: Duration,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let over = match last {
        Some(last) => interval_end(calendar, schedule, length, last)?.max(now),
        None => now,
    };
    let Some(window) = schedule.during.map(|window| window.value.index()) else {
        return Some(over);
    };
    if calendar.is_open(window, over) {
        return Some(over);
    }
    calendar.next_opening(window, over).map(|slot| slot.start)
}

fn signed(length: Duration) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(length.0).unwrap_or(i64::MAX))
}
