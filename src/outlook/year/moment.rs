//! Owns one loss in a play: what is left on which device, what comes back, how old it is and how
//! long that takes. Must not know promises.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::log::{Covered, Tail};
use super::runs::{Part, Runs, Stage};
use crate::estimate::calendar::Calendar;
use crate::estimate::pace;
use crate::estimate::survive::{self, Case, Survival};
use crate::facts::capability;
use crate::facts::holdings::Method;
use crate::quantity::Duration;
use crate::resolve::plan::{ActionKind, ComponentId, ComponentKind, DeviceId, Rotation, ServiceId};

/// How a service comes back.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Back {
    /// Seconds of work that are lost; none when something does not come back at all.
    pub(super) lost: Option<f64>,
    /// Seconds until it is back; none when a size or a rate is not known.
    pub(super) took: Option<f64>,
    /// What happened, for people.
    pub(super) story: Vec<String>,
}

/// A service at the moment of a loss.
pub(super) struct Moment<'s, 'a> {
    pub(super) stage: &'s Stage<'a>,
    pub(super) calendar: &'s Calendar<'a>,
    pub(super) runs: &'s Runs,
    pub(super) service: ServiceId,
    pub(super) case: &'s Case,
    pub(super) at: f64,
}

/// What one component comes back from.
struct Found {
    part: usize,
    /// The moment it shows in the end.
    state: f64,
    log: Option<DeviceId>,
}

impl Moment<'_, '_> {
    /// Plays the loss.
    pub(super) fn back(&self, chance: &mut Chance) -> Back {
        let plan = self.stage.truth.plan;
        if survive::original(plan, self.service, self.case) == Survival::Yes {
            return Back {
                lost: Some(0.0),
                took: Some(0.0),
                story: vec!["the original is left".to_owned()],
            };
        }
        let logs = self.logs(chance);
        let mut back = Back {
            lost: Some(0.0),
            ..Back::default()
        };
        let mut found = Vec::new();
        for component in self.covered_components() {
            let Some(way) = self.component(component, &logs) else {
                back.lost = None;
                let key = plan.component_key(component);
                back.story.push(format!("{key}: nothing is left"));
                continue;
            };
            let lost = (self.at - way.state).max(0.0);
            back.lost = back.lost.map(|worst| worst.max(lost));
            back.story.push(self.tell(component, &way));
            found.push(way);
        }
        back.took = back.lost.and_then(|_| self.took(&found));
        back
    }

    /// Components that come back by themselves: what lies inside a base that is copied comes back
    /// with it.
    fn covered_components(&self) -> Vec<ComponentId> {
        let plan = self.stage.truth.plan;
        let copied = |id: &ComponentId| self.runs.by_component.contains_key(id);
        let own = || plan.components_of(self.service).filter(copied);
        let base = own().any(|id| plan.component(id).kind == ComponentKind::Base);
        let inside = |id: &ComponentId| {
            let kind = plan.component(*id).kind;
            base && !matches!(kind, ComponentKind::Base | ComponentKind::Tablespace)
        };
        own().filter(|id| !inside(id)).collect()
    }

    /// Log that is left, device by device.
    fn logs(&self, chance: &mut Chance) -> Vec<Covered> {
        let tail = Tail {
            stage: self.stage,
            calendar: self.calendar,
            runs: self.runs,
            service: self.service,
        };
        let all = tail.at(self.at, chance);
        let left = all.into_iter().filter(|log| self.is_left(log.device));
        let left: Vec<Covered> = left.collect();
        let travelled = left
            .into_iter()
            .filter_map(|log| match self.trip(log.device) {
                Trip::Stays => Some(log),
                // what had arrived when the volumes left is what arrived elsewhere
                Trip::At(trip) => {
                    let then = tail.at(trip, chance).into_iter();
                    then.filter(|other| other.device == log.device)
                        .max_by(|a, b| a.until.total_cmp(&b.until))
                }
                Trip::Never => None,
            });
        travelled.collect()
    }

