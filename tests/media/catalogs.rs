//! The catalog is a cache: rebuilt from any one complete device it says the same.

use std::path::Path;
use std::sync::Arc;

use planc::catalog::{Catalog, CatalogError, Owner, PartRecord};
use planc::facts::holdings::JobHistory;
use planc::media::log::LogSource;
use planc::media::manifest::PartHeader;
use planc::media::memory::MemoryDevice;
use planc::media::part::Ready;
use planc::media::{Device, log};
use planc::resolve::plan::Codec;

use super::fixture::{header, log_range, log_source, small, store, store_as};

/// Fills devices and a catalog as a run does.
fn filled(path: &Path, devices: &[Arc<dyn Device>]) -> Catalog {
    let mut catalog = Catalog::open(path).unwrap();
    for device in devices {
        let identity = device.identity().unwrap();
        catalog.bind_device(device.name(), &identity).unwrap();
    }
    for part in ["p-2", "p-1"] {
        let ready = Ready::new(store(&small(), devices, part)).unwrap();
        let record = PartRecord::of(&ready.manifest, ready.content);
        for device in devices {
            catalog.record_part(&record, device.name()).unwrap();
            catalog.record_part(&record, device.name()).unwrap();
        }
    }
    for from in [20, 0, 10] {
        let range = log_range(from, from + 10, &from.to_le_bytes());
        for device in devices {
            let source = log_source();
            let record = log::put(device.as_ref(), &source, &range, Codec::Zstd(3)).unwrap();
            catalog.record_log(&record, device.name()).unwrap();
        }
    }
    catalog
}

/// Whose parts the fixture makes.
fn owner() -> Owner {
    Owner {
        plan: "plan".into(),
        environment: "default".into(),
    }
}

fn pair() -> (MemoryDevice, Vec<Arc<dyn Device>>) {
    let first = MemoryDevice::new("a");
    let second = MemoryDevice::new("b");
    let devices: Vec<Arc<dyn Device>> = vec![Arc::new(first.clone()), Arc::new(second)];
    (first, devices)
}

#[test]
fn rebuilt_from_any_one_device_it_is_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (_, devices) = pair();
    let catalog = filled(&path("first"), &devices);
    let dump = catalog.canonical_dump().unwrap();
    assert_eq!(dump.lines().count(), 6, "{dump}");
    for (index, device) in devices.iter().enumerate() {
        let only = std::slice::from_ref(device);
        let (again, problems) =
            Catalog::rebuild(&path(&index.to_string()), only, &owner()).unwrap();
        assert_eq!(problems, [""; 0]);
        assert_eq!(again.canonical_dump().unwrap(), dump);
        assert_ne!(
            again.dump_with_devices().unwrap(),
            catalog.dump_with_devices().unwrap()
        );
    }
    let (both, _) = Catalog::rebuild(&path("both"), &devices, &owner()).unwrap();
    assert_eq!(
        both.dump_with_devices().unwrap(),
        catalog.dump_with_devices().unwrap()
    );
    let (found, wanted) = (both.holdings().unwrap(), catalog.holdings().unwrap());
    assert_eq!((found.parts, found.logs), (wanted.parts, wanted.logs));
}

#[test]
fn what_is_damaged_does_not_count_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (first, devices) = pair();
    filled(&folder.path().join("full"), &devices);
    let (manifest, _) = first.list("parts/").unwrap().remove(0);
    first.damage(&manifest, b"rubbish".to_vec());
    let (log, _) = first.list("logs/").unwrap().remove(0);
    first.damage(&log, Vec::new());
    let only = &devices[..1];
    let (catalog, problems) = Catalog::rebuild(&folder.path().join("one"), only, &owner()).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    let holdings = catalog.holdings().unwrap();
    assert_eq!((holdings.parts.len(), holdings.logs.len()), (1, 2));
    let (pack, _) = first.list("packs/").unwrap().remove(0);
    first.damage(&pack, b"short".to_vec());
    let (catalog, _) = Catalog::rebuild(&folder.path().join("none"), only, &owner()).unwrap();
    assert_eq!(catalog.holdings().unwrap().parts, []);
}

