//! Chains of parts in graphs: what an incremental builds on, which chain a restore takes, what
//! retention keeps of it, and what is merged. PostgreSQL's positions, without a server.

use planc::check::CheckedPlan;
use planc::facts::holdings::{Holdings, JobHistory, LogHolding, Method, PartHolding, Position};
use planc::graph::step::{BuildsOn, Intent, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use planc::graph::{self, GraphError, order, support};

use super::{checked, stamp};

const PLAN: &str = r#"planc 1
plan shop
timezone UTC
environment prod inventory "shop.yaml"
service shop is postgresql { }
backup nightly of base {
  physical full every sun at 02:00
  physical incremental every mon..sat at 02:00
  store on disk
  copy to cloud within 1h
  retain window 9d
  encrypt none
}
archive wal of shop {
  ship every 1min to disk
  copy to cloud within 1h
  retain window 20d
  encrypt none
}
"#;

const INVENTORY: &str = r#"inventory: 1
sites: {home: {}, away: {}}
hosts: {till: {site: home}}
services:
  shop: {engine: postgresql, version: "15", host: till, path: /pg/data}
devices:
  disk: {site: home, path: backup/disk}
  cloud: {site: away, path: backup/cloud}
"#;

const BASE: &str = "shop/base/base";

fn plan(text: &str) -> CheckedPlan {
    checked(text, ("shop.yaml", INVENTORY))
}

fn at(value: u64) -> Position {
    Position {
        incarnation: "00000001".into(),
        value,
    }
}

/// A part of the night of this day of January; Sunday is the 4th.
fn part(id: &str, day: u64, base: Option<&str>) -> PartHolding {
    PartHolding {
        part: id.into(),
        component: BASE.into(),
        job: "nightly".into(),
        run: format!("r{day}"),
        method: match base {
            None => Method::PhysicalFull,
            Some(_) => Method::PhysicalIncremental,
        },
        identity: "7".into(),
        taken_at: stamp(&format!("2026-01-{day:02}T02:00:00Z")),
        from: Some(at(day * 1000)),
        until: Some(at(day * 1000 + 100)),
        base: base.map(str::to_owned),
        bytes: 200 << 20,
        stored_bytes: 100 << 20,
        devices: vec!["cloud".into(), "disk".into()],
    }
}

/// A full of Sunday, incrementals of Monday and Tuesday, and all log.
fn holdings() -> Holdings {
    Holdings {
        parts: vec![
            part("full", 4, None),
            part("mon", 5, Some("full")),
            part("tue", 6, Some("mon")),
        ],
        logs: (3..8)
            .map(|day| LogHolding {
                log: format!("l{day}"),
                service: "shop".into(),
                identity: "7".into(),
                from: at(day * 1000),
                until: at((day + 1) * 1000),
                first_at: stamp(&format!("2026-01-{day:02}T00:00:00Z")),
                last_at: stamp(&format!("2026-01-{day:02}T23:00:00Z")),
                stored_bytes: 1 << 20,
                devices: vec!["cloud".into(), "disk".into()],
            })
            .collect(),
        jobs: vec![
            done(
                "nightly",
                Some(Method::PhysicalFull),
                "2026-01-04T02:00:00Z",
            ),
            done(
                "nightly",
                Some(Method::PhysicalIncremental),
                "2026-01-06T02:00:00Z",
            ),
            done("wal", None, "2026-01-07T01:59:00Z"),
        ],
        ..Holdings::default()
    }
}

fn done(job: &str, method: Option<Method>, began: &str) -> JobHistory {
    JobHistory {
        job: job.into(),
        method,
        began: stamp(began),
        seconds: 4.0,
        bytes: 200 << 20,
    }
}

fn build_with(text: &str, holdings: &Holdings, intent: &Intent) -> Result<StepGraph, GraphError> {
    let plan = plan(text);
    let known = plan.known().clone().with_runs(plan.plan(), holdings);
    let now = stamp("2026-01-07T02:10:00Z");
    let graph = graph::build(&plan, holdings, &known, intent, now)?;
    order::check(&graph).expect("what is compiled is sound");
    support::check(plan.plan(), &graph).expect("it can be run");
    Ok(graph)
}

fn build(holdings: &Holdings, intent: &Intent) -> Result<StepGraph, GraphError> {
    build_with(PLAN, holdings, intent)
}

fn restore(until: RecoveryTarget, from: Option<&str>) -> Intent {
    Intent::Restore(RestoreIntent {
        service: "shop".into(),
        to: "/restored".into(),
        until,
        from: from.map(str::to_owned),
        relocate: std::collections::BTreeMap::new(),
        only: Vec::new(),
        incarnation: None,
        delta: false,
    })
}

/// How the component is copied, what it builds on, and why.
fn copied(graph: &StepGraph) -> (Method, Option<&BuildsOn>, &str) {
    let begin = graph.steps.iter().find_map(|step| match &step.kind {
        StepKind::BeginBackup { method, base, .. } => Some((*method, base.as_ref(), &step.why)),
        _ => None,
    });
    let copy = graph.steps.iter().find_map(|step| match &step.kind {
        StepKind::CopyPart { method, base, .. } => Some((*method, base.as_ref())),
        _ => None,
    });
    let (method, base, why) = begin.expect("a copy");
    assert_eq!(copy, Some((method, base)), "the whole bracket agrees");
    (method, base, why)
}

fn fetched(graph: &StepGraph) -> Vec<&str> {
    let parts = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::FetchPart { part, .. } => Some(part.as_str()),
        _ => None,
    });
    parts.collect()
}

