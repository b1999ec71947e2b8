//! What a change does, from files and from git revisions.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

const PLAN: &str = r"planc 1
plan notes
timezone Europe/Berlin
environment prod inventory 'inventory.yaml'
objectives of notes {
  rpo 10min for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  retain window 14d, yearly 7
}
archive wal of notes {
  ship every 5min to near
  retain window 15d
}
recovery lost_disk {
  for loss of disk
  restore service notes to vault
}
";

const INVENTORY: &str = r"inventory: 1
sites: {here: {}, there: {}}
hosts:
  desk: {site: here}
  vault: {site: there}
services:
  notes: {engine: sqlite, host: desk, path: /srv/notes.db}
devices:
  near: {host: vault, path: /srv/copies, write: 200 MiB/s}
facts: facts.yaml
";

const FACTS: &str = "services: {notes: {log_rate: 4 MiB/h, log_peak: 1 MiB/s}}\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        folder.write("notes.plan", &PLAN.replace('\'', "\""));
        folder.write("inventory.yaml", INVENTORY);
        folder.write("facts.yaml", FACTS);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let path = self.0.path().join(name);
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&path, text.replace(from, to)).expect("written");
    }

    /// A first revision of all there is.
    fn commit_all(&self) {
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "-m", "first"]);
    }

    fn git(&self, words: &[&str]) {
        let output = Command::new("git")
            .current_dir(self.0.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(["-c", "commit.gpgsign=false"])
            .args(words)
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{output:?}");
    }

    fn planc(&self, words: &[&str]) -> (i32, String, String) {
        run(self.0.path(), words)
    }
}

fn run(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::new(cargo_bin("planc"))
        .current_dir(folder)
        .args(words)
        .args(["--now", "2026-03-01T00:00:00Z"])
        .output()
        .expect("planc starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_longer_interval_breaks_the_promise_and_is_named() {
    let folder = Folder::new();
    let old = PLAN.replace('\'', "\"");
    folder.write("old.plan", &old);
    folder.change("notes.plan", "every 5min", "every 15min");
    let (code, out, _) = folder.planc(&["diff", "old.plan", "notes.plan"]);
    assert_eq!(code, 1, "{out}");
    let line = out.lines().find(|line| line.contains("rpo")).expect("told");
    for word in [
        "loss of disk",
        "BROKEN",
        "10min",
        "ship every 15min to near",
    ] {
        assert!(line.contains(word), "{word} in {line}");
    }
    assert!(
        out.contains("jobs +0 -0 ~1; next full unchanged (sun 04:30)"),
        "{out}"
    );
    let (code, ..) = folder.planc(&["diff", "old.plan", "notes.plan", "--fail-on", "never"]);
    assert_eq!(code, 0);
}

#[test]
fn equal_plans_differ_in_nothing() {
    let folder = Folder::new();
    let (code, out, _) = folder.planc(&["diff", "notes.plan", "notes.plan", "--fail-on", "worse"]);
    assert_eq!(code, 0);
    assert!(out.contains("worse: 0   better: 0"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn what_is_kept_for_a_shorter_time_is_worse_and_fails_only_when_asked() {
    let folder = Folder::new();
    folder.write("old.plan", &PLAN.replace('\'', "\""));
    folder.change("notes.plan", "yearly 7", "yearly 1");
    let (code, out, _) = folder.planc(&["diff", "old.plan", "notes.plan"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("keep near (nightly) [prod]  7y"), "{out}");
    let (code, out, _) = folder.planc(&[
        "diff",
        "old.plan",
        "notes.plan",
        "--fail-on",
        "worse",
        "--format",
        "json",
    ]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["format"], "planc-diff/1.0");
    assert_eq!(json["worse"], 1);
    assert_eq!(json["changes"][0]["effect"], "worse");
}

#[test]
fn revisions_are_read_with_all_their_files() {
    let folder = Folder::new();
    folder.commit_all();
    // the plan stays as it is: only a fact changes, so that the last shipment takes longer
    folder.change("inventory.yaml", "200 MiB/s", "2 MiB/s");
    folder.change("facts.yaml", "log_peak: 1 MiB/s", "log_peak: 0.9 MiB/s");
    let (code, out, err) = folder.planc(&["diff", "main", "notes.plan", "--format", "md"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("| rpo loss of disk [prod] | 5min 3s | 9min 30s | **worse** |"),
        "{out}"
    );
    folder.git(&["commit", "--quiet", "-am", "second"]);
    let (code, out, _) = folder.planc(&["diff", "main~1", "HEAD", "--fail-on", "worse"]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.starts_with("notes  main~1..HEAD    worse: 1   better: 0"),
        "{out}"
    );
    // a file that was not there yet is told, not guessed
    folder.write("late.plan", &PLAN.replace('\'', "\""));
    let (code, _, err) = folder.planc(&["diff", "main:late.plan", "late.plan"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("late.plan") && err.contains("no such file"),
        "{err}"
    );
}

#[test]
fn git_is_told_where_the_repository_is_and_nothing_else() {
    let folder = Folder::new();
    folder.commit_all();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let (programs, told) = (elsewhere.path(), elsewhere.path().join("told"));
    let path = std::env::var("PATH").expect("a search path");
    let spy = format!(
        "#!/bin/sh\nenv >> '{}'\nPATH='{path}'\nexec git \"$@\"\n",
        told.display()
    );
    std::fs::write(programs.join("git"), spy).expect("written");
    let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(programs.join("git"), runs).expect("made a program");
    std::fs::rename(folder.0.path().join(".git"), programs.join("kept")).expect("moved");
    let output = Command::new(cargo_bin("planc"))
        .current_dir(folder.0.path())
        .args(["diff", "main", "notes.plan"])
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("GIT_DIR", programs.join("kept"))
        .env("PLANC_CANARY", "canary-of-a-key")
        .output()
        .expect("planc starts");
    assert!(output.status.success(), "{output:?}");
    let told = std::fs::read_to_string(told).expect("git was started");
    assert!(
        told.contains("GIT_DIR=") && !told.contains("canary"),
        "{told}"
    );
}

#[test]
fn neither_a_file_nor_a_revision_is_a_refusal() {
    let folder = Folder::new();
    folder.git(&["init", "--quiet"]);
    for word in ["nowhere", "--upload-pack=touch x", "nowhere:notes.plan"] {
        let (code, out, err) = folder.planc(&["diff", "notes.plan", "--", word]);
        assert_eq!(code, 2, "{word}: {out}{err}");
        assert_eq!(out, "");
    }
    assert!(!folder.0.path().join("x").exists());
}
