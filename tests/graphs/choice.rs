//! Which databases a restore takes: what is fetched, what is said of the rest, and what is refused
//! because there is nothing to choose from. PostgreSQL's parts, without a server.

use planc::facts::holdings::{Holdings, LogHolding, Method, PartHolding, Position};
use planc::graph::step::{Intent, RecoveryTarget, RestoreIntent, StepGraph, StepKind};
use planc::graph::{self, GraphError};

use super::{checked, stamp};

const PLAN: &str = r#"planc 1
plan shop
timezone UTC
environment prod inventory "shop.yaml"
service shop is postgresql { }
service dumped is postgresql {
  database orders
  database stock
}
backup nightly of base of shop, service notes {
  physical full every day at 02:00
  store on disk
  retain window 9d
  encrypt none
}
backup dumps of database orders, database stock {
  logical every day at 03:00
  store on disk
  retain window 9d
  encrypt none
}
archive wal of shop {
  ship every 1min to disk
  retain window 20d
  encrypt none
}
"#;

const INVENTORY: &str = r#"inventory: 1
sites: {home: {}}
hosts: {till: {site: home}}
services:
  shop: {engine: postgresql, version: "15", host: till, path: /pg/data}
  dumped: {engine: postgresql, version: "15", host: till, path: /pg/dumped}
  notes: {engine: sqlite, host: till, path: notes.db}
devices:
  disk: {site: home, path: backup/disk}
"#;

fn at(value: u64) -> Position {
    Position {
        incarnation: "00000001".into(),
        value,
    }
}

fn part(id: &str, component: &str, method: Method) -> PartHolding {
    PartHolding {
        part: id.into(),
        component: component.into(),
        job: "nightly".into(),
        run: "r".into(),
        method,
        identity: "7".into(),
        taken_at: stamp("2026-01-04T02:00:00Z"),
        from: Some(at(100)),
        until: Some(at(200)),
        base: None,
        bytes: 200 << 20,
        stored_bytes: 100 << 20,
        devices: vec!["disk".into()],
    }
}

fn holdings() -> Holdings {
    Holdings {
        parts: vec![
            part("files", "shop/base/base", Method::PhysicalFull),
            part("orders", "dumped/database/orders", Method::Logical),
            part("stock", "dumped/database/stock", Method::Logical),
        ],
        logs: vec![LogHolding {
            log: "log".into(),
            service: "shop".into(),
            identity: "7".into(),
            from: at(0),
            until: at(900),
            first_at: stamp("2026-01-04T00:00:00Z"),
            last_at: stamp("2026-01-05T00:00:00Z"),
            stored_bytes: 1 << 20,
            devices: vec!["disk".into()],
        }],
        ..Holdings::default()
    }
}

fn build(service: &str, databases: &[&str], delta: bool) -> Result<StepGraph, GraphError> {
    let plan = checked(PLAN, ("shop.yaml", INVENTORY));
    let now = stamp("2026-01-05T00:00:00Z");
    let intent = Intent::Restore(RestoreIntent {
        service: service.into(),
        to: "/restored".into(),
        until: RecoveryTarget::Backup,
        from: None,
        relocate: std::collections::BTreeMap::new(),
        only: databases.iter().map(|name| (*name).to_owned()).collect(),
        incarnation: None,
        delta,
    });
    graph::build(&plan, &holdings(), plan.known(), &intent, now)
}

/// What is wanted of files, and the parts that are fetched.
fn taken(graph: &StepGraph) -> (Vec<String>, Vec<&str>) {
    let mut taken = (Vec::new(), Vec::new());
    for step in &graph.steps {
        match &step.kind {
            StepKind::PrepareTarget { only, .. } => taken.0.clone_from(only),
            StepKind::FetchPart { part, .. } => taken.1.push(part.as_str()),
            _ => {}
        }
    }
    taken
}

#[test]
fn a_choice_is_told_to_the_engine_and_leaves_its_dumps() {
    let graph = build("shop", &["b", "a", "b"], false).expect("compiles");
    let words: Vec<String> = vec!["a".into(), "b".into()];
    assert_eq!(taken(&graph), (words, vec!["files"]));
    let subject = &graph.steps[0].subject;
    assert!(subject.contains("content of a, b only"), "{subject}");
    let graph = build("dumped", &["stock"], false).expect("compiles");
    assert_eq!(taken(&graph), (Vec::new(), vec!["stock"]));
    let graph = build("dumped", &[], false).expect("compiles");
    assert_eq!(taken(&graph).1, ["orders", "stock"]);
}

#[test]
fn what_cannot_be_chosen_is_named() {
    for (service, delta, message, help) in [
        (
            "notes",
            false,
            "`notes` is sqlite: it has no database `a`",
            "leave",
        ),
        (
            "shop",
            true,
            "would destroy its other databases",
            "--to PATH",
        ),
        (
            "dumped",
            false,
            "there are copies of orders, stock",
            "name one",
        ),
    ] {
        let error = build(service, &["a"], delta).expect_err("refused");
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.help().contains(help), "{}", error.help());
    }
}