    fn is_left(&self, device: DeviceId) -> bool {
        // what depends on an unknown place counts as lost
        survive::device(self.stage.truth.plan, device, self.case) == Survival::Yes
    }

    /// When copies on a device last travelled away from the loss.
    fn trip(&self, device: DeviceId) -> Trip {
        let plan = self.stage.truth.plan;
        let Some(rotation) = survive::travels(plan, device, self.case) else {
            return Trip::Stays;
        };
        let late = self.late(rotation);
        let slot = self
            .calendar
            .latest(&rotation.schedule, self.stage.instant(self.at - late));
        slot.map_or(Trip::Never, |slot| {
            Trip::At(slot.start.duration_since(self.stage.begin).as_secs_f64())
        })
    }

    /// By how much a courier is late; one in ten is, by up to two days.
    fn late(&self, rotation: &Rotation) -> f64 {
        let day = (self.at / 86_400.0).floor().to_bits();
        let mut chance = Chance::of(self.stage.seed, &[3, day, u64::from(rotation.span.start)]);
        if self.stage.mishaps && chance.happens(0.1) {
            chance.between(0.0, 172_800.0)
        } else {
            0.0
        }
    }

    /// True when a copy, with all it builds on, is left.
    fn is_usable(&self, part: &Part) -> bool {
        let here = self.holders(part).next().is_some();
        here && match part.base {
            Some(base) => self.is_usable(&self.runs.parts[base]),
            None => !matches!(
                part.method,
                Method::PhysicalIncremental | Method::PhysicalDifferential
            ),
        }
    }

    /// Devices that hold a copy and are left.
    fn holders<'p>(&'p self, part: &'p Part) -> impl Iterator<Item = DeviceId> + 'p {
        let left = part.at.iter().filter(|(device, arrived)| {
            let by = match self.trip(*device) {
                Trip::Stays => self.at,
                Trip::At(trip) => trip,
                Trip::Never => return false,
            };
            *arrived <= by && self.is_left(*device)
        });
        left.map(|(device, _)| *device)
    }

    fn component(&self, id: ComponentId, logs: &[Covered]) -> Option<Found> {
        let own = self.runs.by_component.get(&id)?.iter().rev().copied();
        let able = capability::of(self.stage.truth.plan.service(self.service).engine);
        let newest = logs.iter().max_by(|a, b| a.until.total_cmp(&b.until));
        let live = *self.case == Case::HumanError && able.point_in_time && newest.is_some();
        let usable = own.filter(|at| self.is_usable(&self.runs.parts[*at]));
        let ways = usable.filter_map(|at| {
            let part = &self.runs.parts[at];
            let physical = part.method != Method::Logical;
            let log = newest.filter(|log| physical && (live || log.until >= part.ended));
            if log.is_none() && physical && !able.self_contained {
                return None;
            }
            let state = match log {
                // the log itself is not touched; replay stops before the mistake
                Some(_) if live => self.at,
                Some(log) => log.until.max(part.shows),
                None => part.shows,
            };
            Some(Found {
                part: at,
                state,
                log: log.map(|log| log.device),
            })
        });
        // of equally new states the one from the newest copy: least log is replayed
        ways.reduce(|best, way| if way.state > best.state { way } else { best })
    }

    fn tell(&self, id: ComponentId, way: &Found) -> String {
        let plan = self.stage.truth.plan;
        let part = &self.runs.parts[way.part];
        let devices: Vec<&str> = self
            .holders(part)
            .map(|device| plan.device(device).name.as_str())
            .collect();
        let log = way.log.map_or_else(String::new, |device| {
            format!(", log of {}", plan.device(device).name)
        });
        format!(
            "{}: copy of {} on {}{log}; shows {}",
            plan.component_key(id),
            self.stage.instant(part.shows).strftime("%F %T"),
            devices.join(", "),
            self.stage.instant(way.state).strftime("%F %T"),
        )
    }

