//! Owns sizes and rates as far as they are known: from runs that ended well, from the inventory,
//! from `assume`. What is not known stays unknown; nothing here guesses.

use std::collections::BTreeMap;

use super::holdings::Holdings;
use crate::resolve::plan::{AssumptionKind, ComponentId, ResolvedPlan};

/// Sizes in bytes and rates in bytes per second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    sizes: BTreeMap<String, u64>,
    stored: BTreeMap<String, f64>,
    rates: BTreeMap<String, f64>,
    seconds: BTreeMap<String, f64>,
    reads: BTreeMap<String, f64>,
    writes: BTreeMap<String, f64>,
    disks: BTreeMap<String, f64>,
    replays: BTreeMap<String, f64>,
}

impl Measured {
    /// Collects what the plan states and what earlier runs have shown. What was measured comes
    /// before what was stated.
    #[must_use]
    pub fn of(plan: &ResolvedPlan, holdings: &Holdings) -> Self {
        let mut known = Self::default();
        known.state(plan);
        for part in &holdings.parts {
            // parts come in order of time, so the newest stays
            known.sizes.insert(part.component.clone(), part.bytes);
            if let Some(ratio) = quotient(part.stored_bytes, part.bytes) {
                known.stored.insert(part.component.clone(), ratio);
            }
        }
        let mut jobs: Vec<_> = holdings.jobs.iter().collect();
        jobs.sort_by_key(|job| job.began);
        for job in jobs {
            known.seconds.insert(job.job.clone(), job.seconds);
            if let Some(rate) = rate(job.bytes, job.seconds) {
                known.rates.insert(job.job.clone(), rate);
            }
        }
        known
    }

    fn state(&mut self, plan: &ResolvedPlan) {
        for assumed in &plan.assumptions {
            let AssumptionKind::Size(size) = assumed.kind else {
                continue;
            };
            for component in assumed_components(plan, &assumed.of, assumed.service) {
                self.sizes.insert(plan.component_key(component), size.0);
            }
        }
        for device in &plan.devices {
            if let Some(rate) = device.read {
                self.reads.insert(device.name.clone(), rate.0);
            }
            if let Some(rate) = device.write {
                self.writes.insert(device.name.clone(), rate.0);
            }
        }
        for (host, facts) in &plan.hosts {
            if let Some(rate) = facts.replay {
                self.replays.insert(host.clone(), rate.0);
            }
            for (disk, facts) in &facts.disks {
                if let Some(rate) = facts.read {
                    self.disks.insert(disk_key(host, disk), rate.0);
                }
            }
        }
    }

    /// Bytes of a component's content.
    #[must_use]
    pub fn size(&self, component: &str) -> Option<u64> {
        self.sizes.get(component).copied()
    }

    /// Bytes stored for one byte of content.
    #[must_use]
    pub fn stored_ratio(&self, component: &str) -> Option<f64> {
        self.stored.get(component).copied()
    }

    /// Rate of a job's last run.
    #[must_use]
    pub fn job_rate(&self, job: &str) -> Option<f64> {
        self.rates.get(job).copied()
    }

    /// Seconds of a job's last run.
    #[must_use]
    pub fn job_seconds(&self, job: &str) -> Option<f64> {
        self.seconds.get(job).copied()
    }

    /// Read rate of a device.
    #[must_use]
    pub fn device_read(&self, device: &str) -> Option<f64> {
        self.reads.get(device).copied()
    }

    /// Write rate of a device.
    #[must_use]
    pub fn device_write(&self, device: &str) -> Option<f64> {
        self.writes.get(device).copied()
    }

    /// Read rate of a source disk.
    #[must_use]
    pub fn disk_read(&self, host: &str, disk: &str) -> Option<f64> {
        self.disks.get(&disk_key(host, disk)).copied()
    }

    /// How fast a host replays log.
    #[must_use]
    pub fn replay(&self, host: &str) -> Option<f64> {
        self.replays.get(host).copied()
    }
}

fn assumed_components(
    plan: &ResolvedPlan,
    of: &[ComponentId],
    service: Option<crate::resolve::plan::ServiceId>,
) -> Vec<ComponentId> {
    match (of, service) {
        // the size of a whole service says something of a part only when there is just one
        ([], Some(service)) if plan.service(service).components.1 == 1 => {
            plan.components_of(service).collect()
        }
        (of, _) => of.to_vec(),
    }
}

fn disk_key(host: &str, disk: &str) -> String {
    format!("{host}/{disk}")
}

fn rate(bytes: u64, seconds: f64) -> Option<f64> {
    // below a tenth of a second the start of the run is all that was measured
    (bytes > 0 && seconds >= 0.1).then(|| float(bytes) / seconds)
}

fn quotient(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

/// Bytes as a number to calculate with.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "estimates need no exact bytes")]
pub fn float(bytes: u64) -> f64 {
    bytes as f64
}
