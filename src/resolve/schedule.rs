//! Owns windows and schedules: days, clocks and intervals (P0304, P0305, P0307).
//! Must not ask whether a schedule meets its window; that is `check`.

use std::collections::HashMap;

use jiff::civil::Time;

use super::cx::Cx;
use super::plan::{At, Days, Every, Schedule, Window, WindowId};
use super::scope::ScopeId;
use super::sink::Sink;
use super::value::value_span;
use super::vars::{Bound, Setting};
use super::world::World;
use crate::quantity::Amount;
use crate::syntax::ast::{self, DayRange, MonthDay, Reference, Value, WindowSpan};

/// Windows by file and name; none for one that is declared but wrong.
type Windows<'a> = HashMap<(ScopeId, &'a str), Option<WindowId>>;

/// Resolves the windows of all files.
pub(super) fn windows<'a>(world: &World<'a>, sink: &Sink) -> (Vec<Window>, Windows<'a>) {
    let (mut windows, mut ids) = (Vec::new(), HashMap::new());
    for (scope, file) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, scope);
        for (name, declared) in &file.windows {
            let full = world.full(scope, name);
            let window = window(&mut cx, full, declared.what, declared.name.span);
            let id = window.map(|window| {
                windows.push(window);
                WindowId::from_index(windows.len() - 1)
            });
            ids.insert((scope, *name), id);
        }
    }
    (windows, ids)
}

fn window(
    cx: &mut Cx<'_, '_>,
    name: String,
    span: &WindowSpan,
    declared: crate::source::Span,
) -> Option<Window> {
    let every = cx.every(&span.schedule.every);
    let (from, until) = (cx.clock(&span.from), cx.clock(&span.until));
    let Every::Days(days) = every? else {
        let message = "a window opens on days, not at intervals";
        let help = "write `every day`, `every sat` or `every mon..fri`";
        cx.refuse(305, message, span.schedule.span, help);
        return None;
    };
    let (from, until) = (from?, until?);
    let days_later = match span.until_day {
        None => u8::from(until < from),
        Some(end) => days_later(cx, &days, end, from, until, span)?,
    };
    Some(Window {
        name,
        days,
        from,
        until,
        days_later,
        span: declared.to(span.span),
    })
}

/// Days from the start day to the end day that is written; a start day must be one day.
fn days_later(
    cx: &mut Cx<'_, '_>,
    days: &Days,
    end: u8,
    from: Time,
    until: Time,
    span: &WindowSpan,
) -> Option<u8> {
    let start = match days {
        Days::Week(week) if week.iter().filter(|day| **day).count() == 1 => {
            week.iter().position(|day| *day)
        }
        Days::Month {
            weekday: Some(day), ..
        } => Some(usize::from(*day)),
        _ => None,
    };
    let Some(start) = start.and_then(|day| u8::try_from(day).ok()) else {
        let message = "an end day needs one start day; this window starts on several";
        let help = "leave the day out: a window that ends before it starts ends the next day";
        cx.refuse(307, message, span.span, help);
        return None;
    };
    let later = (end + 7 - start) % 7;
    Some(if later == 0 && until < from { 7 } else { later })
}

impl Cx<'_, '_> {
    /// A time of day as it is written, or that of a parameter.
    fn time_of_day(&mut self, written: &Reference) -> Option<At<Time>> {
        let (value, span) = match written {
            Reference::Name(word) => (self.clock(word)?, word.span),
            Reference::Var(word) => match self.var(word)? {
                Bound::Setting(Setting::Clock(time), ..) => (time, word.span),
                other => {
                    let is = other.words();
                    let message = format!("a time of day is needed; `${}` is a {is}", word.text);
                    let help = "use a parameter of type `time`";
                    self.refuse(305, message, word.span, help);
                    return None;
                }
            },
        };
        Some(At { value, span })
    }

    pub(super) fn schedule(&mut self, written: &ast::Schedule) -> Option<Schedule> {
        let every = self.every(&written.every);
        let at = match &written.at {
            Some(at) => Some(self.time_of_day(at)?),
            None => None,
        };
        let during = match &written.during {
            Some(word) => Some(At {
                value: self.window(word)?,
                span: word.span,
            }),
            None => None,
        };
        Some(Schedule {
            every: every?,
            at,
            during,
            span: written.span,
        })
    }

    fn every(&mut self, every: &ast::Every) -> Option<Every> {
        match every {
            ast::Every::Interval(first, second) => self.interval(first, second.as_ref()),
            ast::Every::Day => Some(Every::Days(Days::Week([true; 7]))),
            ast::Every::Hour => Some(Every::Hour),
            ast::Every::Month(month) => self.month_day(*month),
            ast::Every::Days(ranges) => Some(Every::Days(week(ranges))),
        }
    }

    /// `5min`, `64 MiB`, or one of each in either order.
    fn interval(&mut self, first: &Value, second: Option<&Value>) -> Option<Every> {
        let (is_size, _) = self.is_size(first)?;
        let Some(second) = second else {
            return if is_size {
                Some(Every::Size(self.size(first)?))
            } else {
                Some(Every::Interval(self.positive(first)?, None))
            };
        };
        let (second_is_size, span) = self.is_size(second)?;
        if is_size == second_is_size {
            let message = "both halves of `or` are of one kind";
            let help = "write an interval and a size: `every 5min or 64 MiB`";
            self.refuse(305, message, span, help);
            return None;
        }
        let (time, size) = if is_size {
            (second, first)
        } else {
            (first, second)
        };
        Some(Every::Interval(
            self.positive(time)?,
            Some(self.size(size)?),
        ))
    }

    fn is_size(&mut self, value: &Value) -> Option<(bool, crate::source::Span)> {
        let (amount, _) = self.amount(value)?;
        Some((matches!(amount, Amount::Bytes(_)), value_span(value)))
    }

    fn month_day(&mut self, month: MonthDay) -> Option<Every> {
        let most = if month.weekday.is_some() { 5 } else { 31 };
        if month.ordinal > most {
            let message = format!("no month has a day {} of this kind", month.ordinal);
            let help = format!("write 1st to {most}th, or `last`");
            self.refuse(307, message, month.span, help);
            return None;
        }
        Some(Every::Days(Days::Month {
            ordinal: month.ordinal,
            weekday: month.weekday,
        }))
    }
}

/// The days of ranges that may wrap over Sunday.
fn week(ranges: &[DayRange]) -> Days {
    let mut week = [false; 7];
    for range in ranges {
        let (from, to) = (usize::from(range.from % 7), usize::from(range.to % 7));
        let length = (to + 7 - from) % 7;
        for day in from..=from + length {
            week[day % 7] = true;
        }
    }
    Days::Week(week)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    #[test]
    fn ranges_wrap_over_sunday() {
        let range = |from, to| DayRange {
            from,
            to,
            span: Span::new(FileId(0), 0, 0),
        };
        let days = |ranges: &[DayRange]| match week(ranges) {
            Days::Week(week) => week
                .iter()
                .map(|day| if *day { '1' } else { '0' })
                .collect(),
            Days::Month { .. } => String::new(),
        };
        assert_eq!(days(&[range(0, 5)]), "1111110");
        assert_eq!(days(&[range(5, 0)]), "1000011");
        assert_eq!(days(&[range(2, 2), range(4, 4)]), "0010100");
    }
}
