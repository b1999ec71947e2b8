//! A step graph as text for people and machines. Pure functions from graph to string.

pub mod dot;
pub mod mermaid;
pub mod svg;
pub mod text;

use super::step::{Estimate, Step, StepGraph, StepKind};
use crate::quantity::{Bytes, Duration};

/// The kind of a step as a word, as it stands in graph files.
#[must_use]
pub fn kind_word(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::BeginBackup { .. } => "begin-backup",
        StepKind::CopyPart { .. } => "copy-part",
        StepKind::EndBackup { .. } => "end-backup",
        StepKind::CommitPart { .. } => "commit-part",
        StepKind::ArchiveLog { .. } => "archive-log",
        StepKind::MergeStored { .. } => "merge-stored",
        StepKind::CopyStored { .. } => "copy-stored",
        StepKind::VerifyStored { .. } => "verify-stored",
        StepKind::Condemn { .. } => "condemn",
        StepKind::DeleteStored { .. } => "delete-stored",
        StepKind::Reprieve { .. } => "reprieve",
        StepKind::PrepareTarget { .. } => "prepare-target",
        StepKind::PrepareInPlace { .. } => "prepare-in-place",
        StepKind::PrepareDelta { .. } => "prepare-delta",
        StepKind::FetchPart { .. } => "fetch-part",
        StepKind::ReplayLog { .. } => "replay-log",
        StepKind::CheckRestored { .. } => "check-restored",
        StepKind::Examine { .. } => "examine",
        StepKind::Probe { .. } => "probe",
        StepKind::Extract { .. } => "extract",
        StepKind::Undo { apply: false, .. } => "compare",
        StepKind::Undo { .. } => "undo",
        StepKind::Switch { act, .. } => act.word(),
        StepKind::Publish { .. } => "publish",
        StepKind::Approve { .. } => "approve",
        StepKind::Notify { .. } => "notify",
        StepKind::Exec { .. } => "exec",
        StepKind::Barrier => "barrier",
    }
}

/// What a step works on, for people; for steps of a file without a subject their command.
pub(super) fn subject(step: &Step) -> String {
    match &step.kind {
        _ if !step.subject.is_empty() => step.subject.clone(),
        StepKind::Exec { argv } => argv.join(" "),
        _ => step.id.to_string(),
    }
}

/// `4s 1.2 GiB`; empty when nothing is known.
pub(super) fn estimate(estimate: &Estimate) -> String {
    let seconds = estimate
        .seconds
        .map(|seconds| duration(seconds).to_string());
    let bytes = estimate.bytes.map(|bytes| Bytes(bytes).to_string());
    let known: Vec<String> = seconds.into_iter().chain(bytes).collect();
    known.join(" ")
}

/// Seconds as people read them.
pub(super) fn duration(seconds: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats saturates"
    )]
    let ms = (seconds.max(0.0) * 1000.0).round() as u64;
    // beyond ten seconds milliseconds say nothing
    Duration(if ms >= 10_000 { ms / 1000 * 1000 } else { ms })
}

/// Names of the lanes that a step claims.
pub(super) fn lanes<'a>(graph: &'a StepGraph, step: &Step) -> Vec<&'a str> {
    let names = step
        .lanes
        .iter()
        .filter_map(|lane| graph.lanes.get(*lane as usize));
    names.map(|lane| lane.name.as_str()).collect()
}
