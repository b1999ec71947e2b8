//! Owns what it costs to read from volumes: how many are mounted, and how long that takes besides
//! the reading itself (Q18). Must not know which volume holds what.

use super::figure::Figure;

/// Volumes that hold so many bytes, when all but the last are full.
#[must_use]
pub fn volumes(bytes: f64, volume: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; saturates"
    )]
    let count = |share: f64| share.ceil() as u32;
    (volume > 0.0 && bytes >= 0.0).then(|| count(bytes / volume))
}

/// One forward pass over each volume: mounting, and skipping what is not wanted.
#[must_use]
pub fn cost(volumes: u32, mount: Option<f64>, skipped: f64, locate: Option<f64>) -> Figure {
    let figure = match mount {
        Some(mount) => Figure::of(format!("{volumes} mounts"), f64::from(volumes) * mount),
        None => Figure::unknown("time to mount a volume"),
    };
    match locate.filter(|rate| *rate > 0.0) {
        _ if skipped <= 0.0 => figure,
        Some(rate) => figure.plus("skipping what is not wanted", skipped / rate),
        None => figure.lacks("rate at which a volume is wound"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_volume_is_mounted_once() {
        assert_eq!(volumes(25.0, 10.0), Some(3));
        assert_eq!(volumes(0.0, 10.0), Some(0));
        assert_eq!(volumes(25.0, 0.0), None);
        assert!((cost(3, Some(90.0), 100.0, Some(10.0)).total() - 280.0).abs() < 1e-9);
        assert!((cost(3, Some(90.0), 0.0, None).total() - 270.0).abs() < 1e-9);
        assert!(!cost(3, None, 0.0, None).is_bound());
        assert!(!cost(3, Some(90.0), 1.0, None).is_bound());
    }
}
