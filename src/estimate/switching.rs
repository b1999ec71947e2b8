//! Owns a switchover: how long it takes and what it can lose (Q20). Must not know hosts.

use super::figure::Figure;

/// What a switchover is made of; seconds, bytes and bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Switch {
    /// Until the old primary takes no more writes.
    pub freeze: Option<f64>,
    /// How far the standby may be behind, in bytes of log.
    pub lag: Option<f64>,
    /// How fast the standby applies log.
    pub apply: Option<f64>,
    /// Until both are compared.
    pub compare: Option<f64>,
    /// Until clients go to the new primary.
    pub redirect: Option<f64>,
}

/// Seconds during which nothing can be written.
#[must_use]
pub fn outage(switch: Switch) -> Figure {
    let term = |figure: Figure, name: &str, value: Option<f64>| match value {
        Some(seconds) => figure.plus(name, seconds),
        None => figure.lacks(format!("time to {name}")),
    };
    let figure = match (switch.lag, switch.apply.filter(|rate| *rate > 0.0)) {
        (Some(lag), Some(rate)) => Figure::of("to apply the lag", lag / rate),
        (None, _) => Figure::unknown("a bound on the lag"),
        (_, None) => Figure::unknown("replay speed of the standby"),
    };
    let figure = term(figure, "freeze the old primary", switch.freeze);
    let figure = term(figure, "compare both", switch.compare);
    term(figure, "redirect clients", switch.redirect)
}

/// Seconds of work that are lost: none when the lag is drained before promotion, else the lag at
/// the mean rate at which log is written.
#[must_use]
pub fn loss(drained: bool, lag: Option<f64>, written: Option<f64>) -> Figure {
    if drained {
        return Figure::of("the lag is drained first", 0.0);
    }
    match (lag, written.filter(|rate| *rate > 0.0)) {
        (Some(lag), Some(rate)) => Figure::of("lag at the mean log rate", lag / rate),
        (None, _) => Figure::unknown("a bound on the lag"),
        (_, None) => Figure::unknown("log rate of the primary"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_outage_add_up() {
        let switch = Switch {
            freeze: Some(2.0),
            lag: Some(160.0),
            apply: Some(40.0),
            compare: Some(3.0),
            redirect: Some(10.0),
        };
        assert!((outage(switch).total() - 19.0).abs() < 1e-9);
        let unknown = Switch {
            lag: None,
            ..switch
        };
        assert!(!outage(unknown).is_bound());
    }

    #[test]
    fn only_a_forced_switch_loses() {
        assert!(loss(true, None, None).within(0.0));
        assert!((loss(false, Some(160.0), Some(16.0)).total() - 10.0).abs() < 1e-9);
        assert!(!loss(false, Some(160.0), None).is_bound());
    }
}
