//! Devices that die, are away or stand still while a run works: who goes on, what is promised
//! until when, and where the missing copy comes from later.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use planc::catalog::Catalog;
use planc::engine::open;
use planc::graph::step::{EdgeKind, StepGraph, StepKind};
use planc::media::fault::{Fault, FaultDevice};
use planc::media::memory::MemoryDevice;
use planc::media::patience::Patience;
use planc::media::{Device, part};
use planc::run::event::{EventKind, RunEvent};
use planc::run::{Context, Observer, RunEnvironment, RunReport, Verdict, execute, preflight};

use super::make::{bracket, bracket_edges, graph, source};
use super::site::{NOW, Site, rows};
use crate::media::slow::{Gate, Gated};

const COMPONENT: &str = "docs/files/tree";

/// The brackets of parts of one file tree, one after the other, on two devices; then a copy of
/// the first part to the second device.
pub(super) fn backups(parts: &[&str]) -> StepGraph {
    let mut kinds = Vec::new();
    let mut edges = Vec::new();
    for part in parts {
        let at = u32::try_from(kinds.len()).expect("small");
        kinds.extend(bracket(COMPONENT, part, "papers", &["one", "two"]));
        if at > 0 {
            edges.push((at - 1, at, EdgeKind::Success));
        }
        edges.extend(bracket_edges(at));
    }
    let last = u32::try_from(kinds.len()).expect("small");
    kinds.push(StepKind::CopyStored {
        object: parts[0].to_owned(),
        job: "papers".to_owned(),
        from: vec!["one".to_owned()],
        to: "two".to_owned(),
    });
    edges.push((last - 1, last, EdgeKind::Success));
    graph(kinds, &edges)
}

/// Keeps what happens.
#[derive(Clone, Default)]
struct Events(std::rc::Rc<std::cell::RefCell<Vec<EventKind>>>);

impl Observer for Events {
    fn event(&mut self, event: &RunEvent) {
        self.0.borrow_mut().push(event.kind.clone());
    }
}

fn run(
    folder: &Path,
    graph: StepGraph,
    devices: &[Arc<dyn Device>],
) -> (RunReport, Vec<EventKind>, Catalog) {
    run_with(folder, graph, devices, Patience::default())
}

pub(super) fn run_with(
    folder: &Path,
    graph: StepGraph,
    devices: &[Arc<dyn Device>],
    patience: Patience,
) -> (RunReport, Vec<EventKind>, Catalog) {
    std::fs::create_dir_all(folder.join("docs")).expect("folder");
    std::fs::write(folder.join("docs/a"), "a").expect("file");
    let mut context = Context {
        patience,
        ..Context::default()
    };
    let engine = open(&source(folder)).expect("engine");
    context.engines.insert("docs".to_owned(), engine.into());
    for device in devices {
        let name = device.name().to_owned();
        context.devices.insert(name, Arc::clone(device));
    }
    let mut catalog = Catalog::open(&folder.join("catalog")).expect("catalog");
    let events = Events::default();
    let environment = RunEnvironment {
        catalog: Some(&mut catalog),
        observers: vec![Box::new(events.clone())],
        ..RunEnvironment::default()
    };
    let report = execute(Arc::new(graph), Arc::new(context), environment).expect("the run ends");
    let events = events.0.borrow().clone();
    (report, events, catalog)
}

#[test]
fn a_device_that_dies_is_not_asked_again_and_what_needed_it_is_left() {
    let folder = tempfile::tempdir().expect("folder");
    let one: Arc<dyn Device> = Arc::new(MemoryDevice::new("one"));
    let dead = Arc::new(FaultDevice::new(
        Arc::new(MemoryDevice::new("two")),
        Fault::From(2),
    ));
    let devices = [Arc::clone(&one), dead.clone() as Arc<dyn Device>];
    let (report, events, catalog) = run(folder.path(), backups(&["p1", "p2", "p3"]), &devices);
    assert_eq!(report.counts(), (12, 0, 0), "the copy to it is left");
    // what nothing promises until later is broken now
    assert_eq!(report.verdict(), Verdict::Bad);
    let dropped = |event: &&EventKind| matches!(event, EventKind::DeviceDropped { .. });
    assert_eq!(events.iter().filter(dropped).count(), 1, "told once");
    // the beginning, a write, and the question who it is: after that nobody asks
    assert!(dead.calls() <= 4, "{} calls", dead.calls());
    let missing: Vec<&str> = report
        .missing
        .iter()
        .map(|one| one.object.as_str())
        .collect();
    assert_eq!(missing, ["p1", "p2", "p3", "p1"]);
    assert!(report.missing.iter().all(|one| one.job == "papers"));
    for part in ["p1", "p2", "p3"] {
        part::verify(part, one.as_ref(), &|_| true).expect("whole");
    }
    let parts = catalog.holdings().expect("holdings").parts;
    assert!(parts.iter().all(|part| part.devices == ["one"]));
}

/// Opens a gate when the first manifest lies on it.
struct Opener {
    inner: MemoryDevice,
    gate: Arc<Gate>,
    manifests: AtomicU64,
}