fn replayed(graph: &StepGraph) -> Vec<&str> {
    let logs = graph.steps.iter().find_map(|step| match &step.kind {
        StepKind::ReplayLog { logs, .. } => Some(logs),
        _ => None,
    });
    let logs = logs.into_iter().flatten();
    logs.map(|(log, _)| log.as_str()).collect()
}

/// Takes a part from all devices, as `verify` and the catalog know it.
fn without(part: &str) -> Holdings {
    let mut holdings = holdings();
    holdings.parts.retain(|one| one.part != part);
    holdings
}

fn damaged(part: &str, devices: &[&str]) -> Holdings {
    let mut holdings = holdings();
    let pairs = devices.iter().map(|on| (part.to_owned(), (*on).to_owned()));
    holdings.damaged = pairs.collect();
    holdings
}

#[test]
fn an_incremental_builds_on_the_newest_copy_that_is_whole() {
    for (holdings, expected) in [
        (holdings(), Some(("tue", 2))),
        (without("tue"), Some(("mon", 2))),
        (without("mon"), Some(("full", 2))),
        (damaged("mon", &["disk", "cloud"]), Some(("full", 2))),
        (damaged("tue", &["disk"]), Some(("tue", 1))),
    ] {
        let graph = build(&holdings, &Intent::Due).expect("a graph");
        let (method, base, why) = copied(&graph);
        assert_eq!(method, Method::PhysicalIncremental);
        let found = base.map(|base| (base.part.as_str(), base.from.len()));
        assert_eq!(found, expected);
        let (part, _) = expected.expect("a base");
        assert!(
            why.contains(&format!("incremental on part {part} of")),
            "{why}"
        );
        assert!(why.contains("physical incremental is due"), "{why}");
    }
    // nothing is whole: a full is made, and the graph says why
    let graph = build(&damaged("full", &["disk", "cloud"]), &Intent::Due).expect("a graph");
    let (method, base, why) = copied(&graph);
    assert_eq!((method, base), (Method::PhysicalFull, None));
    assert!(
        why.contains("no copy of it is whole, so a full is made"),
        "{why}"
    );
    let text = serde_json::to_string(&graph).expect("JSON");
    let again: StepGraph = serde_json::from_str(&text).expect("a graph");
    assert_eq!(again, graph);
}

#[test]
fn a_differential_builds_on_the_newest_full() {
    let text = PLAN.replace("physical incremental", "physical differential");
    let graph = build_with(&text, &holdings(), &Intent::Due).expect("a graph");
    let (method, base, why) = copied(&graph);
    assert_eq!(method, Method::PhysicalDifferential);
    assert_eq!(base.map(|base| base.part.as_str()), Some("full"));
    assert!(why.contains("because it is the newest full"), "{why}");
}

#[test]
fn a_restore_fetches_the_chain_and_replays_from_its_newest_part() {
    let latest = restore(RecoveryTarget::Latest, None);
    let graph = build(&holdings(), &latest).expect("a graph");
    assert_eq!(fetched(&graph), ["full", "mon", "tue"]);
    assert_eq!(replayed(&graph), ["l6", "l7"]);
    let early = RecoveryTarget::Instant(stamp("2026-01-05T12:00:00Z"));
    let graph = build(&holdings(), &restore(early, None)).expect("a graph");
    assert_eq!(fetched(&graph), ["full", "mon"]);
    assert_eq!(replayed(&graph), ["l5"]);
}

