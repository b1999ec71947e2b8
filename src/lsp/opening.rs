//! When a window opens next, in the zone of the plan.

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp};

use crate::lsp::unit::Unit;
use crate::resolve::plan::{Days, ResolvedPlan, Window};
use crate::resolve::zone;

/// How many openings are told.
const TOLD: usize = 3;
/// How far ahead is looked: a monthly window opens once in this time, also in February.
const DAYS: i64 = 62;

/// The next openings of a window as one line; none when it never opens or has no known zone.
pub(super) fn next(unit: &Unit, name: &str, now: Timestamp) -> Option<String> {
    let plan = unit.environments().next()?;
    let tail = format!(".{name}");
    let named = |window: &&Window| window.name == name || window.name.ends_with(&tail);
    let window = plan.windows.iter().find(named)?;
    let openings = openings(plan, window, now)?;
    if openings.is_empty() {
        return None;
    }
    Some(format!("next: {}", openings.join(" · ")))
}

fn openings(plan: &ResolvedPlan, window: &Window, now: Timestamp) -> Option<Vec<String>> {
    let zone = zone::find(&plan.timezone.value)?;
    let today = now.to_zoned(zone.clone()).date();
    let mut found = Vec::new();
    for ahead in -i64::from(window.days_later)..DAYS {
        let Ok(date) = today.checked_add(Span::new().days(ahead)) else {
            break;
        };
        if found.len() == TOLD {
            break;
        }
        if !begins_on(&window.days, date) {
            continue;
        }
        let later = Span::new().days(i64::from(window.days_later));
        let end = date.checked_add(later).ok()?.to_datetime(window.until);
        let closes = zone.to_zoned(end).ok()?.timestamp();
        if closes > now {
            found.push(said(date.to_datetime(window.from), end));
        }
    }
    Some(found)
}

fn said(start: DateTime, end: DateTime) -> String {
    let day = |at: DateTime| at.strftime("%a %d %b %H:%M").to_string();
    if start.date() == end.date() {
        format!("{} to {}", day(start), end.strftime("%H:%M"))
    } else {
        format!("{} to {}", day(start), day(end))
    }
}

fn begins_on(days: &Days, date: Date) -> bool {
    let weekday = date.weekday().to_monday_zero_offset();
    match days {
        Days::Week(days) => days[usize::try_from(weekday).unwrap_or(0)],
        Days::Month {
            ordinal,
            weekday: of,
        } => {
            let right = of.is_none_or(|of| i8::try_from(of) == Ok(weekday));
            let (day, last) = (date.day(), date.days_in_month());
            let step = if of.is_some() { 7 } else { 1 };
            let nth = if *ordinal == 0 {
                day > last - step
            } else {
                (day - 1) / step + 1 == i8::try_from(*ordinal).unwrap_or(i8::MAX)
            };
            right && nth
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_month_are_counted() {
        let on = |ordinal, weekday, text: &str| {
            let date: Date = text.parse().expect("a date");
            begins_on(&Days::Month { ordinal, weekday }, date)
        };
        assert!(on(0, Some(4), "2026-03-27"), "the last Friday of March");
        assert!(!on(0, Some(4), "2026-03-20"));
        assert!(on(0, None, "2026-02-28") && !on(0, None, "2026-02-27"));
        assert!(on(1, Some(0), "2026-06-01") && !on(1, Some(0), "2026-06-08"));
        assert!(on(15, None, "2026-06-15") && !on(15, None, "2026-06-14"));
    }
}
