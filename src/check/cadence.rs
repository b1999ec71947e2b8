//! Owns how often a schedule fires: the longest time between two starts, and on which days.
//! Pure calendar arithmetic on schedules; knows nothing of jobs.

use jiff::civil::Weekday;

use crate::quantity::Duration;
use crate::resolve::plan::{Days, Every, Schedule};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

/// A whole number of days.
pub(in crate::check) const fn days(count: u64) -> Duration {
    Duration::from_secs(86_400 * count)
}

/// The longest time between two starts; `None` when only a size triggers it.
pub(in crate::check) fn longest_gap(schedule: &Schedule) -> Option<Duration> {
    match &schedule.every {
        Every::Interval(interval, _) => Some(*interval),
        Every::Size(_) => None,
        Every::Hour => Some(HOUR),
        Every::Days(days) => Some(days_gap(days)),
    }
}

/// The longest time between two of these days.
pub(in crate::check) fn days_gap(days: &Days) -> Duration {
    match days {
        Days::Week(week) => week_gap(*week),
        Days::Month { ordinal, weekday } => month_gap(*ordinal, *weekday),
    }
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
        best = least(best, Some(week_gap(joined)));
    }
    best
}

fn least(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (some, None) | (None, some) => some,
    }
}

fn week_gap(week: [bool; 7]) -> Duration {
    let on: Vec<usize> = (0..7).filter(|day| week[*day]).collect();
    let Some(first) = on.first() else {
        return days(7);
    };
    let next = on.iter().skip(1).copied().chain([first + 7]);
    let gaps = on.iter().zip(next).map(|(day, next)| next - day);
    Duration(DAY.0 * gaps.max().unwrap_or(7) as u64)
}

/// Months differ in length; a day that short months lack is skipped in them.
fn month_gap(ordinal: u8, weekday: Option<u8>) -> Duration {
    match (ordinal, weekday) {
        (5, Some(_)) => days(91),
        (_, Some(_)) => days(35),
        (29..=31, None) => days(62),
        _ => days(31),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_wrap_over_the_end_of_the_week() {
        assert_eq!(week_gap([true; 7]), days(1));
        assert_eq!(
            week_gap([true, true, true, true, true, true, false]),
            days(2)
        );
        assert_eq!(
            week_gap([false, false, false, false, false, true, false]),
            days(7)
        );
        assert_eq!(
            week_gap([true, false, false, true, false, false, false]),
            days(4)
        );
    }
}
