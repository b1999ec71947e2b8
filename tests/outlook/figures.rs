//! Every quantity of a plan as a sum of terms.

use std::collections::BTreeSet;

use planc::check::proof::Row;
use planc::check::survival::Question;
use planc::cli::load::Compiled;
use planc::outlook::figures::{self, Quantity};
use planc::report::figures as shown;

use super::{compiled, now, shipped};

fn quantities(compiled: &Compiled) -> Vec<Quantity> {
    let plan = compiled.environments()[0];
    let question = Question {
        plan,
        facts: compiled.facts.get(&plan.environment),
        sources: &compiled.judged.sources,
        now: now(),
    };
    let rows: Vec<&Row> = compiled.proofs_of(plan).collect();
    figures::all(question, &rows)
}

fn of<'q>(all: &'q [Quantity], number: u8, name: &str, of: &str) -> &'q Quantity {
    let same = |one: &&Quantity| one.number == number && one.name == name && one.of.contains(of);
    let told: Vec<String> = all
        .iter()
        .filter(|one| one.number == number)
        .map(|one| format!("{} of {}", one.name, one.of))
        .collect();
    all.iter()
        .find(same)
        .unwrap_or_else(|| panic!("Q{number} {name} {of}: {told:#?}"))
}

#[test]
fn a_plan_has_its_quantities_as_sums() {
    let compiled = shipped("plans/orders.plan", "prod");
    let all = quantities(&compiled);
    let numbers: BTreeSet<u8> = all.iter().map(|one| one.number).collect();
    for number in [
        1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 18, 20, 21, 22,
    ] {
        assert!(numbers.contains(&number), "Q{number}: {numbers:?}");
    }
    for one in &all {
        let terms = &one.figure.terms;
        assert!(!terms.is_empty() || one.figure.missing.is_some(), "{one:?}");
        assert!(
            terms
                .iter()
                .all(|(name, value)| !name.is_empty() && *value >= 0.0)
        );
    }
    // what the promise rests on is what the sheet tells
    let rows = &compiled.judged.proofs;
    let site = rows
        .iter()
        .find(|row| row.words == "rpo 10min for loss of site");
    let found = site.expect("promised").found.expect("proved");
    let told = of(&all, 1, "work that is lost", "loss of site fra")
        .figure
        .total();
    assert!((told - found).abs() < 1e-6, "{told} {found}");
    // no order beats the bound
    let runs = all
        .iter()
        .filter(|one| one.name == "runs that come together");
    let mut count = 0;
    for run in runs {
        let least = of(&all, 4, "no order is shorter", &run.of);
        assert!(run.figure.total() >= least.figure.total() - 1e-6, "{run:?}");
        count += 1;
    }
    assert!(count > 2);
}

#[test]
fn simple_figures_can_be_checked_by_hand() {
    let plan = "planc 1\nplan docs\ntimezone UTC\nenvironment prod inventory \
                \"inventory.yaml\"\nwindow night every day 01:00..05:00\nassume { size \
                service docs 360 GiB }\nobjectives of docs { rpo 3d for loss of disk \
                }\nbackup daily of service docs {\n  physical full every day during night\n  \
                store on near\n  encrypt none\n  retain daily 7\n}\n";
    let inventory = "inventory: 1\nsites: {here: {}}\nhosts:\n  desk: {site: here, disks: {d: \
                     {read: 200 MiB/s}}}\n  vault: {site: here}\nservices:\n  docs: {engine: \
                     files, host: desk, disk: d, path: /srv/docs}\ndevices:\n  near: {host: \
                     vault, path: /c, write: 100 MiB/s}\n";
    let all = quantities(&compiled(plan, inventory));
    let value = |number, name, part| of(&all, number, name, part).figure.total();
    // 360 GiB at 100 MiB/s
    assert!((value(3, "time of one run alone", "daily") - 3686.4).abs() < 0.1);
    assert!((value(5, "used of a window", "night") - 3686.4).abs() < 0.1);
    assert!((value(6, "drives that are enough", "night") - 1.0).abs() < 1e-9);
    // half of what the disk gives
    assert!((value(12, "share of a disk", "desk/d") - 0.5).abs() < 1e-9);
    let slower = of(&all, 12, "slower answers", "desk/d");
    assert_eq!(
        slower.figure.missing.as_deref(),
        Some("user load of desk/d")
    );
    let kept = value(13, "held in the long run", "near");
    assert!(
        (kept - 7.0 * 360.0 * f64::from(1 << 30)).abs() < 1.0,
        "{kept}"
    );
    assert!((value(21, "coverage", "docs") - 1.0).abs() < 1e-9);
    let table = shown::human(&all);
    assert!(table.contains("360 GiB at 100 MiB/s"), "{table}");
    let json = shown::json(&[("prod".to_owned(), all)]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["format"], "planc-figures/1.0");
}

#[test]
fn runs_wait_for_those_that_came_before() {
    let plan = "planc 1\nplan docs\ntimezone UTC\nenvironment prod inventory \
                \"inventory.yaml\"\nwindow early every day 05:00..07:00\nassume {\n  size \
                service docs 720 GiB\n  size service mail 18 GiB\n}\nbackup big of service \
                docs {\n  physical full every day at 04:00\n  store on near\n  encrypt none\n \
                 retain daily 7\n}\nbackup small of service mail {\n  physical full every day \
                during early\n  store on far\n  encrypt none\n  retain daily 7\n}\n";
    let inventory = "inventory: 1\nsites: {here: {}}\nhosts:\n  desk: {site: here, disks: {a: \
                     {}, b: {}}}\n  vault: {site: here}\nservices:\n  docs: {engine: files, \
                     host: desk, disk: a, path: /srv/docs}\n  mail: {engine: files, host: \
                     desk, disk: b, path: /srv/mail}\ndevices:\n  near: {host: vault, path: \
                     /c, write: 100 MiB/s}\n  far: {host: vault, path: /d, write: 100 MiB/s}\n";
    let all = quantities(&compiled(plan, inventory));
    // 720 GiB take until 06:02:52; the small run comes up at 05:00 and takes 184 s after that
    let used = of(&all, 5, "used of a window", "early").figure.total();
    let expected = 720.0 * 1024.0 / 100.0 - 3600.0 + 18.0 * 1024.0 / 100.0;
    assert!((used - expected).abs() < 1.0, "{used} {expected}");
}
