//! `planc check --fix` changes the file, judges it again, and leaves doubtful fixes to the user.

use std::path::Path;

const PLAN: &str = "\
plan notes
timezone UTC
environment prod inventory \"notes.yaml\"
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on naer
  retain daily 7
}
";
const INVENTORY: &str = "\
inventory: 1
hosts: {desk: {}, vault: {}}
services: {notes: {engine: sqlite, host: desk, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies}}
";

/// What `check` prints with these flags.
fn check(folder: &Path, flags: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
    let fixed = [
        "check",
        "--now",
        "2026-03-01T00:00:00Z",
        "--format",
        "short",
    ];
    let output = command.args(fixed).args(flags).arg("notes.plan");
    let output = output.current_dir(folder).output().expect("runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn safe_fixes_are_applied_and_doubtful_ones_are_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = folder.path().join("notes.plan");
    std::fs::write(&plan, PLAN).expect("written");
    std::fs::write(folder.path().join("notes.yaml"), INVENTORY).expect("written");
    let now = || std::fs::read_to_string(&plan).expect("readable");

    let before = check(folder.path(), &[]);
    assert!(
        before.contains("P0111") && before.contains("P0201"),
        "{before}"
    );
    assert_eq!(now(), PLAN);

    let after = check(folder.path(), &["--fix"]);
    assert!(
        !after.contains("P0111") && after.contains("P0201"),
        "{after}"
    );
    assert_eq!(now(), format!("planc 1\n{PLAN}"));

    let last = check(folder.path(), &["--fix", "--unsafe-fixes"]);
    assert!(!last.contains("P0201"), "{last}");
    assert_eq!(now(), format!("planc 1\n{}", PLAN.replace("naer", "near")));
}
