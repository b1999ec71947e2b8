//! Owns how much work a loss can cost: the window of vulnerability of a log archive (Q1).
//! Must not know devices or plans; rates and spans come in as numbers.
//!
//! Each figure is an upper bound on the age of what is safe elsewhere, in seconds, as long as the
//! plan is executed as written: shipments on time, copies within their deadlines. An amount of
//! log counts as the time in which that much is written on average.

use crate::estimate::figure::Figure;
use crate::quantity::{Bytes, Duration};

/// A shipment: when it leaves, and how fast it travels.
#[derive(Debug, Clone, Copy)]
pub struct Shipping {
    /// The longest time between two shipments; `None` when only a size triggers them.
    pub interval: Option<Duration>,
    /// The source ends its log that often by itself; the plan asks for less.
    pub by_server: bool,
    /// The size that triggers a shipment.
    pub size: Option<Bytes>,
    /// The most log written in a second, in bytes.
    pub peak: Option<f64>,
    /// The least rate at which log is taken when nothing else is written, in bytes a second.
    pub rate: Option<f64>,
    /// The same while as many copies are written beside it as can be.
    pub shared: Option<f64>,
}

/// What is missing when log is written faster than it is taken: then no interval bounds the loss.
pub const TOO_SLOW: &str = "a device that is faster than the log";

/// What is missing when log piles up for as long as copies are written beside it.
pub const TOO_SLOW_BESIDE: &str = "a device that is faster than the log beside copies";

/// Q1 for shipments: `W = T + min(N, r · T) / B`, with what copies leave of B. A size alone gives
/// no bound, because log may be written ever more slowly. Without the peak it cannot be told that
/// the rate keeps up.
#[must_use]
pub fn shipped(shipping: Shipping, service: &str, device: &str) -> Figure {
    let Some(interval) = shipping.interval else {
        return Figure::unknown(format!("an interval between shipments to {device}"));
    };
    let cause = if shipping.by_server {
        "until the server ends a segment by itself (archive_timeout)"
    } else {
        "between shipments"
    };
    let figure = Figure::of(cause, interval.as_secs());
    let Some(peak) = shipping.peak else {
        return figure.lacks(format!("log peak of {service}"));
    };
    let (Some(rate), Some(shared)) = (shipping.rate, shipping.shared.filter(|rate| *rate > 0.0))
    else {
        return figure.lacks(format!("write speed of {device}"));
    };
    if shared < peak {
        let missing = if rate < peak {
            TOO_SLOW
        } else {
            TOO_SLOW_BESIDE
        };
        return figure.lacks(missing);
    }
    let gathered = peak * interval.as_secs();
    let last = shipping
        .size
        .map_or(gathered, |size| gathered.min(bytes(size)));
    let beside = if shared < rate { " beside copies" } else { "" };
    let term = format!("to send the last of it to {device}{beside}");
    figure.plus(term, last / shared)
}

/// Q1 for a stream: the lag allowed, as time at the mean rate.
#[must_use]
pub fn streamed(lag: Option<Bytes>, mean: Option<f64>, service: &str, device: &str) -> Figure {
    match (lag, mean.filter(|mean| *mean > 0.0)) {
        (None, _) => Figure::unknown(format!("a bound on the lag of the stream to {device}")),
        (_, None) => Figure::unknown(format!("log rate of {service}")),
        (Some(lag), Some(mean)) => {
            Figure::of(format!("lag of the stream to {device}"), bytes(lag) / mean)
        }
    }
}

/// The longest interval between shipments that keeps a limit, in whole seconds: `T` solved from
/// Q1, with the last shipment at its largest. `None` when even the smallest does not.
#[must_use]
pub fn longest_interval(limit: f64, rest: f64) -> Option<Duration> {
    let seconds = (limit - rest).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "range checked"
    )]
    (1.0..9.0e15)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds as u64))
}

/// Bytes as a number to calculate with.
#[must_use]
pub fn bytes(size: Bytes) -> f64 {
    crate::quantity::float(size.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPING: Shipping = Shipping {
        interval: Some(Duration::from_secs(900)),
        by_server: false,
        size: Some(Bytes(64 << 20)),
        peak: Some(1024.0 * 1024.0),
        rate: Some(16.0 * 1024.0 * 1024.0),
        shared: Some(16.0 * 1024.0 * 1024.0),
    };

    #[test]
    fn a_shipment_costs_its_interval_and_its_way() {
        let figure = shipped(SHIPPING, "s", "d");
        assert!((figure.total() - 904.0).abs() < 1e-9);
        let lacks = |rate, shared| {
            let shipping = Shipping {
                rate: Some(rate),
                shared: Some(shared),
                ..SHIPPING
            };
            shipped(shipping, "s", "d").missing
        };
        assert_eq!(lacks(1.0, 1.0).as_deref(), Some(TOO_SLOW));
        assert_eq!(lacks(4e6, 1e6).as_deref(), Some(TOO_SLOW_BESIDE));
        let beside = Shipping {
            shared: Some(4.0 * 1024.0 * 1024.0),
            ..SHIPPING
        };
        let figure = shipped(beside, "s", "d");
        assert!((figure.total() - 916.0).abs() < 1e-9);
        assert_eq!(
            figure.terms[1].0,
            "to send the last of it to d beside copies"
        );
        let by_size = Shipping {
            interval: None,
            ..SHIPPING
        };
        assert!(!shipped(by_size, "s", "d").is_bound());
        assert_eq!(longest_interval(600.0, 6.0), Some(Duration::from_secs(594)));
        assert_eq!(longest_interval(6.0, 6.0), None);
    }

    #[test]
    fn a_stream_costs_its_lag() {
        let figure = streamed(Some(Bytes(16 << 20)), Some(1024.0 * 1024.0), "s", "d");
        assert!((figure.total() - 16.0).abs() < 1e-9);
        assert!(!streamed(None, Some(1.0), "s", "d").is_bound());
    }
}
