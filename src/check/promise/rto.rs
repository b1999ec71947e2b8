//! Owns how long it takes to bring a service back after a loss: what is read from where, at which
//! rate, and how much log is replayed on top. Must not count detection, approval or probes.
//!
//! The sum follows the executor, which restores part after part from the nearest holder. The
//! least time lets all devices work at once, so that what is called broken is broken.

use std::collections::BTreeMap;

use crate::check::context::Context;
use crate::check::promise::cover::{self, Unit};
use crate::check::promise::{Broken, Verdict, restore, rpo};
use crate::estimate::survive::{self, Case, Survival};
use crate::estimate::{Figure, recovery};
use crate::quantity::Duration;
use crate::resolve::plan::{BackupId, ComponentId, DeviceId, LossKind, Scenario, ServiceId};

use restore::{Place, Reading};

/// A recovery that takes too long.
#[derive(Debug, Clone)]
pub(in crate::check) struct Slow {
    /// The sum, without reserve.
    pub(in crate::check) figure: Figure,
    /// Bytes that are read, and the device that gives most of them.
    pub(in crate::check) read: (f64, DeviceId),
    /// The backup whose copies are read.
    pub(in crate::check) backup: BackupId,
    /// Seconds of log that are replayed.
    pub(in crate::check) log: f64,
    /// The longest time between copies that would keep the promise, when shorter ones would.
    pub(in crate::check) interval: Option<Duration>,
}

/// Judges one promise: the worst verdict over all cases of the loss.
pub(in crate::check) fn judge(
    context: &Context<'_>,
    service: ServiceId,
    loss: &LossKind,
    of: &[ComponentId],
    limit: Duration,
) -> Verdict {
    // a time to restore cannot be kept when nothing is left to restore from
    if let Verdict::Broken(broken) = rpo::judge(context, service, loss, Duration(u64::MAX)) {
        return Verdict::Broken(broken);
    }
    let units = cover::units(context, service);
    if units.is_empty() || cover::has_gaps(context, service) {
        return Verdict::Open;
    }
    let cases = survive::cases(context.plan, service, loss).into_iter();
    let verdicts = cases.map(|case| {
        let back = Back::new(context, service, &case);
        back.verdict(&units, of, limit.as_secs())
    });
    verdicts.max_by_key(rpo::rank).unwrap_or(Verdict::Open)
}

/// How long components take to come back after one case, with reserve. With something missing it
/// is a lower bound.
pub(in crate::check) fn time(
    context: &Context<'_>,
    service: ServiceId,
    case: &Case,
    of: &[ComponentId],
) -> Figure {
    let units = cover::units(context, service);
    let back = Back::new(context, service, case);
    let mut readings = Vec::new();
    for unit in units.iter().filter(|unit| back.is_lost(unit, &units, of)) {
        let all = restore::readings(context, unit, case, &back.place);
        match (back.chosen(&all), back.no_sure_holder(unit, &all)) {
            (Some(reading), _) => readings.push(reading.clone()),
            (None, Verdict::Unknown(missing)) => return Figure::unknown(missing),
            (None, _) => return Figure::unknown("a place from which it is read"),
        }
    }
    let (_, log) = back.log(&readings);
    recovery::with_reserve(back.figure(&readings).and(log))
}

/// The way back after one case.
struct Back<'c, 'a> {
    context: &'c Context<'a>,
    service: ServiceId,
    case: &'c Case,
    scenario: Option<&'a Scenario>,
    place: Place<'a>,
}

/// What is read from one device.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    bytes: f64,
    seconds: f64,
}

impl<'c, 'a> Back<'c, 'a> {
    fn new(context: &'c Context<'a>, service: ServiceId, case: &'c Case) -> Self {
        let scenario = scenario(context, service, case);
        Self {
            context,
            service,
            case,
            scenario,
            place: Place::of(context, service, scenario),
        }
    }

