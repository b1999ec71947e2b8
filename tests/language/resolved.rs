//! `planc show resolved` tells every value with what gave it, in text and JSON.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const NOW: &str = "2026-03-01T00:00:00Z";

fn show(plan: &str, flags: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("planc").expect("built");
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let command = command.args(["show", "resolved", "--plan", plan, "--now", NOW]);
    let output = command
        .args(flags)
        .current_dir(plans)
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(plan: &str, flags: &[&str]) -> Value {
    let flags: Vec<&str> = ["--format", "json"]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    serde_json::from_str(&show(plan, &flags)).expect("JSON")
}

/// The values of a block in the first environment.
fn values<'v>(shown: &'v Value, kind: &str, name: &str, instance: Option<&str>) -> Vec<&'v Value> {
    let blocks = shown["environments"][0]["blocks"]
        .as_array()
        .expect("blocks");
    let own = |block: &&Value| {
        block["block"] == kind && block["name"] == name && block["instance"].as_str() == instance
    };
    let block = blocks.iter().find(own).expect("the block");
    block["values"].as_array().expect("values").iter().collect()
}

fn one<'v>(values: &[&'v Value], key: &str) -> &'v Value {
    let mut found = values.iter().filter(|value| value["key"] == key);
    found
        .next()
        .unwrap_or_else(|| panic!("no {key} in {values:#?}"))
}

#[test]
fn every_value_has_an_origin_that_is_true() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    for plan in ["orders.plan", "notes.plan", "shop.plan", "fleet.plan"] {
        let shown = json(plan, &[]);
        let environments = shown["environments"].as_array().expect("environments");
        let blocks = environments
            .iter()
            .flat_map(|one| one["blocks"].as_array().expect("blocks"));
        let values = blocks.flat_map(|block| block["values"].as_array().expect("values"));
        let mut kinds = BTreeSet::new();
        for value in values {
            let origin = &value["origin"];
            let from = origin["from"].as_str().expect("a kind of origin");
            kinds.insert(from);
            assert_eq!(
                from == "default",
                origin["line"].is_null(),
                "{plan}: {value}"
            );
            if from == "default" {
                continue;
            }
            let file = plans.join(origin["file"].as_str().expect("a file"));
            let text = std::fs::read_to_string(file).expect("the file is there");
            let line = usize::try_from(origin["line"].as_u64().expect("a line")).expect("fits");
            let line = text.lines().nth(line - 1).expect("the line is there");
            let mut key = value["key"].as_str().expect("a key").rsplit(['.', ' ']);
            let word = key.next().expect("a word");
            let has = line.contains(word) || from == "inventory" || line.contains(" of ");
            assert!(has, "{plan}: `{word}` is not in `{line}`");
        }
        assert!(
            kinds.is_superset(&["default", "inventory", "line"].into()),
            "{plan}: {kinds:?}"
        );
    }
}

#[test]
fn parameters_say_which_environment_gave_them() {
    let staging = json("orders.plan", &["--env", "staging"]);
    let promises = values(&staging, "objectives", "orders_db", None);
    let mut rpos = promises.iter().filter(|value| value["key"] == "rpo");
    let site = rpos.next_back().expect("two of them");
    assert_eq!(site["value"], "2h for loss of site");
    let param = &site["origin"]["params"][0];
    assert_eq!(
        (&param["name"], &param["given"]),
        (&"site_rpo".into(), &"environment".into())
    );
    assert_eq!(param["line"], 7);

    let prod = json("orders.plan", &["--env", "prod"]);
    let ship = values(&prod, "archive", "wal", None);
    let ship = one(&ship, "ship");
    assert_eq!(ship["value"], "every 5min or 64 MiB to bucket");
    assert_eq!(ship["origin"]["params"][0]["given"], "default");
}

#[test]
fn policies_overrides_and_defaults_are_told_apart() {
    let shown = json("fleet.plan", &[]);
    let log = values(&shown, "archive", "wal", Some("payments"));
    let ship = one(&log, "ship");
    assert_eq!(ship["value"], "every 1min or 64 MiB to dev.far");
    assert_eq!(ship["origin"]["policy"], "gold");
    assert_eq!(ship["origin"]["params"][0]["given"], "with");
    assert_eq!(one(&log, "retain")["origin"]["from"], "override");
    assert_eq!(one(&log, "compress")["origin"]["from"], "default");
    assert_eq!(one(&log, "compress")["value"], "zstd 3");

    let other = values(&shown, "archive", "wal", Some("tenant-0001"));
    assert_eq!(
        one(&other, "ship")["origin"]["params"][0]["given"],
        "default"
    );
    assert_eq!(one(&other, "retain")["origin"]["from"], "policy");
    let copy = values(&shown, "backup", "all", Some("tenant-0001"));
    let of = one(&copy, "of")["value"].as_str().expect("text");
    assert!(of.starts_with("tenant-0001/base/base"), "{of}");
}

#[test]
fn the_text_has_a_line_a_value_with_its_origin_behind_it() {
    let text = show("notes.plan", &[]);
    let inside = text.lines().filter(|line| line.starts_with("  "));
    assert!(inside.clone().count() > 20, "{text}");
    for line in inside {
        let (_, origin) = line.rsplit_once("  # ").expect("an origin");
        assert!(origin == "default" || origin.contains(':'), "{line}");
    }
    assert!(text.contains("retain daily 7, weekly 4"), "{text}");
}
