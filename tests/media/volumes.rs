//! Volume sets: the contract, spanning, errors in the middle, foreign labels, reuse after expiry.

use planc::media::volumes::{FileLibrary, Health, Injected, Limits, SetSpec, VolumeDevice};
use planc::media::{Device, DeviceError, Put, contract};

use super::fixture::bytes;

const CAPACITY: u64 = 1 << 20;

fn now() -> jiff::Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

/// A library with so many blank volumes.
fn library(count: u32) -> (tempfile::TempDir, FileLibrary) {
    let folder = tempfile::tempdir().unwrap();
    let library = FileLibrary::new(folder.path().to_owned(), CAPACITY);
    for number in 0..count {
        library.add(&format!("v{number:02}")).unwrap();
    }
    (folder, library)
}

fn spec(library: &FileLibrary) -> SetSpec<'static> {
    SetSpec {
        name: "tapes",
        library: Box::new(library.clone()),
        drives: 1,
        capacity: Some(CAPACITY),
        limits: Limits::default(),
        folder: None,
    }
}

fn init(library: &FileLibrary) -> VolumeDevice {
    VolumeDevice::init(spec(library), 0, "set-1", now()).unwrap()
}

fn open(library: &FileLibrary) -> VolumeDevice {
    VolumeDevice::open(spec(library)).unwrap()
}

#[test]
fn a_volume_set_keeps_the_contract() {
    let (_folder, library) = library(8);
    contract::check(&init(&library)).unwrap();
}

#[test]
fn an_object_spans_volumes_and_is_found_again() {
    let (_folder, library) = library(5);
    let device = init(&library);
    let big = bytes(1, 2_500_000, true);
    assert_eq!(
        device.put_if_absent("packs/aa/big", &big).unwrap(),
        Put::Created
    );
    assert_eq!(
        device.put_if_absent("packs/aa/big", &big).unwrap(),
        Put::Same
    );
    device.put_if_absent("parts/small", b"small").unwrap();
    for device in [device, open(&library)] {
        assert_eq!(device.get("packs/aa/big", None).unwrap(), big);
        let range = 900_000..1_900_000;
        let read = device.get("packs/aa/big", Some(range)).unwrap();
        assert_eq!(read, big[900_000..1_900_000]);
        assert_eq!(device.get("parts/small", None).unwrap(), b"small");
        let volumes = device.volumes_of("packs/aa/big").unwrap();
        assert_eq!(volumes.len(), 4, "{volumes:?}");
        assert_eq!(device.identity().unwrap(), "set-1");
    }
}

#[test]
fn a_full_set_says_so_and_keeps_what_it_has() {
    let (_folder, library) = library(2);
    let device = init(&library);
    device
        .put_if_absent("parts/a", &bytes(1, 700_000, true))
        .unwrap();
    let refused = device.put_if_absent("parts/b", &bytes(2, 3_000_000, true));
    assert!(
        matches!(refused, Err(DeviceError::Full { .. })),
        "{refused:?}"
    );
    assert_eq!(
        open(&library).list("").unwrap(),
        [("parts/a".to_owned(), 700_000)]
    );
}

#[test]
fn a_volume_that_fails_is_frozen_and_the_object_lies_elsewhere() {
    let wanted = bytes(3, 600_000, true);
    for number in 1..8 {
        for mark in [false, true] {
            let (_folder, library) = library(3);
            let device = init(&library);
            let injected = if mark {
                Injected {
                    mark: Some(1),
                    ..Injected::default()
                }
            } else {
                Injected {
                    write: Some(number),
                    ..Injected::default()
                }
            };
            library.inject(injected);
            device.put_if_absent("parts/x", &wanted).unwrap();
            library.inject(Injected::default());
            assert_eq!(device.get("parts/x", None).unwrap(), wanted);
            assert_eq!(
                open(&library).get("parts/x", None).unwrap(),
                wanted,
                "write {number}"
            );
            let frozen = device.volumes();
            let frozen = frozen
                .iter()
                .filter(|volume| volume.health == Health::Suspect);
            // head, three blocks and tail are five writes
            assert_eq!(
                frozen.count(),
                usize::from(mark || number <= 5),
                "write {number}"
            );
        }
    }
}

