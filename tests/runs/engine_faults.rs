//! A source that fails at every call in turn: the run ends, nothing is claimed that is not whole,
//! backup mode is left, and the next run or `--resume` completes it. And the whole log of events
//! of one run with fakes, held against a golden file; `UPDATE=1` rewrites it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use planc::catalog::Catalog;
use planc::engine::Retry;
use planc::engine::fake::{Call, FakeEngine, Script};
use planc::facts::holdings::Holdings;
use planc::graph::step::{EdgeKind, OnFailure, RecoveryTarget, StepGraph, StepKind};
use planc::media::memory::MemoryDevice;
use planc::media::{Device, log, part};
use planc::report::events::JsonLog;
use planc::resolve::plan::Codec;
use planc::run::{Context, Journal, Observer, RunEnvironment, RunReport, Verdict, survey};

use super::make::{bracket, bracket_edges, graph, on_lane};

const COMPONENT: &str = "shop/database/main";

/// A source, two devices and a catalog.
struct Bench {
    folder: tempfile::TempDir,
    engine: FakeEngine,
    devices: Vec<Arc<MemoryDevice>>,
    catalog: Catalog,
}

impl Bench {
    fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let engine = FakeEngine::new(&folder.path().join("live"), script);
        engine.commit("a", "1");
        let devices = ["disk", "nas"].map(|name| Arc::new(MemoryDevice::new(name)));
        let catalog = Catalog::open(&folder.path().join("catalog")).expect("catalog");
        Self {
            folder,
            engine,
            devices: devices.into(),
            catalog,
        }
    }

    fn context(&self) -> Context {
        let mut context = Context {
            clock: Some("2026-01-01T00:00:00Z".parse().expect("time")).into(),
            ..Context::default()
        };
        let engine = Arc::new(self.engine.clone());
        context.engines.insert("shop".to_owned(), engine);
        for device in &self.devices {
            let name = device.name().to_owned();
            context.devices.insert(name, device.clone());
        }
        context
    }

    /// Runs a graph, or goes on with what its journal says.
    fn run(&mut self, graph: &StepGraph, observers: Vec<Box<dyn Observer + '_>>) -> RunReport {
        let path = self.folder.path().join(format!("journal-{}", graph.run));
        let resumed = path.exists();
        let context = self.context();
        let (journal, events) = if resumed {
            Journal::resume(&path).expect("journal")
        } else {
            (Journal::create(&path).expect("journal"), Vec::new())
        };
        let done = survey(graph, &events, &context).done;
        let environment = RunEnvironment {
            catalog: Some(&mut self.catalog),
            journal: Some(journal),
            observers,
            done,
            resumed,
            ..RunEnvironment::default()
        };
        let report = planc::run::execute(Arc::new(graph.clone()), Arc::new(context), environment);
        report.expect("the run ends")
    }

    fn holdings(&self) -> Holdings {
        self.catalog.holdings().expect("holdings")
    }

    /// What the catalog claims is whole, and no session is left open.
    fn is_honest(&self, what: &str) {
        assert_eq!(
            self.engine.open_sessions(),
            0,
            "{what}: backup mode is left"
        );
        let holdings = self.holdings();
        let parts = holdings
            .parts
            .iter()
            .map(|part| (&part.part, &part.devices));
        for (name, holders) in parts {
            for device in self.holding(holders) {
                part::verify(name, device, &|_| true).expect(what);
            }
        }
        for one in &holdings.logs {
            for device in self.holding(&one.devices) {
                log::verify(&one.log, device).expect(what);
            }
        }
    }

    fn holding(&self, names: &[String]) -> Vec<&dyn Device> {
        let devices = self
            .devices
            .iter()
            .map(|device| device.as_ref() as &dyn Device);
        let holding = devices.filter(|device| names.iter().any(|name| name == device.name()));
        let holding: Vec<_> = holding.collect();
        assert_eq!(holding.len(), names.len(), "every holder is a device");
        holding
    }

    /// A restore of the newest state to a file of this name.
    fn restore(&self, name: &str) -> (StepGraph, PathBuf) {
        let holdings = self.holdings();
        let part = holdings.parts.first().expect("a part");
        let logs = holdings.logs.iter();
        let logs = logs.map(|log| (log.log.clone(), log.devices.clone()));
        let path = self.folder.path().join(name);
        let target = path.to_str().expect("text").to_owned();
        let service = "shop".to_owned();
        let kinds = vec![
            StepKind::PrepareTarget {
                service: service.clone(),
                target: target.clone(),
                relocate: std::collections::BTreeMap::new(),
                only: Vec::new(),
                logical: false,
            },
            StepKind::FetchPart {
                service: service.clone(),
                part: part.part.clone(),
                from: part.devices.clone(),
                target: target.clone(),
            },
            StepKind::ReplayLog {
                service: service.clone(),
                target: target.clone(),
                logs: logs.collect(),
                until: RecoveryTarget::Latest,
                to_take: false,
            },
            StepKind::CheckRestored {
                service: service.clone(),
                target: target.clone(),
            },
            StepKind::Publish { service, target },
        ];
        let edges = [0, 1, 2, 3].map(|step| (step, step + 1, EdgeKind::Success));
        let mut graph = on_lane(graph(kinds, &edges), "host/a", 1);
        graph.run = format!("restore-{name}");
        (graph, path)
    }
}

