//! Owns the periods of the tiers: the day, ISO week, month and year of a moment in the plan's zone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::resolve::plan::Tier;

/// One period. Ordered in time within one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    Day(Date),
    /// ISO year and week.
    Week(i16, i8),
    Month(i16, i8),
    Year(i16),
}

impl Period {
    /// The period of a tier that a moment belongs to; none for tiers that do not count periods.
    pub(super) fn of(tier: Tier, at: Timestamp, zone: &TimeZone) -> Option<Self> {
        let date = || zone.to_datetime(at).date();
        Some(match tier {
            Tier::Daily(_) => Self::Day(date()),
            Tier::Weekly(_) => {
                let week = date().iso_week_date();
                Self::Week(week.year(), week.week())
            }
            Tier::Monthly(_) => Self::Month(date().year(), date().month()),
            Tier::Yearly(_) => Self::Year(date().year()),
            Tier::Window(_) | Tier::Last(_) => return None,
        })
    }

    /// For people.
    pub(super) fn words(self) -> String {
        match self {
            Self::Day(date) => date.to_string(),
            Self::Week(year, week) => format!("week {week} of {year}"),
            Self::Month(year, month) => format!("{year:04}-{month:02}"),
            Self::Year(year) => format!("{year:04}"),
        }
    }
}

/// How many periods a tier keeps, and the length of its longest period in milliseconds.
pub(super) fn periods(tier: Tier) -> Option<(u32, u64)> {
    const DAY: u64 = 86_400_000;
    Some(match tier {
        Tier::Daily(count) => (count, DAY),
        Tier::Weekly(count) => (count, 7 * DAY),
        Tier::Monthly(count) => (count, 31 * DAY),
        Tier::Yearly(count) => (count, 366 * DAY),
        Tier::Window(_) | Tier::Last(_) => return None,
    })
}