#[test]
fn a_read_error_is_counted_and_is_no_absence() {
    let (_folder, library) = library(2);
    let device = init(&library);
    device.put_if_absent("parts/x", b"bytes").unwrap();
    for _ in 0..3 {
        library.inject(Injected {
            read: Some(1),
            ..Injected::default()
        });
        let answer = device.get("parts/x", None);
        assert!(matches!(answer, Err(DeviceError::Io { .. })), "{answer:?}");
    }
    library.inject(Injected::default());
    assert_eq!(device.get("parts/x", None).unwrap(), b"bytes");
    let volume = &device.volumes()[0];
    assert_eq!(
        (
            volume.read_errors,
            volume.health,
            volume.is_worn(Limits::default())
        ),
        (3, Health::Suspect, true)
    );
    assert!(
        device.relabel("v00", now()).is_err(),
        "a worn volume is not used again"
    );
}

#[test]
fn a_crash_in_the_middle_leaves_nothing_under_the_name() {
    let (folder, library) = library(1);
    let device = init(&library);
    device
        .put_if_absent("parts/x", &bytes(1, 300_000, true))
        .unwrap();
    let path = folder.path().join("v00.volume");
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(9_973) {
        std::fs::write(&path, &whole[..length]).unwrap();
        match VolumeDevice::open(spec(&library)) {
            Ok(device) => assert!(device.list("").unwrap().is_empty(), "length {length}"),
            Err(error) => assert!(matches!(error, DeviceError::Foreign { .. }), "{error}"),
        }
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let device = open(&library);
    device.put_if_absent("parts/x", b"again").unwrap();
    assert_eq!(open(&library).get("parts/x", None).unwrap(), b"again");
}

#[test]
fn every_damaged_byte_of_an_object_is_an_error() {
    let (folder, library) = library(1);
    let device = init(&library);
    device
        .put_if_absent("parts/x", &bytes(1, 3_000, true))
        .unwrap();
    let path = folder.path().join("v00.volume");
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(7) {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let read =
            VolumeDevice::open(spec(&library)).and_then(|device| device.get("parts/x", None));
        if let Ok(read) = read {
            assert_eq!(read, bytes(1, 3_000, true), "byte {at}");
        }
    }
}

fn open_path(folder: &tempfile::TempDir, volume: &str) -> Vec<u8> {
    std::fs::read(folder.path().join(format!("{volume}.volume"))).unwrap()
}

#[test]
fn a_foreign_volume_is_left_alone() {
    let (folder, library) = library(2);
    std::fs::write(
        folder.path().join("v01.volume"),
        b"somebody's data, no label at all",
    )
    .unwrap();
    let refused = VolumeDevice::init(spec(&library), 0, "set-1", now());
    assert!(
        matches!(refused, Err(DeviceError::Foreign { .. })),
        "what is no volume is somebody's data"
    );
    assert!(open_path(&folder, "v00").is_empty(), "nothing was labelled");
    let (other, theirs) = self::library(1);
    VolumeDevice::init(spec(&theirs), 0, "set-2", now()).unwrap();
    let (folder, library) = self::library(1);
    init(&library).put_if_absent("parts/x", b"x").unwrap();
    std::fs::copy(
        other.path().join("v00.volume"),
        folder.path().join("v05.volume"),
    )
    .unwrap();
    let device = open(&library);
    assert_eq!(device.volumes()[1].health, Health::Foreign);
    assert_eq!(device.get("parts/x", None).unwrap(), b"x");
    assert!(device.relabel("v05", now()).is_err());
}

#[test]
fn a_volume_is_overwritten_only_when_all_on_it_has_expired() {
    let (_folder, library) = library(3);
    let device = init(&library);
    device
        .put_if_absent("parts/a", &bytes(1, 700_000, true))
        .unwrap();
    device
        .put_if_absent("parts/b", &bytes(2, 700_000, true))
        .unwrap();
    assert_eq!(device.volumes_of("parts/b").unwrap(), ["v00", "v01"]);
    let refused = device.relabel("v00", now());
    assert!(
        matches!(refused, Err(DeviceError::Locked { .. })),
        "{refused:?}"
    );
    assert!(device.delete("parts/a").unwrap());
    assert!(device.relabel("v00", now()).is_err(), "b begins there");
    assert!(device.delete("parts/b").unwrap());
    device.relabel("v00", now()).unwrap();
    device.relabel("v01", now()).unwrap();
    let device = open(&library);
    assert!(
        device.list("").unwrap().is_empty(),
        "what is gone does not come back"
    );
    let big = bytes(4, 2_000_000, true);
    device.put_if_absent("parts/a", &big).unwrap();
    assert_eq!(open(&library).get("parts/a", None).unwrap(), big);
}
