//! Owns how long things take in the play: known sizes and rates, taken as true.
//! Must not draw chance; a slow day is a factor that the caller gives.

use std::collections::BTreeMap;

use crate::estimate::Known;
use crate::estimate::pace::throttled;
use crate::facts::holdings::{Holdings, Method};
use crate::graph::step::{Step, StepKind};
use crate::quantity::float;
use crate::resolve::plan::{ComponentId, DeviceId, ResolvedPlan};

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

    /// Bytes that a copy of a component moves: all of it, or what changed in so many days.
    pub(super) fn volume(&self, id: ComponentId, method: Method, days: f64) -> Option<f64> {
        let size = self.known.size(id)?;
        match method {
            Method::PhysicalFull | Method::Logical => Some(size),
            Method::PhysicalIncremental | Method::PhysicalDifferential => {
                let share = self.known.change(id).unwrap_or(1.0);
                Some(size * (share * days).min(1.0))
            }
        }
    }

    /// Seconds that a step takes; none when a size or a rate is not known. `slow` divides rates.
    pub(super) fn seconds(&self, step: &Step, holdings: &Holdings, days: f64) -> Option<f64> {
        match &step.kind {
            StepKind::CopyPart {
                component,
                method,
                devices,
                throttle,
                ..
            } => {
                let volume = self.volume(self.component(component)?, *method, days)?;
                let rates = devices.iter().map(|device| self.write(device));
                let slowest = least(rates)?;
                let limit = throttle.map_or(f64::INFINITY, float);
                Some(volume / slowest.min(limit))
            }
            StepKind::CopyStored {
                object, from, to, ..
            } => {
                let bytes = stored(holdings, object)?;
                let read = from.first().and_then(|device| self.read(device));
                Some(bytes / least([read, self.write(to)])?)
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
