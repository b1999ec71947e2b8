//! Tests of graphs and schedules.

mod chains;
mod choice;
mod compile;
mod due;
mod laws;
mod retention;
mod schedule;

use jiff::Timestamp;
use planc::check::CheckedPlan;
use planc::cli::load;

fn stamp(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// The plan of a text, checked beside its inventory, which has this name.
fn checked(text: &str, inventory: (&str, &str)) -> CheckedPlan {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join(inventory.0), inventory.1).expect("written");
    let name = folder.path().join("one.plan");
    let name = name.to_str().expect("UTF-8");
    let now = stamp("2026-01-01T00:00:00Z");
    let mut compiled = load::compile_text(name, text.to_owned(), None, now).expect("read");
    let findings = compiled.judged.findings.iter();
    let told: Vec<_> = findings
        .map(|one| format!("{} {}", one.code, one.message))
        .collect();
    compiled.plans.pop().unwrap_or_else(|| panic!("{told:#?}"))
}
