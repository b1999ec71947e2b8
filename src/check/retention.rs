//! Owns the public view of retention: for every job and device what is kept, how far back the
//! oldest of it reaches at least, and what that adds up to. Must not judge.

use crate::check::context::Context;
use crate::check::job::Job;
use crate::check::promise::reach;
use crate::check::steady;
use crate::check::survival::Question;
use crate::estimate::Known;
use crate::estimate::exposure::bytes;
use crate::quantity::Duration;
use crate::resolve::plan::{ArchiveId, BackupId, JobId, ResolvedPlan, Tier};
use crate::source::Span;

/// What a job keeps on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The job, by full name.
    pub job: String,
    /// The device.
    pub device: String,
    /// What is kept; empty when nothing was said, so that it is kept for ever.
    pub tiers: Vec<Tier>,
    /// The tier that keeps longest; none when nothing was said.
    pub longest: Option<Tier>,
    /// The age of the oldest copy kept, at least; none for copies kept for ever.
    pub reach: Option<Duration>,
    /// The clause that keeps longest; the job when nothing was said.
    pub span: Span,
}

/// What every job keeps on every device, in the order of the plan.
#[must_use]
pub fn kept(plan: &ResolvedPlan) -> Vec<Kept> {
    let backups = (0..plan.backups.len()).map(|at| JobId::Backup(BackupId::from_index(at)));
    let archives = (0..plan.archives.len()).map(|at| JobId::Archive(ArchiveId::from_index(at)));
    let jobs = backups.chain(archives).map(|id| Job::new(plan, id));
    jobs.flat_map(|job| {
        let devices = job.devices();
        devices.into_iter().map(move |device| {
            let (reach, _, span) = reach::kept(&job, device);
            let tiers: Vec<Tier> = job
                .tiers(device)
                .into_iter()
                .map(|(tier, _)| tier)
                .collect();
            Kept {
                job: job.subject(),
                device: plan.device(device).name.clone(),
                longest: tiers
                    .iter()
                    .copied()
                    .max_by_key(|tier| reach::tier_span(*tier)),
                tiers,
                reach: (reach != Duration(u64::MAX)).then_some(reach),
                span,
            }
        })
    })
    .collect()
}

/// What lies on a device when everything has run for long.
#[derive(Debug, Clone, PartialEq)]
pub struct Steady {
    /// The device.
    pub device: String,
    /// Bytes, as far as sizes are known.
    pub bytes: f64,
    /// Bytes that fit, when it is known.
    pub capacity: Option<f64>,
    /// What each job has of it, by name.
    pub shares: Vec<(String, f64)>,
    /// Amounts today, with the share by which each grows in a day.
    pub growing: Vec<(f64, f64)>,
}

/// What every device that is used holds at steady state, in the order of the plan.
#[must_use]
pub fn steady_state(question: Question<'_>) -> Vec<Steady> {
    let Question { plan, sources, .. } = question;
    let known = Known::of(plan, question.facts);
    let context = Context::new(plan, sources, question.now, true, &known, question.facts);
    let devices = steady::devices(&context).into_iter();
    devices
        .map(|(id, shares)| {
            let device = plan.device(id);
            let volumes = device
                .volumes
                .and_then(|(count, size)| Some((count, size?)));
            let volumes = volumes.map(|(count, size)| bytes(size) * f64::from(count));
            Steady {
                device: device.name.clone(),
                bytes: steady::total(&shares),
                capacity: device.capacity.map(bytes).or(volumes),
                shares: (shares.iter())
                    .map(|share| (Job::new(plan, share.job).subject(), share.bytes))
                    .collect(),
                growing: shares.into_iter().flat_map(|share| share.growing).collect(),
            }
        })
        .collect()
}

/// Tiers in the words of the language: `window 14d, monthly 6`.
#[must_use]
pub fn words(tiers: &[Tier]) -> String {
    let word = |tier: &Tier| match tier {
        Tier::Window(span) => format!("window {span}"),
        Tier::Daily(count) => format!("daily {count}"),
        Tier::Weekly(count) => format!("weekly {count}"),
        Tier::Monthly(count) => format!("monthly {count}"),
        Tier::Yearly(count) => format!("yearly {count}"),
        Tier::Last(count) => format!("last {count}"),
    };
    if tiers.is_empty() {
        return "for ever".to_owned();
    }
    tiers.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A tier as a span, as people say it: `35d`, `12mo`, `7y`, `5 copies`.
#[must_use]
pub fn nominal(tier: Tier) -> String {
    match tier {
        Tier::Window(span) => span.to_string(),
        Tier::Daily(count) => format!("{count}d"),
        Tier::Weekly(count) => format!("{count}w"),
        Tier::Monthly(count) => format!("{count}mo"),
        Tier::Yearly(count) => format!("{count}y"),
        Tier::Last(count) => format!("{count} copies"),
    }
}
