//! The survival matrix: what is left after each loss, which recovery brings it back, and that
//! every recovery compiles.

use planc::check::proof::Outcome;
use planc::check::survival::{self, Cell, Matrix, Path, Question};
use planc::cli::load::Compiled;
use planc::estimate::Known;
use planc::estimate::survive::Survival;
use planc::graph::step::StepKind;
use planc::outlook::paths;
use planc::report::proof::{self as shown, Shown};

use super::{errors, now, shipped};

fn matrix(compiled: &Compiled) -> Matrix {
    let environments = compiled.environments();
    let plan = environments.first().expect("an environment");
    survival::matrix(Question {
        plan,
        facts: compiled.facts.get(&plan.environment),
        sources: &compiled.judged.sources,
        now: now(),
    })
}

fn cell<'m>(matrix: &'m Matrix, loss: &str, component: &str) -> &'m Cell {
    let mut cells = matrix.cells.iter();
    let named = |cell: &&Cell| {
        cell.loss.words() == loss && cell.components.iter().any(|key| key == component)
    };
    let losses: Vec<String> = matrix.cells.iter().map(|cell| cell.loss.words()).collect();
    cells
        .find(named)
        .unwrap_or_else(|| panic!("{component} after {loss}: {losses:?}"))
}

#[test]
fn a_lost_site_takes_what_lies_there_and_only_that() {
    let compiled = shipped("plans/orders.plan", "prod");
    let matrix = matrix(&compiled);
    let lost = cell(&matrix, "site fra", "orders_db/tablespace/hot");
    assert_eq!(lost.original, Survival::No);
    assert_eq!(lost.path, Path::Recovery(vec!["lost_frankfurt".to_owned()]));
    assert_eq!(lost.via, "log on bucket");
    let left: Vec<(&str, Survival)> = lost
        .copies
        .iter()
        .map(|copy| (copy.device.as_str(), copy.left))
        .collect();
    let expected = [
        ("nvme", Survival::No),
        ("bucket", Survival::Yes),
        ("tapes", Survival::Yes),
    ];
    assert_eq!(left, expected);
    let data = lost.data.as_ref().expect("it comes back");
    assert!(data.within(600.0), "{data:?}");
    let promised: Vec<&str> = lost
        .promises
        .iter()
        .map(|(words, _)| words.as_str())
        .collect();
    assert_eq!(
        promised,
        ["rpo 10min for loss of site", "rto 8h for loss of site"]
    );
    assert_eq!(lost.promises[0].1, Outcome::Proved);
}

#[test]
fn a_lost_disk_leaves_what_lies_on_others() {
    let matrix = matrix(&shipped("plans/orders.plan", "prod"));
    let gone = cell(&matrix, "disk pg1/d3", "orders_db/tablespace/hot");
    assert_eq!(gone.original, Survival::No);
    let untouched = cell(&matrix, "disk pg1/d3", "orders_db/tablespace/history");
    assert_eq!(untouched.path, Path::Untouched);
    assert!(untouched.data.as_ref().expect("it is there").total() < f64::EPSILON);
}

#[test]
fn a_key_without_escrow_makes_its_copies_unreadable() {
    let plan = r#"planc 1
plan notes
timezone UTC
environment prod inventory "inventory.yaml"
key safe from file "/etc/safe.key"
key lone from file "/etc/lone.key" escrow at there
objectives of notes { rpo 2d for loss of disk }
backup one of service notes {
  physical full every day at 04:30
  store on near
  encrypt with safe
  retain daily 7
}
backup two of service notes {
  physical full every day at 05:30
  store on far
  encrypt with lone
  retain daily 7
}
"#;
    let inventory = "inventory: 1\nsites: {here: {}, there: {}}\nhosts:\n  desk: {site: here}\n  \
                     vault: {site: here}\n  depot: {site: there}\nservices:\n  notes: {engine: \
                     sqlite, host: desk, path: /srv/notes.db}\ndevices:\n  near: {host: vault, \
                     path: /c}\n  far: {host: depot, path: /c}\n";
    let matrix = matrix(&super::compiled(plan, inventory));
    let without = cell(&matrix, "holder of key safe", "notes/database/main");
    assert_eq!(without.left(), 1, "{without:?}");
    let escrowed = cell(&matrix, "holder of key lone", "notes/database/main");
    assert_eq!(escrowed.left(), 2);
    assert_eq!(escrowed.path, Path::Untouched);
}

#[test]
fn every_way_back_of_the_tutorial_compiles_and_reads_what_is_left() {
    for plan in ["examples/sqlite.plan", "examples/folder.plan"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(plan);
        let compiled = planc::cli::load::compile(&path, None, now()).expect("readable");
        assert_eq!(errors(&compiled), Vec::<String>::new());
        let matrix = matrix(&compiled);
        let environments = compiled.environments();
        let known = Known::of(environments[0], None);
        let ways = paths::ways_back(environments[0], &known, &matrix, now());
        assert!(ways.len() > 1, "{plan}");
        for way in ways {
            let rehearsed = way.graph.expect("it compiles");
            let fetched = rehearsed
                .graph
                .steps
                .iter()
                .filter_map(|step| match &step.kind {
                    StepKind::FetchPart { from, .. } => Some(from),
                    _ => None,
                });
            let fetched: Vec<_> = fetched.collect();
            assert!(!fetched.is_empty(), "{plan} {}", way.name);
            for loss in way
                .losses
                .iter()
                .filter_map(|loss| loss.strip_prefix("device "))
            {
                assert!(fetched.iter().all(|from| !from.contains(&loss.to_owned())));
            }
        }
    }
}

#[test]
fn the_matrix_is_told_in_three_forms() {
    let compiled = shipped("plans/orders.plan", "prod");
    let plan = compiled.environments()[0].clone();
    let shown = [Shown {
        matrix: matrix(&compiled),
        rows: compiled.proofs_of(&plan).cloned().collect(),
        sources: &compiled.judged.sources,
        paths: Some(Vec::new()),
    }];
    let human = shown::human(&shown[0]);
    assert!(human.starts_with("orders [prod]: "), "{human}");
    assert!(human.contains("site fra"), "{human}");
    let json: serde_json::Value = serde_json::from_str(&shown::json(&shown)).expect("JSON");
    assert_eq!(json["format"], "planc-proof/1.0");
    let survival = &json["environments"][0]["survival"];
    assert!(survival.as_array().is_some_and(|cells| cells.len() > 20));
    let html = shown::html(&shown);
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    let outside = ["http://", "https://", "src=", "@import", "<script"];
    for word in outside {
        assert!(
            !html.contains(word),
            "the page needs nothing from outside: {word}"
        );
    }
    assert!(html.contains("@page"), "it is made for paper too");
}
