//! Owns how much work a loss can cost a service: for each component the best copy that is left,
//! for the service the worst component. Formulas are in `estimate::exposure`.

use crate::check::cadence::{days_gap, joint_gap, longest_gap};
use crate::check::context::Context;
use crate::check::promise::cover::{self, Class, Holding};
use crate::check::promise::{Broken, Verdict};
use crate::estimate::Figure;
use crate::estimate::exposure::{Shipping, TOO_SLOW, shipped, streamed};
use crate::estimate::pace::{self, throttled};
use crate::estimate::survive::{self, Case, Survival};
use crate::facts::capability;
use crate::quantity::Duration;
use crate::resolve::plan::{
    Archive, BackupId, ComponentId, CopyScope, DeviceId, Every, LossKind, ServiceId, Ship,
};
use crate::source::Span;

/// A way back, with the age of what it brings back, in seconds.
#[derive(Debug, Clone)]
pub(in crate::check) struct Candidate {
    /// The age with its terms.
    pub(in crate::check) age: Figure,
    /// By what.
    pub(in crate::check) via: Via,
}

/// What a way back rests on.
#[derive(Debug, Clone)]
pub(in crate::check) enum Via {
    /// The original is left.
    Original,
    /// Log of an archive on a device, by this clause; the interval when it is shipped.
    Log(DeviceId, Span, Option<Duration>),
    /// Copies of a backup on a device.
    Copies(BackupId, DeviceId),
}

/// A component of which nothing is left.
#[derive(Debug, Clone)]
pub(in crate::check) struct Lost {
    /// The component.
    pub(in crate::check) component: ComponentId,
    /// The case that takes it.
    pub(in crate::check) case: Case,
    /// The backups that cover it.
    pub(in crate::check) backups: Vec<BackupId>,
}

/// Judges one promise: the worst verdict over all cases of the loss and all components.
pub(in crate::check) fn judge(
    context: &Context<'_>,
    service: ServiceId,
    loss: &LossKind,
    limit: Duration,
) -> Verdict {
    let classes = cover::classes(context, service);
    if classes.is_empty() || cover::has_gaps(context, service) {
        return Verdict::Open;
    }
    let mut worst: Option<Verdict> = None;
    for case in survive::cases(context.plan, service, loss) {
        let ways = Ways::new(context, service, &case);
        for class in &classes {
            let verdict = ways.verdict(class, limit.as_secs());
            worst = Some(match worst {
                Some(old) if rank(&old) >= rank(&verdict) => old,
                _ => verdict,
            });
        }
    }
    worst.unwrap_or(Verdict::Open)
}

/// Worse verdicts rank higher; among equal ones the larger figure.
pub(in crate::check) fn rank(verdict: &Verdict) -> (u8, u64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates; only compared"
    )]
    let millis = |figure: &Figure| (figure.total() * 1000.0) as u64;
    match verdict {
        Verdict::Proved(figure) => (0, millis(figure)),
        Verdict::Open => (1, 0),
        Verdict::Unknown(_) => (2, 0),
        Verdict::Broken(Broken::Exposed(candidate)) => (3, millis(&candidate.age)),
        Verdict::Broken(Broken::Slow(slow)) => (3, millis(&slow.figure)),
        Verdict::Broken(_) => (4, 0),
    }
}

/// All ways back after one case.
pub(in crate::check) struct Ways<'c, 'a> {
    context: &'c Context<'a>,
    service: ServiceId,
    case: &'c Case,
    original: Survival,
    /// Log on devices that may be left, with how sure that is.
    logs: Vec<(Survival, Candidate)>,
}

impl<'c, 'a> Ways<'c, 'a> {
    /// Looks at the archives of the service once.
    pub(in crate::check) fn new(
        context: &'c Context<'a>,
        service: ServiceId,
        case: &'c Case,
    ) -> Self {
        let mut ways = Self {
            context,
            service,
            case,
            original: survive::original(context.plan, service, case),
            logs: Vec::new(),
        };
        for (_, archive) in context.service_archives(service) {
            ways.add_log(archive);
        }
        ways
    }

    fn left(&self, device: DeviceId) -> Survival {
        survive::device(self.context.plan, device, self.case)
    }

    /// The way back that costs least: of those that are surely left when there are any, else of
    /// those that may be. None when nothing is left.
    pub(in crate::check) fn best(&self, class: &Class) -> Option<Candidate> {
        let age = |way: &Candidate| (!way.age.is_bound(), way.age.total());
        let least = |ways: Vec<Candidate>| {
            let ways = ways.into_iter().map(|way| (age(&way), way));
            let least = ways.min_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            least.map(|(_, way)| way)
        };
        let sure = least(self.of(class, Survival::Yes));
        sure.or_else(|| least(self.of(class, Survival::Maybe)))
    }

