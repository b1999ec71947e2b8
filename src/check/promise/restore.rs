//! Owns the ways to read one part back: from which device, how many bytes, at which rate, and how
//! old what is read can be. Must not choose among them; `rto` does.

use crate::check::cadence::joint_gap;
use crate::check::context::Context;
use crate::check::promise::cover::{self, Holding, Unit};
use crate::estimate::pace::{self, Pace};
use crate::estimate::survive::{self, Case, Survival};
use crate::estimate::{Figure, recovery};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{
    ActionKind, BackupId, DeviceId, Host, Method, ResolvedPlan, Scenario, ServiceId, Source,
};

/// Where a service comes back.
#[derive(Debug, Clone)]
pub(in crate::check) struct Place<'a> {
    /// The host, when it is known.
    host: Option<(&'a str, &'a Host)>,
    /// The disk that a recovery moves parts to.
    disk: Option<&'a str>,
    /// True when it comes back where it was.
    unmoved: bool,
    /// The only device that may be read.
    from: Option<DeviceId>,
}

impl<'a> Place<'a> {
    /// What a recovery says, else the place of the service itself.
    pub(in crate::check) fn of(
        context: &Context<'a>,
        service: ServiceId,
        scenario: Option<&'a Scenario>,
    ) -> Self {
        let plan = context.plan;
        let mut place = Self {
            host: None,
            disk: None,
            unmoved: true,
            from: None,
        };
        let mut name = plan.service(service).host.as_deref();
        for action in scenario.iter().flat_map(|scenario| &scenario.actions) {
            match &action.kind {
                ActionKind::Restore { to, from, .. } => {
                    if let Some(host) = to {
                        (name, place.unmoved) = (Some(host.as_str()), false);
                    }
                    if let Source::Device(id) = from {
                        place.from = Some(*id);
                    }
                }
                ActionKind::Relocate { to, .. } => place.disk = Some(to),
                _ => {}
            }
        }
        place.host = name.and_then(|name| Some((name, plan.hosts.get(name)?)));
        place
    }

    /// The site it comes back at.
    pub(in crate::check) fn site(&self) -> Option<&'a str> {
        self.host?.1.site.as_deref()
    }

    /// True when a recovery names a host or a device that a case takes.
    pub(in crate::check) fn is_lost(&self, plan: &ResolvedPlan, case: &Case) -> bool {
        let host = self.host.filter(|_| !self.unmoved);
        let host = host.map(|(name, _)| survive::host(plan, name, case));
        let device = self.from.map(|id| survive::device(plan, id, case));
        host == Some(Survival::No) || device == Some(Survival::No)
    }

    /// How fast a part on these disks is written, or what is missing.
    fn writing(&self, disks: &[String]) -> Result<f64, String> {
        let Some((name, host)) = self.host else {
            return Err("the host it comes back on".to_owned());
        };
        let disk = |disk: &str| {
            let rate = host.disks.get(disk).and_then(|disk| disk.write);
            rate.map(|rate| rate.0)
                .ok_or_else(|| format!("write speed of disk {disk} of {name}"))
        };
        match self.disk {
            Some(to) => disk(to),
            None if self.unmoved && !disks.is_empty() => {
                let rates = disks.iter().map(|one| disk(one));
                let slowest = rates.collect::<Result<Vec<f64>, String>>()?;
                Ok(slowest.into_iter().fold(f64::INFINITY, f64::min))
            }
            None => {
                (host.write.map(|rate| rate.0)).ok_or_else(|| format!("write speed of host {name}"))
            }
        }
    }

    fn replaying(&self, context: &Context<'_>) -> Result<f64, String> {
        let Some((name, _)) = self.host else {
            return Err("the host it comes back on".to_owned());
        };
        let rate = context.known.replay(name).filter(|rate| *rate > 0.0);
        rate.ok_or_else(|| format!("replay speed of {name}"))
    }
}

/// One way to read a part back.
#[derive(Debug, Clone)]
pub(in crate::check) struct Reading {
    /// From here.
    pub(in crate::check) device: DeviceId,
    /// Copies of this backup.
    pub(in crate::check) backup: BackupId,
    /// Whether the device is left.
    pub(in crate::check) left: Survival,
    /// Bytes of the full and of what stands on it, as far as known.
    pub(in crate::check) bytes: f64,
    /// Seconds to read and write them.
    pub(in crate::check) figure: Figure,
    /// Seconds of log since the copy began, when log is replayed on it.
    pub(in crate::check) since: Option<f64>,
    /// The longest time between two copies.
    pub(in crate::check) gap: Option<Duration>,
}

impl Reading {
    /// Seconds it takes at least.
    pub(in crate::check) fn least(&self) -> f64 {
        self.figure.total()
    }
}

/// All ways to read a part back that a case may leave.
pub(in crate::check) fn readings(
    context: &Context<'_>,
    unit: &Unit,
    case: &Case,
    place: &Place<'_>,
) -> Vec<Reading> {
    let mut found = Vec::new();
    for id in &unit.backups {
        let backup = &context.plan.backups[id.index()];
        for holding in cover::holdings(backup) {
            let left = survive::device(context.plan, holding.device, case);
            let allowed = place.from.is_none_or(|from| from == holding.device);
            if left == Survival::No || !allowed {
                continue;
            }
            let holder = Holder {
                context,
                unit,
                id: *id,
                holding,
            };
            found.push(holder.reading(place, left));
        }
    }
    found
}

