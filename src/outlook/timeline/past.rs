//! Owns the picture of days that are over: what the calendar of the plan wanted beside what the
//! journals of the runs and the stored log tell, on the bands of the days ahead. Must not draw.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::{Done, falling};
use super::{Band, BandKind, Curve, Mark, Sure, Timeline};
use crate::facts::holdings::{LogHolding, Method};
use crate::graph::step::{StepGraph, StepId, StepKind};
use crate::graph::support::service_of;
use crate::resolve::plan::ResolvedPlan;

/// A curve has no more stretches of log than this: the worst of its time stands for the others.
const STRETCHES: f64 = 500.0;

/// A run that is over, as its journal tells it.
#[derive(Debug, Clone)]
pub struct Past {
    /// What it was to do.
    pub graph: StepGraph,
    /// What it did.
    pub done: Vec<Done>,
}

/// Lays what was measured beside the picture of the same days as they were planned.
#[must_use]
pub fn beside(
    plan: &ResolvedPlan,
    planned: Timeline,
    runs: &[Past],
    logs: &[LogHolding],
) -> Timeline {
    let mut measured = Measured {
        begin: planned.begin,
        until: planned.seconds,
        bands: BTreeMap::new(),
        safe: BTreeMap::new(),
    };
    for run in runs {
        measured.add(run);
    }
    let curves = measured.curves(logs);
    let mut all = Vec::new();
    let mut bands = measured.bands;
    for mut band in planned.bands {
        let own = bands.remove(&(band.kind, band.name.clone()));
        if matches!(band.kind, BandKind::Device | BandKind::Mode) {
            let marks = own.unwrap_or_default();
            let measured = named(band.kind, &band.name, marks);
            band.name.push_str(" planned");
            all.extend([band, measured]);
        } else {
            all.push(band);
        }
    }
    // engines that copy themselves have steps around a copy too, but nothing they must be told
    let unplanned = bands.into_iter();
    let unplanned = unplanned.filter(|((kind, _), _)| *kind == BandKind::Device);
    all.extend(unplanned.map(|((kind, name), marks)| named(kind, &name, marks)));
    all.sort_by_key(|band| band.kind);
    let days = (planned.seconds / 86_400.0).round();
    let last = if days > 1.0 {
        format!("the last {days:.0} days")
    } else {
        "the last day".to_owned()
    };
    Timeline {
        title: format!("{}: {last}", super::named(plan)),
        bands: all,
        curves: paired(planned.curves, curves),
        ..planned
    }
}

fn named(kind: BandKind, name: &str, marks: Vec<Mark>) -> Band {
    Band {
        kind,
        name: format!("{name} measured"),
        marks,
    }
}

/// Each curve as planned with its measured one after it.
fn paired(planned: Vec<Curve>, mut measured: BTreeMap<String, Vec<(f64, f64)>>) -> Vec<Curve> {
    let mut all = Vec::new();
    for mut curve in planned {
        let points = measured.remove(&curve.service).unwrap_or_default();
        let service = format!("{} measured", curve.service);
        curve.service.push_str(" planned");
        all.extend([curve, Curve { service, points }]);
    }
    all
}

