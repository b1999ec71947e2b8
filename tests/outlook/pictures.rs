//! Timelines ahead and afterwards.

use jiff::tz::TimeZone;
use planc::check::survival::{self, Question};
use planc::estimate::Known;
use planc::graph::file;
use planc::outlook::timeline::{self, BandKind, Done, Sure, Timeline};
use planc::report::timeline as shown;

use super::{now, shipped};

fn ahead(days: u32) -> Timeline {
    let compiled = shipped("plans/orders.plan", "prod");
    let plan = compiled.environments()[0];
    let facts = compiled.facts.get("prod");
    let matrix = survival::matrix(Question {
        plan,
        facts,
        sources: &compiled.judged.sources,
        now: now(),
    });
    let known = Known::of(plan, facts);
    timeline::ahead(plan, &known, &matrix, now(), days).expect("the zone is known")
}

#[test]
fn two_weeks_hold_their_runs_windows_and_trips() {
    let timeline = ahead(14);
    let band = |kind: BandKind, name: &str| {
        let mut bands = timeline.bands.iter();
        bands
            .find(|band| band.kind == kind && band.name == name)
            .unwrap_or_else(|| panic!("no band {name}"))
    };
    assert_eq!(band(BandKind::Window, "night").marks.len(), 14);
    assert_eq!(band(BandKind::Trip, "tapes").marks.len(), 2);
    let runs = &band(BandKind::Device, "nvme").marks;
    let fulls = runs
        .iter()
        .filter(|mark| mark.label.contains("large physical full"));
    assert_eq!(fulls.count(), 2);
    assert!(
        runs.iter()
            .all(|mark| mark.sure == Sure::Planned && mark.end >= mark.start)
    );
    let copies = &band(BandKind::Device, "bucket").marks;
    assert!(copies.iter().all(|mark| mark.sure == Sure::Allowed));
    assert!(!band(BandKind::Mode, "orders_db").marks.is_empty());
    let curve = &timeline.curves[0];
    assert_eq!(curve.service, "orders_db");
    assert!(
        curve.highest() > 10.0 && curve.highest() < 30.0,
        "{}",
        curve.highest()
    );
    let text = shown::text(&timeline);
    assert!(
        text.lines().all(|line| line.chars().count() < 140),
        "{text}"
    );
    assert!(text.contains("at risk orders_db"), "{text}");
    let svg = shown::svg(&timeline);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(shown::html(&timeline).contains("@page"));
}

#[test]
fn without_log_exposure_grows_from_copy_to_copy() {
    let plan = "planc 1\nplan docs\ntimezone UTC\nenvironment prod inventory \
                \"inventory.yaml\"\nassume { size service docs 360 GiB }\nobjectives of docs { rpo \
                3d for loss of disk }\nbackup daily of service docs {\n  physical full every day \
                at 03:00\n  store on near\n  retain daily 7\n}\n";
    let inventory = "inventory: 1\nsites: {here: {}}\nhosts:\n  desk: {site: here}\n  vault: \
                     {site: here}\nservices:\n  docs: {engine: files, host: desk, path: \
                     /srv/docs}\ndevices:\n  near: {host: vault, path: /c, write: 100 MiB/s}\n";
    let compiled = super::compiled(plan, inventory);
    let plan = compiled.environments()[0];
    let matrix = survival::matrix(Question {
        plan,
        facts: None,
        sources: &compiled.judged.sources,
        now: now(),
    });
    let known = Known::of(plan, None);
    let timeline = timeline::ahead(plan, &known, &matrix, now(), 5).expect("the zone is known");
    // 360 GiB at 100 MiB/s take 3686 s: just before the next copy is whole a day and that is lost
    let highest = timeline.curves[0].highest();
    assert!((highest - 90_086.4).abs() < 1.0, "{highest}");
}

