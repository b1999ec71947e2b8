//! Tombstones and deletion on a device: every failure on the way is repaired by trying again, and
//! what another part needs stays.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use planc::media::fault::{Fault, FaultDevice};
use planc::media::memory::MemoryDevice;
use planc::media::tomb::{self, Buried, Manifests};
use planc::media::{Device, DeviceError, ObjectWriter, Put, name, part};

use super::fixture::{header, small, store, store_as};

fn now() -> jiff::Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn put(device: &dyn Device, part: &str) -> Result<tomb::Tomb, DeviceError> {
    tomb::put(device, &[], (part, false), ("run", now()))
}

fn bury(device: &dyn Device, part: &str) -> Result<Buried, DeviceError> {
    let tomb = tomb::get(device, part)?;
    tomb::bury(device, &tomb, &mut Manifests::default(), now())
}

fn names(device: &dyn Device) -> Vec<String> {
    device
        .list("")
        .unwrap()
        .into_iter()
        .map(|(object, _)| object)
        .collect()
}

#[test]
fn a_deletion_that_fails_anywhere_goes_on_where_it_stopped() {
    for call in 1.. {
        let device = Arc::new(MemoryDevice::new("a"));
        let holder: Arc<dyn Device> = device.clone();
        store(&small(), std::slice::from_ref(&holder), "p-1");
        let faulty = FaultDevice::new(holder.clone(), Fault::From(call));
        let ended = put(&faulty, "p-1").and_then(|_| bury(&faulty, "p-1"));
        let manifest = part::load(device.as_ref(), "p-1");
        if let Ok(manifest) = manifest {
            // a manifest never names what is gone
            let whole = |name: &str| device.size(name).is_ok();
            assert!(
                manifest.packs.iter().all(|pack| whole(&pack.name)),
                "call {call}"
            );
        }
        if ended.is_ok() {
            assert!(call > 8, "only {call} calls were made to fail");
            assert_eq!(names(device.as_ref()), [""; 0]);
            return;
        }
        put(device.as_ref(), "p-1").unwrap();
        assert!(
            matches!(bury(device.as_ref(), "p-1"), Ok(Buried::Freed(_))),
            "call {call}"
        );
        assert_eq!(names(device.as_ref()), [""; 0], "call {call}");
    }
}

#[test]
fn a_locked_copy_stays_whole_until_its_lock_ends() {
    let later: jiff::Timestamp = "2026-03-09T00:00:00Z".parse().unwrap();
    for object in ["parts/", "packs/"] {
        let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
        store(&small(), std::slice::from_ref(&device), "p-1");
        let fault = |until| Fault::Locked {
            object: object.to_owned(),
            until,
        };
        let locked = FaultDevice::new(Arc::clone(&device), fault(later));
        put(&locked, "p-1").unwrap();
        let before = names(device.as_ref());
        let answer = bury(&locked, "p-1").unwrap();
        assert!(
            matches!(answer, Buried::LockedUntil(until) if until == later),
            "{object}: {answer:?}"
        );
        assert_eq!(
            names(device.as_ref()),
            before,
            "{object}: not one object went"
        );
        part::verify("p-1", device.as_ref(), &|_| true).unwrap();
        // locks that have ended stand in nobody's way; the store itself lets go then
        let answer = bury(device.as_ref(), "p-1").unwrap();
        assert!(matches!(answer, Buried::Freed(_)), "{object}: {answer:?}");
        assert_eq!(names(device.as_ref()), [""; 0]);
    }
}

#[test]
fn a_pack_that_another_part_names_stays() {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
    store(&small(), std::slice::from_ref(&device), "p-1");
    let second = store(&small(), std::slice::from_ref(&device), "p-2");
    put(device.as_ref(), "p-1").unwrap();
    assert!(matches!(bury(device.as_ref(), "p-1"), Ok(Buried::Freed(_))));
    part::verify("p-2", device.as_ref(), &|_| true).unwrap();
    put(device.as_ref(), "p-2").unwrap();
    let stored: u64 = second.packs.iter().map(|pack| pack.length).sum();
    let freed = bury(device.as_ref(), "p-2").unwrap();
    assert!(
        matches!(freed, Buried::Freed(bytes) if bytes > stored),
        "{freed:?}"
    );
    assert_eq!(names(device.as_ref()), [""; 0]);
}

#[test]
fn a_base_stays_while_a_part_on_the_device_builds_on_it() {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
    store(&small(), std::slice::from_ref(&device), "p-1");
    let mut above = header("p-2");
    above.base = Some("p-1".to_owned());
    store_as(&small(), std::slice::from_ref(&device), above);
    put(device.as_ref(), "p-1").unwrap();
    assert_eq!(
        bury(device.as_ref(), "p-1").unwrap(),
        Buried::NeededBy("p-2".to_owned())
    );
    part::verify("p-1", device.as_ref(), &|_| true).unwrap();
    let left = names(device.as_ref());
    let tombs: Vec<&String> = left
        .iter()
        .filter(|object| object.starts_with(name::TOMBS))
        .collect();
    assert_eq!(
        tombs,
        [&name::tomb("p-1")],
        "no tombstone of a pack is left"
    );
}

