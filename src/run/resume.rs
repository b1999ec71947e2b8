//! Owns what a resumed run may skip. The media decide, not the journal (R21): a step counts as
//! done when its durable effect is there. Steps before it in its bracket count with it; all other
//! volatile steps are done again.

use std::collections::BTreeSet;
use std::path::Path;

use super::context::Context;
use super::event::{EventKind, RunEvent};
use super::message::Record;
use super::staging;
use crate::graph::step::{EdgeKind, StepGraph, StepId, StepKind};
use crate::media::{Device, log, part};
use crate::schedule::Outcome;

/// What an earlier process did.
#[derive(Debug, Default)]
pub struct Resumed {
    /// Steps that need not be done again, by index, sorted.
    pub done: Vec<usize>,
    /// What lies on the devices; the catalog may not know it yet.
    pub records: Vec<Record>,
}

/// True for steps whose effect outlives the process: they are made durable in the journal before
/// anything that depends on them begins.
#[must_use]
pub fn is_durable(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::CommitPart { .. }
            | StepKind::ArchiveLog { .. }
            | StepKind::CopyStored { .. }
            | StepKind::Extract { .. }
            | StepKind::Publish { .. }
            | StepKind::Approve { .. }
    )
}

/// Reads what the journal says, asks the media, and tells what may be skipped. A journal that is
/// missing gives the same answer for everything that lies on devices.
#[must_use]
pub fn survey(graph: &StepGraph, events: &[RunEvent], context: &Context) -> Resumed {
    let history = journaled_done(events);
    let mut resumed = Resumed::default();
    let mut done = BTreeSet::new();
    for (index, step) in graph.steps.iter().enumerate() {
        let journaled = history.contains(&step.id);
        let found = match &step.kind {
            StepKind::CommitPart { part, devices, .. } => {
                holds_part(context, part, devices, &mut resumed.records)
            }
            StepKind::CopyStored { object, to, .. } => {
                holds_copy(context, object, to, &mut resumed.records)
            }
            StepKind::Publish { target, .. } => {
                journaled || staging::is_published(Path::new(target), &graph.run)
            }
            StepKind::ArchiveLog { .. }
            | StepKind::VerifyStored { .. }
            | StepKind::Extract { .. }
            | StepKind::Approve { .. }
            | StepKind::Notify { .. }
            | StepKind::Exec { .. } => journaled,
            _ => false,
        };
        if found {
            done.insert(index);
        }
    }
    with_ancestors(graph, &mut done);
    resumed.done = done.into_iter().collect();
    resumed
}

/// The steps that the journal says are done.
fn journaled_done(events: &[RunEvent]) -> BTreeSet<StepId> {
    let done = events.iter().filter_map(|event| match &event.kind {
        EventKind::StepEnded {
            step,
            outcome: Outcome::Done,
            ..
        } => Some(*step),
        _ => None,
    });
    done.collect()
}

/// True when every device holds the part, manifest and packs.
fn holds_part(
    context: &Context,
    part: &str,
    devices: &[String],
    records: &mut Vec<Record>,
) -> bool {
    let mut all = true;
    for name in devices {
        let manifest = context
            .devices
            .get(name)
            .and_then(|device| intact_part(device.as_ref(), part));
        match manifest {
            Some(manifest) => records.push(Record::Part(Box::new(manifest), name.clone())),
            None => all = false,
        }
    }
    all
}

/// The part's manifest, when its packs are there in full length.
fn intact_part(device: &dyn Device, part: &str) -> Option<crate::media::manifest::Manifest> {
    let manifest = part::load(device, part).ok()?;
    let whole = manifest.packs.iter().all(|pack| {
        device
            .size(&pack.name)
            .is_ok_and(|size| size == pack.length)
    });
    whole.then_some(manifest)
}

fn holds_copy(context: &Context, object: &str, to: &str, records: &mut Vec<Record>) -> bool {
    if !context.logs.is_log(object) {
        return holds_part(context, object, &[to.to_owned()], records);
    }
    let device = context.devices.get(to);
    let found = device.and_then(|device| log::get(object, std::slice::from_ref(device)).ok());
    let Some((record, _, _)) = found else {
        return false;
    };
    records.push(Record::Log(Box::new(record), to.to_owned()));
    true
}

/// A step that is done had its inputs: what it needed by success-edges is done too.
fn with_ancestors(graph: &StepGraph, done: &mut BTreeSet<usize>) {
    let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); graph.steps.len()];
    for edge in graph
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::Success)
    {
        if let (Ok(from), Ok(to)) = (usize::try_from(edge.from), usize::try_from(edge.to)) {
            inputs[to].push(from);
        }
    }
    let mut open: Vec<usize> = done.iter().copied().collect();
    while let Some(step) = open.pop() {
        for input in &inputs[step] {
            if done.insert(*input) {
                open.push(*input);
            }
        }
    }
}
