//! Owns how many copies stay when a job has run for long: the tiers of its retention, applied to
//! the points it makes (Q13). Must not know sizes or devices.

use crate::resolve::plan::Tier;

/// More points than this show nothing new.
const MOST: f64 = 20_000.0;

/// How often a job makes copies, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cadence {
    /// From full to full.
    pub fulls: f64,
    /// From copy to copy of any kind.
    pub runs: f64,
    /// True when every increment needs the one before it, false when it needs the full alone.
    pub chained: bool,
}

/// How many copies lie on a device at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Copies that stand alone.
    pub fulls: u32,
    /// Copies that stand on others.
    pub increments: u32,
}

/// What the tiers keep at steady state, at the moment at which most of it lies there.
#[must_use]
pub fn steady(tiers: &[Tier], cadence: Cadence) -> Kept {
    let span = tiers
        .iter()
        .map(|tier| reach(*tier, cadence))
        .fold(0.0, f64::max);
    if cadence.runs <= 0.0 || cadence.fulls <= 0.0 {
        return Kept::default();
    }
    let runs = cadence.runs.max(span / MOST);
    let chain = whole((cadence.fulls / runs).round()).max(1);
    let points = whole((span / runs).ceil()) + 2 * chain + 1;
    let phases = (0..chain.min(64)).map(|phase| kept(tiers, cadence, (runs, chain, points), phase));
    // a full weighs more than any number of increments
    phases
        .max_by_key(|kept| (kept.fulls, kept.increments))
        .unwrap_or_default()
}

/// How far back a tier can keep something, in days.
fn reach(tier: Tier, cadence: Cadence) -> f64 {
    let span = match tier {
        Tier::Window(span) => span.as_secs() / 86_400.0,
        Tier::Daily(count) => f64::from(count),
        Tier::Weekly(count) => 7.0 * f64::from(count),
        Tier::Monthly(count) => 30.0 * f64::from(count),
        Tier::Yearly(count) => 365.0 * f64::from(count),
        Tier::Last(count) => cadence.runs * f64::from(count),
    };
    span + cadence.fulls
}

/// Point 0 is the newest; the full of the newest chain is point `phase`.
fn kept(
    tiers: &[Tier],
    cadence: Cadence,
    (runs, chain, points): (f64, usize, usize),
    phase: usize,
) -> Kept {
    let mut needed = vec![false; points];
    for tier in tiers {
        mark(*tier, runs, &mut needed);
    }
    let is_full = |point: usize| point % chain == phase % chain;
    let mut kept = Kept::default();
    // from the newest to the oldest: what a kept point stands on is older than it
    let mut carried = false;
    for (point, needed) in needed.into_iter().enumerate() {
        let wanted = needed || (carried && (cadence.chained || is_full(point)));
        carried |= needed;
        if wanted && is_full(point) {
            kept.fulls += 1;
        } else if wanted {
            kept.increments += 1;
        }
        carried &= !is_full(point);
    }
    kept
}

fn mark(tier: Tier, runs: f64, needed: &mut [bool]) {
    let mut newest_of = |length: f64, count: u32| {
        for period in 0..count {
            let first = whole((f64::from(period) * length / runs).ceil());
            let next = whole((f64::from(period + 1) * length / runs).ceil());
            if let Some(point) = needed.get_mut(first).filter(|_| first < next) {
                *point = true;
            }
        }
    };
    match tier {
        Tier::Daily(count) => newest_of(1.0, count),
        Tier::Weekly(count) => newest_of(7.0, count),
        Tier::Monthly(count) => newest_of(30.0, count),
        Tier::Yearly(count) => newest_of(365.0, count),
        Tier::Last(count) => needed
            .iter_mut()
            .take(count as usize)
            .for_each(|p| *p = true),
        Tier::Window(span) => {
            // the oldest instant needs a copy that is at least as old
            let oldest = whole((span.as_secs() / 86_400.0 / runs).ceil());
            needed.iter_mut().take(oldest + 1).for_each(|p| *p = true);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; saturates"
)]
fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Duration;

    const fn days(count: u64) -> Duration {
        Duration::from_secs(86_400 * count)
    }

    fn of(tiers: &[Tier], fulls: f64, runs: f64) -> (u32, u32) {
        let kept = steady(
            tiers,
            Cadence {
                fulls,
                runs,
                chained: true,
            },
        );
        (kept.fulls, kept.increments)
    }

    #[test]
    fn a_window_keeps_the_chain_below_its_oldest_instant() {
        // the day before the next full: all of its week, and the week in which the window begins
        assert_eq!(of(&[Tier::Window(days(7))], 7.0, 1.0), (2, 12));
        // the day after a full: its own week's first increment and two whole weeks
        assert_eq!(of(&[Tier::Window(days(9))], 7.0, 1.0), (3, 13));
        assert_eq!(of(&[Tier::Window(days(7))], 1.0, 1.0), (8, 0));
    }

    #[test]
    fn periods_keep_one_point_each_and_overlap() {
        assert_eq!(of(&[Tier::Daily(7)], 1.0, 1.0), (7, 0));
        assert_eq!(of(&[Tier::Weekly(4)], 1.0, 1.0), (4, 0));
        assert_eq!(of(&[Tier::Daily(7), Tier::Weekly(4)], 1.0, 1.0), (10, 0));
        // a weekly job has a point for only every seventh day
        assert_eq!(of(&[Tier::Daily(14)], 7.0, 7.0), (2, 0));
        assert_eq!(of(&[Tier::Last(3)], 1.0, 1.0), (3, 0));
    }

    #[test]
    fn a_kept_increment_keeps_what_it_stands_on() {
        let (fulls, increments) = of(&[Tier::Last(1)], 7.0, 1.0);
        assert_eq!((fulls, increments), (1, 6));
        let alone = Cadence {
            fulls: 7.0,
            runs: 1.0,
            chained: false,
        };
        let kept = steady(&[Tier::Last(1)], alone);
        assert_eq!((kept.fulls, kept.increments), (1, 1));
    }
}