#[test]
fn a_manifest_that_was_written_again_counts_and_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (first, devices) = pair();
    let dump = filled(&path("full"), &devices).canonical_dump().unwrap();
    let (manifest, _) = first.list("parts/").unwrap().remove(0);
    first.damage(&manifest, b"rubbish".to_vec());
    store(&small(), &devices[..1], "p-1");
    assert!(first.size(&format!("{manifest}.1")).is_ok());
    let (again, problems) = Catalog::rebuild(&path("one"), &devices[..1], &owner()).unwrap();
    assert_eq!(problems, [""; 0]);
    assert_eq!(again.canonical_dump().unwrap(), dump);
}

#[test]
fn holdings_are_in_order_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog");
    let mut catalog = filled(&path, &pair().1);
    let job = JobHistory {
        job: "nightly".into(),
        method: None,
        began: "2026-01-02T03:04:05Z".parse().unwrap(),
        seconds: 1.5,
        bytes: 7,
    };
    catalog.record_job(&job).unwrap();
    let now = job.began;
    catalog.record_verified("p-1", "a", now, true).unwrap();
    catalog.record_verified("p-1", "b", now, false).unwrap();
    drop(catalog);
    let catalog = Catalog::open(&path).unwrap();
    let holdings = catalog.holdings().unwrap();
    let parts: Vec<_> = holdings
        .parts
        .iter()
        .map(|part| part.part.as_str())
        .collect();
    assert_eq!(parts, ["p-1", "p-2"]);
    assert_eq!(holdings.parts[0].devices, ["a", "b"]);
    let logs: Vec<_> = holdings.logs.iter().map(|log| log.from.value).collect();
    assert_eq!(logs, [0, 10, 20]);
    assert_eq!(holdings.jobs, [job]);
    assert_eq!(holdings.verified, [("p-1".into(), "a".into(), now)]);
    assert_eq!(
        catalog.damaged().unwrap(),
        [("p-1".to_owned(), "b".to_owned())]
    );
}

#[test]
fn a_rebuild_never_fills_a_catalog_that_holds_something() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog");
    let (_, devices) = pair();
    filled(&path, &devices);
    let answer = Catalog::rebuild(&path, &devices, &owner());
    assert!(matches!(answer, Err(CatalogError::Unusable { .. })));
}

#[test]
fn a_damaged_catalog_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog");
    filled(&path, &pair().1);
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 8192);
    bytes[4096..6000].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        Catalog::open(&path),
        Err(CatalogError::Unusable { .. })
    ));
}

/// Stores a part of its own plan, environment and source, with a range of its log.
fn foreign(devices: &[Arc<dyn Device>], part: &str, owner: (&str, &str), source: &str) {
    let header = PartHeader {
        plan: owner.0.into(),
        environment: owner.1.into(),
        identity: source.into(),
        ..header(part)
    };
    store_as(&small(), devices, header);
    let source = LogSource {
        identity: source.into(),
        ..log_source()
    };
    for device in devices {
        let range = log_range(0, 10, part.as_bytes());
        log::put(device.as_ref(), &source, &range, Codec::Zstd(3)).unwrap();
    }
}

#[test]
fn on_a_shared_device_only_the_owners_copies_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (_, devices) = pair();
    let catalog = filled(&path("first"), &devices);
    foreign(&devices, "q-1", ("other", "default"), "source-2");
    foreign(&devices, "q-2", ("plan", "test"), "source-3");
    let rebuild = |name: &str, owner: &Owner| {
        let (catalog, problems) = Catalog::rebuild(&path(name), &devices, owner).unwrap();
        assert_eq!(problems, [""; 0]);
        catalog.canonical_dump().unwrap()
    };
    assert_eq!(rebuild("own", &owner()), catalog.canonical_dump().unwrap());
    let test = Owner {
        environment: "test".into(),
        ..owner()
    };
    let dump = rebuild("test", &test);
    assert!(
        dump.contains("q-2") && !dump.contains("q-1") && !dump.contains("p-1"),
        "{dump}"
    );
    assert_eq!(
        dump.lines()
            .filter(|line| line.contains("source-3"))
            .count(),
        2,
        "{dump}"
    );
    assert_eq!(
        dump.matches("source-1").count() + dump.matches("source-2").count(),
        0,
        "{dump}"
    );
}
