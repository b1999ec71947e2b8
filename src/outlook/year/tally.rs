//! Owns what a play shows of each promise: how often it was kept, and how the losses spread.

use jiff::Timestamp;

use super::{Run, Sample, Trial};
use crate::check::proof::{Outcome, Row};

/// A play with all its losses.
#[derive(Debug, Clone)]
pub struct Year {
    /// Its first moment.
    pub begin: Timestamp,
    /// What was played.
    pub trial: Trial,
    /// The runs.
    pub runs: Vec<Run>,
    /// Steps whose length is not known and that took no time.
    pub unknown: usize,
    /// The promises about losses.
    pub fates: Vec<Fate>,
}

impl Year {
    /// By how much the runs together are longer than their lower bounds; 1 when nothing ran.
    #[must_use]
    pub fn over_bound(&self) -> f64 {
        let took: f64 = self.runs.iter().map(|run| run.seconds).sum();
        let bound: f64 = self.runs.iter().map(|run| run.bound).sum();
        if bound > 0.0 { took / bound } else { 1.0 }
    }
}

/// Values in order of size, by a few of them.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// Half are not larger.
    pub median: f64,
    /// 95 of 100 are not larger.
    pub p95: f64,
    /// 99 of 100 are not larger.
    pub p99: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |hundredth: usize| {
            let last = values.len().checked_sub(1)?;
            values.get(last * hundredth / 100).copied()
        };
        Some(Self {
            least: at(0)?,
            median: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
            most: at(100)?,
        })
    }
}

/// What happened to one promise.
#[derive(Debug, Clone)]
pub struct Fate {
    /// Its number, for replaying.
    pub promise: usize,
    /// Its words.
    pub words: String,
    /// Whose it is.
    pub service: String,
    /// `rpo` or `rto`.
    pub claim: &'static str,
    /// Seconds promised.
    pub limit: Option<f64>,
    /// How the checker found it.
    pub verdict: Outcome,
    /// Losses played that could be measured.
    pub losses: usize,
    /// How many of them kept the promise.
    pub kept: usize,
    /// Losses after which something did not come back.
    pub gone: usize,
    /// Losses that could not be measured for want of a size or a rate.
    pub unmeasured: usize,
    /// Seconds of work lost, or seconds until the service was back.
    pub spread: Option<Spread>,
    /// The loss that cost most.
    pub worst: Option<Sample>,
}

impl Fate {
    pub(super) fn of(promise: usize, row: &Row, samples: &[Sample]) -> Self {
        let cost = |sample: &Sample| match (row.claim, sample.lost) {
            (_, None) => Some(f64::INFINITY),
            ("rto", Some(_)) => sample.took,
            (_, lost) => lost,
        };
        let costs: Vec<f64> = samples.iter().filter_map(cost).collect();
        let limit = row.limit.unwrap_or(f64::INFINITY);
        let worst = samples.iter().filter(|sample| cost(sample).is_some());
        let worst = worst.max_by(|a, b| cost(a).unwrap_or(0.0).total_cmp(&cost(b).unwrap_or(0.0)));
        Self {
            promise,
            words: row.words.clone(),
            service: row.service.clone(),
            claim: row.claim,
            limit: row.limit,
            verdict: row.verdict,
            losses: costs.len(),
            kept: costs.iter().filter(|cost| **cost <= limit + 0.5).count(),
            gone: costs.iter().filter(|cost| cost.is_infinite()).count(),
            unmeasured: samples.len() - costs.len(),
            spread: Spread::of(costs.into_iter().filter(|cost| cost.is_finite()).collect()),
            worst: worst.cloned(),
        }
    }

    /// True when a promise that was proved did not hold.
    #[must_use]
    pub fn contradicts_proof(&self) -> bool {
        self.verdict == Outcome::Proved && self.kept < self.losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        let spread = Spread::of((0..=100).rev().map(f64::from).collect()).expect("values");
        let all = [
            spread.least,
            spread.median,
            spread.p95,
            spread.p99,
            spread.most,
        ];
        let words: Vec<String> = all.iter().map(f64::to_string).collect();
        assert_eq!(words, ["0", "50", "95", "99", "100"]);
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
