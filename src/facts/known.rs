//! Owns what is known: what the plan and the inventory state, what was measured, what runs have
//! shown. What is not known stays unknown; nothing here guesses.
//!
//! Of two values the one that makes a promise harder counts, so that a proof holds for both. The
//! estimates of a single run go by the newest instead: see [`Known::latest_size`].

use std::collections::BTreeMap;

use super::facts_file::MeasuredFacts;
use super::holdings::{Holdings, JobHistory, beside};
use super::instance::Instance;
use crate::quantity::{Bytes, BytesPerSecond, Duration, float};
use crate::resolve::plan::{AssumptionKind, ComponentId, DeviceId, ResolvedPlan, ServiceId};

/// A run of so many bytes tells how fast any amount goes.
const ENOUGH: u64 = 64 << 20;
/// One of fewer bytes tells how fast up to this many times as many go.
const FURTHEST: u64 = 16;

/// Facts of one environment by id. Sizes in bytes, rates in bytes a second.
#[derive(Debug, Clone, Default)]
pub struct Known {
    sizes: Vec<Option<f64>>,
    changes: Vec<Option<f64>>,
    log_low: Vec<Option<f64>>,
    log_high: Vec<Option<f64>>,
    log_peak: Vec<Option<f64>>,
    log_within: Vec<Option<Duration>>,
    reads: Vec<Option<f64>>,
    writes: Vec<Option<f64>>,
    growths: Vec<Option<f64>>,
    replays: BTreeMap<String, f64>,
    disk_reads: BTreeMap<String, BTreeMap<String, f64>>,
    latest: Vec<Option<f64>>,
    stored: Vec<Option<f64>>,
    runs: BTreeMap<String, (f64, u64)>,
    instances: BTreeMap<String, Instance>,
}

impl Known {
    /// Joins what is stated with what was measured.
    #[must_use]
    pub fn of(plan: &ResolvedPlan, measured: Option<&MeasuredFacts>) -> Self {
        let (parts, services) = (plan.components.len(), plan.services.len());
        let mut known = Self {
            sizes: vec![None; parts],
            changes: vec![None; parts],
            log_low: vec![None; services],
            log_high: vec![None; services],
            log_peak: vec![None; services],
            log_within: vec![None; services],
            reads: plan.devices.iter().map(|d| d.read.map(|r| r.0)).collect(),
            writes: plan.devices.iter().map(|d| d.write.map(|r| r.0)).collect(),
            growths: vec![None; parts],
            replays: BTreeMap::new(),
            disk_reads: BTreeMap::new(),
            latest: vec![None; parts],
            stored: vec![None; parts],
            runs: BTreeMap::new(),
            instances: BTreeMap::new(),
        };
        for (name, host) in &plan.hosts {
            if let Some(rate) = host.replay {
                known.replays.insert(name.clone(), rate.0);
            }
            let disks = host.disks.iter();
            let reads = disks.filter_map(|(disk, facts)| Some((disk.clone(), facts.read?.0)));
            known.disk_reads.insert(name.clone(), reads.collect());
        }
        known.state(plan);
        known.latest.clone_from(&known.sizes);
        if let Some(measured) = measured {
            known.measure(plan, measured);
        }
        known
    }

    /// With what earlier runs have shown: sizes, how far copies shrink, how long jobs take.
    #[must_use]
    pub fn with_runs(mut self, plan: &ResolvedPlan, holdings: &Holdings) -> Self {
        let ids = (0..plan.components.len()).map(ComponentId::from_index);
        let ids: BTreeMap<String, ComponentId> =
            ids.map(|id| (plan.component_key(id), id)).collect();
        for part in &holdings.parts {
            let Some(id) = ids.get(&part.component) else {
                continue;
            };
            // parts come in order of time, so the newest stays; increments are no size
            if part.base.is_none() {
                self.latest[id.index()] = Some(float(part.bytes));
                larger(&mut self.sizes[id.index()], float(part.bytes));
            }
            if part.bytes > 0 {
                let ratio = float(part.stored_bytes) / float(part.bytes);
                self.stored[id.index()] = Some(ratio);
            }
        }
        let mut jobs: Vec<&JobHistory> = holdings.jobs.iter().collect();
        jobs.sort_by_key(|job| job.began);
        for job in jobs {
            self.runs.insert(job.job.clone(), (job.seconds, job.bytes));
        }
        self
    }