impl Device for Opener {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn identity(&self) -> Result<String, planc::media::DeviceError> {
        self.inner.identity()
    }
    fn create(&self) -> Result<Box<dyn planc::media::ObjectWriter>, planc::media::DeviceError> {
        self.inner.create()
    }
    fn put_if_absent(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> Result<planc::media::Put, planc::media::DeviceError> {
        let put = self.inner.put_if_absent(name, bytes);
        if name.starts_with(planc::media::name::PARTS) {
            self.manifests.fetch_add(1, Ordering::SeqCst);
            self.gate.open();
        }
        put
    }
    fn get(
        &self,
        name: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Vec<u8>, planc::media::DeviceError> {
        self.inner.get(name, range)
    }
    fn size(&self, name: &str) -> Result<u64, planc::media::DeviceError> {
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, planc::media::DeviceError> {
        self.inner.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<bool, planc::media::DeviceError> {
        self.inner.delete(name)
    }
}

#[test]
fn a_part_is_committed_on_one_device_before_a_slow_one_has_a_byte_and_then_there_too() {
    let folder = tempfile::tempdir().expect("folder");
    let slow = Arc::new(Gated::new("two"));
    let quick = Arc::new(Opener {
        inner: MemoryDevice::new("one"),
        gate: Arc::clone(&slow.gate),
        manifests: AtomicU64::new(0),
    });
    let devices = [
        quick.clone() as Arc<dyn Device>,
        slow.clone() as Arc<dyn Device>,
    ];
    // would never end if anything waited for the slow device before the first manifest
    let (report, _, catalog) = run(folder.path(), backups(&["p1"]), &devices);
    assert_eq!(report.verdict(), Verdict::Good, "{:?}", report.missing);
    assert_eq!(quick.manifests.load(Ordering::SeqCst), 1);
    let parts = catalog.holdings().expect("holdings").parts;
    assert_eq!(parts[0].devices, ["one", "two"]);
    part::verify("p1", slow.as_ref(), &|_| true).expect("whole");
}

#[test]
fn a_device_that_gives_no_answer_is_given_up_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("folder");
    let hung = Arc::new(Gated::new("two"));
    let devices = [
        Arc::new(MemoryDevice::new("one")) as Arc<dyn Device>,
        hung.clone() as Arc<dyn Device>,
    ];
    // the copy to it is left to a later run
    let mut graph = backups(&["p1", "p2"]);
    graph
        .edges
        .retain(|edge| edge.to as usize + 1 < graph.steps.len());
    graph.steps.pop();
    let patience = Patience::of(std::time::Duration::from_secs(1));
    let (report, events, catalog) = run_with(folder.path(), graph, &devices, patience);
    assert!(!report.missing.is_empty(), "the promise of a copy is told");
    let dropped = events.iter().filter_map(|event| match event {
        EventKind::DeviceDropped { device, cause } => Some((device.as_str(), cause.as_str())),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    assert_eq!(dropped.len(), 1, "it is asked once: {dropped:?}");
    assert_eq!(dropped[0].0, "two");
    assert!(dropped[0].1.contains("gives no answer"), "{dropped:?}");
    let parts = catalog.holdings().expect("holdings").parts;
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|part| part.devices == ["one"]));
    hung.gate.open();
}

#[test]
fn a_device_that_is_away_is_caught_up_with_from_a_stored_copy() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    std::fs::write(site.path("docs/a.txt"), "changed").expect("file");
    let day = |time: &str| format!("run --now 2026-03-03T{time}Z");
    let text = site.good(&day("02:00:00"));
    assert!(text.contains("under-replicated"), "{text}");
    let holds = "the promise of a copy on nas holds until 2026-03-03T03:00:00Z; it is on disk";
    assert!(text.contains(holds), "{text}");
    let text = site.ends(&day("04:00:00"), 1);
    assert!(
        text.contains("BROKEN: the promise of a copy on nas"),
        "{text}"
    );
    std::fs::rename(&away, &nas).expect("plugged in");
    std::fs::remove_dir_all(site.path("docs")).expect("the source is gone");
    std::fs::create_dir(site.path("docs")).expect("empty");
    let text = site.good(&day("04:10:00"));
    assert!(text.contains("copy stored docs/files/tree"), "{text}");
    assert!(!text.contains("missing on"), "{text}");
    std::fs::remove_dir_all(site.path("devices/disk/packs")).expect("disk lost");
    let text = site.good("restore docs --to back --yes");
    assert!(text.contains("done"), "{text}");
    let back = std::fs::read_to_string(site.path("back/a.txt")).expect("file");
    assert_eq!(back, "changed");
}

#[test]
fn log_goes_to_the_devices_that_are_there() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    site.sql("INSERT INTO t (x) VALUES ('four')");
    let text = site.good("run --now 2026-03-02T10:10:00Z");
    assert!(text.contains("1 transactions up to"), "{text}");
    let missing = text.matches("\nmissing on nas: log of shop").count();
    assert_eq!(missing, 1, "{text}");
    site.good("restore shop --to back.db --yes");
    assert_eq!(rows(&site.path("back.db")).len(), 4);
    std::fs::rename(&away, &nas).expect("plugged in");
    std::fs::rename(site.path("devices/disk"), away).expect("unplugged");
    site.sql("INSERT INTO t (x) VALUES ('five')");
    let text = site.ends("run --now 2026-03-02T10:20:00Z", 1);
    let missing = text.matches("\nmissing on disk: log of shop").count();
    assert_eq!(missing, 1, "told once, however often it was tried: {text}");
}

/// A site of which only `disk` holds the newest log, and a catalog that was rebuilt from `nas`.
fn rebuilt_from_the_older_device() -> Site {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.good("run --now 2026-03-02T10:10:00Z");
    std::fs::rename(&away, &nas).expect("plugged in");
    std::fs::remove_dir_all(site.path("state")).expect("another host");
    let text = site.good("catalog rebuild --from nas");
    assert!(text.contains("not looked at: disk"), "{text}");
    site
}

#[test]
fn a_restore_asks_every_device_for_what_the_catalog_does_not_know() {
    let site = rebuilt_from_the_older_device();
    let text = site.good("restore shop --to back.db --yes");
    assert!(!text.contains("could not be asked"), "{text}");
    assert_eq!(rows(&site.path("back.db")).len(), 4);
}

#[test]
fn a_device_that_cannot_say_what_it_holds_is_told_by_a_restore() {
    let site = rebuilt_from_the_older_device();
    std::fs::rename(site.path("devices/disk"), site.path("away")).expect("unplugged");
    let told = "disk could not be asked: copies and log that only it holds";
    for end in ["--dry-run", "--yes"] {
        let text = site.good(&format!("restore shop --to old.db {end}"));
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(rows(&site.path("old.db")).len(), 3);
    let text = site.good("restore shop --to of_nas.db --from nas --yes");
    assert!(
        !text.contains(told),
        "who reads one device wants no other: {text}"
    );
    let text = site.ends("recover oops victim=t bad=4711 --dry-run", 2);
    assert!(text.contains(told), "{text}");
}

#[test]
fn what_stands_in_the_place_of_a_device_is_left_alone_and_gone_around() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unmounted");
    std::fs::create_dir(&nas).expect("the mount point");
    let run = |minute: u8, says: &str| {
        let text = site.good(&format!("run papers --now 2026-03-02T10:{minute}:00Z"));
        assert!(
            text.contains(says) && text.contains("holds until"),
            "{text}"
        );
    };
    run(10, "nothing is mounted there");
    std::fs::write(nas.join("letter.txt"), "dear").expect("written");
    run(20, "is not a planc device");
    std::fs::remove_file(nas.join("letter.txt")).expect("removed");
    site.good("device init nas");
    run(30, "device nas is another device than before");
    let names = std::fs::read_dir(&nas).expect("list").count();
    assert_eq!(names, 2, "its identity and a folder for what is written");
    std::fs::remove_dir_all(&nas).expect("removed");
    std::fs::rename(&away, &nas).expect("mounted");
    let text = site.good("run --now 2026-03-02T14:00:00Z");
    assert!(text.contains("copy stored docs/files/tree"), "{text}");
}

#[test]
fn a_run_whose_every_device_is_away_does_not_begin() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    for device in ["disk", "nas"] {
        let path = site.path(&format!("devices/{device}"));
        std::fs::rename(&path, site.path(device)).expect("unplugged");
    }
    let text = site.ends("run --now 2026-03-03T02:00:00Z", 2);
    assert!(text.contains("help:"), "{text}");
}

