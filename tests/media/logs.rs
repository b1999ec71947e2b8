//! Log objects: stored once, in order, and never two different ones from one place.

use std::sync::Arc;

use planc::media::memory::MemoryDevice;
use planc::media::{Device, DeviceError, log};
use planc::resolve::plan::Codec;

use super::fixture::{log_range, log_source, memory};

const ZSTD: Codec = Codec::Zstd(3);

#[test]
fn a_range_comes_back() {
    let devices = memory(&["a"]);
    let range = log_range(0, 7, &b"transaction ".repeat(5000));
    for codec in [Codec::None, Codec::Lz4, ZSTD] {
        let record = log::put(devices[0].as_ref(), &log_source(), &range, codec).unwrap();
        assert_eq!(record.bytes, 60_000);
        let (found, back, replaced) = log::get(&record.log, &devices).unwrap();
        assert_eq!((found, back, replaced), (record, range.clone(), vec![]));
    }
    assert_eq!(
        devices[0].list("logs/").unwrap().len(),
        1,
        "one content is one object"
    );
}

#[test]
fn another_range_from_the_same_place_is_refused() {
    let device = MemoryDevice::new("a");
    log::put(&device, &log_source(), &log_range(5, 9, b"one"), ZSTD).unwrap();
    for other in [log_range(5, 9, b"two"), log_range(5, 8, b"one")] {
        let answer = log::put(&device, &log_source(), &other, ZSTD);
        assert!(
            matches!(answer, Err(DeviceError::Different { .. })),
            "{answer:?}"
        );
    }
}

#[test]
fn names_are_in_the_order_of_the_log() {
    let device = MemoryDevice::new("a");
    let begins = [0, 9, 10, 99, 1000, u64::MAX - 1];
    for from in begins {
        let range = log_range(from, from + 1, &from.to_le_bytes());
        log::put(&device, &log_source(), &range, ZSTD).unwrap();
    }
    let names = device.list("logs/service/").unwrap().into_iter();
    let order: Vec<u64> = names
        .map(|(name, _)| name.rsplit('/').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(order, begins);
}

#[test]
fn an_unknown_id_is_not_found() {
    for id in [
        "",
        "x",
        "service.0123456789abcdef.5.0123456789abcdef",
        "../../x.y.1.z",
    ] {
        let answer = log::get(id, &memory(&["a"]));
        assert!(matches!(answer, Err(DeviceError::NotFound { .. })), "{id}");
    }
}

#[test]
fn a_damaged_object_blocks_nothing_and_stays_as_it_is() {
    let device = MemoryDevice::new("a");
    let range = log_range(5, 9, b"one");
    let put = || log::put(&device, &log_source(), &range, ZSTD);
    let record = put().unwrap();
    let name = device.list("logs/").unwrap()[0].0.clone();
    for (number, damage) in [(1, &b"nonsense"[..]), (2, b"")] {
        let newest = device.list("logs/").unwrap().pop().unwrap().0;
        device.damage(&newest, damage.to_vec());
        let verified = log::verify(&record.log, &device);
        assert!(
            matches!(verified, Err(DeviceError::Damaged { .. })),
            "{verified:?}"
        );
        assert_eq!(put().unwrap(), record);
        assert_eq!(device.list("logs/").unwrap().len(), number + 1);
        log::verify(&record.log, &device).unwrap();
        assert_eq!(log::read_payload(&device, &name).unwrap(), range.payload);
    }
    assert_eq!(device.get(&name, None).unwrap(), b"nonsense");
    let other = log::put(&device, &log_source(), &log_range(5, 9, b"two"), ZSTD);
    assert!(
        matches!(other, Err(DeviceError::Different { .. })),
        "{other:?}"
    );
    let devices: Vec<Arc<dyn Device>> = vec![Arc::new(device)];
    assert_eq!(log::get(&record.log, &devices).unwrap().1, range);
}