    fn state(&mut self, plan: &ResolvedPlan) {
        for assumed in &plan.assumptions {
            match assumed.kind {
                AssumptionKind::Size(size) => {
                    for id in stated_parts(plan, &assumed.of, assumed.service) {
                        larger(&mut self.sizes[id.index()], bytes(size));
                    }
                }
                AssumptionKind::Change(share) => {
                    for id in stated_parts(plan, &assumed.of, assumed.service) {
                        larger(&mut self.changes[id.index()], share);
                    }
                }
                AssumptionKind::LogRate(rate) => {
                    if let Some(id) = stated_service(plan, assumed.service) {
                        self.log_rate(id, rate);
                    }
                }
                AssumptionKind::LogPeak(rate) => {
                    if let Some(id) = stated_service(plan, assumed.service) {
                        larger(&mut self.log_peak[id.index()], rate.0);
                    }
                }
                AssumptionKind::Growth(share) => {
                    for id in stated_parts(plan, &assumed.of, assumed.service) {
                        larger(&mut self.growths[id.index()], share);
                    }
                }
            }
        }
    }

    fn measure(&mut self, plan: &ResolvedPlan, measured: &MeasuredFacts) {
        for at in 0..plan.components.len() {
            let key = plan.component_key(ComponentId::from_index(at));
            if let Some((size, change, growth)) = measured.components.get(&key) {
                each(*growth, |share| larger(&mut self.growths[at], share));
                each(size.map(bytes), |size| {
                    self.latest[at] = Some(size);
                    larger(&mut self.sizes[at], size);
                });
                each(*change, |share| larger(&mut self.changes[at], share));
            }
        }
        for (at, service) in plan.services.iter().enumerate() {
            if let Some((mean, peak)) = measured.services.get(&service.name) {
                each(*mean, |rate| self.log_rate(ServiceId::from_index(at), rate));
                each(*peak, |rate| larger(&mut self.log_peak[at], rate.0));
            }
            let instance = measured.instances.get(&service.name);
            self.log_within[at] = instance.and_then(Instance::ends_log_within);
        }
        self.instances.clone_from(&measured.instances);
        for (at, device) in plan.devices.iter().enumerate() {
            if let Some((write, read)) = measured.devices.get(&device.name) {
                each(*write, |rate| smaller(&mut self.writes[at], rate.0));
                each(*read, |rate| smaller(&mut self.reads[at], rate.0));
            }
        }
        for (host, rate) in &measured.hosts {
            each(*rate, |rate| {
                let slowest = self.replays.entry(host.clone()).or_insert(rate.0);
                *slowest = slowest.min(rate.0);
            });
        }
    }

    fn log_rate(&mut self, id: ServiceId, rate: BytesPerSecond) {
        smaller(&mut self.log_low[id.index()], rate.0);
        larger(&mut self.log_high[id.index()], rate.0);
    }

    /// Bytes of a component, at most.
    #[must_use]
    pub fn size(&self, id: ComponentId) -> Option<f64> {
        at(&self.sizes, id.index())
    }

    /// Bytes of a component by the newest that is known: the last copy of all of it, else the
    /// last survey, else what is assumed.
    #[must_use]
    pub fn latest_size(&self, id: ComponentId) -> Option<f64> {
        at(&self.latest, id.index())
    }

    /// Bytes stored for one byte of a component, by its newest copy.
    #[must_use]
    pub fn stored_ratio(&self, id: ComponentId) -> Option<f64> {
        at(&self.stored, id.index())
    }

    /// Seconds of a job's last run.
    #[must_use]
    pub fn job_seconds(&self, job: &str) -> Option<f64> {
        self.runs.get(job).map(|(seconds, _)| *seconds)
    }

    /// Bytes a second of a job's last run.
    #[must_use]
    pub fn job_rate(&self, job: &str) -> Option<f64> {
        let (seconds, bytes) = self.runs.get(job)?;
        rate(*bytes, *seconds)
    }

    /// Seconds that so many bytes of some work take, by its last run: what comes whatever the
    /// bytes, and what grows with them. A run of few bytes tells nothing of very many.
    #[must_use]
    pub fn paced(&self, work: &str, bytes: u64) -> Option<f64> {
        let (seconds, seen) = *self.runs.get(work)?;
        let enough = seen >= ENOUGH || bytes <= seen.saturating_mul(FURTHEST);
        let rest = self.job_seconds(&beside(work)).unwrap_or(0.0);
        (seen > 0 && enough).then(|| seconds * float(bytes) / float(seen) + rest)
    }

