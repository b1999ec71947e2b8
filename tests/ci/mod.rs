//! Findings for machines in continuous integration: schemas, SARIF, JUnit, baselines, folding, a
//! stranger's plan behind a system-call filter, and the ready files of `examples/ci`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

mod baseline;
mod folding;
mod github;
mod junit;
mod ready;
mod schemas;
mod stranger;

pub(crate) const NOW: &str = "2026-03-01T00:00:00Z";

const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"notes.yaml\"
environment staging inventory \"notes.yaml\"
objectives of notes {
  rpo 5min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on naer
  allow P0710 until 2027-01-01 because \"the <pilot> & \\\"more\\\"\"
}
";

const INVENTORY: &str = "\
inventory: 1
hosts: {desk: {}, vault: {}}
services: {notes: {engine: sqlite, host: desk, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies}}
";

/// The machine-wide folder of fetched schemas.
fn official(name: &str) -> PathBuf {
    let home = std::env::var_os("PLANC_SCHEMAS");
    let home = home.map_or_else(|| "/opt/planc-test/schemas".into(), PathBuf::from);
    let path = home.join(name);
    assert!(
        path.exists(),
        "{} is missing; run tests/run",
        path.display()
    );
    path
}

/// A folder with `notes.plan` and its inventory. The plan misses its objective and allows one
/// finding; with `slip` it also names a device that does not exist.
fn site(slip: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = if slip {
        PLAN.to_owned()
    } else {
        PLAN.replace("naer", "near")
    };
    std::fs::write(folder.path().join("notes.plan"), plan).expect("written");
    std::fs::write(folder.path().join("notes.yaml"), INVENTORY).expect("written");
    folder
}

/// Runs `planc` in a folder.
fn planc(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
    let command = command.args(args).current_dir(folder);
    command
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .expect("runs")
}

/// `planc check` at a fixed moment: what it prints, and its exit code.
fn check(folder: &Path, args: &[&str]) -> (String, i32) {
    let args = [&["check", "--now", NOW], args].concat();
    let output = planc(folder, &args);
    (
        text(output.stdout),
        output.status.code().expect("ended by itself"),
    )
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// Validates a document with the system's JSON Schema library; gives its complaints.
fn validate(schema: &Path, document: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ci/validate.py");
    let output = Command::new("python3")
        .arg(script)
        .args([schema, document])
        .output();
    let output = output.expect("python3 runs");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{}", text(output.stderr));
    let complaints = text(output.stdout);
    assert_eq!(code == Some(0), complaints.is_empty(), "{complaints}");
    complaints
}
