//! Owns how runs fit their windows, once for the rules that speak of it.
//! Must not write messages.
//!
//! What cannot fit is told by lower bounds: a run's own volume, or what all runs of a window
//! move over one device or disk. What fits only tightly is told by the executor's own schedule.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::check::context::Context;
use crate::estimate::Agenda;
use crate::estimate::agenda::Batch;
use crate::resolve::plan::{DeviceId, WindowId};

/// Something that many runs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) enum Resource {
    /// A device.
    Device(DeviceId),
    /// A disk of a source, by its number in the agenda.
    Disk(u32),
}

/// The runs of one opening of a window.
#[derive(Debug, Clone)]
pub(in crate::check) struct Opening {
    /// The window.
    pub(in crate::check) window: WindowId,
    /// When it opens, and how many seconds it stays open.
    pub(in crate::check) opens: (Timestamp, f64),
    /// The loads that run in it.
    pub(in crate::check) loads: Vec<usize>,
    /// The end of the last of them by the schedule, in seconds after the opening, and which.
    pub(in crate::check) ends: (f64, usize),
    /// Seconds that they wait for runs that came up before.
    pub(in crate::check) late: f64,
    /// What is busy longest, with its seconds and bytes.
    pub(in crate::check) busiest: Option<(Resource, f64, f64)>,
}

/// The worst opening of each window: where the runs need the largest share of it.
pub(in crate::check) fn openings(context: &Context<'_>) -> Vec<Opening> {
    let Some(agenda) = &context.agenda else {
        return Vec::new();
    };
    let mut worst: BTreeMap<WindowId, Opening> = BTreeMap::new();
    for batch in &agenda.batches {
        for opening in of_batch(context, agenda, batch) {
            let share = |opening: &Opening| needed(opening) / opening.opens.1;
            match worst.get(&opening.window) {
                Some(old) if share(old) >= share(&opening) => {}
                _ => {
                    worst.insert(opening.window, opening);
                }
            }
        }
    }
    worst.into_values().collect()
}

/// Seconds that the runs of an opening need at least, or by the schedule, whichever is longer.
pub(in crate::check) fn needed(opening: &Opening) -> f64 {
    let busiest = opening.busiest.map_or(0.0, |(_, seconds, _)| seconds);
    opening.ends.0.max(busiest)
}

fn of_batch(context: &Context<'_>, agenda: &Agenda<'_>, batch: &Batch) -> Vec<Opening> {
    let mut found: BTreeMap<WindowId, Opening> = BTreeMap::new();
    for ((load, until), (_, end)) in batch.runs.iter().zip(batch.played.iter()) {
        let planned = &agenda.loads[*load];
        let take = &context.plan.backups[planned.backup.index()].takes[planned.take];
        let (Some(window), Some(until)) = (&take.schedule.during, until) else {
            continue;
        };
        let length = until.duration_since(batch.due).as_secs_f64();
        if length <= 0.0 {
            continue;
        }
        let opening = found.entry(window.value).or_insert_with(|| Opening {
            window: window.value,
            opens: (batch.due, length),
            loads: Vec::new(),
            ends: (0.0, *load),
            late: batch.late,
            busiest: None,
        });
        opening.loads.push(*load);
        if *end > opening.ends.0 {
            opening.ends = (*end, *load);
        }
    }
    let mut openings: Vec<Opening> = found.into_values().collect();
    for opening in &mut openings {
        opening.busiest = busiest(context, agenda, &opening.loads);
    }
    openings
}

/// What the loads keep busy longest, by lower bounds.
fn busiest(
    context: &Context<'_>,
    agenda: &Agenda<'_>,
    loads: &[usize],
) -> Option<(Resource, f64, f64)> {
    let mut busy: BTreeMap<Resource, (f64, f64)> = BTreeMap::new();
    for load in loads.iter().map(|load| &agenda.loads[*load]) {
        if let Some(device) = load.device {
            let rate = context.known.write(device).filter(|rate| *rate > 0.0);
            let total = busy.entry(Resource::Device(device)).or_default();
            total.0 += rate.map_or(0.0, |rate| load.bytes() / rate);
            total.1 += load.bytes();
        }
        for chunk in &load.chunks {
            for disk in &chunk.disks {
                let total = busy.entry(Resource::Disk(*disk)).or_default();
                total.0 += chunk.seconds;
                total.1 += chunk.bytes;
            }
        }
    }
    let busy = busy.into_iter();
    let busy = busy.map(|(resource, (seconds, bytes))| (resource, seconds, bytes));
    busy.max_by(|a, b| a.1.total_cmp(&b.1))
}
