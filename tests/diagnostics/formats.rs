//! The machine forms have the structure their readers expect, and say the same findings.

use std::path::Path;

use serde_json::Value;

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
  store on near
  allow P0710 until 2027-01-01 because \"the pilot, 50% done\"
}
";
const INVENTORY: &str = "\
inventory: 1
hosts: {desk: {}, vault: {}}
services: {notes: {engine: sqlite, host: desk, path: /srv/notes.db}}
devices: {near: {host: vault, path: /srv/copies}}
";

fn with_plan<T>(check: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("notes.plan"), PLAN).expect("written");
    std::fs::write(folder.path().join("notes.yaml"), INVENTORY).expect("written");
    check(folder.path())
}

fn checked(folder: &Path, format: &str) -> (String, i32) {
    let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
    let output = command
        .args([
            "check",
            "--now",
            "2026-03-01T00:00:00Z",
            "--format",
            format,
            "notes.plan",
        ])
        .current_dir(folder)
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .output()
        .expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (text, output.status.code().expect("ended by itself"))
}

fn parsed(folder: &Path, format: &str) -> Value {
    let (text, code) = checked(folder, format);
    assert_eq!(code, 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn json_has_the_fields_of_its_schema() {
    let document = with_plan(|folder| parsed(folder, "json"));
    assert_eq!(document["format"], "planc-diagnostics/1.0");
    assert_eq!(
        document["environments"],
        serde_json::json!(["prod", "staging"])
    );
    assert_eq!(document["summary"]["error"], 1);
    assert_eq!(document["summary"]["allowed"], 1);
    assert_eq!(
        document["summary"]["broken"], 2,
        "one promise in each environment"
    );
    let findings = document["diagnostics"].as_array().expect("a list");
    let broken = findings
        .iter()
        .find(|f| f["code"] == "P0610")
        .expect("found");
    assert_eq!(broken["severity"], "error");
    assert_eq!(broken["name"], "rpo-without-archive");
    assert_eq!(broken["file"], "notes.plan");
    assert_eq!(broken["range"]["start"]["line"], 7);
    assert_eq!(broken["range"]["start"]["column"], 3);
    let byte = broken["range"]["start"]["byte"].as_u64().expect("a number");
    let byte = usize::try_from(byte).expect("small");
    assert!(PLAN[byte..].starts_with("rpo 5min"));
    assert_eq!(broken["proof"]["limit_s"], 300.0);
    assert_eq!(broken["proof"]["found_s"], 86400.0);
    assert_eq!(broken["fingerprint"], "P0610:notes:notes:loss of disk");
    assert_eq!(broken["allowed"], Value::Null);
    let allowed = findings
        .iter()
        .find(|f| f["code"] == "P0710")
        .expect("found");
    assert_eq!(allowed["allowed"]["because"], "the pilot, 50% done");
}

#[test]
fn sarif_points_to_rules_places_and_suppressions() {
    let document = with_plan(|folder| parsed(folder, "sarif"));
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in run["results"].as_array().expect("results") {
        let at = result["ruleIndex"].as_u64().expect("an index");
        let rule = &rules[usize::try_from(at).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "notes.plan");
        assert!(place["region"]["startLine"].as_u64() > Some(0));
        assert!(result["partialFingerprints"]["planc/v1"].is_string());
        let suppressed = result.get("suppressions").is_some();
        assert_eq!(suppressed, result["ruleId"] == "P0710");
        for related in result["relatedLocations"].as_array().expect("a list") {
            assert!(related["message"]["text"].is_string());
        }
    }
}

#[test]
fn github_annotates_lines_and_writes_a_summary() {
    with_plan(|folder| {
        let (text, code) = checked(folder, "github");
        assert_eq!(code, 1);
        let first = text.lines().next().expect("an annotation");
        let head = "::error file=notes.plan,line=7,endLine=7,col=3,title=P0610::rpo 5min";
        assert!(first.starts_with(head), "{first}");
        assert!(first.contains("%0Ahelp: "), "{first}");
        assert!(
            !text.contains("P0710"),
            "allowed findings are no annotations"
        );
        let summary = std::fs::read_to_string(folder.join("summary.md")).expect("written");
        assert!(
            summary.contains("| error | P0610 | notes.plan:7 |"),
            "{summary}"
        );
        let promise = "| broken | notes (prod) | rpo 5min for loss of disk | 1d |";
        assert!(summary.contains(promise), "{summary}");
    });
}

#[test]
fn every_output_file_is_written_and_the_exit_code_stays() {
    with_plan(|folder| {
        let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
        let output = command
            .args(["check", "--now", "2026-03-01T00:00:00Z", "notes.plan"])
            .args(["--output", "json=out.json", "--output", "short=out.txt"])
            .args(["--ignore", "P0610"])
            .current_dir(folder)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0));
        let short = std::fs::read_to_string(folder.join("out.txt")).expect("written");
        assert_eq!(short, "");
        let json = std::fs::read_to_string(folder.join("out.json")).expect("written");
        assert!(json.contains("P0710"));
    });
}

#[test]
fn what_was_not_judged_ends_with_two() {
    with_plan(|folder| {
        for args in [["check", "missing.plan"], ["check", "--frobnicate"]] {
            let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
            let output = command
                .args(args)
                .current_dir(folder)
                .output()
                .expect("runs");
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert!(output.stdout.is_empty());
        }
    });
}
