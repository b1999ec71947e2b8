//! Owns the log of a play: up to which moment it is safe on each device. Shipments are played
//! only around the moment asked for, because a year of them changes nothing elsewhere. They share
//! their device with the copies that are written meanwhile, as in a run.

use jiff::Timestamp;

use super::chance::Chance;
use super::runs::{Runs, Stage};
use crate::estimate::calendar::Calendar;
use crate::estimate::exposure::bytes;
use crate::estimate::pace::{self, throttled};
use crate::quantity::Duration;
use crate::resolve::plan::{
    Archive, CopyScope, DeviceId, Every, Schedule, ServiceId, Ship, Stream,
};

/// Shipments by size that are played one by one before a moment; those before them arrived.
const BY_SIZE: f64 = 40.0;

/// Log on a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Covered {
    pub(super) device: DeviceId,
    /// The moment up to which all log lies there.
    pub(super) until: f64,
}

/// The log of one service.
pub(super) struct Tail<'s, 'a> {
    pub(super) stage: &'s Stage<'a>,
    pub(super) calendar: &'s Calendar<'a>,
    pub(super) runs: &'s Runs,
    pub(super) service: ServiceId,
}

impl Tail<'_, '_> {
    /// What lies on which device at a moment.
    pub(super) fn at(&self, moment: f64, chance: &mut Chance) -> Vec<Covered> {
        let plan = self.stage.truth.plan;
        let archives = plan.archives.iter();
        let own = archives.filter(|archive| archive.service == self.service);
        own.flat_map(|archive| self.archive(archive, moment, chance))
            .collect()
    }

    fn archive(&self, archive: &Archive, moment: f64, chance: &mut Chance) -> Vec<Covered> {
        let mut all = Vec::new();
        for stream in &archive.streams {
            all.extend(self.stream(stream, moment, chance));
        }
        for ship in &archive.ships {
            all.extend(self.ship(archive, ship, moment, chance));
        }
        let (streams, ships) = (archive.streams.first(), archive.ships.first());
        for copy in &archive.keeping.copies {
            if !matches!(copy.scope, CopyScope::All | CopyScope::Log) {
                continue;
            }
            let Some(within) = copy.within else { continue };
            // a deadline may be used up
            let waits = if chance.happens(0.3) {
                1.0
            } else {
                chance.share()
            };
            let before = moment - waits * within.as_secs();
            let source = match (streams, ships) {
                (Some(stream), _) => self.stream(stream, before, chance),
                (None, Some(ship)) => self.ship(archive, ship, before, chance),
                (None, None) => None,
            };
            all.extend(source.map(|source| Covered {
                device: copy.device,
                ..source
            }));
        }
        all
    }

    /// A stream lags behind by up to its bound.
    fn stream(&self, stream: &Stream, moment: f64, chance: &mut Chance) -> Option<Covered> {
        let mean = self.stage.truth.known.log_mean_low(self.service);
        let lag = bytes(stream.lag?) / mean.filter(|mean| *mean > 0.0)?;
        let behind = if chance.happens(0.3) {
            1.0
        } else {
            chance.share()
        };
        Some(Covered {
            device: stream.device,
            until: moment - behind * lag,
        })
    }

    /// Plays shipments up to a moment: one after the other, each taking as long as its log needs.
    fn ship(
        &self,
        archive: &Archive,
        ship: &Ship,
        moment: f64,
        chance: &mut Chance,
    ) -> Option<Covered> {
        let truth = self.stage.truth;
        let limits = &truth.plan.device(ship.device).throttle;
        let limit = throttled(archive.keeping.throttle.iter().chain(limits));
        let whole = truth.known.write(ship.device)?;
        let line = pace::line(truth.plan, self.service, ship.device).map(|pace| pace.rate);
        let slowness = self.slowness(chance);
        let drives = truth.plan.device(ship.device).drives;
        let rate = |copiers| pace::beside(whole, line, limit, copiers) / slowness;
        // how long a piece of log takes that begins to be sent at a moment, beside what is copied
        let sent = |begin: f64, bytes: f64| {
            let longest = bytes / rate(drives);
            let copiers = self.runs.writers(ship.device, (begin, begin + longest));
            bytes / rate(copiers.min(drives))
        };
        let size = match &ship.schedule.every {
            Every::Interval(_, size) => size.map(bytes),
            Every::Size(size) => Some(bytes(*size)),
            Every::Hour | Every::Days(_) => None,
        };
        let dues = self.dues(&ship.schedule, moment, chance);
        let mut last = *dues.first()?;
        let (mut free, mut covered) = (last, last);
        for due in dues.into_iter().skip(1) {
            let flow = self.flow(chance);
            let full = size.map(|size| size / flow.max(1.0));
            if let Some(full) = full {
                last = last.max(due - BY_SIZE * full);
            }
            while last < due {
                let next = full.map_or(due, |full| due.min(last + full.max(0.001)));
                let start = next.max(free);
                if start > moment {
                    return Some(covers(ship, covered));
                }
                free = start + sent(start, (start - last).max(0.0) * flow);
                if free <= moment {
                    covered = start;
                }
                last = start;
            }
        }
        Some(covers(ship, covered))
    }

    fn slowness(&self, chance: &mut Chance) -> f64 {
        if self.stage.mishaps && chance.happens(0.05) {
            chance.between(1.0, 3.0)
        } else {
            1.0
        }
    }

    /// Bytes of log a second for a while: the mean, the peak or something between.
    fn flow(&self, chance: &mut Chance) -> f64 {
        let known = self.stage.truth.known;
        let low = known.log_mean_low(self.service).unwrap_or(0.0);
        let peak = known.log_peak(self.service).unwrap_or(low).max(low);
        match chance.index(3) {
            0 => low,
            1 => peak,
            _ => chance.between(low, peak),
        }
    }

    /// Moments at which shipments come due, up to and beyond `moment`, in order.
    fn dues(&self, schedule: &Schedule, moment: f64, chance: &mut Chance) -> Vec<f64> {
        let planned = schedule.longest_gap();
        let known = self.stage.truth.known;
        let within = known.log_shipped_within(self.service, planned);
        match (&schedule.every, within) {
            (Every::Interval(..), Some(step)) => regular(step, moment, chance),
            // the server itself is faster
            (_, Some(step)) if within != planned => regular(step, moment, chance),
            (Every::Hour | Every::Days(_), _) => self.slots(schedule, moment),
            (Every::Size(_) | Every::Interval(..), _) => vec![moment - 3600.0, moment],
        }
    }

    fn slots(&self, schedule: &Schedule, moment: f64) -> Vec<f64> {
        let seconds = |at: Timestamp| at.duration_since(self.stage.begin).as_secs_f64();
        let mut dues = Vec::new();
        let mut at = self.stage.instant(moment);
        for _ in 0..4 {
            let Some(slot) = self.calendar.latest(schedule, at) else {
                break;
            };
            dues.push(seconds(slot.start));
            at = self.stage.instant(seconds(slot.start) - 1.0);
        }
        dues.reverse();
        dues
    }
}

/// Some shipments around a moment.
fn regular(step: Duration, moment: f64, chance: &mut Chance) -> Vec<f64> {
    let step = step.as_secs().max(0.001);
    let first = moment - (4.0 + chance.share()) * step;
    (0..7).map(|at| first + f64::from(at) * step).collect()
}

fn covers(ship: &Ship, until: f64) -> Covered {
    Covered {
        device: ship.device,
        until,
    }
}