/// What the journals tell, by band and by service.
struct Measured {
    begin: Timestamp,
    until: f64,
    bands: BTreeMap<(BandKind, String), Vec<Mark>>,
    /// When a copy was whole, and the moment that it shows.
    safe: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Measured {
    fn at(&self, instant: Timestamp) -> f64 {
        instant.duration_since(self.begin).as_secs_f64()
    }

    fn add(&mut self, run: &Past) {
        let done: BTreeMap<StepId, &Done> = run.done.iter().map(|done| (done.step, done)).collect();
        let jobs = jobs(&run.graph);
        let mut own: BTreeMap<(BandKind, String, String), Mark> = BTreeMap::new();
        let mut read: BTreeMap<&str, f64> = BTreeMap::new();
        for step in &run.graph.steps {
            let Some(done) = done.get(&step.id) else {
                continue;
            };
            let span = self.span(done);
            for (kind, name, label) in places(&step.kind, &jobs) {
                join(&mut own, (kind, name, label), span, done.failed);
            }
            match &step.kind {
                StepKind::CopyPart { part, .. } => {
                    read.insert(part, span.0);
                }
                StepKind::CommitPart { part, .. } if !done.failed => {
                    let shows = read.get(part.as_str());
                    if let Some((service, shows)) = service_of(&step.kind).zip(shows) {
                        let safe = self.safe.entry(service.to_owned()).or_default();
                        safe.push((span.1, *shows));
                    }
                }
                _ => {}
            }
        }
        for ((kind, name, _), mark) in own {
            self.bands.entry((kind, name)).or_default().push(mark);
        }
    }

    fn span(&self, done: &Done) -> (f64, f64) {
        let begin = self.at(done.began);
        let end = done.ended.map_or(begin, |end| self.at(end).max(begin));
        (begin, end)
    }

    /// Where log is stored it tells; else all work since the newest copy began to be read.
    fn curves(&mut self, logs: &[LogHolding]) -> BTreeMap<String, Vec<(f64, f64)>> {
        let safe = std::mem::take(&mut self.safe);
        let mut curves: BTreeMap<String, Vec<(f64, f64)>> = safe
            .into_iter()
            .map(|(service, safe)| (service, falling(safe, self.until)))
            .collect();
        let mut stretches: BTreeMap<&str, BTreeMap<u64, (f64, f64)>> = BTreeMap::new();
        for log in logs {
            let (first, last) = (self.at(log.first_at), self.at(log.last_at));
            if last < 0.0 || last > self.until {
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the number of stretches"
            )]
            let turn = (last / self.until * STRETCHES) as u64;
            let own = stretches.entry(&log.service).or_default();
            let worst = own.entry(turn).or_insert((first, last));
            if last - first > worst.1 - worst.0 {
                *worst = (first, last);
            }
        }
        for (service, stretches) in stretches {
            let points = stretches.into_values().flat_map(|(first, last)| {
                let from = first.max(0.0);
                [(from, from - first), (last, last - first), (last, 0.0)]
            });
            curves.insert(service.to_owned(), points.collect());
        }
        curves
    }
}

/// Job and method of each part that a run copies.
fn jobs(graph: &StepGraph) -> BTreeMap<&str, String> {
    let mut methods: BTreeMap<&str, Method> = BTreeMap::new();
    let mut jobs = BTreeMap::new();
    for step in &graph.steps {
        match &step.kind {
            StepKind::CopyPart { part, method, .. } => {
                methods.insert(part, *method);
            }
            StepKind::CommitPart { part, job, .. } => {
                jobs.insert(part.as_str(), job.as_str());
            }
            _ => {}
        }
    }
    let labels = methods.into_iter().map(|(part, method)| {
        let job = jobs.get(part).copied().unwrap_or("a job");
        (part, format!("{job} {}", method.words()))
    });
    labels.collect()
}

/// The bands that a step lies on, with its label.
fn places(kind: &StepKind, jobs: &BTreeMap<&str, String>) -> Vec<(BandKind, String, String)> {
    match kind {
        StepKind::CopyPart { part, devices, .. } => {
            let label = jobs.get(part.as_str()).cloned().unwrap_or_default();
            let devices = devices.iter();
            devices
                .map(|device| (BandKind::Device, device.clone(), label.clone()))
                .collect()
        }
        StepKind::CopyStored { job, to, .. } => {
            vec![(BandKind::Device, to.clone(), format!("copy of {job}"))]
        }
        StepKind::BeginBackup { component, .. } | StepKind::EndBackup { component, .. } => {
            let service = service_of(kind).unwrap_or(component);
            vec![(BandKind::Mode, service.to_owned(), component.clone())]
        }
        _ => Vec::new(),
    }
}

/// Steps of one run with the same label on the same band are one mark.
fn join(
    own: &mut BTreeMap<(BandKind, String, String), Mark>,
    key: (BandKind, String, String),
    (start, end): (f64, f64),
    failed: bool,
) {
    let label = key.2.clone();
    let mark = own.entry(key).or_insert(Mark {
        start,
        end,
        label,
        sure: Sure::Measured,
    });
    mark.start = mark.start.min(start);
    mark.end = mark.end.max(end);
    if failed {
        mark.sure = Sure::Failed;
    }
}