    /// What an instance said of itself when it was surveyed.
    #[must_use]
    pub fn instance(&self, service: &str) -> Option<&Instance> {
        self.instances.get(service)
    }

    /// Share of a component that changes in a day, at most.
    #[must_use]
    pub fn change(&self, id: ComponentId) -> Option<f64> {
        at(&self.changes, id.index())
    }

    /// Share by which a component grows in a day, at most.
    #[must_use]
    pub fn growth(&self, id: ComponentId) -> Option<f64> {
        at(&self.growths, id.index())
    }

    /// Read rate of a source disk, at least.
    #[must_use]
    pub fn disk_read(&self, host: &str, disk: &str) -> Option<f64> {
        self.disk_reads.get(host)?.get(disk).copied()
    }

    /// Mean rate of a service's log, at least: an amount of log is this much time, at most.
    #[must_use]
    pub fn log_mean_low(&self, id: ServiceId) -> Option<f64> {
        at(&self.log_low, id.index())
    }

    /// Mean rate of a service's log, at most.
    #[must_use]
    pub fn log_mean_high(&self, id: ServiceId) -> Option<f64> {
        at(&self.log_high, id.index())
    }

    /// Peak rate of a service's log, at most.
    #[must_use]
    pub fn log_peak(&self, id: ServiceId) -> Option<f64> {
        at(&self.log_peak, id.index())
    }

    /// How long log waits at most before it is shipped, where the plan ships it after `planned`:
    /// the server may end its segments more often by itself.
    #[must_use]
    pub fn log_shipped_within(&self, id: ServiceId, planned: Option<Duration>) -> Option<Duration> {
        let own = self.log_within.get(id.index()).copied().flatten();
        own.into_iter().chain(planned).min()
    }

    /// Read rate of a device, at least.
    #[must_use]
    pub fn read(&self, id: DeviceId) -> Option<f64> {
        at(&self.reads, id.index())
    }

    /// Write rate of a device, at least.
    #[must_use]
    pub fn write(&self, id: DeviceId) -> Option<f64> {
        at(&self.writes, id.index())
    }

    /// Rate at which a host replays log, at least.
    #[must_use]
    pub fn replay(&self, host: &str) -> Option<f64> {
        self.replays.get(host).copied()
    }
}

/// What is known of an id; nothing is known of ids of another plan.
fn at(values: &[Option<f64>], index: usize) -> Option<f64> {
    values.get(index).copied().flatten()
}

/// The components that an assumption about `of`, or else about a service, says something of.
#[must_use]
pub fn stated_parts(
    plan: &ResolvedPlan,
    of: &[ComponentId],
    service: Option<ServiceId>,
) -> Vec<ComponentId> {
    match (of, stated_service(plan, service)) {
        // the size of a whole service says something of a part only when there is just one
        ([], Some(service)) if plan.service(service).components.1 == 1 => {
            plan.components_of(service).collect()
        }
        (of, _) => of.to_vec(),
    }
}

/// A fact that names no service is about the only one.
fn stated_service(plan: &ResolvedPlan, service: Option<ServiceId>) -> Option<ServiceId> {
    service.or_else(|| (plan.services.len() == 1).then_some(ServiceId(0)))
}

fn bytes(size: Bytes) -> f64 {
    float(size.0)
}

fn each<T>(value: Option<T>, take: impl FnOnce(T)) {
    if let Some(value) = value {
        take(value);
    }
}

fn larger(slot: &mut Option<f64>, value: f64) {
    *slot = Some(slot.map_or(value, |old| old.max(value)));
}

fn smaller(slot: &mut Option<f64>, value: f64) {
    *slot = Some(slot.map_or(value, |old| old.min(value)));
}

/// Below a tenth of a second the start of a run is all that was measured.
fn rate(bytes: u64, seconds: f64) -> Option<f64> {
    (bytes > 0 && seconds >= 0.1).then(|| float(bytes) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_few_bytes_tells_nothing_of_very_many() {
        let mut known = Known::default();
        let mut ran = |seen, bytes| {
            known.runs.insert("work".to_owned(), (2.0, seen));
            known.runs.insert(beside("work"), (3.0, 0));
            known.paced("work", bytes)
        };
        assert_eq!(ran(100, 200), Some(7.0));
        assert_eq!(ran(100, 1600), Some(35.0));
        assert_eq!(ran(100, 1601), None);
        assert_eq!(ran(ENOUGH, 100 * ENOUGH), Some(203.0));
        assert_eq!(ran(0, 0), None);
        assert_eq!(known.paced("other", 1), None);
    }
}
