//! Owns how often a schedule fires: the longest time between two starts, and on which days.
//! Pure calendar arithmetic on schedules; knows nothing of jobs.

use jiff::civil::{Time, Weekday};

use crate::quantity::Duration;
use crate::resolve::plan::{Days, Every, ResolvedPlan, Schedule};

const DAY: u64 = 86_400;

/// A whole number of days.
pub(in crate::check) const fn days(count: u64) -> Duration {
    Duration::from_secs(DAY * count)
}

/// The longest time between two starts; `None` when only a size triggers it.
pub(in crate::check) fn longest_gap(schedule: &Schedule) -> Option<Duration> {
    schedule.longest_gap()
}

/// The longest time between two of these days.
pub(in crate::check) fn days_gap(days: &Days) -> Duration {
    days.longest_gap()
}

/// The longest time between two starts of any of the schedules, from the opening where one runs
/// in a window. Weekly schedules are joined moment by moment; of the others the most frequent
/// counts.
pub(in crate::check) fn joint_gap<'a>(
    plan: &ResolvedPlan,
    schedules: impl IntoIterator<Item = &'a Schedule>,
) -> Option<Duration> {
    let mut starts: Vec<u64> = Vec::new();
    let mut best: Option<Duration> = None;
    for schedule in schedules {
        if let Every::Days(Days::Week(week)) = &schedule.every {
            let clock = clock(plan, schedule);
            let days = (0..7).zip(week).filter(|(_, on)| **on);
            starts.extend(days.map(|(day, _)| day * DAY + clock));
        }
        best = least(best, longest_gap(schedule));
    }
    least(best, circle(starts))
}

/// The longest way from one of these seconds of a week to the next, over its end.
fn circle(mut starts: Vec<u64>) -> Option<Duration> {
    starts.sort_unstable();
    let first = *starts.first()?;
    let next = starts.iter().skip(1).copied().chain([first + 7 * DAY]);
    let gaps = starts.iter().zip(next).map(|(start, next)| next - start);
    gaps.max().map(Duration::from_secs)
}

/// The second of its day at which a schedule may start at the earliest.
fn clock(plan: &ResolvedPlan, schedule: &Schedule) -> u64 {
    let window = schedule.during.map(|during| plan.window(during.value));
    let Some(at) = schedule.at.map(|at| at.value) else {
        return window.map_or(0, |window| second(window.from));
    };
    // a time before the window's own start belongs to the night after it
    let later = window.is_some_and(|window| at < window.from && window.days_later > 0);
    second(at) + u64::from(later) * DAY
}

fn second(time: Time) -> u64 {
    let seconds = time.duration_since(Time::midnight()).as_secs();
    u64::try_from(seconds).unwrap_or(0)
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