    /// How a promise of this limit comes out for a class of components.
    pub(in crate::check) fn verdict(&self, class: &Class, limit: f64) -> Verdict {
        let sure = self.of(class, Survival::Yes);
        let bounds = sure.iter().filter(|way| way.age.within(limit));
        if let Some(best) = bounds.min_by(|a, b| a.age.total().total_cmp(&b.age.total())) {
            return Verdict::Proved(best.age.clone());
        }
        let hoped = self.of(class, Survival::Maybe);
        let mut open = hoped.iter().filter(|way| !way.age.beyond(limit)).peekable();
        if open.peek().is_some() {
            // a log that never catches up breaks every promise; its own rule says so
            let open = open.find(|way| way.age.missing.as_deref() != Some(TOO_SLOW));
            let shown = Verdict::Broken(Broken::Elsewhere);
            return open.map_or(shown, |open| self.unknown(open));
        }
        let least = hoped.into_iter();
        let least = least.min_by(|a, b| a.age.total().total_cmp(&b.age.total()));
        Verdict::Broken(match least {
            Some(way) => Broken::Exposed(way),
            None => Broken::Lost(Lost {
                component: class.example,
                case: self.case.clone(),
                backups: class.backups.clone(),
            }),
        })
    }

    fn unknown(&self, way: &Candidate) -> Verdict {
        let plan = self.context.plan;
        match (&way.via, &way.age.missing) {
            (Via::Copies(..), Some(_)) => Verdict::Open,
            (_, Some(missing)) => Verdict::Unknown(missing.clone()),
            (Via::Log(device, ..) | Via::Copies(_, device), None) => {
                let device = &plan.device(*device).name;
                Verdict::Unknown(format!("the place of {device} or of what it protects"))
            }
            (Via::Original, None) => {
                let service = &plan.service(self.service).name;
                Verdict::Unknown(format!("the site of {service}"))
            }
        }
    }

    fn of(&self, class: &Class, sure: Survival) -> Vec<Candidate> {
        if self.original >= sure {
            return vec![Candidate {
                age: Figure::of("the original is left", 0.0),
                via: Via::Original,
            }];
        }
        let mut ways = Vec::new();
        let mut base = false;
        for id in &class.backups {
            let backup = &self.context.plan.backups[id.index()];
            for holding in cover::holdings(backup) {
                if self.left(holding.device) < sure {
                    continue;
                }
                base |= cover::is_physical(backup);
                ways.push(self.copies(*id, holding));
            }
        }
        if base {
            let logs = self.logs.iter().filter(|(left, _)| *left >= sure);
            ways.extend(logs.map(|(_, way)| way.clone()));
        }
        // a hot copy without its log is no way back
        let engine = self.context.plan.service(self.service).engine;
        if !capability::of(engine).self_contained {
            let physical =
                |id: &BackupId| cover::is_physical(&self.context.plan.backups[id.index()]);
            ways.retain(|way| !matches!(&way.via, Via::Copies(id, _) if physical(id)));
        }
        ways
    }

    /// Age of the copies themselves: the gap between runs whose copies come to the device, the
    /// run, and the way there.
    fn copies(&self, id: BackupId, holding: Holding<'_>) -> Candidate {
        let (plan, device) = (self.context.plan, holding.device);
        let gap = joint_gap(plan, holding.takes().map(|take| &take.schedule));
        let gap = gap.map(|gap| gap.max(self.closed(holding)));
        let mut age = match gap {
            Some(gap) => Figure::of("between two copies", gap.as_secs()),
            None => Figure::unknown("a regular time of copies"),
        };
        let windows = holding.takes().filter_map(|take| take.schedule.during);
        let windows = windows.map(|during| plan.window(during.value));
        if let Some(window) = windows.max_by(|a, b| a.seconds().total_cmp(&b.seconds())) {
            let term = format!("a start anywhere in window {}", window.name);
            age = age.plus(term, window.seconds());
        }
        match holding.within {
            Some(Duration(0)) => {}
            Some(within) => {
                let name = &plan.device(device).name;
                age = age.plus(format!("copied to {name}"), within.as_secs());
            }
            None => age = age.lacks("a deadline of the copy"),
        }
        let late = self.context.lateness[id.index()].clone();
        let age = self.travel(age, device).and(late);
        Candidate {
            age,
            via: Via::Copies(id, device),
        }
    }

