//! Owns the formulas of a recovery's length (Q7) and of the interval that keeps it short (Q8).
//! Must not know devices or plans; rates and spans come in as numbers.

use super::volume::changed;
use crate::estimate::Figure;
use crate::quantity::Duration;

/// The share that is kept in reserve on top of every estimated recovery.
pub const SHARE: f64 = 0.2;

/// The reserve in the words of a message.
pub const RESERVE: &str = "the 20 % reserve that estimates keep";

const DAY: f64 = 86_400.0;

/// A sum of estimated times with the reserve as a term of its own.
#[must_use]
pub fn with_reserve(figure: Figure) -> Figure {
    let reserve = figure.total() * SHARE;
    figure.plus("20 % reserve", reserve)
}

/// Bytes that stand on a full just before the next one: all increments, or for differentials the
/// last one alone.
#[must_use]
pub fn on_top(size: f64, share: f64, between_fulls: Duration, differential: bool) -> f64 {
    let days = between_fulls.as_secs() / DAY;
    if differential {
        changed(size, share, days)
    } else {
        size * share * days
    }
}

/// Q8: the longest time between two copies that keeps a limit with its reserve, in whole hours.
/// `rest` are the seconds beside replay, `rates` those of writing and of replaying log, `beside`
/// the seconds of log that come on top of the interval. `None` when no interval does.
#[must_use]
pub fn largest_interval(
    limit: f64,
    rest: f64,
    (written, replayed): (f64, f64),
    beside: f64,
) -> Option<Duration> {
    let room = limit / (1.0 + SHARE) - rest;
    let hours = ((room * replayed / written - beside) / 3600.0).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "range checked"
    )]
    (1.0..1.0e9)
        .contains(&hours)
        .then(|| Duration::from_secs(3600 * hours as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_keeps_the_limit_and_one_hour_more_does_not() {
        let (limit, rest, rates, beside) = (7200.0, 900.0, (1.0, 40.0), 1800.0);
        let interval = largest_interval(limit, rest, rates, beside).expect("there is one");
        let takes = |interval: f64| {
            let log = (interval + beside) * rates.0 / rates.1;
            with_reserve(Figure::of("rest", rest).plus("log", log))
        };
        assert!(takes(interval.as_secs()).within(limit));
        assert!(!takes(interval.as_secs() + 3600.0).within(limit));
        assert_eq!(largest_interval(1000.0, 900.0, rates, beside), None);
    }

    #[test]
    fn increments_add_up_and_a_differential_stands_alone() {
        let week = Duration::from_secs(7 * 86_400);
        assert!((on_top(100.0, 0.5, week, false) - 350.0).abs() < 1e-9);
        assert!((on_top(100.0, 0.5, week, true) - 100.0).abs() < 1e-9);
    }
}