#[test]
fn a_manifest_that_cannot_be_read_keeps_all_packs() {
    let device = Arc::new(MemoryDevice::new("a"));
    let holder: Arc<dyn Device> = device.clone();
    store(&small(), std::slice::from_ref(&holder), "p-1");
    store(&small(), std::slice::from_ref(&holder), "p-2");
    device.damage(&name::manifest("p-2"), b"noise".to_vec());
    put(holder.as_ref(), "p-1").unwrap();
    assert!(matches!(
        bury(holder.as_ref(), "p-1"),
        Err(DeviceError::Damaged { .. })
    ));
    part::verify("p-1", holder.as_ref(), &|_| true).unwrap();
}

#[test]
fn a_writer_that_meets_a_deletion_is_told() {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
    let first = store(&small(), std::slice::from_ref(&device), "p-1");
    // the deletion of an equal pack has begun
    let pack = name::tomb(&first.packs[0].name);
    put(device.as_ref(), "p-1").unwrap();
    device.put_if_absent(&pack, b"").unwrap();
    let mut second = first.clone();
    second.header.part = "p-2".to_owned();
    let refused = part::commit(&second, device.as_ref());
    assert!(
        matches!(refused, Err(DeviceError::Damaged { .. })),
        "{refused:?}"
    );
    // it did not end, and the older part stays after all
    tomb::lift(device.as_ref(), "p-1").unwrap();
    assert!(matches!(
        device.size(&pack),
        Err(DeviceError::NotFound { .. })
    ));
    part::commit(&second, device.as_ref()).unwrap();
    // what nobody speaks of any more stands in nobody's way
    device.put_if_absent(&pack, b"").unwrap();
    second.header.part = "p-3".to_owned();
    part::commit(&second, device.as_ref()).unwrap();
}

#[test]
fn a_tombstone_that_is_taken_away_leaves_what_another_deletion_works_at() {
    let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("a"));
    let first = store(&small(), std::slice::from_ref(&device), "p-1");
    store(&small(), std::slice::from_ref(&device), "p-2");
    put(device.as_ref(), "p-1").unwrap();
    put(device.as_ref(), "p-2").unwrap();
    let pack = name::tomb(&first.packs[0].name);
    device.put_if_absent(&pack, b"").unwrap();
    tomb::lift(device.as_ref(), "p-1").unwrap();
    device.size(&pack).unwrap();
    tomb::lift(device.as_ref(), "p-2").unwrap();
    assert_eq!(tomb::list(device.as_ref()).unwrap().0, []);
    assert!(device.size(&pack).is_err());
}

/// A device on which a deletion ends after the first question about a pack.
struct Meanwhile {
    inner: MemoryDevice,
    deleted: Mutex<Vec<String>>,
}

impl Device for Meanwhile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.inner.identity()
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.inner.create()
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.inner.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.inner.get(name, range)
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        let size = self.inner.size(name);
        if name.contains("pack") {
            for object in self.deleted.lock().unwrap().drain(..) {
                self.inner.delete(&object).unwrap();
            }
        }
        size
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.inner.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.inner.delete(name)
    }
}

#[test]
fn a_writer_sees_what_a_deletion_took_that_ends_while_it_looks() {
    let inner = MemoryDevice::new("a");
    let holder: Arc<dyn Device> = Arc::new(inner.clone());
    let first = store(&small(), std::slice::from_ref(&holder), "p-1");
    let pack = &first.packs[0].name;
    put(&inner, "p-1").unwrap();
    inner.put_if_absent(&name::tomb(pack), b"").unwrap();
    let device = Meanwhile {
        inner,
        deleted: Mutex::new(vec![pack.clone(), name::tomb(pack), name::tomb("p-1")]),
    };
    let mut second = first.clone();
    second.header.part = "p-2".to_owned();
    let refused = part::commit(&second, &device);
    assert!(
        matches!(refused, Err(DeviceError::Damaged { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_forgotten_or_damaged_tombstone_is_put_anew() {
    let device = Arc::new(MemoryDevice::new("a"));
    let holder: Arc<dyn Device> = device.clone();
    store(&small(), std::slice::from_ref(&holder), "p-1");
    let old = put(holder.as_ref(), "p-1").unwrap();
    let later = now() + jiff::SignedDuration::from_hours(48);
    let again = |at| tomb::put(holder.as_ref(), &[], ("p-1", false), ("later", at)).unwrap();
    let new = again(later);
    assert_eq!((new.at, &new.packs), (later, &old.packs));
    assert_eq!(again(now()), new, "the younger one stays");
    device.damage(&name::tomb("p-1"), b"noise".to_vec());
    assert_eq!(again(later), new);
    assert_eq!(tomb::get(holder.as_ref(), "p-1").unwrap(), new);
}

#[test]
fn a_damaged_tombstone_deletes_nothing() {
    let device = Arc::new(MemoryDevice::new("a"));
    let holder: Arc<dyn Device> = device.clone();
    store(&small(), std::slice::from_ref(&holder), "p-1");
    put(holder.as_ref(), "p-1").unwrap();
    let good = holder.get(&name::tomb("p-1"), None).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        device.damage(&name::tomb("p-1"), bad);
        assert!(bury(holder.as_ref(), "p-1").is_err(), "byte {at}");
    }
    part::verify("p-1", holder.as_ref(), &|_| true).unwrap();
    assert_eq!(tomb::list(holder.as_ref()).unwrap().1, [name::tomb("p-1")]);
}
