//! Owns what a resumed run may skip. The media decide, not the journal (R21): a step counts as
//! done when its durable effect is there. The volatile steps of its bracket count with it; all
//! other volatile steps are done again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::context::Context;
use super::event::{EventKind, RunEvent};
use super::message::Record;
use super::staging;
use crate::catalog::PartRecord;
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
    /// Devices that the steps that are done had to leave out, and that still lack what they made.
    pub lost: Vec<EventKind>,
}

/// True for steps whose effect outlives the process: they are made durable in the journal before
/// anything that depends on them begins.
#[must_use]
pub(super) fn is_durable(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::CommitPart { .. }
            | StepKind::ArchiveLog { .. }
            | StepKind::MergeStored { .. }
            | StepKind::CopyStored { .. }
            | StepKind::Extract { .. }
            | StepKind::Undo { .. }
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
            StepKind::CommitPart { part, devices, .. }
            | StepKind::MergeStored { part, devices, .. } => {
                let holds = holds_part(context, part, devices, &mut resumed.records);
                // what one device holds is copied on from there, not from the source again
                holds == Holds::All || journaled && holds == Holds::Some
            }
            StepKind::CopyStored { object, to, .. } => {
                holds_copy(context, object, to, &mut resumed.records)
            }
            StepKind::Publish { target, .. } => {
                journaled || staging::is_published(Path::new(target), &graph.run)
            }
            // what is put back where it was is whole then: there is nothing to publish
            StepKind::CheckRestored { target, .. } => journaled && is_in_place(graph, target),
            StepKind::ArchiveLog { .. }
            | StepKind::VerifyStored { .. }
            | StepKind::Condemn { .. }
            | StepKind::DeleteStored { .. }
            | StepKind::Reprieve { .. }
            | StepKind::Extract { .. }
            | StepKind::Undo { .. }
            | StepKind::Approve { .. }
            | StepKind::Notify { .. }
            | StepKind::Exec { .. } => journaled,
            _ => false,
        };
        if found {
            done.insert(index);
        }
    }
    with_brackets(graph, &mut done);
    without_early_logs(graph, &mut done);
    resumed.done = done.into_iter().collect();
    resumed.lost = still_lost(graph, events, &resumed);
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

/// How many of some devices hold something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    All,
    Some,
    None,
}

/// Which devices hold the part, manifest and packs.
fn holds_part(
    context: &Context,
    part: &str,
    devices: &[String],
    records: &mut Vec<Record>,
) -> Holds {
    let mut found = 0;
    for name in devices {
        let device = context.devices.get(name);
        let record = device.and_then(|device| intact_part(device.as_ref(), part));
        if let Some(record) = record {
            records.push(Record::Part(Box::new(record), name.clone()));
            found += 1;
        }
    }
    match found {
        0 => Holds::None,
        found if found == devices.len() => Holds::All,
        _ => Holds::Some,
    }
}

/// The devices that steps which are done left out, as far as they still lack it.
fn still_lost(graph: &StepGraph, events: &[RunEvent], resumed: &Resumed) -> Vec<EventKind> {
    let done: BTreeSet<StepId> = (resumed.done.iter())
        .map(|index| graph.steps[*index].id)
        .collect();
    let parts = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::CopyPart { part, .. } | StepKind::CommitPart { part, .. } => {
            Some((step.id, part.as_str()))
        }
        _ => None,
    });
    let parts: BTreeMap<StepId, &str> = parts.collect();
    let held = |part: &str, device: &str| {
        let mut records = resumed.records.iter();
        records.any(|record| match record {
            Record::Part(known, holder) => known.header.part == part && holder == device,
            _ => false,
        })
    };
    let lost =
        events.iter().map(|event| &event.kind).filter(|kind| {
            let (EventKind::DeviceLost { step, device, .. }
            | EventKind::DeviceBehind { step, device }) = kind
            else {
                return false;
            };
            let missing = parts.get(step).is_none_or(|part| !held(part, device));
            done.contains(step) && missing
        });
    lost.cloned().collect()
}

/// The part's manifest, when its packs are there in full length.
fn intact_part(device: &dyn Device, part: &str) -> Option<PartRecord> {
    let (manifest, content) = part::load_told(device, part).ok()?;
    part::whole(&manifest, device).ok()?;
    Some(PartRecord::of(&manifest, content))
}

fn holds_copy(context: &Context, object: &str, to: &str, records: &mut Vec<Record>) -> bool {
    if !context.logs.is_log(object) {
        return holds_part(context, object, &[to.to_owned()], records) == Holds::All;
    }
    let device = context.devices.get(to);
    let found = device.and_then(|device| log::get(object, std::slice::from_ref(device)).ok());
    let Some((record, _, _)) = found else {
        return false;
    };
    records.push(Record::Log(Box::new(record), to.to_owned()));
    true
}

/// Volatile steps count with the step that makes their bracket durable: the commit of the part, or
/// the publication of the target.
fn with_brackets(graph: &StepGraph, done: &mut BTreeSet<usize>) {
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    for index in done.iter() {
        match &graph.steps[*index].kind {
            StepKind::CommitPart {
                component, part, ..
            } => finished.extend([component.as_str(), part.as_str()]),
            StepKind::Publish { target, .. } | StepKind::CheckRestored { target, .. } => {
                finished.insert(target);
            }
            _ => {}
        }
    }
    for (index, step) in graph.steps.iter().enumerate() {
        if bracket_of(&step.kind).is_some_and(|bracket| finished.contains(bracket)) {
            done.insert(index);
        }
    }
}

/// Whether a graph puts back something of the folder where it was.
fn is_in_place(graph: &StepGraph, folder: &str) -> bool {
    graph.steps.iter().any(|step| {
        matches!(
            &step.kind,
            StepKind::PrepareInPlace { target, .. } | StepKind::PrepareDelta { target, .. }
                if target == folder
        )
    })
}

/// What a volatile step works for: a component, a part or a target.
fn bracket_of(kind: &StepKind) -> Option<&str> {
    match kind {
        StepKind::BeginBackup { component, .. } => Some(component),
        StepKind::CopyPart { part, .. } | StepKind::EndBackup { part, .. } => Some(part),
        StepKind::PrepareTarget { target, .. }
        | StepKind::PrepareInPlace { target, .. }
        | StepKind::PrepareDelta { target, .. }
        | StepKind::FetchPart { target, .. }
        | StepKind::ReplayLog { target, .. }
        | StepKind::CheckRestored { target, .. }
        | StepKind::Examine { target, .. }
        | StepKind::Probe { target, .. } => Some(target),
        _ => None,
    }
}

/// Log is shipped again when what came before it is done again: a new copy needs the log up to
/// its own end.
fn without_early_logs(graph: &StepGraph, done: &mut BTreeSet<usize>) {
    let success = graph
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::Success);
    for edge in success {
        let (Ok(from), Ok(to)) = (usize::try_from(edge.from), usize::try_from(edge.to)) else {
            continue;
        };
        let is_log = matches!(graph.steps[to].kind, StepKind::ArchiveLog { .. });
        if is_log && !done.contains(&from) {
            done.remove(&to);
        }
    }
}