    /// Fetches are done one after the other on each device, then log is replayed.
    fn took(&self, found: &[Found]) -> Option<f64> {
        let truth = self.stage.truth;
        let host = self.target();
        let write = host
            .as_ref()
            .and_then(|host| truth.plan.hosts.get(host)?.write);
        let mut busy: BTreeMap<DeviceId, f64> = BTreeMap::new();
        let mut written = 0.0;
        let mut replay = 0.0_f64;
        for way in found {
            let mut part = Some(way.part);
            let first = &self.runs.parts[way.part];
            while let Some(at) = part {
                let one = &self.runs.parts[at];
                let device = self.reader(one)?;
                let read = truth.known.read(device).filter(|rate| *rate > 0.0)?;
                let mut rate = read.min(self.line(device, host.as_deref()));
                if one.method == Method::Logical {
                    rate = rate.min(self.loading(host.as_deref())?);
                }
                let fetch = self.fetch(device, host.as_deref())?;
                *busy.entry(device).or_insert(fetch) += one.bytes? / rate;
                written += one.bytes?;
                part = one.base;
            }
            if way.log.is_some() {
                let rate = host.as_ref().and_then(|host| truth.known.replay(host))?;
                let flow = truth.known.log_mean_high(self.service)?;
                let span = (way.state - first.shows).max(0.0);
                replay = replay.max(span * flow / rate);
            }
        }
        let slowest = busy.into_values().fold(0.0, f64::max);
        let write = write.map_or(0.0, |rate| written / rate.0.max(1.0));
        Some(slowest.max(write) + replay)
    }

    /// The device that a copy is read from: one that stays in its place before one that travels.
    fn reader(&self, part: &Part) -> Option<DeviceId> {
        let plan = self.stage.truth.plan;
        self.holders(part)
            .min_by_key(|device| plan.device(*device).rotate.is_some())
    }

    fn site(&self, host: Option<&str>) -> Option<&str> {
        let host = self.stage.truth.plan.hosts.get(host?)?;
        host.site.as_deref()
    }

    /// The line from a device to a host; as fast as can be where nobody stated one.
    fn line(&self, device: DeviceId, host: Option<&str>) -> f64 {
        let plan = self.stage.truth.plan;
        let link = pace::link(plan, plan.device(device).site.as_deref(), self.site(host));
        link.map_or(f64::INFINITY, |pace| pace.rate)
    }

    /// How long volumes are on their way back to a host; none when nobody stated it.
    fn fetch(&self, device: DeviceId, host: Option<&str>) -> Option<f64> {
        let device = self.stage.truth.plan.device(device);
        match &device.rotate {
            Some(rotation) if self.site(host) != Some(rotation.to.as_str()) => {
                device.fetch.map(Duration::as_secs)
            }
            _ => Some(0.0),
        }
    }

    /// How fast a host loads logical copies.
    fn loading(&self, host: Option<&str>) -> Option<f64> {
        let host = self.stage.truth.plan.hosts.get(host?)?;
        host.import.map(|rate| rate.0)
    }

    /// The host on which the service comes back: where a recovery for this loss restores to.
    fn target(&self) -> Option<String> {
        let plan = self.stage.truth.plan;
        let covers = |loss: &crate::resolve::plan::Loss| {
            survive::cases(plan, self.service, &loss.kind).contains(self.case)
        };
        let mut recoveries = plan.recoveries.iter();
        let recovery = recoveries.find(|recovery| recovery.covers.iter().any(covers));
        let restored = recovery.and_then(|recovery| {
            let mut actions = recovery.actions.iter();
            actions.find_map(|action| match &action.kind {
                ActionKind::Restore { to, .. } => to.clone(),
                _ => None,
            })
        });
        restored.or_else(|| plan.service(self.service).host.clone())
    }
}

/// When volumes travelled.
enum Trip {
    /// They need not to be safe.
    Stays,
    /// They did, at this moment.
    At(f64),
    /// They did not yet.
    Never,
}
