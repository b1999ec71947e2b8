//! Devices that fail at every possible call: nothing partial is ever visible, and trying again
//! works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use planc::media::directory::DirectoryDevice;
use planc::media::fault::{Fault, FaultDevice};
use planc::media::part::{self, PartWriter};
use planc::media::{Device, DeviceError};

use super::fixture::{
    Collect, Files, Piece, always, bytes, contents, ended, feed, header, memory, settings, write,
};

fn tree() -> Files {
    let file = |n: u64| {
        (
            format!("f{n}"),
            vec![Piece::Data(bytes(n, 400_000, n.is_multiple_of(2)))],
        )
    };
    (0..12).map(file).collect()
}

const ROLL: u64 = 1 << 20;

fn back_up(devices: &[Arc<dyn Device>]) -> Result<Vec<String>, DeviceError> {
    let mut written = write(&tree(), devices, settings(2), ROLL)?;
    let manifest = part::manifest(&mut written, header("p"), ended());
    let mut committed = Vec::new();
    for device in devices
        .iter()
        .filter(|d| written.devices.contains(&d.name().to_owned()))
    {
        if part::commit(&manifest, device.as_ref()).is_ok() {
            committed.push(device.name().to_owned());
        }
    }
    Ok(committed)
}

/// Every object that is visible is whole, and a manifest is only there when all packs are.
fn check_visible(device: &dyn Device) {
    for (name, _) in device.list("packs/").unwrap() {
        let hash = blake3::hash(&device.get(&name, None).unwrap());
        assert!(name.ends_with(hash.to_hex().as_str()), "{name} is partial");
    }
    if !device.list("parts/").unwrap().is_empty() {
        part::verify("p", device, &always).unwrap();
    }
}

fn sweep(fault: impl Fn(u64) -> Fault) {
    for call in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let inner: Arc<dyn Device> = Arc::new(DirectoryDevice::init("a", folder.path()).unwrap());
        let faulty = FaultDevice::new(Arc::clone(&inner), fault(call));
        let committed = back_up(&[Arc::new(faulty)]).unwrap_or_default();
        check_visible(inner.as_ref());
        let temps = std::fs::read_dir(folder.path().join("tmp")).map_or(0, Iterator::count);
        assert_eq!(temps, 0, "call {call} leaves something behind");
        let again = back_up(&[Arc::clone(&inner)]).unwrap();
        assert_eq!(again, ["a"], "after a fault at call {call} it works again");
        part::verify("p", inner.as_ref(), &always).unwrap();
        if committed == ["a"] {
            assert!(call > 10, "the faults were met");
            return;
        }
    }
}

#[test]
fn a_fault_at_any_call_leaves_nothing_partial() {
    sweep(Fault::Call);
}

#[test]
fn a_device_that_dies_at_any_call_leaves_nothing_partial() {
    sweep(Fault::From);
}

#[test]
fn a_device_that_dies_is_dropped_and_the_others_go_on() {
    for call in [1, 2, 3, 7, 9] {
        let devices = memory(&["a", "b"]);
        let faulty = FaultDevice::new(Arc::clone(&devices[1]), Fault::From(call));
        let both = [Arc::clone(&devices[0]), Arc::new(faulty) as Arc<dyn Device>];
        let mut written = write(&tree(), &both, settings(2), ROLL).unwrap();
        assert_eq!(written.devices, ["a"]);
        assert_eq!(written.lost.len(), 1, "call {call}");
        assert_eq!(written.lost[0].0, "b");
        let manifest = part::manifest(&mut written, header("p"), ended());
        part::commit(&manifest, devices[0].as_ref()).unwrap();
        part::verify("p", devices[0].as_ref(), &always).unwrap();
        check_visible(devices[1].as_ref());
    }
}

#[test]
fn a_full_device_says_that_it_is_full() {
    let devices = memory(&["a"]);
    let full = FaultDevice::new(Arc::clone(&devices[0]), Fault::Full(1_500_000));
    let answer = write(&tree(), &[Arc::new(full)], settings(2), ROLL);
    assert!(
        matches!(answer, Err(DeviceError::Full { .. })),
        "{answer:?}"
    );
    check_visible(devices[0].as_ref());
}

#[test]
fn a_manifest_that_reads_back_wrong_is_no_commit() {
    let devices = memory(&["a"]);
    let mut written = write(&tree(), &devices, settings(2), ROLL).unwrap();
    let manifest = part::manifest(&mut written, header("p"), ended());
    let object = "parts/p".to_owned();
    let liar = FaultDevice::new(Arc::clone(&devices[0]), Fault::Flip { object, bit: 900 });
    let error = part::commit(&manifest, &liar).unwrap_err().to_string();
    assert!(error.contains("reads back with other bytes"), "{error}");
    part::commit(&manifest, devices[0].as_ref()).unwrap();
}

#[test]
fn no_device_is_an_error() {
    assert!(write(&tree(), &[], settings(2), ROLL).is_err());
}

#[test]
fn cancelling_at_any_time_publishes_nothing_partial() {
    let most = tree().len() as u64 * 400_000;
    for share in 0..8 {
        let devices = memory(&["a"]);
        let limit = most * share / 7;
        let seen = AtomicU64::new(0);
        let progress = |done: u64| {
            assert!(
                done >= seen.fetch_max(done, Ordering::SeqCst),
                "progress never goes back"
            );
            done < limit
        };
        let writer = PartWriter::begin_rolling(&devices, settings(2), &progress, ROLL);
        let mut writer = writer.unwrap();
        if feed(&mut writer, &tree()).is_ok() {
            let end = writer.finish();
            assert!(end.is_ok() || matches!(end, Err(DeviceError::Cancelled)));
        } else {
            drop(writer);
        }
        check_visible(devices[0].as_ref());
    }
}

#[test]
fn a_holder_that_dies_during_restore_is_replaced() {
    let devices = memory(&["a", "b"]);
    back_up(&devices).unwrap();
    for call in 1..8 {
        let dying = FaultDevice::new(Arc::clone(&devices[0]), Fault::From(call));
        let holders = [Arc::new(dying) as Arc<dyn Device>, Arc::clone(&devices[1])];
        let mut session = Collect::default();
        part::restore("p", &holders, &mut session, &always).unwrap();
        assert_eq!(session.files, contents(&tree()), "call {call}");
    }
}

#[test]
fn a_slow_device_takes_the_smaller_share() {
    let devices = memory(&["a", "b"]);
    back_up(&devices).unwrap();
    let pause = std::time::Duration::from_millis(1);
    let slow = Arc::new(FaultDevice::new(
        Arc::clone(&devices[0]),
        Fault::Slow(pause),
    ));
    let quick = Arc::new(FaultDevice::new(Arc::clone(&devices[1]), Fault::None));
    let holders: [Arc<dyn Device>; 2] = [slow.clone(), quick.clone()];
    let mut session = Collect::default();
    part::restore("p", &holders, &mut session, &always).unwrap();
    assert_eq!(session.files, contents(&tree()));
    assert!(
        slow.calls() > 0 && quick.calls() > 0,
        "both devices are read"
    );
}

#[test]
fn a_throttle_holds_the_rate() {
    let mut slow = settings(2);
    slow.throttle = Some(8 << 20);
    let begun = std::time::Instant::now();
    write(&tree(), &memory(&["a"]), slow, ROLL).unwrap();
    // 4.8 MB at 8 MiB/s, less a burst of a quarter of a second
    assert!(begun.elapsed().as_millis() > 300, "{:?}", begun.elapsed());
}
