//! Owns when each schedule comes up in the weeks ahead.
//! Must not know what is done then.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp, ToSpan};

use super::calendar::{Calendar, Slot};
use crate::quantity::Duration;
use crate::resolve::plan::{Every, Schedule};
use crate::source::Span;

/// How far ahead is looked: five weeks, so that every month end and rotation is met.
pub const WEEKS: i32 = 5;

/// Work that comes every few hours repeats; a week of it shows all there is to see.
const OFTEN: i32 = 8;

/// Shorter intervals than this are no runs to plan ahead.
const SHORTEST: Duration = Duration::from_secs(3600);

/// A schedule with its slots.
type Opened<'a> = (&'a Schedule, Rc<[Slot]>);

/// The occurrences of schedules from one Monday on. Equal schedules of one clause are looked up
/// once, however many services a policy applies it to.
#[derive(Debug)]
pub struct Horizon<'a> {
    calendar: Calendar<'a>,
    from: Timestamp,
    known: BTreeMap<Span, Vec<Opened<'a>>>,
}

impl<'a> Horizon<'a> {
    /// From the Monday of the week of `now`. `None` at the end of all calendars.
    #[must_use]
    pub fn new(calendar: Calendar<'a>, now: Timestamp) -> Option<Self> {
        let today = calendar.date(now);
        let monday = i32::from(today.weekday().to_monday_zero_offset());
        let monday = today.checked_sub(monday.days()).ok()?;
        let from = calendar.local(monday.at(0, 0, 0, 0))?;
        Some(Self {
            calendar,
            from,
            known: BTreeMap::new(),
        })
    }

    /// Zone and windows.
    #[must_use]
    pub fn calendar(&self) -> &Calendar<'a> {
        &self.calendar
    }

    /// The first moment of it.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// When the schedule comes up, in order. Empty for work that waits for a size, or that comes
    /// more often than once an hour.
    pub fn slots(&mut self, schedule: &'a Schedule) -> Rc<[Slot]> {
        let same = |known: &&(&Schedule, Rc<[Slot]>)| alike(known.0, schedule);
        let of_clause = self.known.get(&schedule.span);
        if let Some((_, slots)) = of_clause.and_then(|known| known.iter().find(same)) {
            return Rc::clone(slots);
        }
        let slots: Rc<[Slot]> = self.find(schedule).into();
        let known = self.known.entry(schedule.span).or_default();
        known.push((schedule, Rc::clone(&slots)));
        slots
    }

    fn find(&self, schedule: &Schedule) -> Vec<Slot> {
        match &schedule.every {
            Every::Days(_) => self.days(schedule),
            Every::Hour => self.hours(schedule),
            Every::Interval(length, _) if *length >= SHORTEST => self.interval(schedule, *length),
            Every::Interval(..) | Every::Size(_) => Vec::new(),
        }
    }

    fn days(&self, schedule: &Schedule) -> Vec<Slot> {
        let first = self.calendar.date(self.from);
        let days = (0..WEEKS * 7).filter_map(|ahead| first.checked_add(ahead.days()).ok());
        let slots = days.filter_map(|day| self.calendar.slot_on(schedule, day));
        let mut slots: Vec<Slot> = slots.collect();
        slots.sort_by_key(|slot| slot.start);
        slots
    }

    fn hours(&self, schedule: &Schedule) -> Vec<Slot> {
        let until = later(self.from, OFTEN);
        let mut at = self.from;
        let next = std::iter::from_fn(|| {
            let slot = self.calendar.next(schedule, at)?;
            at = slot.start;
            (slot.start < until).then_some(slot)
        });
        next.collect()
    }

    /// An interval counts from beginning to beginning; with a window it waits for the opening.
    fn interval(&self, schedule: &Schedule, length: Duration) -> Vec<Slot> {
        let day = Duration::from_secs(86_400);
        let until = later(self.from, if length < day { OFTEN } else { WEEKS * 7 });
        let step = SignedDuration::from_millis(i64::try_from(length.0).unwrap_or(i64::MAX));
        let mut due = Some(self.from);
        let next = std::iter::from_fn(|| {
            let slot = self.open_slot(schedule, due?)?;
            due = slot.start.checked_add(step).ok();
            (slot.start < until).then_some(slot)
        });
        next.collect()
    }

    fn open_slot(&self, schedule: &Schedule, due: Timestamp) -> Option<Slot> {
        let Some(window) = schedule.during.map(|window| window.value.index()) else {
            let at = schedule.at.map(|at| at.value);
            let start = at.map_or(Some(due), |at| self.calendar.at_time_after(due, at))?;
            return Some(Slot { start, end: None });
        };
        match self.calendar.opening(window, due) {
            Some(slot) => Some(Slot { start: due, ..slot }),
            None => self.calendar.next_opening(window, due),
        }
    }
}

fn later(from: Timestamp, days: i32) -> Timestamp {
    let hours = SignedDuration::from_hours(24 * i64::from(days));
    from.checked_add(hours).unwrap_or(Timestamp::MAX)
}

fn alike(one: &Schedule, other: &Schedule) -> bool {
    let time = |schedule: &Schedule| schedule.at.map(|at| at.value);
    let window = |schedule: &Schedule| schedule.during.map(|during| during.value);
    one.every == other.every && time(one) == time(other) && window(one) == window(other)
}
