//! Owns what runs have shown of devices: the rates at which copies went to them and came back,
//! with all that is done on the way. Must not know how a probe measures.

use std::collections::BTreeMap;

use super::holdings::{Holdings, JobHistory, fetched_from};
use crate::quantity::{BytesPerSecond, float};
use crate::resolve::plan::{Backup, DeviceId, ResolvedPlan};

/// Below this the start of a run is most of what was measured.
const LEAST_SECONDS: f64 = 1.0;
const LEAST_BYTES: u64 = 64 << 20;

/// Rates of a device: written, read.
pub type Rates = (Option<BytesPerSecond>, Option<BytesPerSecond>);

/// Rates by device, from the last runs of jobs. Of several jobs the slowest counts, since a proof
/// needs what a device gives at least; what a plan throttles tells nothing of a device.
#[must_use]
pub fn rates(plan: &ResolvedPlan, holdings: &Holdings) -> BTreeMap<String, Rates> {
    let mut found: BTreeMap<String, Rates> = BTreeMap::new();
    let shown = holdings.jobs.iter();
    let shown = shown.filter(|job| job.seconds >= LEAST_SECONDS && job.bytes >= LEAST_BYTES);
    for job in shown {
        let rate = float(job.bytes) / job.seconds;
        for device in written(plan, job) {
            lower(&mut found.entry(device).or_default().0, rate);
        }
        let from = fetched_from(&job.job).unwrap_or_default();
        for device in &from {
            // they are read at once, and their rates add up
            let own = rate / float(from.len() as u64);
            lower(&mut found.entry((*device).to_owned()).or_default().1, own);
        }
    }
    found
}

/// The devices that a job writes as fast as they take it.
fn written(plan: &ResolvedPlan, job: &JobHistory) -> Vec<String> {
    let mut backups = plan.backups.iter();
    let Some(backup) = backups.find(|backup| backup.origin.full_name(&backup.name) == job.job)
    else {
        return Vec::new();
    };
    if !backup.keeping.throttle.is_empty() {
        return Vec::new();
    }
    let ids = devices(backup).map(|id| plan.device(id));
    ids.filter(|device| device.throttle.is_empty())
        .map(|device| device.name.clone())
        .collect()
}

fn devices(backup: &Backup) -> impl Iterator<Item = DeviceId> {
    let store = backup.keeping.store.as_ref().map(|store| store.value);
    let copies = backup.keeping.copies.iter().filter(|copy| copy.live);
    store.into_iter().chain(copies.map(|copy| copy.device))
}

fn lower(slot: &mut Option<BytesPerSecond>, rate: f64) {
    let old = slot.map_or(f64::INFINITY, |old| old.0);
    *slot = Some(BytesPerSecond(old.min(rate)));
}