/// Log, the bracket of one part, and the log again, on one lane so that the order is one.
fn backup(tries: OnFailure) -> StepGraph {
    let devices = ["disk", "nas"];
    let archive = StepKind::ArchiveLog {
        within_ms: None,
        service: "shop".to_owned(),
        job: "wal".to_owned(),
        devices: devices.map(str::to_owned).into(),
        codec: Codec::None,
        key: None,
    };
    let mut kinds = vec![archive.clone()];
    kinds.extend(bracket(COMPONENT, "part-1", "nightly", &devices));
    kinds.push(archive);
    let mut edges = vec![(0, 1, EdgeKind::Success), (4, 5, EdgeKind::Success)];
    edges.extend(bracket_edges(1));
    let mut graph = on_lane(graph(kinds, &edges), "host/a", 1);
    for step in &mut graph.steps {
        step.on_failure = tries;
    }
    graph
}

fn script(call: Call, number: u32, retry: Retry) -> Script {
    Script {
        failures: vec![(call, number, retry)],
        change_while_reading: Some(("b".to_owned(), "2".to_owned())),
        ..Script::default()
    }
}

/// Runs with this failure, resumes when it hit, restores; true when it hit.
fn backup_with(call: Call, number: u32, retry: Retry, tries: OnFailure) -> bool {
    let what = format!("{call:?} {number} {retry:?} {tries:?}");
    let mut bench = Bench::new(script(call, number, retry));
    let graph = backup(tries);
    let first = bench.run(&graph, Vec::new());
    bench.is_honest(&what);
    let hit = first.verdict() != Verdict::Good;
    if hit {
        let again = bench.run(&graph, Vec::new());
        assert_eq!(again.verdict(), Verdict::Good, "{what}: {:?}", again.steps);
        bench.is_honest(&what);
    }
    let (restore, path) = bench.restore("back");
    let mut report = bench.run(&restore, Vec::new());
    if report.verdict() != Verdict::Good {
        assert!(!path.exists(), "{what}: nothing is published");
        assert_eq!(call, Call::Restore, "{what}: {:?}", report.steps);
        report = bench.run(&restore, Vec::new());
    }
    assert_eq!(
        report.verdict(),
        Verdict::Good,
        "{what}: {:?}",
        report.steps
    );
    let text = std::fs::read(&path).expect("published");
    let table: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&text).expect("table");
    assert_eq!(table, bench.engine.table(), "{what}");
    hit
}

#[test]
fn a_source_that_fails_at_any_call_costs_nothing_but_a_second_run() {
    let calls = [
        Call::Identity,
        Call::Begin,
        Call::Copy,
        Call::End,
        Call::Archive,
        Call::Restore,
    ];
    for call in calls {
        let numbers = 1..=4;
        let hits =
            numbers.filter(|number| backup_with(call, *number, Retry::Never, OnFailure::Abort));
        let least = usize::from(call != Call::Restore);
        assert!(hits.count() >= least, "{call:?} was hit");
    }
}

#[test]
fn what_may_pass_is_tried_again_in_the_same_run() {
    for call in [Call::Begin, Call::Copy, Call::Archive] {
        let hit = backup_with(call, 1, Retry::Later, OnFailure::Retry(2));
        assert!(!hit, "{call:?}: the second try did it");
    }
}

#[test]
fn the_events_of_a_run_with_a_failure_are_as_agreed() {
    let mut bench = Bench::new(script(Call::Copy, 1, Retry::Later));
    let graph = backup(OnFailure::Retry(1));
    let mut out = Vec::new();
    bench.run(&graph, vec![Box::new(JsonLog::new(&mut out))]);
    let text = String::from_utf8(out).expect("text");
    let found: Vec<String> = text.lines().filter_map(redacted).collect();
    let found = found.join("\n") + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/events.jsonl");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &found).expect("write");
    }
    let wanted = std::fs::read_to_string(&golden).expect("the golden log");
    assert_eq!(found, wanted, "`UPDATE=1` rewrites {}", golden.display());
}

/// The line without what differs from run to run; none for progress, which comes by the clock.
fn redacted(line: &str) -> Option<String> {
    let mut event: serde_json::Value = serde_json::from_str(line).expect("event");
    if event["event"] == "progressed" {
        return None;
    }
    for field in ["at", "elapsed_ms"] {
        if let Some(value) = event.get_mut(field) {
            *value = serde_json::json!("-");
        }
    }
    // the source lives in a folder of its own each time
    let cause = event["cause"]
        .as_str()
        .and_then(|cause| cause.split_once(" is busy"));
    if let Some((_, cause)) = cause {
        event["cause"] = serde_json::json!(format!("- is busy{cause}"));
    }
    Some(event.to_string())
}
