//! Owns the longest time between two starts of a schedule. Pure calendar arithmetic; knows nothing
//! of jobs.

use super::{Days, Every, Schedule};
use crate::quantity::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

impl Schedule {
    /// The longest time between two starts; `None` when only a size triggers it.
    #[must_use]
    pub fn longest_gap(&self) -> Option<Duration> {
        match &self.every {
            Every::Interval(interval, _) => Some(*interval),
            Every::Size(_) => None,
            Every::Hour => Some(HOUR),
            Every::Days(days) => Some(days.longest_gap()),
        }
    }
}

impl Days {
    /// The longest time between two of these days.
    #[must_use]
    pub fn longest_gap(&self) -> Duration {
        match self {
            Self::Week(week) => week_gap(*week),
            Self::Month { ordinal, weekday } => month_gap(*ordinal, *weekday),
        }
    }
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(86_400 * count)
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
