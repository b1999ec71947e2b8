//! Owns what the workers of one run share: open devices and engines, sessions, the wish to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::changes::Changes;
use super::clock::Clock;
use super::dropped::Dropped;
use super::message::StepFailure;
use super::open::OpenError;
use super::programs::Programs;
use super::recall::Call;
use super::sessions::{Sessions, lock};
use super::stop::Stop;
use crate::engine::{Engine, SourceSpec};
use crate::facts::holdings::{Holdings, Position};
use crate::media::keys::rewrap;
use crate::media::part::WriteSettings;
use crate::media::patience::Patience;
use crate::media::tomb::Manifests;
use crate::media::{Device, DeviceError};
use crate::resolve::plan::Codec;

/// What a run works with.
#[derive(Default)]
pub struct Context {
    /// Devices by name, identity checked.
    pub devices: BTreeMap<String, Arc<dyn Device>>,
    /// Devices that are only read from and cannot be opened, with the cause.
    pub away: BTreeMap<String, OpenError>,
    /// The volumes that are read, set by set, in the order in which they are loaded.
    pub calls: Vec<Call>,
    /// Devices that the run goes on without.
    pub dropped: Dropped,
    /// How long a device that gives no answer is waited for.
    pub patience: Patience,
    /// A device fell behind in this run: none is waited for again.
    pub slow: AtomicBool,
    /// Engines by service.
    pub engines: BTreeMap<String, Arc<dyn Engine>>,
    /// Where the standbys are that take over, by service.
    pub standbys: BTreeMap<String, SourceSpec>,
    /// Files of embedded databases by service, for steps that write into a live one.
    pub live_files: BTreeMap<String, PathBuf>,
    /// Devices that must hold a job's log before the source may forget it, by job.
    pub required: BTreeMap<String, BTreeSet<String>>,
    /// The time of day.
    pub clock: Clock,
    /// The wish to stop.
    pub stop: Stop,
    /// Programs that run now.
    pub programs: Programs,
    /// What lives between steps.
    pub sessions: Sessions,
    /// What is known of stored logs.
    pub logs: KnownLogs,
    /// Copies (object, device) that were last found damaged or lost.
    pub damaged: BTreeSet<(String, String)>,
    /// What the manifests of each device refer to, as far as deletions had to know.
    pub manifests: Mutex<BTreeMap<String, Arc<Mutex<Manifests>>>>,
    /// Pairs of devices, from and to, between which rewrapped secrets were carried.
    pub carried: Mutex<BTreeSet<(String, String)>>,
    /// What each job's newest copies show.
    pub changes: Changes,
    /// Ids of the parts that are stored.
    pub parts: BTreeSet<String>,
    /// What the plan allows the log that a source holds to grow to, by service.
    pub log_limits: BTreeMap<String, u64>,
    /// The share of its size that the newest copy of a component took on a device.
    pub shares: BTreeMap<String, f64>,
}

impl Context {
    /// The engine of a service.
    ///
    /// # Errors
    /// When the run did not open it.
    pub fn engine(&self, service: &str) -> Result<&Arc<dyn Engine>, StepFailure> {
        let engine = self.engines.get(service);
        engine.ok_or_else(|| StepFailure::new(format!("the service {service} is not open")))
    }

    /// A device.
    ///
    /// # Errors
    /// When the run did not open it.
    pub fn device(&self, name: &str) -> Result<&Arc<dyn Device>, StepFailure> {
        let device = self.devices.get(name);
        device.ok_or_else(|| StepFailure::new(format!("the device {name} is not reachable")))
    }

    /// Those of the named devices that are open, in this order, those that must load volumes last;
    /// one that died only when no other is left.
    #[must_use]
    pub fn reachable(&self, names: &[String]) -> Vec<Arc<dyn Device>> {
        let open = |name: &&String| self.devices.contains_key(*name);
        let (alive, dead): (Vec<_>, Vec<_>) = names
            .iter()
            .filter(open)
            .partition(|name| self.dropped.cause(name).is_none());
        let names = if alive.is_empty() { dead } else { alive };
        let found = names.into_iter().filter_map(|name| self.devices.get(name));
        let mut found: Vec<Arc<dyn Device>> = found.cloned().collect();
        found.sort_by_key(|device| device.capabilities().sequential);
        found
    }

    /// Those of the named devices that are open; at least one.
    ///
    /// # Errors
    /// When none is.
    pub fn holders(&self, names: &[String]) -> Result<Vec<Arc<dyn Device>>, StepFailure> {
        let open = self.reachable(names);
        if open.is_empty() {
            let names = names.join(", ");
            let cause = format!("none of the devices that hold it is reachable: {names}");
            return Err(StepFailure::new(cause).help("mount one of them and run again"));
        }
        Ok(open)
    }

