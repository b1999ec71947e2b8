//! Owns how much of what exists is covered, and how much of what is kept was tried (Q21). Must not
//! know plans.

/// A part of a whole, as a share. `None` when there is nothing.
#[must_use]
pub fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

/// The share of copies whose last test is at most `days` old. `ages` in days; none for copies that
/// were never tested.
#[must_use]
pub fn tested(ages: &[Option<f64>], days: f64) -> Option<f64> {
    let recent = ages.iter().flatten().filter(|age| **age <= days).count();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 copies")]
    share(recent as f64, ages.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_tried_counts_as_untested() {
        assert_eq!(
            tested(&[Some(3.0), Some(40.0), None, Some(7.0)], 7.0),
            Some(0.5)
        );
        assert_eq!(tested(&[], 7.0), None);
        assert_eq!(share(30.0, 120.0), Some(0.25));
        assert_eq!(share(1.0, 0.0), None);
    }
}