    /// The longest time between two runs that come at an interval but only in a window.
    fn closed(&self, holding: Holding<'_>) -> Duration {
        let gaps =
            holding
                .takes()
                .filter_map(|take| match (&take.schedule.every, take.schedule.during) {
                    (Every::Interval(interval, _), Some(window)) => {
                        let days = days_gap(&self.context.plan.window(window.value).days);
                        Some(Duration(interval.0.saturating_add(days.0)))
                    }
                    (Every::Hour, Some(window)) => {
                        Some(days_gap(&self.context.plan.window(window.value).days))
                    }
                    _ => None,
                });
        gaps.max().unwrap_or_default()
    }

    fn travel(&self, age: Figure, device: DeviceId) -> Figure {
        let Some(rotation) = survive::travels(self.context.plan, device, self.case) else {
            return age;
        };
        match longest_gap(&rotation.schedule) {
            Some(gap) => age.plus(
                format!("until it travels to {}", rotation.to),
                gap.as_secs(),
            ),
            None => age.lacks("a regular time of the rotation"),
        }
    }

    fn add_log(&mut self, archive: &Archive) {
        let mut first: Vec<(DeviceId, Figure, Span, Option<Duration>)> = Vec::new();
        for stream in &archive.streams {
            let known = self.context.known;
            let (service, device) = self.names(stream.device);
            let mean = known.log_mean_low(self.service);
            let age = streamed(stream.lag, mean, &service, &device);
            first.push((stream.device, age, stream.span, None));
        }
        for ship in &archive.ships {
            let (age, interval) = self.shipped(archive, ship);
            first.push((ship.device, age, ship.span, interval));
        }
        let source = first.iter().min_by(|a, b| {
            let key = |age: &Figure| (!age.is_bound(), age.total());
            let (a, b) = (key(&a.1), key(&b.1));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let mut all = first.clone();
        if let Some((_, age, span, interval)) = source {
            for copy in &archive.keeping.copies {
                if !matches!(copy.scope, CopyScope::All | CopyScope::Log) {
                    continue;
                }
                let (_, device) = self.names(copy.device);
                let age = match copy.within {
                    Some(within) => age
                        .clone()
                        .plus(format!("copied to {device}"), within.as_secs()),
                    None => age
                        .clone()
                        .lacks(format!("a deadline of the copy to {device}")),
                };
                all.push((copy.device, age, *span, *interval));
            }
        }
        let live = matches!(self.case, Case::HumanError) && point_in_time(self);
        for (device, age, span, interval) in all {
            let age = if live {
                // the log itself is not touched, and replay stops before the mistake
                Figure::of("log is replayed up to the mistake", 0.0)
            } else {
                self.travel(age, device)
            };
            let via = Via::Log(device, span, interval);
            self.logs.push((self.left(device), Candidate { age, via }));
        }
    }

    fn shipped(&self, archive: &Archive, ship: &Ship) -> (Figure, Option<Duration>) {
        let (service, device) = self.names(ship.device);
        // shipped by interval in a window only: what gathers outside it has no bound here
        let always = ship.schedule.during.is_none();
        let planned = longest_gap(&ship.schedule).filter(|_| always);
        let interval = self.context.known.log_shipped_within(self.service, planned);
        let size = match &ship.schedule.every {
            Every::Interval(_, size) => *size,
            Every::Size(size) => Some(*size),
            Every::Hour | Every::Days(_) => None,
        };
        let known = self.context.known;
        let limits = &self.context.plan.device(ship.device).throttle;
        let limits = archive.keeping.throttle.iter().chain(limits);
        let limit = throttled(limits);
        let line = pace::line(self.context.plan, self.service, ship.device);
        let line = line.map(|pace| pace.rate);
        let copiers = self.context.copiers[ship.device.index()];
        let beside = |copiers| {
            let whole = known.write(ship.device)?;
            Some(pace::beside(whole, line, limit, copiers))
        };
        let shipping = Shipping {
            interval,
            by_server: interval != planned,
            size,
            peak: known.log_peak(self.service),
            rate: beside(0),
            shared: beside(copiers),
        };
        (shipped(shipping, &service, &device), interval)
    }

    fn names(&self, device: DeviceId) -> (String, String) {
        let plan = self.context.plan;
        (
            plan.service(self.service).name.clone(),
            plan.device(device).name.clone(),
        )
    }
}

fn point_in_time(ways: &Ways<'_, '_>) -> bool {
    let engine = ways.context.plan.service(ways.service).engine;
    capability::of(engine).point_in_time
}
