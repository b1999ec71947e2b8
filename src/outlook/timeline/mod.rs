//! Owns the weeks ahead as a picture: what runs when on which device, windows, backup mode,
//! trips of volumes, and how much work a loss would cost at each moment. Must not draw.
//!
//! The same picture of a run that is over comes from its graph and its journal: [`run`]; that of
//! days that are over from those of all their runs: [`past`].

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::check::survival::{Loss, Matrix};
use crate::estimate::survive::Case;
use crate::estimate::{self, Agenda, Known};
use crate::facts::capability;
use crate::graph::{GraphError, full_name};
use crate::resolve::plan::{Backup, CopyScope, Method, ResolvedPlan, ServiceId};
use crate::resolve::zone;

mod frame;
mod past;
mod run;

pub use past::{Past, beside};
pub use run::{Done, of_run};

use frame::Frame;

/// A picture of some days.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What it shows.
    pub title: String,
    /// Its first moment.
    pub begin: Timestamp,
    /// How long it is.
    pub seconds: f64,
    /// The zone in which times are told.
    pub zone: TimeZone,
    /// Bands by kind, in the order of the plan.
    pub bands: Vec<Band>,
    /// One a service: seconds of work that a loss of its host would cost, over time.
    pub curves: Vec<Curve>,
    /// True when some length is not known and drawn as short as it can be.
    pub partial: bool,
}

/// What a band is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BandKind {
    /// A window of the plan, while it is open.
    Window,
    /// A device, while it is written.
    Device,
    /// A service, while it is in backup mode.
    Mode,
    /// Volumes that travel.
    Trip,
    /// A lane of a run.
    Lane,
}

/// A row of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// What it is about.
    pub kind: BandKind,
    /// Its name.
    pub name: String,
    /// What lies on it, by time.
    pub marks: Vec<Mark>,
}

/// How sure a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// As planned.
    Planned,
    /// Allowed until then: a deadline.
    Allowed,
    /// As it was.
    Measured,
    /// As it was, and it failed.
    Failed,
}

/// A stretch of time on a band, in seconds after the beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// From.
    pub start: f64,
    /// Until.
    pub end: f64,
    /// What it is.
    pub label: String,
    /// How sure it is.
    pub sure: Sure,
}

/// Exposure of a service over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The service.
    pub service: String,
    /// Seconds after the beginning, and seconds of work that a loss would cost then; straight
    /// lines between.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// The most that a loss can cost.
    #[must_use]
    pub fn highest(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }
}

/// The days ahead of a plan. The window of vulnerability of services with an archive is the
/// bound of the matrix; for others it grows from copy to copy.
///
/// # Errors
/// When the plan's zone is not known on this machine.
pub fn ahead(
    plan: &ResolvedPlan,
    known: &Known,
    matrix: &Matrix,
    now: Timestamp,
    days: u32,
) -> Result<Timeline, GraphError> {
    let agenda = Agenda::of(plan, known, now);
    let zone = zone::find(&plan.timezone.value);
    let (Some(agenda), Some(zone)) = (agenda, zone) else {
        // says which zone is missing and what to install
        crate::graph::calendar(plan)?;
        return Err(GraphError::new(
            "the plan has no calendar",
            "correct `timezone`",
        ));
    };
    let ahead = Ahead {
        plan,
        agenda: &agenda,
        now,
        seconds: f64::from(days) * 86_400.0,
    };
    let runs = ahead.runs();
    let frame = Frame {
        plan,
        calendar: agenda.calendar(),
        begin: now,
        seconds: ahead.seconds,
    };
    let mut bands = frame.windows();
    bands.extend(ahead.devices(&runs));
    bands.extend(ahead.modes(&runs));
    bands.extend(frame.trips());
    Ok(Timeline {
        title: format!("{}: {days} days ahead", named(plan)),
        begin: now,
        seconds: ahead.seconds,
        zone,
        bands,
        curves: ahead.curves(&runs, matrix),
        partial: agenda.loads.iter().any(|load| !load.complete),
    })
}

/// The plan with its environment.
fn named(plan: &ResolvedPlan) -> String {
    match plan.environment.as_str() {
        "" => plan.name.clone(),
        name => format!("{} [{name}]", plan.name),
    }
}

struct Ahead<'a> {
    plan: &'a ResolvedPlan,
    agenda: &'a Agenda<'a>,
    now: Timestamp,
    seconds: f64,
}

/// One planned run.
struct Planned<'a> {
    backup: &'a Backup,
    method: Method,
    start: f64,
    end: f64,
}

impl<'a> Ahead<'a> {
    fn at(&self, instant: Timestamp) -> f64 {
        instant.duration_since(self.now).as_secs_f64()
    }

