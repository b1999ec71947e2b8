//! A plan played through time: its runs by the executor's own schedule, then losses at random
//! moments, each with what comes back. What a promise says is compared with what happens.
//!
//! Sizes and rates that are known are taken as true; log is written between its mean and its
//! peak; deadlines may be used up. With mishaps sizes grow, devices are slow at times and couriers
//! late, so that promises can be broken which the plan keeps when all goes as written.

use jiff::Timestamp;

use crate::check::CheckedPlan;
use crate::check::proof::Row;
use crate::estimate::Known;
use crate::estimate::survive::{self, Case};
use crate::facts::facts_file::MeasuredFacts;
use crate::graph::{self, GraphError};

mod chance;
mod log;
mod moment;
mod runs;
mod tally;
mod truth;
mod unpromised;

pub use runs::Run;
pub use tally::{Fate, Spread, Year};
pub use unpromised::unpromised;

use chance::Chance;
use moment::Moment;
use runs::{Runs, Stage};
use truth::Truth;

const DAY: f64 = 86_400.0;

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// All chance follows from it.
    pub seed: u64,
    /// How long.
    pub days: u32,
    /// Losses for each promise.
    pub losses: u32,
    /// Whether devices are slow and couriers late at times.
    pub mishaps: bool,
}

/// One loss of a play.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its number among those of its promise; with the seed it can be played again.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// What was lost.
    pub case: Case,
    /// Seconds of work that were lost; none when something did not come back.
    pub lost: Option<f64>,
    /// Seconds until the service was back; none when a size or a rate is not known.
    pub took: Option<f64>,
    /// What happened, for people.
    pub story: Vec<String>,
}

/// A plan with all its runs, ready for losses.
pub struct Play<'a> {
    stage: Stage<'a>,
    runs: Runs,
    trial: Trial,
}

/// What a play is made from.
#[derive(Debug)]
pub struct World<'a> {
    plan: &'a CheckedPlan,
    truth: Truth<'a>,
}

/// The facts of a plan, joined.
#[must_use]
pub fn known(plan: &CheckedPlan, facts: Option<&MeasuredFacts>) -> Known {
    Known::of(plan.plan(), facts)
}

impl<'a> World<'a> {
    /// A plan with its facts.
    #[must_use]
    pub fn new(plan: &'a CheckedPlan, known: &'a Known) -> Self {
        let truth = Truth::new(plan.plan(), known);
        Self { plan, truth }
    }

    /// Plays all runs of a trial.
    ///
    /// # Errors
    /// When a run of the plan does not compile.
    pub fn play(&'a self, begin: Timestamp, trial: Trial) -> Result<Play<'a>, GraphError> {
        let stage = Stage {
            plan: self.plan,
            truth: &self.truth,
            begin,
            seed: trial.seed,
            mishaps: trial.mishaps,
        };
        let runs = stage.runs(f64::from(trial.days) * DAY)?;
        Ok(Play { stage, runs, trial })
    }
}

impl Play<'_> {
    /// Plays the losses of every promise that is about one.
    ///
    /// # Errors
    /// When the plan's zone is not known on this machine.
    pub fn year(&self, rows: &[&Row]) -> Result<Year, GraphError> {
        let mut fates = Vec::new();
        for (promise, row) in rows.iter().enumerate() {
            let samples: Result<Vec<Sample>, GraphError> = (0..self.trial.losses)
                .filter_map(|number| self.sample(row, promise, number).transpose())
                .collect();
            fates.push(Fate::of(promise, row, &samples?));
        }
        Ok(Year {
            begin: self.stage.begin,
            trial: self.trial,
            runs: self.runs.done.clone(),
            unknown: self.runs.unknown,
            fates,
        })
    }

    /// One loss for one promise, told by its number; none for promises about no loss and for
    /// services that the plan does not have.
    ///
    /// # Errors
    /// When the plan's zone is not known on this machine.
    pub fn sample(
        &self,
        row: &Row,
        promise: usize,
        number: u32,
    ) -> Result<Option<Sample>, GraphError> {
        let plan = self.stage.truth.plan;
        let promise = u64::try_from(promise).unwrap_or(u64::MAX);
        let mut chance = Chance::of(self.trial.seed, &[2, promise, u64::from(number)]);
        let (Some(loss), Some(service)) = (&row.loss, plan.find_service(&row.service)) else {
            return Ok(None);
        };
        let cases = survive::cases(plan, service, loss);
        let Some(case) = cases.get(chance.index(cases.len())) else {
            return Ok(None);
        };
        let at = self.moment(&mut chance);
        let calendar = graph::calendar(plan)?;
        let moment = Moment {
            stage: &self.stage,
            calendar: &calendar,
            runs: &self.runs,
            service,
            case,
            at,
        };
        let back = moment.back(&mut chance);
        Ok(Some(Sample {
            number,
            at: self.stage.instant(at),
            case: case.clone(),
            lost: back.lost,
            took: back.took,
            story: back.story,
        }))
    }

    /// A moment after the plan has found its rhythm: any, or the worst just before a copy is
    /// whole.
    fn moment(&self, chance: &mut Chance) -> f64 {
        let until = f64::from(self.trial.days) * DAY;
        let warm = (until / 2.0).min(36.0 * DAY);
        let part = self.runs.parts.get(chance.index(self.runs.parts.len()));
        let critical = part.and_then(|part| {
            let (_, whole) = part.at.get(chance.index(part.at.len()))?;
            Some(whole - 0.001).filter(|at| (warm..until).contains(at))
        });
        let any = chance.between(warm, until);
        critical.filter(|_| chance.happens(0.5)).unwrap_or(any)
    }
}
