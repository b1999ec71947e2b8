//! Owns how long things take in the play: known sizes and rates, taken as true.
//! Must not draw chance; a slow day is a factor that the caller gives.

use std::collections::BTreeMap;

use crate::estimate::Known;
use crate::estimate::pace::{self, throttled};
use crate::facts::holdings::{Holdings, Method};
use crate::graph::step::{Step, StepKind};
use crate::quantity::float;
use crate::resolve::plan::{ComponentId, DeviceId, ResolvedPlan};

/// How far things have come when a copy is made, in days.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    /// Since the copy that it builds on.
    pub(super) since_base: f64,
    /// Of growth.
    pub(super) grown: f64,
}

/// Sizes and rates of one environment, by the names that steps use.
#[derive(Debug)]
pub(super) struct Truth<'a> {
    pub(super) plan: &'a ResolvedPlan,
    pub(super) known: &'a Known,
    components: BTreeMap<String, ComponentId>,
    devices: BTreeMap<&'a str, DeviceId>,
}

impl<'a> Truth<'a> {
    pub(super) fn new(plan: &'a ResolvedPlan, known: &'a Known) -> Self {
        let ids = (0..plan.components.len()).map(ComponentId::from_index);
        let devices = plan.devices.iter().enumerate();
        Self {
            plan,
            known,
            components: ids.map(|id| (plan.component_key(id), id)).collect(),
            devices: devices
                .map(|(at, device)| (device.name.as_str(), DeviceId::from_index(at)))
                .collect(),
        }
    }

    pub(super) fn component(&self, key: &str) -> Option<ComponentId> {
        self.components.get(key).copied()
    }

    pub(super) fn device(&self, name: &str) -> Option<DeviceId> {
        self.devices.get(name).copied()
    }

    /// Bytes that a copy of a component moves: all of it, or what changed since its base.
    pub(super) fn volume(&self, id: ComponentId, method: Method, day: Day) -> Option<f64> {
        let size = self.known.size(id)?;
        let growth = 1.0 + self.known.growth(id).unwrap_or(0.0);
        let size = size * growth.powf(day.grown);
        match method {
            Method::PhysicalFull | Method::Logical => Some(size),
            Method::PhysicalIncremental | Method::PhysicalDifferential => {
                let share = self.known.change(id).unwrap_or(1.0);
                Some(size * (share * day.since_base).min(1.0))
            }
        }
    }

    /// Seconds that a step takes; none when a size or a rate is not known.
    pub(super) fn seconds(&self, step: &Step, holdings: &Holdings, day: Day) -> Option<f64> {
        match &step.kind {
            StepKind::CopyPart {
                component,
                method,
                devices,
                throttle,
                ..
            } => {
                let component = self.component(component)?;
                let volume = self.volume(component, *method, day)?;
                let rates = devices.iter().map(|device| self.write(device));
                let slowest = least(rates)?;
                let limit = throttle.map_or(f64::INFINITY, float);
                let ids = devices.iter().filter_map(|device| self.device(device));
                let way = pace::from_source(self.plan, self.known, component, ids);
                Some(volume / slowest.min(limit).min(way))
            }
            StepKind::CopyStored {
                object, from, to, ..
            } => {
                let bytes = stored(holdings, object)?;
                let read = from.first().and_then(|device| self.read(device));
                let link = from.first().map(|from| self.link(from, to));
                Some(bytes / least([read, self.write(to), link])?)
            }
            StepKind::VerifyStored { object, device, .. } => {
                Some(stored(holdings, object)? / self.read(device)?)
            }
            _ => Some(0.0),
        }
    }

    fn write(&self, device: &str) -> Option<f64> {
        let id = self.device(device)?;
        let limit = throttled(&self.plan.device(id).throttle).unwrap_or(f64::INFINITY);
        Some(self.known.write(id)?.min(limit)).filter(|rate| *rate > 0.0)
    }

    /// The line between two devices; as fast as can be when there is none or nobody stated it.
    fn link(&self, from: &str, to: &str) -> f64 {
        let site = |name: &str| self.plan.device(self.device(name)?).site.as_deref();
        pace::link(self.plan, site(from), site(to)).map_or(f64::INFINITY, |pace| pace.rate)
    }

    fn read(&self, device: &str) -> Option<f64> {
        let id = self.device(device)?;
        self.known.read(id).filter(|rate| *rate > 0.0)
    }
}

fn least(rates: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let rates: Option<Vec<f64>> = rates.into_iter().collect();
    rates?.into_iter().reduce(f64::min)
}

fn stored(holdings: &Holdings, object: &str) -> Option<f64> {
    let part = holdings.parts.iter().rev().find(|part| part.part == object);
    part.map(|part| float(part.bytes))
}
