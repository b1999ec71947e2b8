//! Single cases with their reasons in words.

use std::collections::{BTreeMap, BTreeSet};

use planc::facts::holdings::{Holdings, LogHolding, Method, PartHolding, Position};
use planc::graph::retention::{JobRule, Judgement, LogRule, Question, judge};
use planc::quantity::Duration;
use planc::resolve::plan::Tier;

const DAY: u64 = 86_400_000;

fn part(id: &str, day: u32, base: Option<&str>, devices: &[&str]) -> PartHolding {
    let at = Some(Position {
        incarnation: "i".into(),
        value: u64::from(day) * 10,
    });
    PartHolding {
        part: id.into(),
        component: "s/database/main".into(),
        job: "nightly".into(),
        run: format!("run-{id}"),
        method: base.map_or(Method::PhysicalFull, |_| Method::PhysicalIncremental),
        identity: "source".into(),
        taken_at: format!("2026-03-{day:02}T02:00:00Z")
            .parse()
            .expect("an instant"),
        from: at.clone(),
        until: at,
        base: base.map(str::to_owned),
        bytes: 1,
        stored_bytes: 1,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn log(id: &str, day: u32, devices: &[&str]) -> LogHolding {
    let place = |value| Position {
        incarnation: "i".into(),
        value,
    };
    let at = format!("2026-03-{day:02}T12:00:00Z")
        .parse()
        .expect("an instant");
    LogHolding {
        log: id.into(),
        service: "s".into(),
        identity: "source".into(),
        from: place(u64::from(day) * 10),
        until: place(u64::from(day) * 10 + 10),
        first_at: at,
        last_at: at,
        stored_bytes: 1,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn answer(parts: Vec<PartHolding>, logs: Vec<LogHolding>, tiers: &[(&str, Tier)]) -> Judgement {
    let holdings = Holdings {
        parts,
        logs,
        ..Holdings::default()
    };
    answer_of(&holdings, tiers)
}

fn answer_of(holdings: &Holdings, tiers: &[(&str, Tier)]) -> Judgement {
    let mut by_device: BTreeMap<String, Vec<Tier>> = BTreeMap::new();
    for (device, tier) in tiers {
        by_device
            .entry((*device).to_owned())
            .or_default()
            .push(*tier);
    }
    let devices: BTreeSet<String> = by_device.keys().cloned().collect();
    let job = JobRule {
        tiers: by_device.clone(),
        full: devices.clone(),
        incremental: devices.clone(),
        sets: BTreeSet::new(),
    };
    let short = by_device
        .keys()
        .map(|name| (name.clone(), vec![Tier::Window(Duration(DAY))]));
    let log = LogRule {
        tiers: short.collect(),
        required: devices,
    };
    let now = "2026-03-20T00:00:00Z".parse().expect("an instant");
    let jobs = BTreeMap::from([("nightly".to_owned(), job)]);
    let logs = BTreeMap::from([("s".to_owned(), log)]);
    judge(&Question::of(holdings, jobs, logs, now))
}

/// `object@device: reason; reason` of what stays.
fn stays(judged: &Judgement) -> Vec<String> {
    let kept = judged.fates.iter().filter(|fate| !fate.goes());
    kept.map(|fate| {
        let reasons: Vec<String> = fate.stays.iter().map(ToString::to_string).collect();
        format!("{}@{}: {}", fate.object, fate.device, reasons.join("; "))
    })
    .collect()
}

#[test]
fn a_window_keeps_its_anchor_and_all_log_since() {
    let parts = vec![
        part("p1", 1, None, &["a"]),
        part("p5", 5, None, &["a"]),
        part("p18", 18, None, &["a"]),
    ];
    let logs = (1..20)
        .map(|day| log(&format!("l{day}"), day, &["a"]))
        .collect();
    let judged = answer(parts, logs, &[("a", Tier::Window(Duration(7 * DAY)))]);
    let kept = stays(&judged);
    assert_eq!(kept[0], "p5@a: `window 7d` begins in what it shows");
    assert_eq!(kept[1], "p18@a: within `window 7d`");
    assert_eq!(kept[2], "l5@a: log of the window that begins with part p5");
    assert_eq!(kept.len(), 2 + 15, "{kept:#?}");
}

#[test]
fn a_tier_keeps_the_newest_of_each_period_with_its_chain() {
    let parts = vec![
        part("f1", 2, None, &["a"]),
        part("i1", 3, Some("f1"), &["a"]),
        part("i2", 4, Some("i1"), &["a"]),
        part("f2", 10, None, &["a"]),
    ];
    let judged = answer(parts, Vec::new(), &[("a", Tier::Weekly(2))]);
    let kept = stays(&judged);
    assert_eq!(
        kept,
        [
            "f1@a: part i1 builds on it",
            "i1@a: part i2 builds on it",
            "i2@a: `weekly 2`: the newest of week 10 of 2026",
            "f2@a: `weekly 2`: the newest of week 11 of 2026",
        ]
    );
}

#[test]
fn backups_that_stopped_take_nothing_away() {
    let parts = vec![part("p1", 1, None, &["a"]), part("p2", 2, None, &["a"])];
    let judged = answer(parts, Vec::new(), &[("a", Tier::Daily(7))]);
    assert_eq!(
        stays(&judged).len(),
        2,
        "both days are among the last seven that have a copy"
    );
}

#[test]
fn a_damaged_copy_does_not_stand_in_for_a_good_one() {
    let holdings = Holdings {
        parts: vec![part("old", 10, None, &["a"]), part("new", 11, None, &["a"])],
        damaged: vec![("new".into(), "a".into())],
        ..Holdings::default()
    };
    let kept = stays(&answer_of(&holdings, &[("a", Tier::Last(1))]));
    assert_eq!(kept, ["old@a: `last 1`", "new@a: `last 1`"]);
}

#[test]
fn a_copy_waits_for_the_device_that_lacks_it() {
    let parts = vec![
        part("p1", 1, None, &["a"]),
        part("p2", 18, None, &["a", "b"]),
    ];
    let tiers = [("a", Tier::Last(1)), ("b", Tier::Last(2))];
    let judged = answer(parts, Vec::new(), &tiers);
    let kept = stays(&judged);
    assert_eq!(kept[0], "p1@a: b is to hold it and does not yet");
    assert!(judged.wanted.contains(&("p1".into(), "b".into())));
}

#[test]
fn what_expired_on_a_device_is_not_brought_back_to_it() {
    let parts = vec![
        part("p1", 1, None, &["b"]),
        part("p2", 18, None, &["a", "b"]),
    ];
    let tiers = [("a", Tier::Last(1)), ("b", Tier::Last(2))];
    let judged = answer(parts, Vec::new(), &tiers);
    assert_eq!(judged.wanted, BTreeSet::new());
}

#[test]
fn what_no_clause_speaks_of_stays() {
    let mut parts = vec![part("p1", 1, None, &["x"])];
    parts.push(PartHolding {
        job: "renamed".into(),
        ..part("p2", 2, None, &["a"])
    });
    let kept = stays(&answer(parts, Vec::new(), &[("a", Tier::Last(1))]));
    assert_eq!(
        kept,
        [
            "p1@x: a is to hold it and does not yet; no `retain` of `nightly` speaks of this device",
            "p2@a: the plan has no job `renamed`",
        ]
    );
}
