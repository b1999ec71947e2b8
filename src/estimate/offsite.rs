//! Owns how old the newest state is that another site could bring back (Q14). Must not know
//! devices; what lies elsewhere, whole and verified, comes in as moments.

/// What another site has of one component or group, in seconds on any common clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elsewhere {
    /// The moment its newest whole copy shows; none when there is none.
    pub copy: Option<f64>,
}

/// The newest moment to which everything can be brought at the other site: the end of its log
/// when the log goes on without a gap since the oldest of the copies, else what the oldest of the
/// newest copies shows. `None` when something has no copy there.
#[must_use]
pub fn point(parts: &[Elsewhere], log: Option<(f64, f64)>) -> Option<f64> {
    let copies: Option<Vec<f64>> = parts.iter().map(|part| part.copy).collect();
    let oldest = copies?.into_iter().reduce(f64::min)?;
    match log {
        Some((from, until)) if from <= oldest => Some(until.max(oldest)),
        _ => Some(oldest),
    }
}

/// How much would be lost with the site now, in seconds.
#[must_use]
pub fn age(now: f64, point: Option<f64>) -> Option<f64> {
    Some((now - point?).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(copy: f64) -> Elsewhere {
        Elsewhere { copy: Some(copy) }
    }

    #[test]
    fn the_oldest_part_decides_unless_log_bridges_it() {
        let parts = [at(100.0), at(40.0)];
        assert_eq!(point(&parts, None), Some(40.0));
        assert_eq!(point(&parts, Some((30.0, 120.0))), Some(120.0));
        // log that begins after the oldest part does not bring it on
        assert_eq!(point(&parts, Some((50.0, 120.0))), Some(40.0));
        assert_eq!(point(&[at(1.0), Elsewhere { copy: None }], None), None);
        assert_eq!(age(50.0, Some(40.0)), Some(10.0));
        assert_eq!(age(50.0, None), None);
    }
}