#[test]
fn a_device_without_room_is_gone_around_while_another_takes_copies() {
    let folder = tempfile::tempdir().expect("folder");
    let docs = folder.path().join("docs");
    std::fs::create_dir_all(&docs).expect("folder");
    std::fs::write(docs.join("a"), [7; 9000]).expect("file");
    let room = |name: &str, bytes| -> Arc<dyn Device> {
        let inner = Arc::new(MemoryDevice::new(name));
        Arc::new(FaultDevice::new(inner, Fault::Full(bytes)))
    };
    let look = |one, two| {
        let mut context = Context::default();
        let engine = open(&source(folder.path())).expect("engine");
        context.engines.insert("docs".to_owned(), engine.into());
        for (name, bytes) in [("one", one), ("two", two)] {
            context.devices.insert(name.to_owned(), room(name, bytes));
        }
        let looked = preflight(&backups(&["p"]), &context, None).map_err(|error| error.to_string());
        (
            looked,
            ["one", "two"].map(|name| context.dropped.cause(name)),
        )
    };
    let (looked, dropped) = look(1 << 20, 8000);
    looked.expect("one device takes the copy");
    let cause = dropped[1].as_ref().expect("given up");
    assert!(
        cause.contains("device two: 7.8 KiB are free") && dropped[0].is_none(),
        "{cause}"
    );
    let (refused, dropped) = look(7000, 8000);
    let cause = refused.expect_err("none takes it");
    assert!(cause.contains("device one: 6.8 KiB are free"), "{cause}");
    assert_eq!(dropped, [None, None]);
    assert_eq!(look(1 << 20, 1 << 21).1, [None, None]);
}
