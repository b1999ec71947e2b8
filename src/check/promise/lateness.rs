//! Owns how long after its time a run's copies are whole: the run at the pace of the slowest
//! device it writes, and the runs before and beside it, because the executor does one run after
//! the other and a run holds everything that is due.
//!
//! Both are upper bounds: while a run goes on at least one of its steps does, so it is never
//! longer than all its copies one after the other.

use jiff::Timestamp;

use crate::check::context::Context;
use crate::check::promise::cover;
use crate::estimate::Figure;
use crate::estimate::pace::{self, throttled};
use crate::resolve::plan::{Backup, Every};

/// For each backup of the plan the longest time from its due moment to whole copies, in seconds.
pub(in crate::check) fn all(context: &Context<'_>) -> Vec<Figure> {
    let backups = context.plan.backups.iter();
    let own: Vec<Figure> = backups.map(|backup| run_time(context, backup)).collect();
    let waits = waits(context, &own);
    own.into_iter()
        .zip(waits)
        .map(|(own, wait)| own.and(wait))
        .collect()
}

/// One run of one backup: everything is read once and written to all its devices at a time, part
/// after part.
fn run_time(context: &Context<'_>, backup: &Backup) -> Figure {
    let (plan, known) = (context.plan, context.known);
    let mut slowest = throttled(&backup.keeping.throttle).unwrap_or(f64::INFINITY);
    for (id, _) in cover::holders(backup) {
        let device = plan.device(id);
        let Some(rate) = known.write(id).filter(|rate| *rate > 0.0) else {
            return Figure::unknown(format!("write speed of {}", device.name));
        };
        let limit = throttled(&device.throttle).unwrap_or(f64::INFINITY);
        slowest = slowest.min(rate).min(limit);
    }
    let parts = backup.targets.iter().map(|id| {
        let devices = cover::holders(backup).map(|(device, _)| device);
        Some(known.size(*id)? / pace::from_source(plan, known, *id, devices).min(slowest))
    });
    match parts.sum::<Option<f64>>() {
        Some(seconds) => Figure::of("one run", seconds),
        None => Figure::unknown(format!("size of what `{}` copies", backup.name)),
    }
}

/// How long each backup waits for others at most.
fn waits(context: &Context<'_>, own: &[Figure]) -> Vec<Figure> {
    if let [_] = own {
        return vec![Figure::default()];
    }
    if let Some(missing) = own.iter().find_map(|figure| figure.missing.clone()) {
        return vec![Figure::unknown(missing); own.len()];
    }
    let seconds: Vec<f64> = own.iter().map(Figure::total).collect();
    let waits = in_turn(context, &seconds).unwrap_or_else(|| {
        // where they meet changes from day to day: each may come twice before the own one
        let all: f64 = seconds.iter().sum();
        seconds.iter().map(|own| 2.0 * (all - own)).collect()
    });
    waits.into_iter().map(wait).collect()
}

fn wait(seconds: f64) -> Figure {
    if seconds > 0.0 {
        Figure::of("runs before and beside it", seconds)
    } else {
        Figure::default()
    }
}

/// Waits where all runs come up at fixed moments of the calendar: five weeks, run after run.
fn in_turn(context: &Context<'_>, seconds: &[f64]) -> Option<Vec<f64>> {
    let agenda = context.agenda.as_ref()?;
    let mut takes = context.plan.backups.iter().flat_map(|backup| &backup.takes);
    if !takes.all(|take| matches!(take.schedule.every, Every::Days(_))) {
        return None;
    }
    let mut waits = vec![0.0_f64; seconds.len()];
    let mut free: Option<Timestamp> = None;
    for batch in &agenda.batches {
        let mut jobs: Vec<usize> = batch
            .runs
            .iter()
            .map(|(load, _)| agenda.loads[*load].backup.index())
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        let begin = free.map_or(batch.due, |free| free.max(batch.due));
        let late = begin.duration_since(batch.due).as_secs_f64();
        let all: f64 = jobs.iter().map(|job| seconds[*job]).sum();
        for job in jobs {
            waits[job] = waits[job].max(late + all - seconds[job]);
        }
        let length = jiff::SignedDuration::try_from_secs_f64(all).ok()?;
        free = begin.checked_add(length).ok();
    }
    Some(waits)
}
