//! Annotations are capped at ten a level, errors first; the summary holds the rest.

use std::fmt::Write as _;

use super::{check, planc, text};

/// Twelve objectives without an archive, each missed by another factor, and one advice.
fn site() -> tempfile::TempDir {
    let folder = super::site(false);
    let mut plan = String::from("planc 1\nplan many\ntimezone UTC\n");
    let mut inventory = String::from("inventory: 1\nhosts: {desk: {}, vault: {}}\nservices:\n");
    plan.push_str("environment prod inventory \"notes.yaml\"\n");
    for n in 1..=12 {
        let text = format!(
            "objectives of s{n} {{\n  rpo {n}min for loss of disk\n}}\n\
             backup b{n} of service s{n} {{\n  physical full every day at 04:30\n  \
             store on near\n  retain daily 7\n}}\n"
        );
        plan.push_str(&text);
        writeln!(
            inventory,
            "  s{n}: {{engine: sqlite, host: desk, path: /srv/s{n}.db}}"
        )
        .expect("a string");
    }
    inventory.push_str("devices: {near: {host: vault, path: /srv/copies}}\n");
    std::fs::write(folder.path().join("notes.plan"), plan).expect("written");
    std::fs::write(folder.path().join("notes.yaml"), inventory).expect("written");
    folder
}

#[test]
fn ten_a_level_worst_first_and_the_rest_in_the_summary() {
    let folder = site();
    let summary = folder.path().join("summary.md");
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_planc"));
    let args = [
        "check",
        "--now",
        super::NOW,
        "--format",
        "github",
        "notes.plan",
    ];
    let command = command.args(args).current_dir(folder.path());
    let output = command
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .expect("runs");
    let shown = text(output.stdout);
    let errors: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("::error"))
        .collect();
    assert_eq!(errors.len(), 10, "{shown}");
    assert!(shown.starts_with("::error"), "{shown}");
    assert!(
        errors[0].contains("::rpo 1min"),
        "the worst is first: {}",
        errors[0]
    );
    assert!(errors[9].contains("::rpo 10min"), "{}", errors[9]);
    let notices = shown
        .lines()
        .filter(|line| line.starts_with("::notice"))
        .count();
    assert!(notices <= 10, "{shown}");
    assert!(
        shown.contains("more findings stand in the summary"),
        "{shown}"
    );
    let summary = std::fs::read_to_string(summary).expect("written");
    assert_eq!(
        summary.matches("| error | P0610 |").count(),
        12,
        "{summary}"
    );
}

#[test]
fn a_summary_stays_below_what_a_host_takes() {
    let folder = site();
    let plan = folder.path().join("notes.plan");
    let mut text = std::fs::read_to_string(&plan).expect("readable");
    for n in 0..9_000 {
        writeln!(
            text,
            "backup long_name_{n} of service s1 {{ store on nowhere_{n} }}"
        )
        .expect("a string");
    }
    std::fs::write(&plan, text).expect("written");
    let summary = folder.path().join("summary.md");
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_planc"));
    let args = [
        "check",
        "--now",
        super::NOW,
        "--format",
        "github",
        "--expand-findings",
    ];
    let command = command
        .args(args)
        .arg("notes.plan")
        .current_dir(folder.path());
    command
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .expect("runs");
    let summary = std::fs::read_to_string(summary).expect("written");
    assert!(summary.len() < 1024 * 1024, "{} bytes", summary.len());
    let end = summary.trim_end().rsplit('\n').next().expect("a line");
    assert!(
        end.contains("more; `planc check --format short` lists all"),
        "{end}"
    );
}

#[test]
fn the_same_findings_whatever_is_asked() {
    let folder = site();
    let (github, first) = check(folder.path(), &["--format", "github", "notes.plan"]);
    let args = [
        "check",
        "--now",
        super::NOW,
        "--output",
        "github=g.txt",
        "notes.plan",
    ];
    let output = planc(folder.path(), &args);
    assert_eq!(output.status.code(), Some(first));
    let kept = std::fs::read_to_string(folder.path().join("g.txt")).expect("written");
    assert_eq!(kept, github);
}
