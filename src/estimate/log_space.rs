//! Owns how much log piles up at its source (Q2).
//! Must not know devices or plans; rates and spans come in as numbers.

use crate::estimate::exposure::bytes;
use crate::quantity::{Bytes, Duration};

/// Bytes written at peak while a part is in backup mode. The stated peak is taken to hold the
/// page images that backup mode adds.
#[must_use]
pub fn in_backup_mode(peak: f64, seconds: f64) -> f64 {
    peak * seconds
}

/// Bytes that wait for a shipment at most: what is written between two, or the size that triggers
/// one. `None` without either.
#[must_use]
pub fn unshipped(peak: f64, interval: Option<Duration>, size: Option<Bytes>) -> Option<f64> {
    let gathered = interval.map(|interval| peak * interval.as_secs());
    let triggered = size.map(bytes);
    match (gathered, triggered) {
        (Some(gathered), Some(triggered)) => Some(gathered.min(triggered)),
        (some, None) | (None, some) => some,
    }
}

/// Seconds until log fills a space when nothing takes it away.
#[must_use]
pub fn until_full(space: f64, peak: f64) -> Option<f64> {
    (peak > 0.0).then(|| space / peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipment_waits_for_the_nearer_of_its_triggers() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(unshipped(10.0, minute, None), Some(600.0));
        assert_eq!(unshipped(10.0, minute, Some(Bytes(64))), Some(64.0));
        assert_eq!(unshipped(10.0, None, Some(Bytes(64))), Some(64.0));
        assert_eq!(unshipped(10.0, None, None), None);
        assert_eq!(until_full(600.0, 10.0), Some(60.0));
        assert_eq!(until_full(600.0, 0.0), None);
    }
}