    /// What the manifests of a device refer to; one deletion at a time looks at it.
    #[must_use]
    pub fn manifests(&self, device: &str) -> Arc<Mutex<Manifests>> {
        let mut all = lock(&self.manifests);
        Arc::clone(all.entry(device.to_owned()).or_default())
    }

    /// Brings the rewrapped secrets of holders to a device, once a run. A holder that fails gives
    /// none: the copy comes from another.
    ///
    /// # Errors
    /// When the device that they go to fails.
    pub fn carry_secrets(
        &self,
        holders: &[Arc<dyn Device>],
        to: &dyn Device,
    ) -> Result<(), DeviceError> {
        for holder in holders {
            let pair = (holder.name().to_owned(), to.name().to_owned());
            if lock(&self.carried).contains(&pair) {
                continue;
            }
            match rewrap::carry(holder.as_ref(), to) {
                Err(error) if error.device() == Some(holder.name()) => {}
                carried => {
                    carried?;
                    lock(&self.carried).insert(pair);
                }
            }
        }
        Ok(())
    }

    /// How a copying step writes, but for its memory.
    #[must_use]
    pub fn write_settings(&self, codec: Codec, throttle: Option<u64>) -> WriteSettings {
        let slow = self.slow.load(Ordering::Relaxed);
        WriteSettings {
            throttle,
            patience: self.patience,
            grace: if slow {
                Duration::ZERO
            } else {
                WriteSettings::GRACE
            },
            ..WriteSettings::new(codec)
        }
    }
}

/// Positions and ids of stored logs: from the catalog when the run begins, then from the run.
#[derive(Default)]
pub struct KnownLogs {
    heads: Mutex<BTreeMap<String, Position>>,
    ids: Mutex<BTreeSet<String>>,
    // ids by the device that holds them
    held: Mutex<BTreeSet<(String, String)>>,
    // times of the first and last transaction by id
    spans: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl KnownLogs {
    /// What the catalog knows.
    #[must_use]
    pub fn of(holdings: &Holdings) -> Self {
        let mut newest = BTreeMap::new();
        for log in &holdings.logs {
            let at = (log.last_at, log.until.value);
            let head = newest.entry(log.service.clone());
            let head = head.or_insert((at, &log.until));
            if head.0 < at {
                *head = (at, &log.until);
            }
        }
        let heads = newest.into_iter();
        let heads = heads.map(|(service, (_, until))| (service, until.clone()));
        let ids = holdings.logs.iter().map(|log| log.log.clone());
        let held = holdings.logs.iter().flat_map(|log| {
            let name = crate::media::name::log_of_id(&log.log).unwrap_or_default();
            let devices = log.devices.iter();
            devices.map(move |device| (device.clone(), name.clone()))
        });
        let spans = holdings.logs.iter();
        let spans = spans.map(|log| (log.log.clone(), (log.first_at, log.last_at)));
        Self {
            spans: spans.collect(),
            held: Mutex::new(held.collect()),
            heads: Mutex::new(heads.collect()),
            ids: Mutex::new(ids.collect()),
        }
    }

    /// The last position of a service's log that is stored.
    #[must_use]
    pub fn head(&self, service: &str) -> Option<Position> {
        lock(&self.heads).get(service).cloned()
    }

    /// When the first and the last transaction of a range were, where the catalog knew it when the
    /// run began.
    #[must_use]
    pub fn span(&self, id: &str) -> Option<(Timestamp, Timestamp)> {
        self.spans.get(id).copied()
    }

    /// A range was stored.
    pub fn stored(&self, service: &str, id: &str, until: &Position) {
        lock(&self.heads).insert(service.to_owned(), until.clone());
        lock(&self.ids).insert(id.to_owned());
    }

    /// Whether it is known that a device holds the object of this name.
    #[must_use]
    pub fn is_held(&self, device: &str, object: &str) -> bool {
        lock(&self.held).contains(&(device.to_owned(), object.to_owned()))
    }

    /// A device was found to hold the object of this name.
    pub fn found(&self, device: &str, object: &str) {
        lock(&self.held).insert((device.to_owned(), object.to_owned()));
    }

    /// True when the object is a range of log, not a part.
    #[must_use]
    pub fn is_log(&self, object: &str) -> bool {
        lock(&self.ids).contains(object)
    }
}

/// The service of a component key: `notes/database/main` belongs to `notes`.
#[must_use]
pub fn service_of(component: &str) -> &str {
    component.split('/').next().unwrap_or(component)
}
