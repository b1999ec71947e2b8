//! Owns what a survey of a source gives: what the source said of itself, and how fast its log
//! grew while it was watched. Must not write to the source.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::EngineError;
use crate::facts::instance::Instance;

/// What was found. What could not be measured is absent, and `notes` says why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// What the source said of itself.
    pub instance: Instance,
    /// How fast its log grew; none when it did not grow.
    pub log: Option<LogRates>,
    /// Share of a component that changes in a day, by the component's key.
    pub changes: BTreeMap<String, f64>,
    /// What could not be measured and why, a lowercase fragment each.
    pub notes: Vec<String>,
}

/// Rates in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRates {
    /// Over the whole sample.
    pub mean: f64,
    /// Over the busiest of its slices.
    pub peak: f64,
}

/// Slices of a sample: the peak is that of the busiest one.
const SLICES: u32 = 4;

/// Watches a position that grows with the log, for `sample`.
///
/// # Errors
/// What `position` gives. `None` of it means that nothing can be told from this moment on.
pub(super) fn log_rates(
    sample: Duration,
    mut position: impl FnMut() -> Result<Option<u64>, EngineError>,
) -> Result<Option<LogRates>, EngineError> {
    let begin = Instant::now();
    let Some(first) = position()? else {
        return Ok(None);
    };
    let (mut before, mut since, mut peak) = (first, begin, 0.0_f64);
    for _ in 0..SLICES {
        std::thread::sleep(sample / SLICES);
        let now = Instant::now();
        let Some(at) = position()?.filter(|at| *at >= before) else {
            return Ok(None);
        };
        peak = peak.max(rate(at - before, now - since));
        (before, since) = (at, now);
    }
    let mean = rate(before - first, since - begin);
    Ok((mean > 0.0).then_some(LogRates { mean, peak }))
}

fn rate(bytes: u64, time: Duration) -> f64 {
    crate::quantity::float(bytes) / time.as_secs_f64().max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_the_busiest_slice() {
        let mut positions = [0, 0, 0, 1000, 1000].into_iter();
        let sample = Duration::from_millis(40);
        let rates = log_rates(sample, || Ok(positions.next())).expect("asked");
        let rates = rates.expect("it grew");
        assert!(rates.peak > 2.0 * rates.mean, "{rates:?}");
        assert!(
            rates.mean <= 25_000.0 && rates.peak <= 100_000.0,
            "{rates:?}"
        );
    }

    #[test]
    fn nothing_is_told_of_a_log_that_stood_still_or_began_anew() {
        let sample = Duration::from_millis(4);
        assert_eq!(log_rates(sample, || Ok(Some(7))).expect("asked"), None);
        let mut positions = [9, 10, 3].into_iter();
        let anew = log_rates(sample, || Ok(positions.next()));
        assert_eq!(anew.expect("asked"), None);
    }
}
