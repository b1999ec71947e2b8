//! Owns when the occurrences of a schedule lie on the time line of its zone.
//! Must not know jobs or copies; `graph::due` compares occurrences with what was done.
//!
//! A clock time that a change of the clocks skips is taken as the moment after the gap, one that
//! occurs twice as the first of the two: every day keeps exactly one occurrence. A day of the
//! month that a short month lacks is its last such day.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use crate::resolve::plan::{Days, Every, ResolvedPlan, Schedule, Window};
use crate::resolve::zone;

/// One occurrence of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// From when on the work may begin.
    pub start: Timestamp,
    /// When it must have begun; none when it may begin late.
    pub end: Option<Timestamp>,
}

/// How many days back or ahead an occurrence is looked for: two of the longest months and the
/// longest window.
const HORIZON: i32 = 75;

/// Zone and windows of one plan.
#[derive(Debug, Clone)]
pub struct Calendar<'a> {
    zone: TimeZone,
    windows: &'a [Window],
}

impl<'a> Calendar<'a> {
    /// The calendar of a zone with these windows.
    #[must_use]
    pub fn new(zone: TimeZone, windows: &'a [Window]) -> Self {
        Self { zone, windows }
    }

    /// The calendar of a plan; none when its zone is not known on this machine.
    #[must_use]
    pub fn of(plan: &'a ResolvedPlan) -> Option<Self> {
        let zone = zone::find(&plan.timezone.value)?;
        Some(Self::new(zone, &plan.windows))
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The latest occurrence that began at or before `now`; none for schedules without a place
    /// on the calendar (intervals and sizes).
    #[must_use]
    pub fn latest(&self, schedule: &Schedule, now: Timestamp) -> Option<Slot> {
        if schedule.every == Every::Hour {
            return self.hours(schedule, now, -1);
        }
        let today = self.date(now);
        (-1..=HORIZON).find_map(|back| {
            let day = shift(today, -back)?;
            self.slot_on(schedule, day).filter(|slot| slot.start <= now)
        })
    }

    /// The first occurrence that begins after `now`.
    #[must_use]
    pub fn next(&self, schedule: &Schedule, now: Timestamp) -> Option<Slot> {
        if schedule.every == Every::Hour {
            return self.hours(schedule, now, 1);
        }
        let today = self.date(now);
        (-1..=HORIZON).find_map(|ahead| {
            let day = shift(today, ahead)?;
            self.slot_on(schedule, day).filter(|slot| slot.start > now)
        })
    }

    /// The occurrence that belongs to a day. A window belongs to the day it starts on.
    #[must_use]
    pub fn slot_on(&self, schedule: &Schedule, day: Date) -> Option<Slot> {
        let Every::Days(days) = &schedule.every else {
            return None;
        };
        if !matches(days, day) {
            return None;
        }
        let Some(window) = self.window(schedule) else {
            let at = schedule.at.map_or(Time::midnight(), |at| at.value);
            let start = self.instant(day.to_datetime(at))?;
            return Some(Slot { start, end: None });
        };
        self.in_window(schedule, window, day)
    }

    /// The first occurrence at or after `from` of an interval in whole days with a fixed time.
    #[must_use]
    pub fn at_time_after(&self, from: Timestamp, at: Time) -> Option<Timestamp> {
        let day = self.date(from);
        (0..=1).find_map(|ahead| {
            let instant = self.instant(shift(day, ahead)?.to_datetime(at))?;
            (instant >= from).then_some(instant)
        })
    }

    /// True when a window is open.
    #[must_use]
    pub fn is_open(&self, window: usize, now: Timestamp) -> bool {
        self.opening(window, now).is_some()
    }

    /// The opening of a window that holds `now`.
    #[must_use]
    pub fn opening(&self, window: usize, now: Timestamp) -> Option<Slot> {
        let window = self.windows.get(window)?;
        let today = self.date(now);
        let most = i32::from(window.days_later) + 1;
        (-1..=most).find_map(|back| {
            let day = shift(today, -back)?;
            let slot = self
                .span_of(window, day)
                .filter(|_| matches(&window.days, day))?;
            let open = slot.start <= now && slot.end.is_none_or(|end| now < end);
            open.then_some(slot)
        })
    }

    /// The next opening of a window that begins after `now`.
    #[must_use]
    pub fn next_opening(&self, window: usize, now: Timestamp) -> Option<Slot> {
        let window = self.windows.get(window)?;
        let today = self.date(now);
        (-1..=HORIZON).find_map(|ahead| {
            let day = shift(today, ahead)?;
            let slot = self
                .span_of(window, day)
                .filter(|_| matches(&window.days, day))?;
            (slot.start > now).then_some(slot)
        })
    }

    /// The calendar day of an instant in the plan's zone.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// What a clock in the plan's zone shows at an instant.
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// The instant of a clock time in the plan's zone.
    #[must_use]
    pub fn local(&self, at: DateTime) -> Option<Timestamp> {
        self.instant(at)
    }

    fn window(&self, schedule: &Schedule) -> Option<&'a Window> {
        self.windows.get(schedule.during?.value.index())
    }