#[test]
fn a_run_is_told_planned_beside_measured() {
    let text = r#"
plan: p
intent: {do: file}
now: 2026-03-01T00:00:00Z
lanes: [{name: device/nas, depth: 1}]
steps:
  - {id: "0000000000000001", step: exec, argv: [a], lanes: [0], estimate: {seconds: 10.0}}
  - {id: "0000000000000002", step: exec, argv: [b], lanes: [0], estimate: {seconds: 20.0}}
"#;
    let text = format!("format: planc-graph/1\n{}", text.trim_start());
    let graph = file::read(&text, file::Format::Yaml, now()).expect("a graph");
    let second = |at: i64| now() + jiff::SignedDuration::from_secs(at);
    let done: Vec<Done> = graph
        .steps
        .iter()
        .zip([(5, Some(17), false), (17, Some(40), true)])
        .map(|(step, (began, ended, failed))| Done {
            step: step.id,
            began: second(began),
            ended: ended.map(second),
            failed,
        })
        .collect();
    let timeline = timeline::of_run(&graph, &done, TimeZone::UTC, None);
    let names: Vec<&str> = timeline
        .bands
        .iter()
        .map(|band| band.name.as_str())
        .collect();
    assert_eq!(names, ["nas planned", "nas measured"]);
    let times = |band: usize| -> Vec<(f64, f64)> {
        let marks = timeline.bands[band].marks.iter();
        marks.map(|mark| (mark.start, mark.end)).collect()
    };
    let planned: f64 = times(0).iter().map(|(start, end)| end - start).sum();
    assert!((planned - 30.0).abs() < 1e-9);
    assert_eq!(times(1), [(0.0, 12.0), (12.0, 35.0)]);
    assert_eq!(timeline.bands[1].marks[1].sure, Sure::Failed);
    assert!(shown::text(&timeline).contains("23s, failed"));
}

#[test]
fn a_past_run_shows_windows_backup_mode_and_what_was_at_risk() {
    let text = r#"
plan: p
intent: {do: file}
now: 2026-03-01T02:00:00Z
lanes: [{name: backup-mode/pg, depth: 1}, {name: device/nvme, depth: 1}]
steps:
  - {id: "0000000000000001", step: begin-backup, component: pg/base/base, subject: base,
     method: physical-full, lanes: [0]}
  - {id: "0000000000000002", step: copy-part, component: pg/base/base, subject: base, part: "1",
     method: physical-full, devices: [nvme], codec: none, throttle: null, lanes: [1],
     estimate: {seconds: 30.0}}
  - {id: "0000000000000003", step: end-backup, component: pg/base/base, subject: base, part: "1",
     lanes: [0]}
  - {id: "0000000000000004", step: commit-part, component: pg/base/base, subject: base, part: "1",
     job: all, devices: [nvme]}
edges: [{from: 0, to: 1}, {from: 1, to: 2}, {from: 2, to: 3}]
"#;
    let text = format!("format: planc-graph/1\n{}", text.trim_start());
    let graph = file::read(&text, file::Format::Yaml, now()).expect("a graph");
    let second = |at: i64| graph.now + jiff::SignedDuration::from_secs(at);
    let times = [(0, 1), (1, 41), (41, 42), (42, 43)];
    let steps = graph.steps.iter().zip(times);
    let done = steps.map(|(step, (began, ended))| Done {
        step: step.id,
        began: second(began),
        ended: Some(second(ended)),
        failed: false,
    });
    let done: Vec<Done> = done.collect();
    let compiled = shipped("plans/orders.plan", "prod");
    let plan = compiled.environments()[0];
    let timeline = timeline::of_run(&graph, &done, TimeZone::UTC, Some(plan));
    let band = |kind: BandKind, name: &str| {
        let mut bands = timeline.bands.iter();
        let found = bands.find(|band| band.kind == kind && band.name == name);
        found.unwrap_or_else(|| panic!("no band {name}"))
    };
    // 02:00 UTC lies in the night of Berlin
    assert_eq!(band(BandKind::Window, "night").marks.len(), 1);
    let mode = &band(BandKind::Mode, "pg measured").marks;
    let spans: Vec<(f64, f64)> = mode.iter().map(|mark| (mark.start, mark.end)).collect();
    assert_eq!(spans, [(0.0, 42.0)], "from entering to leaving");
    let curve = |name: &str| {
        let mut curves = timeline.curves.iter();
        curves.find(|curve| curve.service == name).expect("a curve")
    };
    // reading began after a second and the copy was whole after 43
    assert_eq!(curve("pg measured").points.first(), Some(&(43.0, 42.0)));
    assert_eq!(curve("pg planned").points.first(), Some(&(30.0, 30.0)));
    assert!(shown::text(&timeline).contains("at risk pg measured"));
    assert!(shown::svg(&timeline).contains("at risk pg planned"));
}
