//! Owns how fast bytes go from a source to a device: the slowest thing on the way (Q3).
//! Must not know volumes or schedules; the moment comes in.

use jiff::Timestamp;

use crate::estimate::calendar::Calendar;
use crate::estimate::{Known, survive};
use crate::resolve::plan::{ComponentId, DeviceId, ResolvedPlan, ServiceId, Throttle};
use crate::source::Span;

/// What holds a copy up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// A rate that the plan sets, by the place of the rate.
    Throttle(Span),
    /// A device.
    Device(DeviceId),
    /// The line of a site.
    Link(String),
    /// A disk of the source.
    Disk(String),
}

/// A rate in bytes a second, and what sets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Bytes a second.
    pub rate: f64,
    /// What sets it.
    pub limit: Limit,
}

impl Pace {
    /// The slower of two that may be known.
    #[must_use]
    pub fn slower(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.rate < one.rate { other } else { one }),
            (one, other) => one.or(other),
        }
    }
}

/// The throttle that is in force at a moment: that of an open window, else the one for all other
/// times.
#[must_use]
pub fn in_force<'a>(
    throttles: &'a [Throttle],
    calendar: &Calendar<'_>,
    at: Timestamp,
) -> Option<&'a Throttle> {
    let open = |throttle: &&Throttle| {
        let window = throttle.window;
        window.is_some_and(|window| calendar.is_open(window.index(), at))
    };
    let otherwise = |throttle: &&Throttle| throttle.window.is_none();
    let found = throttles.iter().find(open);
    found.or_else(|| throttles.iter().find(otherwise))
}

/// The limit of a throttle.
#[must_use]
pub fn of_throttle(throttle: &Throttle) -> Pace {
    Pace {
        rate: throttle.rate.0,
        limit: Limit::Throttle(throttle.rate_span),
    }
}

/// The line between two sites: the thinner of the two ends. `None` within a site, and when
/// neither end is known.
#[must_use]
pub fn link(plan: &ResolvedPlan, from: Option<&str>, to: Option<&str>) -> Option<Pace> {
    let (from, to) = (from?, to?);
    if from == to {
        return None;
    }
    let end = |name: &str| {
        let rate = plan.sites.get(name)?.link?.0;
        let limit = Limit::Link(name.to_owned());
        Some(Pace { rate, limit })
    };
    Pace::slower(end(from), end(to))
}

/// The line from a service to a device. `None` as in [`link`].
#[must_use]
pub fn line(plan: &ResolvedPlan, service: ServiceId, to: DeviceId) -> Option<Pace> {
    let home = survive::home(plan, service);
    link(plan, home, plan.device(to).site.as_deref())
}

/// Bytes a second at which a component can be read and sent to some devices at a time, apart from
/// what they write: its disks and the lines. What nobody stated is no limit.
#[must_use]
pub fn from_source(
    plan: &ResolvedPlan,
    known: &Known,
    id: ComponentId,
    to: impl IntoIterator<Item = DeviceId>,
) -> f64 {
    let component = plan.component(id);
    let lines = to
        .into_iter()
        .filter_map(|to| line(plan, component.service, to));
    let line = lines.map(|pace| pace.rate).fold(f64::INFINITY, f64::min);
    let host = plan.service(component.service).host.as_deref();
    let disks = component.disks.iter();
    let rates = disks.map(|disk| known.disk_read(host?, disk));
    let disks = rates.sum::<Option<f64>>().filter(|rate| *rate > 0.0);
    line.min(disks.unwrap_or(f64::INFINITY))
}

/// How fast a device takes copies.
#[must_use]
pub fn writing(known: &Known, id: DeviceId) -> Option<Pace> {
    let rate = known.write(id).filter(|rate| *rate > 0.0)?;
    let limit = Limit::Device(id);
    Some(Pace { rate, limit })
}

/// How many copies may be written to each device while log is shipped to it: as many as it has
/// drives when a job copies to it, else none. Log does not wait for copies, it shares with them.
#[must_use]
pub fn copiers(plan: &ResolvedPlan) -> Vec<u32> {
    let mut all = vec![0; plan.devices.len()];
    for backup in &plan.backups {
        for id in backup.keeping.devices() {
            if let Some(count) = all.get_mut(id.index()) {
                *count = plan.device(id).drives;
            }
        }
    }
    all
}

/// What a shipment gets of a device and of the line to it beside so many copies, at least; what
/// is throttled is throttled all the same.
#[must_use]
pub fn beside(whole: f64, line: Option<f64>, limit: Option<f64>, copiers: u32) -> f64 {
    let shared = line.map_or(whole, |line| line.min(whole)) / (1.0 + f64::from(copiers));
    limit.map_or(shared, |limit| shared.min(limit))
}

/// How fast a device gives copies back.
#[must_use]
pub fn reading(known: &Known, id: DeviceId) -> Option<Pace> {
    let rate = known.read(id).filter(|rate| *rate > 0.0)?;
    let limit = Limit::Device(id);
    Some(Pace { rate, limit })
}

/// The lowest of the limits that may hold, in bytes a second.
#[must_use]
pub fn throttled<'a>(throttles: impl IntoIterator<Item = &'a Throttle>) -> Option<f64> {
    let rates = throttles.into_iter().map(|throttle| throttle.rate.0);
    rates.min_by(f64::total_cmp)
}
