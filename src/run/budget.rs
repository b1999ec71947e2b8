//! Owns how much memory the copies of a run take: the one place that hands it out.

use std::collections::BTreeMap;

use crate::graph::step::{Lane, Step, StepGraph, StepKind};
use crate::media::part::WriteSettings;

/// How one copying step holds itself to its share of the memory, among all copies that the lanes
/// let run at once. Where the plan states a bound, threads give way to it too.
#[must_use]
pub(super) fn held(
    graph: &StepGraph,
    memory: Option<u64>,
    settings: WriteSettings,
) -> WriteSettings {
    let share = |whole: usize| whole / at_once(graph).max(1);
    match memory {
        Some(bytes) => settings.held_to(share(WriteSettings::frames_within(bytes))),
        None => WriteSettings {
            memory: share(WriteSettings::MEMORY),
            ..settings
        },
    }
}

/// At most so many copies run at once: by the lanes of sources and jobs, and by those of devices.
fn at_once(graph: &StepGraph) -> usize {
    let copies = || graph.steps.iter().filter(|step| is_copy(step));
    let device =
        |lane: &u32| find(graph, *lane).is_some_and(|lane| lane.name.starts_with("device/"));
    let other = |step: &Step| narrowest(graph, step, &|lane| !device(lane));
    let by_source = bound(graph, copies().map(other));
    let by_device = bound(graph, copies().map(|step| narrowest(graph, step, &device)));
    by_source.min(by_device)
}

fn is_copy(step: &Step) -> bool {
    matches!(step.kind, StepKind::CopyPart { .. })
}

fn find(graph: &StepGraph, lane: u32) -> Option<&Lane> {
    graph.lanes.get(usize::try_from(lane).ok()?)
}

fn depth(graph: &StepGraph, lane: u32) -> usize {
    let lane = find(graph, lane);
    lane.and_then(|lane| usize::try_from(lane.depth).ok())
        .unwrap_or(1)
}

/// The lane of a step that lets the fewest of its kind run at once.
fn narrowest(graph: &StepGraph, step: &Step, wanted: &dyn Fn(&u32) -> bool) -> Option<u32> {
    let lanes = step.lanes.iter().copied().filter(wanted);
    lanes.min_by_key(|lane| (depth(graph, *lane), *lane))
}

/// Steps with a lane run as many at once as it is deep; each without one may run beside all.
fn bound(graph: &StepGraph, lanes: impl Iterator<Item = Option<u32>>) -> usize {
    let mut counts: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    for lane in lanes {
        *counts.entry(lane).or_default() += 1;
    }
    let most = counts.into_iter().map(|(lane, count)| match lane {
        Some(lane) => count.min(depth(graph, lane)),
        None => count,
    });
    most.sum()
}
