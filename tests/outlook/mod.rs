//! What is told of a plan before anything runs: the survival matrix and its graphs, differences,
//! timelines, and whether what is proved holds when the plan is played.

mod claims;
mod diff;
mod fetching;
mod figures;
mod matrix;
mod pictures;
mod played;
mod random;
mod refined;
mod soundness;

use std::path::Path;

use jiff::Timestamp;
use planc::cli::load::{self, Compiled};

/// The moment of all tests here.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().expect("an instant")
}

/// Compiles a plan with its inventory.
pub(crate) fn compiled(plan: &str, inventory: &str) -> Compiled {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("inventory.yaml"), inventory).expect("written");
    let name = folder.path().join("test.plan");
    load::compile_text(&name.to_string_lossy(), plan.to_owned(), None, now()).expect("readable")
}

/// Compiles a plan of this repository in one environment.
pub(crate) fn shipped(path: &str, environment: &str) -> Compiled {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    load::compile(&path, Some(environment), now()).expect("readable")
}

/// The codes and messages of what stands against a plan.
pub(crate) fn errors(compiled: &Compiled) -> Vec<String> {
    let findings = compiled.judged.findings.iter();
    let errors = findings.filter(|finding| planc::check::is_error(finding));
    errors
        .map(|finding| format!("{} {}", finding.code, finding.message))
        .collect()
}
