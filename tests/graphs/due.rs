//! What is due when: changes of the clocks, windows over midnight, months, intervals.

use jiff::civil::{Date, Time, date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use planc::graph::calendar::Calendar;
use planc::graph::due::{due, next_due};
use planc::quantity::Duration;
use planc::resolve::plan::{At, Days, Every, Schedule, Window, WindowId};
use planc::source::{FileId, Span};
use proptest::prelude::*;

use super::stamp;

const ZONES: [&str; 4] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "UTC",
];
const ALL_DAYS: [bool; 7] = [true; 7];

fn span() -> Span {
    Span::new(FileId(0), 0, 0)
}

fn at<T>(value: T) -> At<T> {
    At {
        value,
        span: span(),
    }
}

fn schedule(every: Every, clock: Option<Time>, window: Option<u32>) -> Schedule {
    Schedule {
        every,
        at: clock.map(at),
        during: window.map(|window| at(WindowId(window))),
        span: span(),
    }
}

fn window(days: Days, from: Time, until: Time, days_later: u8) -> Window {
    Window {
        name: "w".into(),
        days,
        from,
        until,
        days_later,
        span: span(),
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the system")
}

fn days(names: &[usize]) -> Days {
    let mut week = [false; 7];
    for day in names {
        week[*day] = true;
    }
    Days::Week(week)
}

/// Looks every `step` minutes whether the work is due and does it at once; the moments of doing.
fn poll(
    calendar: &Calendar<'_>,
    schedule: &Schedule,
    from: Timestamp,
    until: Timestamp,
    step: i64,
) -> Vec<Timestamp> {
    let mut done: Vec<Timestamp> = Vec::new();
    let mut now = from;
    while now < until {
        if due(calendar, schedule, done.last().copied(), now).is_some() {
            done.push(now);
        }
        now = now.checked_add(step.minutes()).expect("in range");
    }
    done
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_daily_time_comes_once_each_day(
        zone_index in 0usize..4, offset in 0i32..9000, hour in 0i8..24, minute in 0i8..60,
    ) {
        let zone = zone(ZONES[zone_index]);
        let calendar = Calendar::new(zone, &[]);
        let clock = Some(time(hour, minute, 0, 0));
        let daily = schedule(Every::Days(Days::Week(ALL_DAYS)), clock, None);
        let mut day = date(2005, 1, 1).checked_add(offset.days()).expect("in range");
        let mut before: Option<Timestamp> = None;
        for _ in 0..400 {
            let slot = calendar.slot_on(&daily, day).expect("each day has one");
            prop_assert_eq!(calendar.date(slot.start), day);
            prop_assert!(before.is_none_or(|before| before < slot.start));
            // found again from both sides
            prop_assert_eq!(calendar.latest(&daily, slot.start), Some(slot));
            let just_before = slot.start.checked_sub(1.nanosecond()).expect("in range");
            prop_assert_eq!(calendar.next(&daily, just_before), Some(slot));
            before = Some(slot.start);
            day = day.tomorrow().expect("in range");
        }
    }

    #[test]
    fn polling_runs_a_window_once_for_each_start_day(
        zone_index in 0usize..4, month in 1i8..13, from in 0i8..24, length in 1i8..20,
        step in 7i64..40, year in 2020i16..2030,
    ) {
        let until = from + length;
        let later = u8::try_from(until / 24).expect("small");
        let windows = [window(
            Days::Week(ALL_DAYS), time(from, 30, 0, 0), time(until % 24, 30, 0, 0), later,
        )];
        let zone = zone(ZONES[zone_index]);
        let calendar = Calendar::new(zone.clone(), &windows);
        let nightly = schedule(Every::Days(Days::Week(ALL_DAYS)), None, Some(0));
        let first = date(year, month, 1);
        let instant = |day: Date| {
            day.at(12, 0, 0, 0).to_zoned(zone.clone()).expect("noon").timestamp()
        };
        let last = first.checked_add(40.days()).expect("in range");
        let done = poll(&calendar, &nightly, instant(first), instant(last), step);
        // each opening that lies wholly inside was used once; no two runs in one opening
        let mut openings: Vec<Timestamp> = done.iter()
            .map(|at| calendar.opening(0, *at).expect("only while it is open").start)
            .collect();
        let count = openings.len();
        openings.dedup();
        prop_assert_eq!(openings.len(), count);
        prop_assert!((39..=41).contains(&count), "{} runs in 40 days", count);
    }

    #[test]
    fn next_due_is_when_due_begins(
        zone_index in 0usize..4, hour in 0i8..24, days_on in prop::array::uniform7(any::<bool>()),
        ago in 0i64..400, kind in 0usize..4,
    ) {
        prop_assume!(days_on.iter().any(|on| *on));
        let windows = [window(Days::Week(ALL_DAYS), time(22, 0, 0, 0), time(4, 0, 0, 0), 1)];
        let calendar = Calendar::new(zone(ZONES[zone_index]), &windows);
        let clock = Some(time(hour, 0, 0, 0));
        let schedule = match kind {
            0 => schedule(Every::Days(Days::Week(days_on)), clock, None),
            1 => schedule(Every::Days(Days::Week(days_on)), None, Some(0)),
            2 => schedule(Every::Interval(Duration::from_secs(3600 * 30), None), None, Some(0)),
            _ => schedule(Every::Hour, None, None),
        };
        let now = stamp("2026-10-24T10:17:00Z");
        let last = now.checked_sub(ago.hours()).expect("in range");
        let next = next_due(&calendar, &schedule, Some(last), now).expect("it comes");
        prop_assert!(next >= now);
        prop_assert!(due(&calendar, &schedule, Some(last), next).is_some());
        if next > now {
            let just_before = next.checked_sub(1.second()).expect("in range");
            prop_assert!(due(&calendar, &schedule, Some(last), just_before).is_none());
        }
    }
}

#[test]
fn a_time_that_a_change_of_clocks_skips_runs_after_the_gap_and_a_doubled_one_once() {
    let calendar = Calendar::new(zone("Europe/Berlin"), &[]);
    let daily = schedule(
        Every::Days(Days::Week(ALL_DAYS)),
        Some(time(2, 30, 0, 0)),
        None,
    );
    let gap = calendar.slot_on(&daily, date(2026, 3, 29)).expect("a slot");
    assert_eq!(gap.start, stamp("2026-03-29T01:30:00Z")); // 03:30 local, half an hour after 03:00
    let fold = calendar
        .slot_on(&daily, date(2026, 10, 25))
        .expect("a slot");
    assert_eq!(fold.start, stamp("2026-10-25T00:30:00Z")); // the first 02:30
    // twice: at once, because it was never done, and then in the night of the change
    for (from, until) in [
        ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
        ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
    ] {
        assert_eq!(
            poll(&calendar, &daily, stamp(from), stamp(until), 5).len(),
            2
        );
    }
}

#[test]
fn a_window_belongs_to_the_day_it_starts_on() {
    // sat 22:00..sun 09:00
    let windows = [window(days(&[5]), time(22, 0, 0, 0), time(9, 0, 0, 0), 1)];
    let calendar = Calendar::new(zone("UTC"), &windows);
    let weekly = schedule(Every::Days(days(&[5])), None, Some(0));
    let sunday = schedule(Every::Days(days(&[6])), None, Some(0));
    let night = stamp("2026-01-04T03:00:00Z"); // a Sunday, 03:00
    let found = due(&calendar, &weekly, None, night).expect("it is still Saturday's window");
    assert_eq!(found.since, stamp("2026-01-03T22:00:00Z"));
    assert!(due(&calendar, &sunday, None, night).is_none());
    assert!(due(&calendar, &weekly, None, stamp("2026-01-04T09:00:00Z")).is_none());
    assert!(
        due(
            &calendar,
            &weekly,
            Some(stamp("2026-01-03T22:10:00Z")),
            night
        )
        .is_none()
    );
    let next = next_due(&calendar, &weekly, None, stamp("2026-01-05T00:00:00Z"));
    assert_eq!(next, Some(stamp("2026-01-10T22:00:00Z")));
}

#[test]
fn days_of_the_month_are_found_in_short_months_too() {
    let calendar = Calendar::new(zone("UTC"), &[]);
    let monthly =
        |ordinal, weekday| schedule(Every::Days(Days::Month { ordinal, weekday }), None, None);
    let count = |schedule: &Schedule| {
        let mut found = Vec::new();
        let mut day = date(2026, 1, 1);
        while day < date(2028, 1, 1) {
            found.extend(calendar.slot_on(schedule, day).map(|_| day));
            day = day.tomorrow().expect("in range");
        }
        found
    };
    let last_friday = count(&monthly(0, Some(4)));
    assert_eq!(
        last_friday[..3],
        [date(2026, 1, 30), date(2026, 2, 27), date(2026, 3, 27)]
    );
    for (ordinal, weekday) in [
        (0, None),
        (1, None),
        (31, None),
        (30, None),
        (1, Some(0)),
        (5, Some(2)),
    ] {
        assert_eq!(
            count(&monthly(ordinal, weekday)).len(),
            24,
            "{ordinal} {weekday:?}"
        );
    }
    assert_eq!(count(&monthly(31, None))[1], date(2026, 2, 28));
    assert_eq!(count(&monthly(2, Some(1)))[0], date(2026, 1, 13));
}

#[test]
fn intervals_count_from_beginning_to_beginning() {
    let calendar = Calendar::new(zone("Europe/Berlin"), &[]);
    let five = schedule(Every::Interval(Duration::from_secs(300), None), None, None);
    let now = stamp("2026-06-01T12:00:00Z");
    assert!(due(&calendar, &five, None, now).is_some());
    assert!(due(&calendar, &five, Some(stamp("2026-06-01T11:55:00Z")), now).is_some());
    assert!(due(&calendar, &five, Some(stamp("2026-06-01T11:55:01Z")), now).is_none());
    let last = stamp("2026-06-01T11:58:00Z");
    assert_eq!(
        next_due(&calendar, &five, Some(last), now),
        Some(stamp("2026-06-01T12:03:00Z"))
    );
    // whole days with a time do not drift with the moment of the last run
    let weekly = Every::Interval(Duration::from_secs(7 * 86_400), None);
    let weekly = schedule(weekly, Some(time(12, 0, 0, 0)), None);
    let last = stamp("2026-06-01T10:07:00Z"); // 12:07 local
    let next = next_due(&calendar, &weekly, Some(last), now);
    assert_eq!(next, Some(stamp("2026-06-08T10:00:00Z")));
}

#[test]
fn hours_follow_the_clock_of_the_zone() {
    let calendar = Calendar::new(zone("Australia/Lord_Howe"), &[]);
    let hourly = schedule(Every::Hour, None, None);
    let from = stamp("2026-04-04T00:00:00Z"); // the clocks go back by half an hour next night
    let done = poll(&calendar, &hourly, from, stamp("2026-04-06T00:00:00Z"), 10);
    let gaps: Vec<i64> = done
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]).as_mins())
        .collect();
    assert!(gaps.iter().all(|gap| *gap <= 90 && *gap >= 30), "{gaps:?}");
}
