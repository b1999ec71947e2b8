//! Owns how often a schedule fires: the longest time between two starts, and on which days.
//! Pure calendar arithmetic on schedules; knows nothing of jobs.

use jiff::civil::Weekday;

use crate::quantity::Duration;
use crate::resolve::plan::{Days, Every, Schedule};

/// A whole number of days.
pub(in crate::check) const fn days(count: u64) -> Duration {
    Duration::from_secs(86_400 * count)
}

/// The longest time between two starts; `None` when only a size triggers it.
pub(in crate::check) fn longest_gap(schedule: &Schedule) -> Option<Duration> {
    schedule.longest_gap()
}

/// The longest time between two of these days.
pub(in crate::check) fn days_gap(days: &Days) -> Duration {
    days.longest_gap()
}

/// The longest time between two starts of any of the schedules. Weekly schedules are joined day
/// by day; of the others the most frequent counts.
pub(in crate::check) fn joint_gap<'a>(
    schedules: impl IntoIterator<Item = &'a Schedule>,
) -> Option<Duration> {
    let mut joined = [false; 7];
    let mut best: Option<Duration> = None;
    for schedule in schedules {
        if let Every::Days(Days::Week(week)) = &schedule.every {
            for (day, on) in week.iter().enumerate() {
                joined[day] |= on;
            }
        }
        best = least(best, longest_gap(schedule));
    }
    if joined.contains(&true) {
        best = least(best, Some(Days::Week(joined).longest_gap()));
    }
    best
}

fn least(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (some, None) | (None, some) => some,
    }
}

/// Days as they are written in a plan: `mon, wed`, `last fri of month`.
#[must_use]
pub fn words(days: &Days) -> String {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    match days {
        Days::Week(week) if week.iter().all(|on| *on) => "day".to_owned(),
        Days::Week(week) => {
            let names = NAMES.iter().zip(week).filter(|(_, on)| **on);
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        }
        Days::Month { ordinal, weekday } => {
            let ordinal = match ordinal {
                0 => "last".to_owned(),
                1 => "1st".to_owned(),
                2 => "2nd".to_owned(),
                3 => "3rd".to_owned(),
                n => format!("{n}th"),
            };
            match weekday.and_then(|day| NAMES.get(usize::from(day))) {
                Some(day) => format!("{ordinal} {day} of month"),
                None => format!("{ordinal} of month"),
            }
        }
    }
}

/// True when the schedule can start on this day of the week.
pub(in crate::check) fn runs_on(schedule: &Schedule, day: Weekday) -> bool {
    let at = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
    match &schedule.every {
        Every::Days(Days::Week(week)) => week[at],
        Every::Days(Days::Month {
            weekday: Some(weekday),
            ..
        }) => usize::from(*weekday) == at,
        _ => true,
    }
}
