//! Owns the text form of a graph: a head, then one line a step.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{duration, estimate, kind_word, lanes, subject};
use crate::graph::length::{self, Length};
use crate::graph::step::{Edge, EdgeKind, Intent, StepGraph, StepKind};

/// The graph as text. Every line of a step says what is done, to what, on which lanes, how long
/// it may take, what it waits for and why it is there.
#[must_use]
pub fn text(graph: &StepGraph) -> String {
    let mut out = head(graph);
    let width = graph.steps.len().saturating_sub(1).to_string().len();
    let words = graph.steps.iter().map(|step| kind_word(&step.kind).len());
    let kind_width = words.max().unwrap_or(0);
    let mut edges = by_target(graph).into_iter().peekable();
    for (index, step) in (0u32..).zip(&graph.steps) {
        let word = kind_word(&step.kind);
        let _ = write!(
            out,
            "{index:>width$}  {word:<kind_width$}  {}",
            subject(step)
        );
        let claimed = lanes(graph, step);
        if !claimed.is_empty() {
            let _ = write!(out, "  on {}", claimed.join(", "));
        }
        let known = estimate(&step.estimate);
        if !known.is_empty() {
            let _ = write!(out, "  ~{known}");
        }
        let mut into = Vec::new();
        while let Some(edge) = edges.next_if(|edge| edge.to == index) {
            into.push(source(edge));
        }
        if !into.is_empty() {
            let _ = write!(out, "  after {}", into.join(", "));
        }
        if !step.why.is_empty() {
            let _ = write!(out, "  -- {}", step.why);
        }
        out.push('\n');
    }
    out
}

/// Plan, intent, moment, size and length of the whole.
fn head(graph: &StepGraph) -> String {
    let mut out = format!("graph of {}", graph.plan);
    if !graph.environment.is_empty() {
        let _ = write!(out, " [{}]", graph.environment);
    }
    let _ = write!(out, ", {}, at {:.0}", intent(&graph.intent), graph.now);
    if !graph.run.is_empty() {
        let _ = write!(out, ", run {}", graph.run);
    }
    out.push('\n');
    let count = graph.steps.len();
    let _ = match count {
        0 => write!(out, "nothing to do"),
        1 => write!(out, "1 step"),
        _ => write!(out, "{count} steps"),
    };
    let length = length::of(graph);
    let long = duration(length.seconds);
    let _ = match length.missing.as_slice() {
        _ if length.seconds <= 0.0 => Ok(()),
        [] => write!(out, ", about {long}"),
        _ => write!(out, ", at least {long} by what is known"),
    };
    out.push('\n');
    out + &teachers(&length)
}

/// What would teach how long the missing steps take, each once.
fn teachers(length: &Length<'_>) -> String {
    let lines = length.missing.iter().filter_map(|step| match &step.kind {
        StepKind::ReplayLog { service, .. } => Some(format!(
            "not known: how fast log of {service} is replayed; a drill or a recovery teaches it \
             (`planc drill NAME`), or `replay` of its host in the inventory\n"
        )),
        StepKind::Extract { service, .. } => Some(format!(
            "not known: how long it takes to bring back what is extracted from {service}; \
             `planc survey` tells its size, and an extraction the speed\n"
        )),
        _ => None,
    });
    let lines: BTreeSet<String> = lines.collect();
    lines.into_iter().collect()
}

fn intent(intent: &Intent) -> String {
    match intent {
        Intent::Due => "what is due".into(),
        Intent::Jobs { names } => format!("jobs {}", names.join(", ")),
        Intent::Ship { names } => format!("logs of {}", names.join(", ")),
        Intent::Scrub { depth, device, .. } => {
            let what = if depth.is_intact() {
                "read back"
            } else {
                "look at"
            };
            let place = device.as_deref().unwrap_or("all devices");
            format!("{what} copies on {place}")
        }
        Intent::CatchUp => "what devices still lack".into(),
        Intent::Merge { names, .. } if names.is_empty() => "merge all chains of parts".into(),
        Intent::Merge { names, .. } => format!("merge chains of {}", names.join(", ")),
        Intent::Repair { device } => {
            let place = device.as_deref().unwrap_or("all devices");
            format!("repair damaged copies on {place}")
        }
        Intent::Expire { device: None, .. } => "delete what no clause keeps".into(),
        Intent::Expire {
            device: Some(device),
            ..
        } => format!("delete what no clause keeps on {device}"),
        Intent::Verify { device: None } => "verify all devices".into(),
        Intent::Verify {
            device: Some(device),
        } => format!("verify {device}"),
        Intent::Restore(wanted) if wanted.delta => {
            format!("restore {} onto its own folder", wanted.service)
        }
        Intent::Restore(wanted) => format!("restore {} to {}", wanted.service, wanted.to),
        Intent::Recover {
            scenario, inputs, ..
        } => {
            let inputs = inputs
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            format!("recover {scenario}{}", inputs.collect::<String>())
        }
        Intent::Undo(wanted) => {
            format!(
                "undo transaction {} of {}",
                wanted.transaction, wanted.service
            )
        }
        Intent::Switchover { scenario, .. } => format!("switchover {scenario}"),
        Intent::File => "steps of a file".into(),
    }
}

/// Edges by target; graphs that were compiled have them in this order already.
fn by_target(graph: &StepGraph) -> Vec<&Edge> {
    let mut edges: Vec<&Edge> = graph.edges.iter().collect();
    edges.sort_by_key(|edge| (edge.to, edge.from));
    edges
}

fn source(edge: &Edge) -> String {
    match edge.kind {
        EdgeKind::Success => edge.from.to_string(),
        EdgeKind::Failure => format!("{} (failure)", edge.from),
        EdgeKind::Always => format!("{} (always)", edge.from),
    }
}
