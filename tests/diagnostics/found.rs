//! Which plans `planc check` and `planc fmt` take when none is named.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

const PLAN: &str = "planc 1\nplan notes\ntimezone UTC\n";

/// Exit code, and what was printed.
fn planc(folder: &Path, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(cargo_bin("planc"));
    ended(command.args(words).current_dir(folder))
}

fn ended(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("ended by itself");
    (code, text(&output.stdout) + &text(&output.stderr))
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn what_is_no_plan_of_ours_is_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(root, "deep/er/ours.plan", "plan  ours\n");
    write(root, ".hidden/other.plan", "plan  other\n");
    write(root, "target/other.plan", "plan  other\n");
    write(root, "device/planc-device", "{}\n");
    write(root, "device/other.plan", "plan  other\n");
    fs::create_dir(root.join("folder.plan")).expect("made");
    symlink(root, root.join("deep/circle")).expect("linked");
    let made = Command::new("mkfifo").arg(root.join("pipe.plan")).status();
    assert!(made.expect("mkfifo runs").success());
    let (code, out) = planc(root, &["fmt", "--check"]);
    assert_eq!((code, out.as_str()), (1, "deep/er/ours.plan\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "good.plan", PLAN);
    symlink("gone", folder.path().join("lost.plan")).expect("linked");
    for command in ["check", "fmt"] {
        let (code, out) = planc(folder.path(), &[command]);
        assert_eq!(code, 2, "{out}");
        assert!(out.contains("lost.plan: no such file"), "{out}");
    }
}

#[test]
fn a_folder_without_plans_is_a_refusal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for words in [&["check"][..], &["fmt"], &["fmt", "--check"]] {
        let (code, out) = planc(folder.path(), words);
        assert_eq!(code, 2, "{out}");
        assert!(out.contains("no *.plan file below"), "{out}");
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "good.plan", PLAN);
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("made");
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).expect("closed");
    let planc = cargo_bin("planc");
    let mut command = if fs::read_dir(&closed).is_ok() {
        // whoever runs the tests may read everything; planc may not
        let mut command = Command::new("setpriv");
        let less = "--bounding-set=-dac_override,-dac_read_search";
        command.arg(less).arg(planc);
        command
    } else {
        Command::new(planc)
    };
    let (code, out) = ended(command.arg("check").current_dir(folder.path()));
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("closed: permission denied"), "{out}");
    assert!(out.contains("name the plans"), "{out}");
}
