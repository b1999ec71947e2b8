//! Owns when something that grows passes a limit (Q15).
//! Must not know what grows; amounts and shares come in as numbers.

/// How far ahead is looked: ten years.
const AHEAD: u32 = 3660;

/// An amount today and the share by which it grows in a day.
pub type Growing = (f64, f64);

/// The first day, counted from today, on which the amounts together pass the limit; 0 when they
/// do already, `None` when they do not within ten years.
#[must_use]
pub fn first_beyond(parts: &[Growing], limit: f64) -> Option<u32> {
    let beyond = |day: u32| total(parts, day) > limit;
    if !beyond(AHEAD) {
        return None;
    }
    let (mut within, mut past) = (0, AHEAD);
    if beyond(within) {
        return Some(0);
    }
    // amounts never shrink, so that the days can be halved
    while past - within > 1 {
        let middle = within.midpoint(past);
        if beyond(middle) {
            past = middle;
        } else {
            within = middle;
        }
    }
    Some(past)
}

/// What the amounts add up to after some days.
#[must_use]
pub fn total(parts: &[Growing], days: u32) -> f64 {
    let grown = |(amount, share): &Growing| amount * (1.0 + share.max(0.0)).powf(f64::from(days));
    parts.iter().map(grown).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_first_one_beyond() {
        let parts = [(100.0, 0.01), (50.0, 0.0)];
        let day = first_beyond(&parts, 200.0).expect("it grows");
        assert!(total(&parts, day) > 200.0);
        assert!(total(&parts, day - 1) <= 200.0);
        assert_eq!(first_beyond(&parts, 150.0), Some(1));
        assert_eq!(first_beyond(&parts, 149.0), Some(0));
        assert_eq!(first_beyond(&[(100.0, 0.0)], 101.0), None);
        assert_eq!(first_beyond(&[(1.0, 1.0)], f64::INFINITY), None);
    }
}
