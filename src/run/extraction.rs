//! Owns what an extracting step wants of the engine that moves the tables.

use std::path::Path;

use crate::engine::{EngineError, Extraction};
use crate::graph::step::{RecoveryTarget, StepGraph, StepKind};

/// Hex digits of an id.
const DIGITS: usize = 16;

/// What a step of a graph wants.
///
/// # Errors
/// When the tables would go to another service.
pub(super) fn extraction(graph: &StepGraph, kind: &StepKind) -> Result<Extraction, EngineError> {
    let StepKind::Extract {
        service,
        target,
        tables,
        into,
        database,
        name,
    } = kind
    else {
        return Err(EngineError::refused(
            "take tables",
            "not an extracting step",
        ));
    };
    if service != into {
        return Err(EngineError::refused(
            format!("take tables of {service} into the service {into}"),
            "take them into the service they come from",
        ));
    }
    let words = serde_json::to_vec(&(service, tables, database, name));
    let words = words.unwrap_or_default();
    Ok(Extraction {
        tables: tables.clone(),
        database: database.clone(),
        name: name.clone(),
        id: id(&[&words, &state(graph, Path::new(target))]),
    })
}

/// The state that is taken, where it can be named: then another run takes the same. A run that
/// takes the newest one is like no other.
fn state(graph: &StepGraph, copy: &Path) -> Vec<u8> {
    let mut until = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::ReplayLog { target, until, .. } if Path::new(target) == copy => Some(until),
        _ => None,
    });
    match until.next() {
        None | Some(RecoveryTarget::Latest | RecoveryTarget::Backup) => graph.run.clone().into(),
        Some(until) => serde_json::to_vec(until).unwrap_or_default(),
    }
}

fn id(words: &[&[u8]]) -> String {
    let mut hash = blake3::Hasher::new();
    for word in words {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    hash.finalize().to_hex()[..DIGITS].to_owned()
}
