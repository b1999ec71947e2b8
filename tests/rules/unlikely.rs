//! Numbers that cannot be: each gives one clear finding at its place, none is calculated with.

use super::judged;

const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
window night every mon 01:00..05:00
assume {
  size 400 GiB
  change 1%/day
  growth 0.3%/day
}
objectives of notes {
  rpo 9d for loss of disk
}
backup weekly of service notes {
  physical full every mon during night
  store on near
  encrypt none
  retain weekly 8
}
--- inventory.yaml
inventory: 1
sites: {here: {}, there: {link: 80 MiB/s}}
hosts: {desk: {site: here, replay: 50 MiB/s, disks: {d1: {read: 90 MiB/s}}}, vault: {site: there}}
services: {notes: {engine: sqlite, host: desk, disk: d1, path: /srv/notes.db}}
devices: {near: {host: vault, path: /c, write: 70 MiB/s, read: 60 MiB/s}}
facts: facts.yaml
--- facts.yaml
components:
  notes/database/main: {size: 400 GiB, change: 1%/day, growth: 0.2%/day}
";

/// The codes after one change of the plan, and the first message.
fn after(from: &str, to: &str) -> (Vec<String>, String) {
    assert!(PLAN.contains(from), "{from}");
    let (_, findings) = judged(&PLAN.replace(from, to));
    let first = findings
        .first()
        .map_or(String::new(), |one| one.message.clone());
    (
        findings.iter().map(|one| one.code.to_string()).collect(),
        first,
    )
}

#[test]
fn the_plan_itself_is_good() {
    assert_eq!(after("planc 1", "planc 1").0, [""; 0]);
}

#[test]
fn nothing_shrinks() {
    let (codes, message) = after("growth 0.3%/day", "growth -0.3%/day");
    assert_eq!(codes, ["P0101"]);
    assert!(
        message.contains("growth") && message.contains("-0.3%/day"),
        "{message}"
    );
    let (codes, message) = after("change 1%/day\n", "change -1%/day\n");
    assert_eq!(codes, ["P0101"]);
    assert!(message.contains("-1%/day"), "{message}");
    let (codes, message) = after("growth: 0.2%/day", "growth: -0.2%/day");
    assert_eq!(codes, ["P0301"]);
    assert!(message.contains("`growth`: `-0.2%/day`"), "{message}");
}

#[test]
fn a_rate_of_zero_is_nothing_at_all() {
    let rates = [
        ("link: 80 MiB/s", "link: 0 MiB/s"),
        ("replay: 50 MiB/s", "replay: 0 MiB/s"),
        ("read: 90 MiB/s", "read: 0 MiB/s"),
        ("write: 70 MiB/s", "write: 0 MiB/s"),
        ("read: 60 MiB/s", "read: 0 MiB/s"),
        ("store on near", "store on near\n  throttle 0 MiB/s"),
    ];
    for (from, to) in rates {
        let (codes, message) = after(from, to);
        assert_eq!(codes, ["P0307"], "{to}: {message}");
        assert!(message.contains("nothing at all"), "{message}");
    }
}

#[test]
fn a_window_that_never_opens_is_told_once() {
    assert_eq!(after("01:00..05:00", "05:00..05:00").0, ["P0401"]);
    let (codes, message) = after("every mon during night", "every tue during night");
    assert_eq!(codes, ["P0402"]);
    assert!(message.contains("never runs"), "{message}");
}

#[test]
fn facts_that_contradict_the_plan_are_told_with_both_numbers() {
    let (codes, message) = after("size: 400 GiB", "size: 700 GiB");
    assert_eq!(codes, ["P1109"]);
    assert!(message.contains("400 GiB"), "{message}");
    let measured = |rates: &str| {
        let to = format!("facts.yaml\n--- facts.yaml\n{rates}\n");
        after("facts.yaml\n--- facts.yaml\n", &to)
    };
    let (codes, message) = measured("devices: {near: {write: 40 MiB/s, read: 60 MiB/s}}");
    assert_eq!(codes, ["P1109"]);
    assert!(
        message.contains("70 MiB/s") && message.contains("40 MiB/s"),
        "{message}"
    );
    let (codes, message) = measured("hosts: {desk: {replay: 20 MiB/s}}");
    assert_eq!(codes, ["P1109"]);
    assert!(message.contains("the replay speed of desk"), "{message}");
    let certified = |verdict: &str| {
        let from = "read: 60 MiB/s}}\nfacts: facts.yaml\n--- facts.yaml\n";
        let facts = format!("certified: {{near: {{at: 2026-01-01, lock: {verdict}}}}}");
        let to = from.replace("s}}", "s, immutable: true}}") + &facts + "\n";
        after(from, &to)
    };
    let (codes, message) = certified("unknown");
    assert_eq!(codes, ["P1109"]);
    assert!(message.contains("near is stated as immutable"), "{message}");
    assert_eq!(certified("proved").0, [""; 0]);
    // faster than stated is on the safe side
    assert_eq!(measured("devices: {near: {write: 90 MiB/s}}").0, [""; 0]);
    // what is within a tenth is no contradiction, and a smaller one is on the safe side
    assert_eq!(after("size: 400 GiB", "size: 390 GiB").0, [""; 0]);
}
