//! Owns the search for the last good copy when nobody knows when damage began: halving what is
//! left (Q19). Must not know copies.

use super::figure::Figure;

/// How many copies are restored and looked at before the last good of so many is known.
#[must_use]
pub fn probes(points: u32) -> u32 {
    // the damage may be older than all of them: one answer more than there are points
    u32::BITS - points.leading_zeros()
}

/// The time of the whole search when each look takes a restore of this length.
#[must_use]
pub fn cost(points: u32, restore: &Figure) -> Figure {
    let probes = probes(points);
    let figure = Figure::of(
        format!("{probes} restores of {points} points"),
        f64::from(probes) * restore.total(),
    );
    match &restore.missing {
        Some(missing) => figure.lacks(missing.clone()),
        None => figure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_probe_halves_what_is_left() {
        let expected = [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4)];
        for (points, wanted) in expected {
            assert_eq!(probes(points), wanted, "{points}");
            let formula = (f64::from(points) + 1.0).log2().ceil();
            assert!((f64::from(wanted) - formula).abs() < 1e-9);
        }
        assert!((cost(7, &Figure::of("restore", 60.0)).total() - 180.0).abs() < 1e-9);
        assert!(!cost(7, &Figure::unknown("size")).is_bound());
    }
}
