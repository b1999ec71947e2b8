//! Owns what runs have shown of devices and hosts: the rates at which copies went to them and came
//! back, with all that is done on the way, and at which log was replayed. Must not know how a probe
//! measures.

use std::collections::BTreeMap;

use super::holdings::{Holdings, JobHistory, fetched_from, replaying};
use crate::quantity::{BytesPerSecond, float};
use crate::resolve::plan::{Backup, DeviceId, EngineKind, ResolvedPlan};

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
    for (job, rate) in telling(holdings) {
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

/// The rate at which log of PostgreSQL was replayed, by the host of the service: the slowest counts.
/// Other engines count their log in another measure.
#[must_use]
pub fn replays(plan: &ResolvedPlan, holdings: &Holdings) -> BTreeMap<String, BytesPerSecond> {
    let mut found: BTreeMap<String, Option<BytesPerSecond>> = BTreeMap::new();
    for (job, rate) in telling(holdings) {
        let mut services = plan.services.iter();
        let of = services.find(|service| {
            service.engine == EngineKind::Postgresql && replaying(&service.name) == job.job
        });
        if let Some(host) = of.and_then(|service| service.host.clone()) {
            lower(found.entry(host).or_default(), rate);
        }
    }
    let rates = found.into_iter();
    rates
        .filter_map(|(host, rate)| Some((host, rate?)))
        .collect()
}

/// Jobs that tell of a rate, with it.
fn telling(holdings: &Holdings) -> impl Iterator<Item = (&JobHistory, f64)> {
    let jobs = holdings.jobs.iter();
    jobs.filter(|job| job.seconds >= LEAST_SECONDS && job.bytes >= LEAST_BYTES)
        .map(|job| (job, float(job.bytes) / job.seconds))
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn short_runs_tell_nothing_of_a_rate() {
        let job = |job: &str, seconds, bytes| JobHistory {
            job: job.to_owned(),
            method: None,
            began: Timestamp::UNIX_EPOCH,
            seconds,
            bytes,
        };
        let holdings = Holdings {
            jobs: vec![
                job("long", 4.0, 4 * LEAST_BYTES),
                job("quick", 0.5, LEAST_BYTES),
                job("small", 4.0, LEAST_BYTES - 1),
            ],
            ..Holdings::default()
        };
        let told: Vec<_> = telling(&holdings)
            .map(|(job, rate)| (&*job.job, rate))
            .collect();
        assert_eq!(told, [("long", float(LEAST_BYTES))]);
    }
}
