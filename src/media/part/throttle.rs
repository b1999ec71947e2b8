//! Owns the token bucket that holds reading of a source below a rate.

use std::time::{Duration, Instant};

/// Longest burst: what may come at once after a pause.
const BURST: f64 = 0.25;

/// A bucket that fills at a rate.
pub(super) struct Throttle {
    rate: f64,
    tokens: f64,
    last: Instant,
}

impl Throttle {
    /// A full bucket; `rate` in bytes per second.
    pub(super) fn new(rate: u64) -> Self {
        // a rate is far below the 52 bits of a double
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no last digit")]
        let rate = rate.max(1) as f64;
        Self {
            rate,
            tokens: rate * BURST,
            last: Instant::now(),
        }
    }

    /// Takes tokens for `bytes`; how long to wait before going on.
    #[expect(clippy::cast_precision_loss, reason = "a frame's length is small")]
    pub(super) fn take(&mut self, bytes: usize) -> Duration {
        let now = Instant::now();
        let fresh = now.duration_since(self.last).as_secs_f64() * self.rate;
        self.last = now;
        self.tokens = (self.tokens + fresh).min(self.rate * BURST) - bytes as f64;
        let wait = (-self.tokens / self.rate).max(0.0);
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn debts_are_waited_for() {
        let mut throttle = Throttle::new(1000);
        assert_eq!(throttle.take(100), Duration::ZERO);
        let wait = throttle.take(1150).as_secs_f64();
        assert!((0.9..=1.0).contains(&wait), "{wait}");
    }
}
