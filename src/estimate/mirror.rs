//! Owns how long a service runs without its mirror when a copy is read from a half that was split
//! off (Q17). Must not know how mirrors are split.

use super::figure::Figure;

/// Seconds without redundancy: while the half is read, and until it has caught up with what was
/// `changed` meanwhile.
#[must_use]
pub fn exposed(read: f64, changed: f64, resync: Option<f64>) -> Figure {
    let figure = Figure::of("while the split half is read", read);
    match resync.filter(|rate| *rate > 0.0) {
        Some(rate) => figure.plus("until it has caught up", changed / rate),
        None => figure.lacks("rate at which the mirror catches up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_catching_up_add_up() {
        assert!((exposed(60.0, 100.0, Some(10.0)).total() - 70.0).abs() < 1e-9);
        assert!(!exposed(60.0, 100.0, Some(0.0)).is_bound());
    }
}
