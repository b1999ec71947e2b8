//! Owns rolling copies: how long one round over all components takes, and for what share of it
//! something is in backup mode (Q10). Must not know plans.

use super::figure::Figure;

/// One round: every component once, one after the other, each with its own bracket.
#[must_use]
pub fn round(parts: impl IntoIterator<Item = (String, Option<f64>)>) -> Figure {
    let parts = parts.into_iter();
    parts.fold(Figure::default(), |round, (name, seconds)| match seconds {
        Some(seconds) => round.plus(name, seconds),
        None => round.lacks(format!("time to copy {name}")),
    })
}

/// The share of a round that is spent in backup mode; none when a round takes no time.
#[must_use]
pub fn mode_share(in_mode: f64, round: f64) -> Option<f64> {
    (round > 0.0).then(|| (in_mode / round).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_the_sum_of_its_parts() {
        let all = round([("a".to_owned(), Some(3.0)), ("b".to_owned(), Some(4.0))]);
        assert!(all.is_bound() && (all.total() - 7.0).abs() < 1e-9);
        let part = round([("a".to_owned(), Some(3.0)), ("b".to_owned(), None)]);
        assert_eq!(part.missing.as_deref(), Some("time to copy b"));
        assert_eq!(mode_share(7.0, 14.0), Some(0.5));
        assert_eq!(mode_share(7.0, 0.0), None);
    }
}
