//! A device that fails at its n-th call, for every n: the run ends, the other device goes on, and
//! the catalog claims nothing that is not whole.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use planc::catalog::Catalog;
use planc::engine::open;
use planc::graph::step::StepGraph;
use planc::media::memory::MemoryDevice;
use planc::media::{Device, DeviceError, ObjectWriter, Put, part};
use planc::run::{Context, RunEnvironment, Verdict, execute};

use super::make::{bracket, bracket_edges, graph, source};

/// Fails at one call and at all calls after it.
struct Failing {
    inner: MemoryDevice,
    left: AtomicUsize,
}

impl Failing {
    fn new(name: &str, calls: usize) -> Self {
        Self {
            inner: MemoryDevice::new(name),
            left: AtomicUsize::new(calls),
        }
    }

    fn count(&self) -> Result<(), DeviceError> {
        let order = Ordering::SeqCst;
        let left = self
            .left
            .try_update(order, order, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| DeviceError::Io {
            device: self.inner.name().to_owned(),
            action: "use",
            object: "anything".to_owned(),
            cause: std::io::Error::other("it is gone"),
        })
    }
}

impl Device for Failing {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn identity(&self) -> Result<String, DeviceError> {
        self.count()?;
        self.inner.identity()
    }
    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.count()?;
        self.inner.create()
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.count()?;
        self.inner.put_if_absent(name, bytes)
    }
    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.count()?;
        self.inner.get(name, range)
    }
    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.count()?;
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.count()?;
        self.inner.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.count()?;
        self.inner.delete(name)
    }
}

/// The bracket of one part of a file tree on two devices.
fn backup() -> StepGraph {
    let kinds = bracket("docs/files/tree", "part-1", "papers", &["good", "bad"]);
    graph(kinds.into(), &bracket_edges(0))
}

/// Runs the backup with a device that works for `calls` calls; true when it was not enough.
fn run_with(folder: &Path, calls: usize) -> bool {
    let good: Arc<dyn Device> = Arc::new(MemoryDevice::new("good"));
    let bad = Arc::new(Failing::new("bad", calls));
    let mut context = Context::default();
    let engine = open(&source(folder)).expect("engine");
    context.engines.insert("docs".to_owned(), engine.into());
    context.devices.insert("good".to_owned(), good.clone());
    context.devices.insert("bad".to_owned(), bad.clone());
    let path = folder.join(format!("catalog-{calls}"));
    let mut catalog = Catalog::open(&path).expect("catalog");
    let environment = RunEnvironment {
        catalog: Some(&mut catalog),
        ..RunEnvironment::default()
    };
    let report = execute(Arc::new(backup()), Arc::new(context), environment).expect("the run ends");
    assert_eq!(
        report.counts(),
        (4, 0, 0),
        "{calls} calls: the good device goes on"
    );
    let parts = catalog.holdings().expect("holdings").parts;
    let holders = &parts[0].devices;
    part::verify("part-1", good.as_ref(), &|_| true).expect("whole");
    let failed = report.verdict() != Verdict::Good;
    assert_eq!(failed, !report.missing.is_empty());
    if holders.contains(&"bad".to_owned()) {
        part::verify("part-1", &bad.inner, &|_| true).expect("what is claimed is whole");
    } else {
        assert!(failed, "{calls} calls: a copy that does not exist is told");
    }
    failed
}

#[test]
fn a_device_that_dies_at_any_call_is_told_and_the_other_goes_on() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::create_dir_all(folder.path().join("docs")).expect("folder");
    std::fs::write(folder.path().join("docs/a"), "a").expect("file");
    let faults = (0..100)
        .take_while(|calls| run_with(folder.path(), *calls))
        .count();
    assert!((2..100).contains(&faults), "{faults} faults");
}
