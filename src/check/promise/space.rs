//! Owns how much log piles up at its source: what is written while a part is in backup mode, and
//! what waits to be shipped (Q2). Must not know how much space there is beside the promise.

use crate::check::context::Context;
use crate::check::promise::cover::is_physical;
use crate::check::promise::{Broken, Verdict};
use crate::estimate::exposure::bytes;
use crate::estimate::{Figure, log_space};
use crate::quantity::Bytes;
use crate::resolve::plan::{ArchiveId, BackupId, Every, ServiceId};

/// Log that outgrows its space.
#[derive(Debug, Clone)]
pub(in crate::check) struct Piled {
    /// Bytes with their terms.
    pub(in crate::check) figure: Figure,
    /// The longest backup mode: the backup, seconds, and the rate of copying.
    pub(in crate::check) bracket: Option<(BackupId, f64, f64)>,
    /// The rate at which log is written at most.
    pub(in crate::check) peak: f64,
    /// The archive that lets log wait.
    pub(in crate::check) archive: Option<ArchiveId>,
}

/// Judges one promise.
pub(in crate::check) fn judge(context: &Context<'_>, service: ServiceId, limit: Bytes) -> Verdict {
    let limit = bytes(limit);
    let Some(piled) = piled(context, service) else {
        let name = &context.plan.service(service).name;
        return Verdict::Unknown(format!("log peak of {name}"));
    };
    if piled.figure.within(limit) {
        return Verdict::Proved(piled.figure);
    }
    if piled.figure.beyond(limit) {
        return Verdict::Broken(Broken::Space(piled));
    }
    match piled.figure.missing {
        Some(missing) => Verdict::Unknown(missing),
        None => Verdict::Open,
    }
}

/// The log that piles up at most. `None` when the peak is not known.
pub(in crate::check) fn piled(context: &Context<'_>, service: ServiceId) -> Option<Piled> {
    let peak = context.known.log_peak(service)?;
    let (bracket, missing) = bracket(context, service);
    let mut figure = Figure::default();
    if let Some((id, seconds, _)) = bracket {
        let name = &context.plan.backups[id.index()].name;
        let what = format!("written while `{name}` keeps a part in backup mode");
        figure = figure.plus(what, log_space::in_backup_mode(peak, seconds));
    }
    if let Some(missing) = missing {
        figure = figure.lacks(missing);
    }
    let (waiting, archive) = waiting(context, service, peak);
    Some(Piled {
        figure: figure.and(waiting),
        bracket,
        peak,
        archive,
    })
}

/// The longest time that a part is in backup mode; each part has its own. What is not known
/// counts as nothing, and is named.
fn bracket(
    context: &Context<'_>,
    service: ServiceId,
) -> (Option<(BackupId, f64, f64)>, Option<String>) {
    let (mut longest, mut missing) = (None, None);
    for (id, backup) in context.service_backups(service) {
        if !is_physical(backup) {
            continue;
        }
        let loads = context.agenda.as_ref().map(|agenda| agenda.loads_of(id));
        for load in loads.unwrap_or_default() {
            if !load.complete {
                missing.get_or_insert_with(|| format!("size of what `{}` copies", backup.name));
            }
            let Some(pace) = &load.pace else {
                missing.get_or_insert_with(|| format!("write speed for `{}`", backup.name));
                continue;
            };
            let parts = load.parts.iter();
            let parts =
                parts.filter(|part| context.plan.component(part.component).service == service);
            for part in parts {
                if longest.is_none_or(|(_, seconds, _)| part.seconds > seconds) {
                    longest = Some((id, part.seconds, pace.rate));
                }
            }
        }
    }
    (longest, missing)
}

/// What waits for the slowest way of the log off its source.
fn waiting(context: &Context<'_>, service: ServiceId, peak: f64) -> (Figure, Option<ArchiveId>) {
    let plan = context.plan;
    let mut worst: Option<(Figure, ArchiveId)> = None;
    let mut missing = None;
    for (id, archive) in context.service_archives(service) {
        let ships = archive.ships.iter().map(|ship| {
            let (interval, size) = match &ship.schedule.every {
                Every::Interval(interval, size) => (Some(*interval), *size),
                Every::Size(size) => (None, Some(*size)),
                Every::Hour | Every::Days(_) => {
                    (crate::check::cadence::longest_gap(&ship.schedule), None)
                }
            };
            (ship.device, log_space::unshipped(peak, interval, size))
        });
        let streams = archive.streams.iter();
        let streams = streams.map(|stream| (stream.device, stream.lag.map(bytes)));
        for (device, waits) in ships.chain(streams) {
            let name = &plan.device(device).name;
            let Some(waits) = waits else {
                missing.get_or_insert_with(|| format!("a bound on the lag to {name}"));
                continue;
            };
            let figure = Figure::of(format!("not yet on {name}"), waits);
            if worst.as_ref().is_none_or(|(old, _)| old.total() < waits) {
                worst = Some((figure, id));
            }
        }
    }
    let (mut figure, archive) = worst.map_or((Figure::default(), None), |(f, id)| (f, Some(id)));
    if let Some(missing) = missing {
        figure = figure.lacks(missing);
    }
    (figure, archive)
}
