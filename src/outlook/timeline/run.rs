//! Owns the picture of a run that is over: what was planned beside what its journal tells, on the
//! same bands as the picture of the days ahead. Must not draw.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::frame::Frame;
use super::{Band, BandKind, Curve, Mark, Sure, Timeline};
use crate::estimate;
use crate::estimate::calendar::Calendar;
use crate::graph::render::kind_word;
use crate::graph::step::{StepGraph, StepId, StepKind};
use crate::graph::support::service_of;
use crate::resolve::plan::ResolvedPlan;

/// Begin and end of each step, in seconds after the beginning; none for steps that did not run.
type Bars = Vec<Option<(f64, f64)>>;

/// A step of a run as its journal tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    /// The step.
    pub step: StepId,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; none while it runs, and when the process died.
    pub ended: Option<Timestamp>,
    /// Whether it failed.
    pub failed: bool,
}

/// A run that is over, planned beside measured: two bands for each lane and two curves for each
/// service that it copied, with the windows and trips of the plan around it.
#[must_use]
pub fn of_run(
    graph: &StepGraph,
    done: &[Done],
    zone: TimeZone,
    plan: Option<&ResolvedPlan>,
) -> Timeline {
    let played = estimate::simulate(graph, 0.0);
    let begin = done
        .iter()
        .map(|done| done.began)
        .min()
        .unwrap_or(graph.now);
    let seconds_of = |at: Timestamp| at.duration_since(begin).as_secs_f64();
    let index: BTreeMap<StepId, usize> = graph
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| (step.id, at))
        .collect();
    let mut bands = Bands::default();
    let planned: Bars = (played.bars.iter())
        .map(|bar| bar.map(|bar| (bar.start, bar.end)))
        .collect();
    for (at, bar) in planned.iter().enumerate() {
        if let Some(bar) = bar {
            bands.add(graph, at, *bar, Sure::Planned);
        }
    }
    let last = done.iter().filter_map(|done| done.ended).max();
    let last = last.unwrap_or(begin);
    let mut measured: Bars = vec![None; graph.steps.len()];
    for one in done {
        let Some(at) = index.get(&one.step) else {
            continue;
        };
        let end = one.ended.unwrap_or(last).max(one.began);
        let bar = (seconds_of(one.began), seconds_of(end));
        let sure = if one.failed {
            Sure::Failed
        } else {
            measured[*at] = Some(bar).filter(|_| one.ended.is_some());
            Sure::Measured
        };
        bands.add(graph, *at, bar, sure);
    }
    let seconds = played.makespan.max(seconds_of(last)).max(1.0);
    let calendar = plan.and_then(|plan| Some((plan, Calendar::of(plan)?)));
    let frame = calendar.as_ref().map(|(plan, calendar)| Frame {
        plan,
        calendar,
        begin,
        seconds,
    });
    let mut all = frame.map_or_else(Vec::new, |frame| frame.windows());
    all.extend(bands.into_list(graph));
    all.extend(frame.map_or_else(Vec::new, |frame| frame.trips()));
    let mut curves = at_risk(graph, &planned, seconds, "planned");
    curves.extend(at_risk(graph, &measured, seconds, "measured"));
    curves.sort_by(|a, b| b.service.cmp(&a.service));
    Timeline {
        title: format!("run {} of {}", graph.run, graph.plan),
        begin,
        seconds,
        zone,
        bands: all,
        curves,
        partial: played.unknown > 0,
    }
}

/// Work that a loss of the source would have cost from the first copy of a run on: all since the
/// newest copy, or the newest log, began to be read.
fn at_risk(graph: &StepGraph, bars: &Bars, until: f64, word: &str) -> Vec<Curve> {
    let mut read: BTreeMap<&str, f64> = BTreeMap::new();
    let mut safe: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (step, bar) in graph.steps.iter().zip(bars) {
        if let (StepKind::CopyPart { part, .. }, Some(bar)) = (&step.kind, bar) {
            read.insert(part, bar.0);
        }
    }
    for (step, bar) in graph.steps.iter().zip(bars) {
        let (Some(bar), Some(service)) = (bar, service_of(&step.kind)) else {
            continue;
        };
        let shows = match &step.kind {
            StepKind::CommitPart { part, .. } => read.get(part.as_str()).copied(),
            StepKind::ArchiveLog { .. } => Some(bar.0),
            _ => None,
        };
        if let Some(shows) = shows {
            safe.entry(service).or_default().push((bar.1, shows));
        }
    }
    let curves = safe.into_iter().map(|(service, safe)| Curve {
        service: format!("{service} {word}"),
        points: falling(safe, until),
    });
    curves.collect()
}

/// Grows with time and falls when something newer is safe.
pub(super) fn falling(mut safe: Vec<(f64, f64)>, until: f64) -> Vec<(f64, f64)> {
    safe.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut points = Vec::new();
    let mut newest: Option<f64> = None;
    for (end, shows) in safe {
        points.extend(newest.map(|before| (end, end - before)));
        let now = newest.map_or(shows, |before| before.max(shows));
        points.push((end, end - now));
        newest = Some(now);
    }
    points.extend(newest.map(|before| (until, until - before)));
    points
}

/// Bands of a run by lane, planned before measured.
#[derive(Default)]
struct Bands(BTreeMap<(usize, bool), Vec<Mark>>);

impl Bands {
    /// A step lies on the band of each of its lanes; steps without a lane share the last band.
    fn add(&mut self, graph: &StepGraph, step: usize, (start, end): (f64, f64), sure: Sure) {
        let Some(step) = graph.steps.get(step) else {
            return;
        };
        let lanes = step.lanes.iter().map(|lane| *lane as usize);
        let mut lanes: Vec<usize> = lanes.filter(|lane| *lane < graph.lanes.len()).collect();
        if lanes.is_empty() {
            lanes.push(graph.lanes.len());
        }
        for lane in lanes {
            let key = (lane, sure != Sure::Planned);
            self.0.entry(key).or_default().push(Mark {
                start,
                end,
                label: format!("{} {}", kind_word(&step.kind), step.subject),
                sure,
            });
        }
    }

    fn into_list(self, graph: &StepGraph) -> Vec<Band> {
        let bands = self.0.into_iter().map(|((lane, measured), marks)| {
            let lane = graph.lanes.get(lane).map_or("no lane", |lane| &lane.name);
            let word = if measured { "measured" } else { "planned" };
            let of = |prefix| lane.strip_prefix(prefix);
            let (kind, name) = match (of("device/"), of("backup-mode/")) {
                (Some(device), _) => (BandKind::Device, device),
                (_, Some(service)) => (BandKind::Mode, service),
                (None, None) => (BandKind::Lane, lane),
            };
            Band {
                kind,
                name: format!("{name} {word}"),
                marks: match kind {
                    BandKind::Mode => brackets(marks),
                    _ => marks,
                },
            }
        });
        bands.collect()
    }
}

/// One mark from entering backup mode to leaving it, for each thing that was in it.
fn brackets(marks: Vec<Mark>) -> Vec<Mark> {
    let mut all: Vec<Mark> = Vec::new();
    for mut mark in marks {
        let subject = mark
            .label
            .split_once(' ')
            .map(|(_, subject)| subject.to_owned());
        mark.label = subject.unwrap_or(mark.label);
        match all.iter_mut().find(|one| one.label == mark.label) {
            Some(one) => {
                one.start = one.start.min(mark.start);
                one.end = one.end.max(mark.end);
            }
            None => all.push(mark),
        }
    }
    all
}
