//! Owns stable ids: of runs, parts and steps. Equal inputs give equal ids, on any machine.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::step::{Intent, StepId, StepKind};

/// The id of a run: plan, environment, intent and moment. 16 hex digits.
#[must_use]
pub fn run_id(plan_hash: &str, environment: &str, intent: &Intent, now: Timestamp) -> String {
    let intent = json(intent);
    hex(
        &["run", plan_hash, environment, &intent, &now.to_string()],
        16,
    )
}

/// The id of the part that a job takes of a component in a run. 16 hex digits.
#[must_use]
pub fn part_id(run: &str, job: &str, component: &str) -> String {
    hex(&["part", run, job, component], 16)
}

/// Gives out the ids of one graph's steps; no id twice.
#[derive(Debug)]
pub struct StepIds {
    salt: [String; 2],
    given: BTreeSet<u64>,
}

impl StepIds {
    /// For a run of a plan.
    #[must_use]
    pub fn new(plan_hash: &str, run: &str) -> Self {
        Self {
            salt: [plan_hash.to_owned(), run.to_owned()],
            given: BTreeSet::new(),
        }
    }

    /// The id of a step. Steps that are equal in all they say are told apart by their order.
    pub fn give(&mut self, kind: &StepKind, subject: &str) -> StepId {
        let kind = json(kind);
        let mut turn = String::new();
        loop {
            let parts = ["step", &self.salt[0], &self.salt[1], &kind, subject, &turn];
            let id = u64::from_le_bytes(first_bytes(&hash(&parts)));
            if self.given.insert(id) {
                return StepId(id);
            }
            turn.push('+');
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn hash(parts: &[&str]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // lengths keep `ab`, `c` apart from `a`, `bc`
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

fn first_bytes(hash: &blake3::Hash) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    bytes
}

fn hex(parts: &[&str], digits: usize) -> String {
    let mut text = hash(parts).to_hex().to_string();
    text.truncate(digits);
    text
}
