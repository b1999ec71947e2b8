//! Plans and copies to graphs. Golden files hold the text of whole graphs; `UPDATE=1` rewrites
//! them. The rest asserts what a graph must and must not hold.

use std::collections::BTreeMap;
use std::path::Path;

use planc::check::CheckedPlan;
use planc::facts::holdings::{Holdings, JobHistory, LogHolding, Method, PartHolding, Position};
use planc::facts::known::Known;
use planc::graph::render::{dot, mermaid, svg, text};
use planc::graph::step::{EdgeKind, Intent, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use planc::graph::{self, GraphError, file, order};

use super::{checked, stamp};

const PLAN: &str = r#"planc 1
plan notes
timezone Europe/Berlin
environment prod inventory "notes.yaml"
window night every day 01:00..05:30
backup nightly of service notes {
  physical full every day during night
  store on disk
  copy to cloud within 1h
  retain daily 7
}
backup papers of service docs {
  physical full every day at 12:00
  store on disk
  retain daily 7
  after nightly
}
archive wal of notes {
  ship every 5min or 1 MiB to disk
  copy to cloud within 10min
  retain window 14d
}
recovery oops {
  for human error
  given bad: transaction, victim: table
  restore service notes to scratch
  replay log until before $bad
  probe notes "select count(*) from page" > 0
  extract table $victim into service notes as "old"
  finish within 1h
  notify ops on failure
}
"#;

const INVENTORY: &str = r"inventory: 1
sites: {home: {}, away: {}}
hosts: {pi: {site: home}, scratch: {site: home}}
services:
  notes: {engine: sqlite, host: pi, path: data/notes.db}
  docs: {engine: files, host: pi, path: data/docs}
devices:
  disk: {host: pi, path: backup/disk, read: 100 MiB/s, write: 50 MiB/s}
  cloud: {site: away, path: backup/cloud, read: 10 MiB/s, write: 10 MiB/s}
contacts: {ops: {pager: ops}}
";

fn plan() -> CheckedPlan {
    plan_of(PLAN)
}

fn plan_of(text: &str) -> CheckedPlan {
    checked(text, ("notes.yaml", INVENTORY))
}

fn at(value: u64) -> Position {
    Position {
        incarnation: "a".into(),
        value,
    }
}

fn part(
    id: &str,
    component: &str,
    job: &str,
    taken: &str,
    position: Option<u64>,
    devices: &[&str],
) -> PartHolding {
    PartHolding {
        part: id.into(),
        component: component.into(),
        job: job.into(),
        run: "r".into(),
        method: Method::PhysicalFull,
        identity: "source".into(),
        taken_at: stamp(taken),
        from: position.map(at),
        until: position.map(at),
        base: None,
        bytes: 200 << 20,
        stored_bytes: 100 << 20,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn log(id: &str, from: u64, until: u64, first: &str, last: &str, devices: &[&str]) -> LogHolding {
    LogHolding {
        log: id.into(),
        service: "notes".into(),
        identity: "source".into(),
        from: at(from),
        until: at(until),
        first_at: stamp(first),
        last_at: stamp(last),
        stored_bytes: 1 << 20,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// Two parts of `notes` and log from 1 to 300, gapless, the first part older than the log.
fn holdings() -> Holdings {
    Holdings {
        parts: vec![
            part(
                "p1",
                "notes/database/main",
                "nightly",
                "2026-01-10T01:00:00Z",
                Some(100),
                &["cloud", "disk"],
            ),
            part(
                "d1",
                "docs/files/tree",
                "papers",
                "2026-01-10T11:00:00Z",
                None,
                &["disk"],
            ),
            part(
                "p2",
                "notes/database/main",
                "nightly",
                "2026-01-11T01:00:00Z",
                Some(200),
                &["cloud", "disk"],
            ),
        ],
        logs: vec![
            log(
                "l1",
                90,
                150,
                "2026-01-10T00:00:00Z",
                "2026-01-10T12:00:00Z",
                &["cloud", "disk"],
            ),
            log(
                "l2",
                150,
                220,
                "2026-01-10T12:05:00Z",
                "2026-01-11T02:00:00Z",
                &["cloud", "disk"],
            ),
            log(
                "l3",
                220,
                300,
                "2026-01-11T02:05:00Z",
                "2026-01-11T10:00:00Z",
                &["disk"],
            ),
        ],
        jobs: vec![
            history(
                "nightly",
                Some(Method::PhysicalFull),
                "2026-01-11T01:00:00Z",
            ),
            history("papers", Some(Method::PhysicalFull), "2026-01-10T11:00:00Z"),
            history("wal", None, "2026-01-11T10:30:00Z"),
        ],
        ..Holdings::default()
    }
}

fn history(job: &str, method: Option<Method>, began: &str) -> JobHistory {
    JobHistory {
        job: job.into(),
        method,
        began: stamp(began),
        seconds: 4.0,
        bytes: 200 << 20,
    }
}

fn build(holdings: &Holdings, intent: &Intent, now: &str) -> Result<StepGraph, GraphError> {
    let plan = plan();
    let known = plan.known().clone().with_runs(plan.plan(), holdings);
    let graph = graph::build(&plan, holdings, &known, intent, stamp(now))?;
    order::check(&graph).expect("what is compiled is sound");
    assert!(
        graph.edges.iter().all(|edge| edge.from < edge.to),
        "in order"
    );
    Ok(graph)
}

fn restore(until: RecoveryTarget, from: Option<&str>) -> Intent {
    Intent::Restore(RestoreIntent {
        service: "notes".into(),
        to: "/restored/notes.db".into(),
        until,
        from: from.map(str::to_owned),
        relocate: std::collections::BTreeMap::new(),
        only: Vec::new(),
        incarnation: None,
        delta: false,
    })
}

fn recover(inputs: &[(&str, &str)]) -> Intent {
    let inputs = inputs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Intent::Recover {
        scenario: "oops".into(),
        inputs: inputs.collect::<BTreeMap<String, String>>(),
        to: Some("/restored/notes.db".into()),
        incarnation: None,
    }
}

fn golden(name: &str, graph: &StepGraph) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/graphs/golden")
        .join(name);
    // the run's id changes with every word of the plan and says nothing here
    let found = text::text(graph)
        .replace(&graph.run, "RUN")
        .replace(&graph.run[..8], "RUN");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).expect("a golden file; UPDATE=1 makes it");
    assert_eq!(found, expected, "{name}: UPDATE=1 rewrites it");
}

fn replayed(graph: &StepGraph) -> Vec<&str> {
    let logs = graph.steps.iter().find_map(|step| match &step.kind {
        StepKind::ReplayLog { logs, .. } => Some(logs),
        _ => None,
    });
    logs.map_or(Vec::new(), |logs| {
        logs.iter().map(|(log, _)| log.as_str()).collect()
    })
}

fn fetched(graph: &StepGraph) -> (&str, &[String]) {
    let part = graph.steps.iter().find_map(|step| match &step.kind {
        StepKind::FetchPart { part, from, .. } => Some((part.as_str(), from.as_slice())),
        _ => None,
    });
    part.expect("a part is fetched")
}

#[test]
fn the_first_run_makes_fulls_at_once() {
    let graph =
        build(&Holdings::default(), &Intent::Due, "2026-01-11T15:00:00Z").expect("compiles");
    golden("first-run.txt", &graph);
    // leaving backup mode is called for by an always-edge from the copy
    for (index, step) in graph.steps.iter().enumerate() {
        if matches!(step.kind, StepKind::EndBackup { .. }) {
            let into = graph.edges.iter().filter(|edge| edge.to as usize == index);
            let always: Vec<_> = into.filter(|edge| edge.kind == EdgeKind::Always).collect();
            assert_eq!(always.len(), 1);
            let from = &graph.steps[always[0].from as usize].kind;
            assert!(matches!(from, StepKind::CopyPart { .. }));
        }
    }
}

#[test]
fn what_was_done_is_not_due_and_what_a_device_missed_is_copied() {
    let graph = build(&holdings(), &Intent::Due, "2026-01-11T10:33:00Z").expect("compiles");
    golden("catch-up.txt", &graph);
    let mut complete = holdings();
    complete.logs[2].devices = vec!["cloud".into(), "disk".into()];
    let graph = build(&complete, &Intent::Due, "2026-01-11T10:33:00Z").expect("compiles");
    assert_eq!(graph.steps.len(), 0, "{}", text::text(&graph));
    // at noon in Berlin papers are due, five minutes after its last shipment the log is
    let graph = build(&complete, &Intent::Due, "2026-01-11T11:01:00Z").expect("compiles");
    golden("noon.txt", &graph);
}

#[test]
fn equal_inputs_give_equal_graphs_in_every_form() {
    let intent = restore(RecoveryTarget::Before(at(250)), None);
    for intent in [Intent::Due, intent, Intent::Verify { device: None }] {
        let one = build(&holdings(), &intent, "2026-01-12T15:00:00Z").expect("compiles");
        let two = build(&holdings(), &intent, "2026-01-12T15:00:00Z").expect("compiles");
        let yaml = file::to_yaml(&one).expect("YAML");
        assert_eq!(yaml, file::to_yaml(&two).expect("YAML"));
        let now = stamp("2000-01-01T00:00:00Z");
        assert_eq!(
            file::read(&yaml, file::Format::Yaml, now).expect("read back"),
            one
        );
        let json = file::to_json(&one);
        assert_eq!(
            file::read(&json, file::Format::Json, now).expect("read back"),
            one
        );
        let later = build(&holdings(), &intent, "2026-01-12T15:00:01Z").expect("compiles");
        assert_ne!(later.run, one.run);
    }
}

#[test]
fn a_restore_takes_the_newest_part_that_reaches_the_target() {
    let now = "2026-01-12T15:00:00Z";
    let chain = |until| {
        let graph = build(&holdings(), &restore(until, None), now).expect("a chain");
        let replayed = replayed(&graph)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        (fetched(&graph).0.to_owned(), replayed)
    };
    let expect = |part: &str, logs: &[&str]| {
        (
            part.to_owned(),
            logs.iter().map(|log| (*log).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(chain(RecoveryTarget::Latest), expect("p2", &["l2", "l3"]));
    assert_eq!(chain(RecoveryTarget::Backup), expect("p2", &[]));
    assert_eq!(
        chain(RecoveryTarget::Before(at(200))),
        expect("p1", &["l1", "l2"])
    );
    assert_eq!(chain(RecoveryTarget::Before(at(201))), expect("p2", &[]));
    assert_eq!(
        chain(RecoveryTarget::Transaction(at(120))),
        expect("p1", &["l1"])
    );
    assert_eq!(
        chain(RecoveryTarget::Transaction(at(300))),
        expect("p2", &["l2", "l3"])
    );
    let instant = |text: &str| RecoveryTarget::Instant(stamp(text));
    assert_eq!(
        chain(instant("2026-01-11T00:59:00Z")),
        expect("p1", &["l1", "l2"])
    );
    assert_eq!(
        chain(instant("2026-01-11T03:00:00Z")),
        expect("p2", &["l2", "l3"])
    );
    // the log ends at 10:00, but a shipment at 10:30 proves that nothing came until then
    assert_eq!(
        chain(instant("2026-01-11T10:20:00Z")),
        expect("p2", &["l2", "l3"])
    );
    // a number without an incarnation means the newest that holds it
    let bare = Position {
        incarnation: String::new(),
        value: 210,
    };
    assert_eq!(
        chain(RecoveryTarget::Transaction(bare)),
        expect("p2", &["l2"])
    );
    let graph = build(&holdings(), &restore(RecoveryTarget::Latest, None), now).expect("a chain");
    assert_eq!(fetched(&graph).1, ["disk", "cloud"], "the nearest first");
    golden("restore.txt", &graph);
}

#[test]
fn a_target_that_nothing_reaches_says_what_is_missing() {
    let fails = |holdings: &Holdings, until, from: Option<&str>| {
        let error = build(holdings, &restore(until, from), "2026-01-12T15:00:00Z");
        let error = error.expect_err("refused");
        assert!(!error.help().is_empty());
        error.to_string()
    };
    let instant = |text: &str| RecoveryTarget::Instant(stamp(text));
    assert_eq!(
        fails(&Holdings::default(), RecoveryTarget::Latest, None),
        "there is no copy of `notes/database/main` to restore from"
    );
    assert_eq!(
        fails(&holdings(), instant("2026-01-11T11:00:00Z"), None),
        "the stored log of `notes` ends at 2026-01-11T10:00:00Z; 2026-01-11T11:00:00Z is not reached"
    );
    assert_eq!(
        fails(&holdings(), RecoveryTarget::Transaction(at(301)), None),
        "the stored log of `notes` ends at transaction 300; 301 is not reached"
    );
    assert!(
        fails(&holdings(), instant("2026-01-09T00:00:00Z"), None)
            .contains("no copy of `notes` is as old")
    );
    assert!(fails(&holdings(), RecoveryTarget::Transaction(at(50)), None).contains("every copy"));
    let mut gap = holdings();
    gap.logs.remove(1);
    assert_eq!(
        fails(&gap, RecoveryTarget::Transaction(at(250)), None),
        "the stored log of `notes` has a gap: it ends at transaction 200 and goes on after 220"
    );
    // the last range lies on `disk` only
    assert!(
        fails(
            &holdings(),
            RecoveryTarget::Transaction(at(250)),
            Some("cloud")
        )
        .contains("ends at")
    );
    assert!(fails(&holdings(), RecoveryTarget::Latest, Some("disc")).contains("no device"));
    // with a gap the newest provable state is still reached
    let graph = build(
        &gap,
        &restore(RecoveryTarget::Latest, None),
        "2026-01-12T15:00:00Z",
    );
    assert_eq!(fetched(&graph.expect("a chain")).0, "p2");
}

#[test]
fn a_recovery_follows_its_clauses() {
    let now = "2026-01-12T15:00:00Z";
    let inputs = [("bad", "250"), ("victim", "page")];
    let graph = build(&holdings(), &recover(&inputs), now).expect("compiles");
    golden("recover.txt", &graph);
    // without a word of the operator it comes to lie in the folder of run state
    let Intent::Recover {
        scenario,
        inputs: given,
        ..
    } = recover(&inputs)
    else {
        panic!("a recovery")
    };
    let unsaid = Intent::Recover {
        scenario,
        inputs: given,
        to: None,
        incarnation: None,
    };
    let graph = build(&holdings(), &unsaid, now).expect("compiles");
    let StepKind::PrepareTarget { target, .. } = &graph.steps[0].kind else {
        panic!("the target is prepared first")
    };
    let place = format!("/restored/oops-{}/notes.db", &graph.run[..8]);
    assert!(target.ends_with(&place), "{target}");
    let error = build(&holdings(), &recover(&[("bda", "250")]), now).expect_err("refused");
    assert_eq!(error.problems.len(), 3, "{error}");
    assert!(
        error.help().contains("did you mean `bad`?"),
        "{}",
        error.help()
    );
    let wrong = [("bad", "yesterday"), ("victim", "page")];
    let error = build(&holdings(), &recover(&wrong), now).expect_err("refused");
    assert!(
        error.to_string().contains("`yesterday` is no transaction"),
        "{error}"
    );
}

#[test]
fn unknown_names_are_told_with_the_nearest_known() {
    let jobs = Intent::Jobs {
        names: vec!["nightli".into(), "nothing".into()],
    };
    let error = build(&holdings(), &jobs, "2026-01-12T15:00:00Z").expect_err("refused");
    assert_eq!(error.problems.len(), 2);
    assert_eq!(error.problems[0].help, "did you mean `nightly`?");
    let device = Intent::Verify {
        device: Some("clout".into()),
    };
    let error = build(&holdings(), &device, "2026-01-12T15:00:00Z").expect_err("refused");
    assert_eq!(error.help(), "did you mean `cloud`?");
}

#[test]
fn a_named_job_runs_whether_due_or_not() {
    let jobs = Intent::Jobs {
        names: vec!["papers".into()],
    };
    let graph = build(&holdings(), &jobs, "2026-01-11T10:33:00Z").expect("compiles");
    let copies = graph
        .steps
        .iter()
        .filter(|s| matches!(s.kind, StepKind::CopyPart { .. }));
    assert_eq!(copies.count(), 1, "{}", text::text(&graph));
}

#[test]
fn drawings_are_well_formed_whatever_the_names() {
    let mut graph = build(&holdings(), &Intent::Due, "2026-01-12T12:00:00Z").expect("compiles");
    graph.steps[0].subject = "a \"b\" <c> & \\d\n#e".into();
    let played = planc::estimate::simulate(&graph, 1.0);
    assert!(played.makespan > 0.0);
    let drawn = svg::svg(&graph, &played.bars);
    assert!(
        drawn.contains("a &quot;b&quot; &lt;c&gt; &amp; \\d"),
        "{drawn}"
    );
    assert_eq!(
        drawn.matches("<rect class=\"").count(),
        drawn.matches("rx=\"3\"").count() + bands(&drawn)
    );
    assert!(dot::dot(&graph).contains("a \\\"b\\\" <c> & \\\\d\\n#e"));
    assert!(mermaid::mermaid(&graph).contains("a #34;b#34; #60;c#62; #38; \\d #35;e"));
    // many steps are drawn as groups
    while graph.steps.len() <= 300 {
        graph.steps.push(graph.steps[0].clone());
    }
    let played = planc::estimate::simulate(&graph, 1.0);
    let drawn = svg::svg(&graph, &played.bars);
    assert!(drawn.matches("<rect").count() < 40, "{drawn}");
}

fn bands(drawn: &str) -> usize {
    drawn.matches("<rect class=\"band\"").count()
}

#[test]
fn a_file_by_hand_needs_little_and_its_slips_are_told() {
    let now = stamp("2026-01-01T00:00:00Z");
    let read = |text: &str, format| file::read(text, format, now);
    let yaml = "format: planc-graph/1\nsteps:\n- {step: exec, argv: [sh, -c, 'exit 3']}\n\
                - {step: barrier}\n- {step: exec, argv: [sh, -c, 'exit 3']}\n\
                edges:\n- {from: 0, to: 1, kind: always}\n- [1, 2]\n";
    let graph = read(yaml, file::Format::Yaml).expect("read");
    order::check(&graph).expect("sound: equal steps have ids of their own");
    assert_eq!(graph.edges[0].kind, EdgeKind::Always);
    assert_eq!((graph.edges[1].from, graph.edges[1].to), (1, 2));
    assert_eq!(graph, read(yaml, file::Format::Yaml).expect("read"));
    for (slip, told) in [
        (
            r#"{"format":"planc-graph/1","steps":[{"step":"exec"}]}"#,
            "needs `argv`",
        ),
        (
            r#"{"format":"planc-graph/1","steps":[{"step":"exce","argv":["a"]}]}"#,
            "cannot be read",
        ),
        (
            r#"{"format":"planc-graph/1","steps":[{"step":"exec","argv":["a"],"lane":[0]}]}"#,
            "lane",
        ),
        (r#"{"steps":[]}"#, "format"),
        ("", "cannot be read"),
        ("[", "cannot be read"),
    ] {
        let error = read(slip, file::Format::Json).expect_err("refused");
        assert!(error.to_string().contains(told), "{slip}: {error}");
    }
}

#[test]
fn a_job_that_promises_encryption_names_the_key_in_its_steps() {
    let sealed = PLAN
        .replace(
            "retain daily 7\n  after",
            "retain daily 7\n  encrypt with k\n  after",
        )
        .replace(
            "backup nightly",
            "key k from env PLANC_KEY escrow at away\nbackup nightly",
        );
    let plan = plan_of(&sealed);
    let now = stamp("2026-01-11T15:00:00Z");
    let known = Known::default();
    let compile = |name: &str| {
        let names = vec![name.to_owned()];
        let intent = Intent::Jobs { names };
        graph::build(&plan, &Holdings::default(), &known, &intent, now).expect("compiles")
    };
    let keys = |name: &str| {
        let graph = compile(name);
        graph::support::check(plan.plan(), &graph).expect("can be run");
        let copies = graph.steps.into_iter().filter_map(|step| match step.kind {
            StepKind::CopyPart { key, .. } => Some(key),
            _ => None,
        });
        copies.collect::<Vec<_>>()
    };
    assert_eq!(keys("papers"), [Some("k".to_owned())]);
    assert!(keys("nightly").iter().all(Option::is_none));
}