#[test]
fn a_missing_middle_leaves_the_older_way_back_or_is_named() {
    let lost = [without("mon"), damaged("mon", &["disk", "cloud"])];
    for holdings in lost {
        let graph = build(&holdings, &restore(RecoveryTarget::Latest, None)).expect("a graph");
        assert_eq!(fetched(&graph), ["full"]);
        assert_eq!(replayed(&graph), ["l4", "l5", "l6", "l7"]);
        let why = &graph.steps[1].why;
        let named = "not the newest: part tue of 2026-01-06T02:00:00Z builds on part mon, which";
        assert!(why.contains(named), "{why}");
        let error = build(&holdings, &restore(RecoveryTarget::Backup, None)).expect_err("no");
        assert!(error.to_string().contains("builds on part mon"), "{error}");
        assert!(
            error.help().contains("begins with part full of"),
            "{}",
            error.help()
        );
    }
    // the log since the older part is not all there: both are named
    let mut short = without("mon");
    short.logs.retain(|log| log.log != "l5");
    let graph = build(&short, &restore(RecoveryTarget::Latest, None)).expect("a graph");
    let why = &graph.steps[1].why;
    assert!(
        why.contains("has a gap from") && why.contains("builds on part mon"),
        "{why}"
    );
    let behind = RecoveryTarget::Instant(stamp("2026-01-06T12:00:00Z"));
    let error = build(&short, &restore(behind, None)).expect_err("a gap");
    let told = error.to_string();
    assert!(
        told.contains("has a gap") && told.contains("builds on part mon"),
        "{told}"
    );
    // on one device only
    let mut apart = holdings();
    apart.parts[1].devices = vec!["cloud".into()];
    let graph = build(&apart, &restore(RecoveryTarget::Latest, Some("disk"))).expect("a graph");
    assert_eq!(fetched(&graph), ["full"]);
    let error = build(&without("full"), &restore(RecoveryTarget::Latest, None));
    let error = error.expect_err("nothing stands alone");
    assert!(
        error.help().contains("no other copy of it is left"),
        "{}",
        error.help()
    );
}

#[test]
fn retention_keeps_what_a_kept_part_builds_on() {
    let plan = plan(PLAN);
    let now = stamp("2026-01-16T12:00:00Z");
    let judged = graph::judge(&plan, &holdings(), now).expect("judged");
    let stays = |object: &str| {
        let mut fates = judged.fates.iter();
        fates.any(|fate| fate.object == object && !fate.goes())
    };
    // the window begins in what Tuesday's part shows
    assert!(stays("tue") && stays("mon") && stays("full"));
    let mut merged = holdings();
    let one = PartHolding {
        method: Method::PhysicalFull,
        base: None,
        ..part("whole", 6, Some("mon"))
    };
    merged.parts.push(one);
    let next = part("wed", 7, Some("whole"));
    merged.parts.push(next);
    merged.parts.sort_by_key(|part| part.taken_at);
    let later = stamp("2026-01-18T12:00:00Z");
    let judged = graph::judge(&plan, &merged, later).expect("judged");
    let goes = |object: &str| {
        let mut fates = judged.fates.iter().filter(|fate| fate.object == object);
        fates.all(graph::retention::Fate::goes)
    };
    assert!(!goes("wed") && !goes("whole"), "a base stays");
    assert!(
        goes("tue") && goes("mon") && goes("full"),
        "the old chain goes"
    );
}

#[test]
fn a_chain_is_merged_into_a_part_that_the_next_one_builds_on() {
    let merge = |names: &[&str], device: Option<&str>| Intent::Merge {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        device: device.map(str::to_owned),
    };
    for names in [&[][..], &["nightly"], &[BASE]] {
        let graph = build(&holdings(), &merge(names, None)).expect("a graph");
        let StepKind::MergeStored { parts, devices, .. } = &graph.steps[0].kind else {
            panic!("{:?}", graph.steps[0]);
        };
        assert_eq!(parts, &["full", "mon", "tue"]);
        assert_eq!(devices, &["disk", "cloud"]);
        let read_back = graph.steps[1..].iter();
        let read_back = read_back.filter(|s| matches!(s.kind, StepKind::VerifyStored { .. }));
        assert_eq!(read_back.count(), 2);
    }
    let graph = build(&holdings(), &merge(&[], Some("cloud"))).expect("a graph");
    assert_eq!(graph.steps.len(), 2);
    let error = build(&holdings(), &merge(&["nighly"], None)).expect_err("unknown");
    assert!(
        error.help().contains("did you mean `nightly`?"),
        "{}",
        error.help()
    );
    let mut merged = holdings();
    merged.parts.push(PartHolding {
        method: Method::PhysicalFull,
        base: None,
        ..part("whole", 6, Some("mon"))
    });
    let graph = build(&merged, &merge(&[], None)).expect("a graph");
    assert_eq!(graph.steps.len(), 0, "nothing is left to merge");
    let graph = build(&merged, &Intent::Due).expect("a graph");
    assert_eq!(
        copied(&graph).1.map(|base| base.part.as_str()),
        Some("whole")
    );
    let graph = build(&merged, &restore(RecoveryTarget::Latest, None)).expect("a graph");
    assert_eq!(fetched(&graph), ["whole"]);
}