    fn verdict(&self, units: &[Unit], of: &[ComponentId], limit: f64) -> Verdict {
        let plan = self.context.plan;
        match survive::original(plan, self.service, self.case) {
            Survival::Yes => return Verdict::Proved(Figure::of("the original is left", 0.0)),
            Survival::Maybe => {
                let name = &plan.service(self.service).name;
                return Verdict::Unknown(format!("the site of {name}"));
            }
            Survival::No => {}
        }
        if self.place.is_lost(plan, self.case) {
            return Verdict::Broken(Broken::Elsewhere);
        }
        let lost = units.iter().filter(|unit| self.is_lost(unit, units, of));
        let lost: Vec<&Unit> = lost.collect();
        let mut readings = Vec::new();
        let mut least: BTreeMap<DeviceId, f64> = BTreeMap::new();
        for unit in &lost {
            let all = restore::readings(self.context, unit, self.case, &self.place);
            let Some(reading) = self.chosen(&all) else {
                return self.no_sure_holder(unit, &all);
            };
            let quickest = all.iter().min_by(|a, b| a.least().total_cmp(&b.least()));
            if let Some(quickest) = quickest {
                *least.entry(quickest.device).or_default() += quickest.least();
            }
            readings.push(reading.clone());
        }
        let (log, log_figure) = self.log(&readings);
        let figure = self.figure(&readings).and(log_figure.clone());
        let least = least.into_iter();
        let least = least.map(|(device, own)| own + self.surely_fetched(device));
        let least = least.fold(0.0, f64::max) + log_figure.total();
        self.judged((figure, least), &readings, log, limit)
    }

    fn judged(
        &self,
        (figure, least): (Figure, f64),
        readings: &[Reading],
        log: f64,
        limit: f64,
    ) -> Verdict {
        let safe = recovery::with_reserve(figure.clone());
        if safe.within(limit) {
            return Verdict::Proved(safe);
        }
        if least > limit {
            let slow = self.slow(figure, readings, log, limit);
            return slow.map_or(Verdict::Open, |slow| Verdict::Broken(Broken::Slow(slow)));
        }
        match figure.missing {
            Some(missing) => Verdict::Unknown(missing),
            None if figure.total() > limit => Verdict::Unknown(
                "an order in which several devices are read at once; one after the other they \
                 take too long"
                    .to_owned(),
            ),
            None => Verdict::Unknown(recovery::RESERVE.to_owned()),
        }
    }

    /// A unit that may be on an unknown disk may be lost with any. A promise of some parts is
    /// about those alone where each can be brought back by itself; a mistake cannot be undone in
    /// one part of an instance.
    fn is_lost(&self, unit: &Unit, units: &[Unit], of: &[ComponentId]) -> bool {
        let part = self.context.plan.component(unit.component);
        let alone = |id: &ComponentId| units.iter().any(|unit| unit.component == *id);
        match self.case {
            Case::Disk(_, Some(disk)) => part.disks.is_empty() || part.disks.contains(disk),
            Case::HumanError => true,
            _ => of.contains(&unit.component) || !of.iter().all(alone) || of.is_empty(),
        }
    }