    fn in_window(&self, schedule: &Schedule, window: &Window, day: Date) -> Option<Slot> {
        if !matches(&window.days, day) {
            return None;
        }
        let slot = self.span_of(window, day)?;
        let Some(at) = schedule.at.map(|at| at.value) else {
            return Some(slot);
        };
        // a time before the window's own start belongs to the night after it
        let later = i32::from(at < window.from && window.days_later > 0);
        let start = self.instant(shift(day, later)?.to_datetime(at))?;
        Some(Slot { start, ..slot })
    }

    fn span_of(&self, window: &Window, day: Date) -> Option<Slot> {
        let start = self.instant(day.to_datetime(window.from))?;
        let last = shift(day, i32::from(window.days_later))?;
        let end = self.instant(last.to_datetime(window.until))?;
        Some(Slot {
            start,
            end: Some(end),
        })
    }

    /// The full hour nearest to `now`: at or before it (-1), or after it (1).
    fn hours(&self, schedule: &Schedule, now: Timestamp, direction: i64) -> Option<Slot> {
        let minute = schedule.at.map_or(0, |at| at.value.minute());
        let clock = now.to_zoned(self.zone.clone()).datetime();
        let hour = clock.date().at(clock.hour(), minute, 0, 0);
        // two hours beside the own one: a change of the clocks can take or double one
        (-2..=26i64).find_map(|step| {
            let at = hour.checked_add((step * direction).hours()).ok()?;
            let start = self.instant(at)?;
            let fits = if direction < 0 {
                start <= now
            } else {
                start > now
            };
            let open = schedule
                .during
                .is_none_or(|window| self.is_open(window.value.index(), start));
            (fits && open).then_some(Slot { start, end: None })
        })
    }

    fn instant(&self, at: DateTime) -> Option<Timestamp> {
        let zoned = self.zone.to_ambiguous_zoned(at).compatible().ok()?;
        Some(zoned.timestamp())
    }
}

fn shift(day: Date, days: i32) -> Option<Date> {
    day.checked_add(Span::new().days(days)).ok()
}

/// Whether something happens on a day.
fn matches(days: &Days, day: Date) -> bool {
    match days {
        Days::Week(week) => week[weekday_index(day.weekday())],
        Days::Month {
            ordinal,
            weekday: None,
        } => {
            let last = day.days_in_month();
            let wanted = i8::try_from(*ordinal).unwrap_or(last);
            day.day() == if wanted == 0 { last } else { wanted.min(last) }
        }
        Days::Month {
            ordinal,
            weekday: Some(weekday),
        } => {
            let here = weekday_index(day.weekday()) == usize::from(*weekday);
            let nth = u8::try_from((day.day() - 1) / 7 + 1).unwrap_or(u8::MAX);
            let is_last = day.day() + 7 > day.days_in_month();
            here && (nth == *ordinal || is_last && (*ordinal == 0 || *ordinal > nth))
        }
    }
}

fn weekday_index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}
