//! Owns until when a job promises a copy on a device. Must not know whether the copy exists.

use jiff::{SignedDuration, Timestamp};

use super::due;
use super::error::GraphError;
use super::world::{calendar, job_name};
use crate::resolve::plan::{ArchiveId, BackupId, DeviceId, JobId, Keeping, ResolvedPlan, Schedule};

/// What a job promises of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// What the job makes lands there first: it must hold it when the job ends.
    First,
    /// It holds a copy by then at the latest.
    By(Timestamp),
    /// It holds a copy some time: the job never runs again by the clock.
    Later,
}

/// What a job promises of a device for what it made at a moment; none when it promises nothing.
/// A copy without `within` is due before the next run of the job.
///
/// # Errors
/// When the plan's time zone is not known on this machine.
pub fn placement(
    plan: &ResolvedPlan,
    job: &str,
    device: &str,
    made: Timestamp,
) -> Result<Option<Placement>, GraphError> {
    let (Some(job), Some(device)) = (find(plan, job), plan.find_device(device)) else {
        return Ok(None);
    };
    let keeping = keeping(plan, job);
    if firsts(plan, job).contains(&device) {
        return Ok(Some(Placement::First));
    }
    let Some(copy) = keeping.copies.iter().find(|copy| copy.device == device) else {
        return Ok(None);
    };
    if let Some(within) = copy.within {
        let millis = i64::try_from(within.0).unwrap_or(i64::MAX);
        let by = made.checked_add(SignedDuration::from_millis(millis));
        return Ok(Some(by.map_or(Placement::Later, Placement::By)));
    }
    let calendar = calendar(plan)?;
    let runs = schedules(plan, job).into_iter();
    // the moment itself may be due already: what comes after it counts
    let next = runs.filter_map(|run| due::next_due(&calendar, run, Some(made), made));
    let next = next.filter(|next| *next > made).min();
    Ok(Some(next.map_or(Placement::Later, Placement::By)))
}

fn find(plan: &ResolvedPlan, name: &str) -> Option<JobId> {
    let backups = (0..plan.backups.len()).map(|at| JobId::Backup(BackupId::from_index(at)));
    let archives = (0..plan.archives.len()).map(|at| JobId::Archive(ArchiveId::from_index(at)));
    let mut jobs = backups.chain(archives);
    jobs.find(|job| job_name(plan, *job) == name)
}

fn keeping(plan: &ResolvedPlan, job: JobId) -> &Keeping {
    match job {
        JobId::Backup(id) => &plan.backups[id.index()].keeping,
        JobId::Archive(id) => &plan.archives[id.index()].keeping,
    }
}

/// The devices without which what the job makes is not acknowledged.
fn firsts(plan: &ResolvedPlan, job: JobId) -> Vec<DeviceId> {
    let mut firsts: Vec<_> = keeping(plan, job).store.iter().map(|at| at.value).collect();
    if let JobId::Archive(id) = job {
        let archive = &plan.archives[id.index()];
        firsts.extend(archive.ships.iter().map(|ship| ship.device));
        firsts.extend(archive.streams.iter().map(|stream| stream.device));
    }
    firsts
}

fn schedules(plan: &ResolvedPlan, job: JobId) -> Vec<&Schedule> {
    match job {
        JobId::Backup(id) => {
            let takes = plan.backups[id.index()].takes.iter();
            takes.map(|take| &take.schedule).collect()
        }
        JobId::Archive(id) => {
            let ships = plan.archives[id.index()].ships.iter();
            ships.map(|ship| &ship.schedule).collect()
        }
    }
}