    /// The reading that the executor begins with: the nearest sure holder; of equally near ones
    /// the slowest counts.
    fn chosen<'r>(&self, all: &'r [Reading]) -> Option<&'r Reading> {
        let sure = all.iter().filter(|reading| reading.left == Survival::Yes);
        let distance = |reading: &Reading| self.distance(reading.device);
        sure.min_by(|a, b| {
            let nearer = distance(a).cmp(&distance(b));
            nearer.then(b.figure.total().total_cmp(&a.figure.total()))
        })
    }

    /// As the executor sorts holders: on the service's host, at its site, elsewhere.
    fn distance(&self, device: DeviceId) -> u8 {
        let plan = self.context.plan;
        let device = plan.device(device);
        let host = plan.service(self.service).host.as_deref();
        let home = self.context.site_of(self.service);
        if device.rotate.is_some() {
            3 // volumes that travel are fetched when nothing else is left
        } else if device.host.is_some() && device.host.as_deref() == host {
            0
        } else {
            1 + u8::from(home.is_none() || device.site.as_deref() != home)
        }
    }

    fn no_sure_holder(&self, unit: &Unit, all: &[Reading]) -> Verdict {
        let plan = self.context.plan;
        let part = plan.component(unit.component);
        let what = format!("{} {}", part.kind.word(), part.name);
        Verdict::Unknown(match (all.first(), self.scenario) {
            (Some(reading), _) => {
                let device = &plan.device(reading.device).name;
                format!("the place of {device} or of what it protects")
            }
            (None, Some(scenario)) => {
                format!("a device from which `{}` reads {what}", scenario.name)
            }
            (None, None) => format!("a device that holds {what}"),
        })
    }

    /// What is read, device by device.
    fn figure(&self, readings: &[Reading]) -> Figure {
        let mut shares: BTreeMap<DeviceId, Share> = BTreeMap::new();
        let mut figure = Figure::default();
        for reading in readings {
            let share = shares.entry(reading.device).or_default();
            share.bytes += reading.bytes;
            share.seconds += reading.figure.total();
            if let Some(missing) = &reading.figure.missing {
                figure = figure.lacks(missing.clone());
            }
        }
        for (device, share) in shares {
            let fetch = self.fetch(device);
            let device = self.context.plan.device(device);
            let name = &device.name;
            if let Some((rotation, fetch)) = device.rotate.as_ref().zip(fetch) {
                let term = format!("to bring volumes of {name} from {}", rotation.to);
                figure = figure.plus(term, fetch);
            }
            let bytes = crate::check::words::amount(share.bytes);
            figure = figure.plus(format!("to restore {bytes} from {name}"), share.seconds);
        }
        figure
    }

    /// How long volumes of a device that travel are on their way back.
    fn fetch(&self, device: DeviceId) -> Option<f64> {
        let device = self.context.plan.device(device);
        let fetch = device.fetch.filter(|_| device.rotate.is_some())?;
        Some(fetch.as_secs())
    }

    /// The same where all volumes that are left lie elsewhere.
    fn surely_fetched(&self, device: DeviceId) -> f64 {
        let away = survive::travels(self.context.plan, device, self.case);
        let away = away.filter(|rotation| self.place.site() != Some(rotation.to.as_str()));
        away.and_then(|_| self.fetch(device)).unwrap_or(0.0)
    }

    /// The log to replay: all that was written since the oldest copy that may have to be used.
    fn log(&self, readings: &[Reading]) -> (f64, Figure) {
        let since = readings.iter().filter_map(|reading| reading.since);
        let Some(span) = since.reduce(f64::max) else {
            return (0.0, Figure::default());
        };
        let (figure, _) = restore::replay(self.context, self.service, &self.place, span);
        (span, figure)
    }

    fn slow(&self, figure: Figure, readings: &[Reading], log: f64, limit: f64) -> Option<Slow> {
        let most = readings.iter();
        let most = most.max_by(|a, b| a.figure.total().total_cmp(&b.figure.total()))?;
        let same = readings.iter().filter(|r| r.device == most.device);
        let bytes = same.map(|reading| reading.bytes).sum();
        let (replayed, rates) = restore::replay(self.context, self.service, &self.place, log);
        let rest = figure.total() - replayed.total();
        let interval = rates.and_then(|(written, replay)| {
            let beside = (log - most.gap?.as_secs()).max(0.0);
            recovery::largest_interval(limit, rest, (written, replay), beside)
        });
        let shorter = interval.filter(|interval| Some(*interval) < most.gap);
        Some(Slow {
            figure,
            read: (bytes, most.device),
            backup: most.backup,
            log,
            interval: shorter,
        })
    }
}

/// The recovery that the plan declares for this loss of this service.
fn scenario<'a>(context: &Context<'a>, service: ServiceId, case: &Case) -> Option<&'a Scenario> {
    let covers = |kind: &LossKind| match (kind, case) {
        (LossKind::Disk, Case::Disk(..))
        | (LossKind::Host, Case::Host(_))
        | (LossKind::Site(None), Case::Site(_))
        | (LossKind::Device(None), Case::Device(_))
        | (LossKind::HumanError, Case::HumanError)
        | (LossKind::Corruption, Case::Corruption) => true,
        (LossKind::Site(Some(site)), Case::Site(lost)) => lost.as_ref() == Some(site),
        (LossKind::Device(Some(device)), Case::Device(lost)) => lost.as_ref() == Some(device),
        _ => false,
    };
    let mut recoveries = context.service_recoveries(service);
    recoveries.find(|scenario| scenario.covers.iter().any(|loss| covers(&loss.kind)))
}
