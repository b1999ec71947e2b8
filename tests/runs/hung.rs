//! Devices that give no answer: log and copies go to the others, and the run ends. A device here
//! stands still until the test ends; what is asserted is that it is given up, not when.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use planc::catalog::Catalog;
use planc::engine::fake::{FakeEngine, Script};
use planc::graph::step::{EdgeKind, StepKind};
use planc::media::memory::MemoryDevice;
use planc::media::part;
use planc::media::patience::Patience;
use planc::media::patient::PatientDevice;
use planc::media::{Device, DeviceError};
use planc::resolve::plan::Codec;
use planc::run::event::EventKind;
use planc::run::{Context, RunEnvironment, Verdict, execute};

use super::lost::{backups, run_with};
use super::make::graph;
use super::site::{NOW, Site};
use crate::media::slow::Gated;

fn impatient() -> Patience {
    Patience::of(Duration::from_millis(500))
}

#[test]
fn a_device_that_gave_no_answer_is_not_waited_for_again() {
    let hung = Arc::new(Gated::new("still"));
    let device = PatientDevice::new(hung.clone(), impatient());
    let error = device.put_if_absent("parts/a", b"a").expect_err("still");
    assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
    let waits = PatientDevice::new(hung.clone(), Patience::default());
    let waiting = std::thread::spawn(move || waits.put_if_absent("parts/b", b"b"));
    // its gate is still shut, and no other call is made to wait before it
    for _ in 0..100 {
        let error = device.identity().expect_err("given up");
        assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
    }
    hung.gate.open();
    waiting.join().expect("no panic").expect("an answer");
    assert_eq!(hung.get("parts/b", None).expect("stored"), b"b");
}

#[test]
fn a_copy_of_a_stored_part_to_a_device_without_an_answer_is_given_up() {
    let folder = tempfile::tempdir().expect("folder");
    let one = Arc::new(MemoryDevice::new("one")) as Arc<dyn Device>;
    let hung = Arc::new(Gated::new("two"));
    let nas = PatientDevice::new(hung.clone(), impatient());
    let devices = [one, Arc::new(nas) as Arc<dyn Device>];
    let mut graph = backups(&["p1"]);
    for step in &mut graph.steps {
        match &mut step.kind {
            StepKind::CopyPart { devices, .. } | StepKind::CommitPart { devices, .. } => {
                *devices = vec!["one".to_owned()];
            }
            _ => {}
        }
    }
    let (report, events, catalog) = run_with(folder.path(), graph, &devices, impatient());
    assert_eq!(report.verdict(), Verdict::Bad, "its promise is broken");
    let dropped = events.iter().filter_map(|event| match event {
        EventKind::DeviceDropped { device, cause } => Some((device.as_str(), cause.as_str())),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(dropped[0].1.contains("gives no answer"), "{dropped:?}");
    assert_eq!(report.missing.len(), 1, "{:?}", report.missing);
    assert_eq!(report.missing[0].device, "two");
    let parts = catalog.holdings().expect("holdings").parts;
    assert_eq!(parts[0].devices, ["one"]);
    assert!(hung.list("packs/").expect("listed").is_empty());
    hung.gate.open();
    // the next run asks it anew
    part::copy("p1", &devices[..1], hung.as_ref(), &|_| true).expect("copied");
}

#[test]
fn log_goes_on_to_the_other_devices_when_one_gives_no_answer() {
    let folder = tempfile::tempdir().expect("folder");
    let engine = FakeEngine::new(&folder.path().join("live"), Script::default());
    engine.commit("a", "1");
    let hung = Arc::new(Gated::new("nas"));
    let mut context = Context::default();
    context.engines.insert("shop".to_owned(), Arc::new(engine));
    let disk = Arc::new(MemoryDevice::new("disk"));
    let nas = PatientDevice::new(hung.clone(), impatient());
    context.devices.insert("disk".to_owned(), disk.clone());
    context.devices.insert("nas".to_owned(), Arc::new(nas));
    let needed = BTreeSet::from(["disk".to_owned()]);
    context.required.insert("wal".to_owned(), needed);
    let archive = StepKind::ArchiveLog {
        within_ms: None,
        service: "shop".to_owned(),
        job: "wal".to_owned(),
        devices: vec!["nas".to_owned(), "disk".to_owned()],
        codec: Codec::None,
        key: None,
    };
    let graph = graph(vec![archive.clone(), archive], &[(0, 1, EdgeKind::Success)]);
    let mut catalog = Catalog::open(&folder.path().join("catalog")).expect("catalog");
    let environment = RunEnvironment {
        catalog: Some(&mut catalog),
        ..RunEnvironment::default()
    };
    let report = execute(Arc::new(graph), Arc::new(context), environment).expect("the run ends");
    assert_eq!(report.counts(), (2, 0, 0), "{:?}", report.steps);
    assert!(report.missing.iter().all(|one| one.device == "nas"));
    assert!(!report.missing.is_empty(), "it is told");
    let logs = catalog.holdings().expect("holdings").logs;
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].devices, ["disk"]);
    hung.gate.open();
}

/// A file system whose server never answers, mounted over a folder.
struct Still {
    server: Child,
    folder: PathBuf,
}

impl Still {
    fn over(folder: &Path) -> Self {
        let shell = "exec 3<>/dev/fuse && mount -i -t fuse \
            -o fd=3,rootmode=40000,user_id=0,group_id=0 still \"$0\" && echo there && exec sleep 3600";
        let server = Command::new("sh")
            .args(["-c", shell])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn();
        let mut server = server.expect("a shell");
        let mut said = String::new();
        let told = BufReader::new(server.stdout.take().expect("piped")).read_line(&mut said);
        told.expect("an answer");
        let folder = folder.to_owned();
        let still = Self { server, folder };
        assert_eq!(said, "there\n", "only the superuser mounts");
        still
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        // without its server the file system answers everybody that it is gone
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[test]
#[ignore = "waits for two minutes, and needs the superuser"]
fn commands_give_up_a_file_system_that_never_answers() {
    const LINES: [&str; 6] = [
        "device init nas",
        "device certify nas",
        "device list",
        "key check",
        "key rewrap k --device nas",
        "catalog rebuild --from nas",
    ];
    std::thread::scope(|scope| {
        for line in LINES {
            scope.spawn(move || {
                let site = Site::new();
                site.good("key new shop.key --public shop.pub");
                let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
                let key = "key k from file \"shop.key\" escrow at dub\n\nbackup nightly";
                let plan = plan.replace("encrypt none", "encrypt with k");
                let plan = plan.replace("backup nightly", key);
                std::fs::write(site.path("shop.plan"), plan).expect("plan");
                site.good(&format!("run --now {NOW}"));
                let _still = Still::over(&site.path("devices/nas"));
                let output = site.planc(line);
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                assert!(!output.status.success(), "{line}: {said}");
                assert!(said.contains("nas gives no answer"), "{line}: {said}");
            });
        }
    });
}