/// A device that holds copies of a part.
struct Holder<'c, 'a> {
    context: &'c Context<'a>,
    unit: &'c Unit,
    id: BackupId,
    holding: Holding<'c>,
}

impl Holder<'_, '_> {
    fn reading(&self, place: &Place<'_>, left: Survival) -> Reading {
        let (bytes, missing) = self.chain();
        let gap = joint_gap(
            self.context.plan,
            self.holding.takes().map(|take| &take.schedule),
        );
        let mut figure = self.way(place, bytes);
        if let Some(missing) = missing {
            figure = figure.lacks(missing);
        }
        let mut since = None;
        if self.unit.physical && self.has_log() {
            match self.oldest(gap) {
                Some(span) => since = Some(span),
                None => figure = figure.lacks("how old the newest copy can be"),
            }
        }
        Reading {
            device: self.holding.device,
            backup: self.id,
            left,
            bytes,
            figure,
            since,
            gap,
        }
    }

    fn has_log(&self) -> bool {
        let plan = self.context.plan;
        let service = plan.component(self.unit.component).service;
        let log = capability::of(plan.service(service).engine).log;
        log && self.context.service_archives(service).next().is_some()
    }

    /// Bytes of a full and of all that stands on it just before the next full.
    fn chain(&self) -> (f64, Option<String>) {
        let (known, plan) = (self.context.known, self.context.plan);
        let name = || plan.component_key(self.unit.component);
        let Some(size) = known.size(self.unit.component) else {
            return (0.0, Some(format!("size of {}", name())));
        };
        let steps = self
            .holding
            .takes()
            .filter(|take| !cover::is_full(take.method));
        let Some(step) = steps.map(|take| take.method).next() else {
            return (size, None);
        };
        let fulls = self
            .holding
            .takes()
            .filter(|take| cover::is_full(take.method));
        let gap = joint_gap(plan, fulls.map(|take| &take.schedule));
        match (gap, known.change(self.unit.component)) {
            (Some(gap), Some(share)) => {
                let together = step == Method::PhysicalDifferential;
                (size + recovery::on_top(size, share, gap, together), None)
            }
            (None, _) => (size, Some("a regular time of fulls".to_owned())),
            (_, None) => (size, Some(format!("change rate of {}", name()))),
        }
    }

    /// Seconds to read and write so many bytes, by the slowest thing on the way.
    fn way(&self, place: &Place<'_>, bytes: f64) -> Figure {
        let (plan, known) = (self.context.plan, self.context.known);
        let device = plan.device(self.holding.device);
        let read = pace::reading(known, self.holding.device);
        let link = pace::link(plan, device.site.as_deref(), place.site());
        let disks = &plan.component(self.unit.component).disks;
        let writing = place.writing(disks);
        let slowest = Pace::slower(read.clone(), link).map(|pace| pace.rate);
        let loading = self.loading(place);
        let rates = [slowest, writing.clone().ok(), loading.clone().ok()];
        let slowest = rates.into_iter().flatten().reduce(f64::min);
        let seconds = slowest.map_or(0.0, |rate| bytes / rate);
        let mut figure = Figure::of("read and written", seconds);
        if read.is_none() {
            figure = figure.lacks(format!("read speed of {}", device.name));
        }
        if let Err(missing) = writing {
            figure = figure.lacks(missing);
        }
        if let Err(missing) = &loading {
            figure = figure.lacks(missing.clone());
        }
        match &device.rotate {
            Some(rotation) if device.fetch.is_none() => figure.lacks(format!(
                "the time to bring volumes of {} from {}",
                device.name, rotation.to
            )),
            _ => figure,
        }
    }

    /// How fast rows are loaded, or what is missing; files are only written.
    fn loading(&self, place: &Place<'_>) -> Result<f64, String> {
        match place.host {
            _ if self.unit.physical => Ok(f64::INFINITY),
            Some((name, host)) => {
                let rate = host.import.map(|rate| rate.0);
                rate.ok_or_else(|| format!("import speed of {name}"))
            }
            None => Err("the host it comes back on".to_owned()),
        }
    }

    /// How long ago the newest copy on the device can have begun.
    fn oldest(&self, gap: Option<Duration>) -> Option<f64> {
        let plan = self.context.plan;
        let windows = self.holding.takes().filter_map(|take| take.schedule.during);
        let window = windows.map(|during| plan.window(during.value).seconds());
        let window = window.reduce(f64::max).unwrap_or(0.0);
        let loads = self.context.agenda.as_ref()?.loads_of(self.id).iter();
        let run = loads.map(crate::estimate::load::Load::seconds);
        let run = run.reduce(f64::max).unwrap_or(0.0);
        // a copy without a deadline is made before the next run
        let late = self.holding.within.or(gap)?.as_secs();
        Some(gap?.as_secs() + window + run + late)
    }
}

/// Seconds to replay what is written in some time, with the rates of writing and replaying.
pub(in crate::check) fn replay(
    context: &Context<'_>,
    service: ServiceId,
    place: &Place<'_>,
    span: f64,
) -> (Figure, Option<(f64, f64)>) {
    let name = &context.plan.service(service).name;
    let Some(written) = context.known.log_mean_high(service) else {
        return (Figure::unknown(format!("log rate of {name}")), None);
    };
    match place.replaying(context) {
        Ok(rate) => {
            let log = crate::check::words::amount(written * span);
            let figure = Figure::of(format!("to replay {log} of log"), written * span / rate);
            (figure, Some((written, rate)))
        }
        Err(missing) => (Figure::unknown(missing), None),
    }
}
