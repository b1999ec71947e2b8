//! `planc simulate`: what goes wrong in a year, and one loss played again.

use std::process::Command;

use planc::check::proof::Row;
use planc::outlook::year::{self, Trial, World, Year};
use serde_json::Value;

use super::now;

/// Copies leave the site on volumes only, once a week; the source grows by a hundredth a day.
const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
device tapes is volumes at here { rotate to there every mon at 14:00, return when expired }
assume {
  size service notes 100 GiB
  growth service notes 1%/day
}
objectives of notes {
  rpo 30d for loss of site here
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to tapes within 2h
  retain window 60d
}
";

const INVENTORY: &str = "\
inventory: 1
sites: {here: {}, there: {}}
hosts: {desk: {site: here}, vault: {site: here}}
services: {notes: {engine: files, host: desk, path: /srv/notes}}
devices:
  near: {host: vault, path: /c, write: 100 MiB/s, read: 100 MiB/s}
  tapes: {host: vault, volumes: 4000, volume_size: 6 TiB, write: 100 MiB/s, read: 100 MiB/s}
";

fn played(mishaps: bool) -> Year {
    let compiled = super::compiled(PLAN, INVENTORY);
    let plan = compiled.plans.first().expect("a good plan");
    let known = year::known(plan, None);
    let world = World::new(plan, &known);
    let trial = Trial {
        seed: 7,
        days: 120,
        losses: 300,
        mishaps,
    };
    let play = world.play(now(), trial).expect("every run compiles");
    let rows: Vec<&Row> = compiled.judged.proofs.iter().collect();
    play.year(&rows).expect("the zone is known")
}

#[test]
fn growth_slow_devices_and_late_couriers_make_a_year_worse() {
    let (calm, rough) = (played(false), played(true));
    let busy = |year: &Year| year.runs.iter().map(|run| run.seconds).sum::<f64>();
    // a hundredth a day is 3.3 times as much after 120 days
    assert!(
        busy(&rough) > 1.5 * busy(&calm),
        "{} {}",
        busy(&rough),
        busy(&calm)
    );
    let slowed = rough
        .runs
        .iter()
        .filter(|run| run.seconds > 2.0 * run.bound);
    assert_eq!(slowed.count(), 0, "what is slow is slow in the bound too");
    let most = |year: &Year| year.fates[0].spread.expect("losses").most;
    let week = 7.0 * 86_400.0;
    assert!(most(&calm) > 0.8 * week, "{}", most(&calm));
    // a courier that is late by up to two days leaves a week and more behind
    assert!(
        most(&rough) > most(&calm) + 3_600.0,
        "{} {}",
        most(&rough),
        most(&calm)
    );
    for year in [&calm, &rough] {
        assert!(year.over_bound() >= 1.0 && year.over_bound() < 1.05);
        let spread = year.fates[0].spread.expect("losses");
        assert!(spread.least <= spread.median && spread.median <= spread.p95);
        assert!(spread.p95 <= spread.p99 && spread.p99 <= spread.most);
    }
}

fn simulate(words: &[&str]) -> String {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/orders.plan");
    let common = ["simulate", "--env", "prod", "--plan", plan];
    let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
    let output = command.args(common).args(words).output().expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{said}");
    text
}

#[test]
fn the_worst_loss_can_be_played_again() {
    let words = "--now 2026-03-01T00:00:00Z --days 60 --losses 40 --seed 11";
    let words: Vec<&str> = words.split(' ').collect();
    let table = simulate(&words);
    assert!(table.contains("% over the lower bound"), "{table}");
    let json = simulate(&[&words[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&json).expect("json");
    let fates = json["promises"].as_array().expect("promises");
    let fate = fates.iter().find(|fate| !fate["worst"].is_null());
    let worst = &fate.expect("a worst loss")["worst"];
    let again = worst["again"].as_str().expect("how to see it again");
    assert!(table.contains(again), "{table}");
    let told = simulate(&again.split(' ').collect::<Vec<_>>());
    for line in worst["story"].as_array().expect("a story") {
        let line = line.as_str().expect("a line");
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
}