    fn runs(&self) -> Vec<Planned<'a>> {
        let mut runs = Vec::new();
        for batch in &self.agenda.batches {
            let due = self.at(batch.due);
            for ((load, _), (start, end)) in batch.runs.iter().zip(batch.played.iter()) {
                let load = &self.agenda.loads[*load];
                let backup = &self.plan.backups[load.backup.index()];
                if due < self.seconds && due + end > 0.0 {
                    runs.push(Planned {
                        backup,
                        method: backup.takes[load.take].method,
                        start: due + start,
                        end: due + end,
                    });
                }
            }
        }
        runs
    }

    /// Runs on the device they are stored on first; copies up to their deadlines.
    fn devices(&self, runs: &[Planned<'a>]) -> Vec<Band> {
        let mut marks: BTreeMap<usize, Vec<Mark>> = BTreeMap::new();
        for run in runs {
            let name = full_name(&run.backup.origin, &run.backup.name);
            let label = format!("{name} {}", run.method.words());
            if let Some(store) = run.backup.keeping.store {
                marks.entry(store.value.index()).or_default().push(Mark {
                    start: run.start,
                    end: run.end,
                    label: label.clone(),
                    sure: Sure::Planned,
                });
            }
            for copy in &run.backup.keeping.copies {
                let Some(within) = copy.within.filter(|_| carries(copy.scope, run.method)) else {
                    continue;
                };
                marks.entry(copy.device.index()).or_default().push(Mark {
                    start: run.end,
                    end: run.end + within.as_secs(),
                    label: format!("copy of {label}"),
                    sure: Sure::Allowed,
                });
            }
        }
        let bands = marks.into_iter().map(|(device, marks)| Band {
            kind: BandKind::Device,
            name: self.plan.devices[device].name.clone(),
            marks,
        });
        bands.collect()
    }

    /// Services whose engine has to be told that it is copied.
    fn modes(&self, runs: &[Planned<'a>]) -> Vec<Band> {
        let mut marks: BTreeMap<ServiceId, Vec<Mark>> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.method != Method::Logical) {
            let targets = run.backup.targets.iter();
            let mut services: Vec<ServiceId> = targets
                .map(|id| self.plan.component(*id).service)
                .filter(|id| !capability::of(self.plan.service(*id).engine).self_contained)
                .collect();
            services.dedup();
            for service in services {
                marks.entry(service).or_default().push(Mark {
                    start: run.start,
                    end: run.end,
                    label: full_name(&run.backup.origin, &run.backup.name),
                    sure: Sure::Planned,
                });
            }
        }
        let bands = marks.into_iter().map(|(service, marks)| Band {
            kind: BandKind::Mode,
            name: self.plan.service(service).name.clone(),
            marks,
        });
        bands.collect()
    }

    fn curves(&self, runs: &[Planned<'a>], matrix: &Matrix) -> Vec<Curve> {
        let services = self.plan.services.iter().enumerate();
        let services = services.filter(|(at, _)| {
            let id = ServiceId::from_index(*at);
            let mut jobs = self.plan.backups.iter().flat_map(|backup| &backup.targets);
            jobs.any(|target| self.plan.component(*target).service == id)
        });
        services
            .map(|(at, service)| Curve {
                service: service.name.clone(),
                points: match bound(matrix, &service.name, service.host.as_ref()) {
                    Some(bound) => vec![(0.0, bound), (self.seconds, bound)],
                    None => self.growing(runs, ServiceId::from_index(at)),
                },
            })
            .collect()
    }

    /// Without log a loss costs all work since the newest copy began.
    fn growing(&self, runs: &[Planned<'a>], service: ServiceId) -> Vec<(f64, f64)> {
        let own = runs.iter().filter(|run| {
            let mut targets = run.backup.targets.iter();
            targets.any(|id| self.plan.component(*id).service == service)
        });
        let mut copies: Vec<(f64, f64)> = own.map(|run| (run.end, run.start)).collect();
        copies.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut points = Vec::new();
        let mut newest: Option<f64> = None;
        for (end, start) in copies.into_iter().filter(|copy| copy.0 < self.seconds) {
            if let Some(before) = newest {
                points.push((end, end - before));
            }
            points.push((end, end - start));
            newest = Some(start);
        }
        points.extend(newest.map(|before| (self.seconds, self.seconds - before)));
        points
    }
}

/// Whether a copy takes what a run made.
fn carries(scope: CopyScope, method: Method) -> bool {
    let full = matches!(method, Method::PhysicalFull | Method::Logical);
    match scope {
        CopyScope::All => true,
        CopyScope::Full => full,
        CopyScope::Incremental => !full,
        CopyScope::Log => false,
    }
}

/// What a loss costs a service that has an archive, at most: of its host, or damage when the log
/// goes with the host.
fn bound(matrix: &Matrix, service: &str, host: Option<&String>) -> Option<f64> {
    let of_host = Loss::Case(Case::Host(host.cloned()));
    let worst = |loss: &Loss| {
        let cells = matrix.cells.iter();
        let cells = cells.filter(|cell| cell.service == service && cell.loss == *loss);
        let logged = cells.filter(|cell| cell.via.starts_with("log on"));
        let data = logged.filter_map(|cell| cell.data.as_ref());
        data.filter(|data| data.is_bound())
            .map(estimate::Figure::total)
            .reduce(f64::max)
    };
    worst(&of_host).or_else(|| worst(&Loss::Case(Case::Corruption)))
}

/// The moment so many seconds after the beginning.
#[must_use]
pub fn instant(timeline: &Timeline, at: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a few weeks fit")]
    let span = SignedDuration::from_millis((at * 1000.0).round() as i64);
    timeline.begin.checked_add(span).unwrap_or(timeline.begin)
}
