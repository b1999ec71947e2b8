//! Whatever happens to the bytes of a copy is noticed, and another copy takes its place.

use std::sync::Arc;

use planc::media::memory::MemoryDevice;
use planc::media::part::Replaced;
use planc::media::{Device, DeviceError, log, part};

use super::fixture::{
    Collect, Contents, always, contents, log_range, log_source, memory, small, store,
};

/// Two devices with the same part and log; the first one is going to be damaged.
struct Pair {
    bad: MemoryDevice,
    holders: Vec<Arc<dyn Device>>,
    log: String,
    exact: Contents,
}

impl Pair {
    fn new() -> Self {
        let bad = MemoryDevice::new("bad");
        let mut holders: Vec<Arc<dyn Device>> = vec![Arc::new(bad.clone())];
        holders.extend(memory(&["good"]));
        store(&small(), &holders, "p");
        let range = log_range(3, 9, &[5; 100]);
        let mut records = holders.iter().map(|device| {
            let codec = planc::resolve::plan::Codec::Zstd(3);
            log::put(device.as_ref(), &log_source(), &range, codec).unwrap()
        });
        let log = records.next().unwrap().log;
        assert_eq!(records.next().unwrap().log, log);
        Self {
            bad,
            holders,
            log,
            exact: contents(&small()),
        }
    }

    /// Verification of everything on the bad device.
    fn verify(&self) -> Result<u64, DeviceError> {
        let read = part::verify("p", &self.bad, &always)?;
        Ok(read + log::verify(&self.log, &self.bad)?)
    }

    fn restore(holders: &[Arc<dyn Device>]) -> Option<(Contents, Vec<Replaced>)> {
        let mut session = Collect::default();
        let restored = part::restore("p", holders, &mut session, &always);
        restored.ok().map(|(_, replaced)| (session.files, replaced))
    }

    /// With the good copy at hand the content is exact; alone it is exact or refused.
    fn check(&self, what: &str) {
        let answer = self.verify();
        assert!(
            matches!(
                answer,
                Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. })
            ),
            "{what}: {answer:?}"
        );
        let (files, _) = Self::restore(&self.holders).unwrap_or_else(|| panic!("{what}"));
        assert_eq!(files, self.exact, "{what}");
        if let Some((files, _)) = Self::restore(&self.holders[..1]) {
            assert_eq!(files, self.exact, "{what}: wrong bytes from one device");
        }
        let (_, range, _) = log::get(&self.log, &self.holders).unwrap();
        assert_eq!(range, log_range(3, 9, &[5; 100]), "{what}");
        if let Ok((_, range, _)) = log::get(&self.log, &self.holders[..1]) {
            assert_eq!(range, log_range(3, 9, &[5; 100]), "{what}");
        }
    }
}

fn objects(device: &dyn Device) -> Vec<(String, Vec<u8>)> {
    let names = device.list("").unwrap().into_iter();
    names
        .map(|(name, _)| {
            let bytes = device.get(&name, None).unwrap();
            (name, bytes)
        })
        .collect()
}

#[test]
fn every_bit_counts() {
    let pair = Pair::new();
    pair.verify().unwrap();
    for (name, whole) in objects(&pair.bad) {
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            pair.bad.damage(&name, bytes);
            pair.check(&format!("bit {bit} of {name}"));
        }
        pair.bad.damage(&name, whole);
    }
    pair.verify().unwrap();
}

#[test]
fn every_length_counts() {
    let pair = Pair::new();
    for (name, whole) in objects(&pair.bad) {
        for length in 0..whole.len() {
            pair.bad.damage(&name, whole[..length].to_vec());
            pair.check(&format!("{length} bytes of {name}"));
        }
        pair.bad.damage(&name, [whole.as_slice(), b"x"].concat());
        pair.check(&format!("a longer {name}"));
        pair.bad.lose(&name);
        pair.check(&format!("a lost {name}"));
        pair.bad.damage(&name, whole);
    }
}

#[test]
fn swapped_objects_are_noticed() {
    let pair = Pair::new();
    let objects = objects(&pair.bad);
    for (name, whole) in &objects {
        for (_, other) in objects.iter().filter(|(other, _)| other != name) {
            pair.bad.damage(name, other.clone());
            pair.check(&format!("another object as {name}"));
        }
        pair.bad.damage(name, whole.clone());
    }
}

#[test]
fn what_was_replaced_is_told() {
    let pair = Pair::new();
    let (name, mut bytes) = objects(&pair.bad)
        .into_iter()
        .find(|o| o.0.contains("pack"))
        .unwrap();
    bytes[64 + 60] ^= 1;
    pair.bad.damage(&name, bytes);
    // either device may be asked first, so ask until the damaged one was
    let told = (0..200).find_map(|_| {
        let (files, replaced) = Pair::restore(&pair.holders).unwrap();
        assert_eq!(files, pair.exact);
        replaced.into_iter().next()
    });
    let told = told.unwrap();
    assert_eq!((told.device.as_str(), told.by.as_str()), ("bad", "good"));
    assert_eq!(told.object, name);
    assert!(told.cause.contains("damaged"), "{}", told.cause);
}

#[test]
fn a_copy_is_taken_from_what_is_intact() {
    let pair = Pair::new();
    let clean = objects(pair.holders[1].as_ref());
    for (name, whole) in objects(&pair.bad) {
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            pair.bad.damage(&name, bytes);
            let to = MemoryDevice::new("to");
            part::copy("p", &pair.holders, &to, &always).unwrap();
            log::copy(&pair.log, &pair.holders, &to).unwrap();
            assert_eq!(objects(&to), clean, "byte {at} of {name}");
        }
        pair.bad.damage(&name, whole);
    }
}

#[test]
fn a_damaged_pack_does_not_stand_in_the_way_of_a_good_one() {
    let pair = Pair::new();
    let of_bad = |name: &str| pair.bad.list(name).unwrap();
    let (name, length) = of_bad("packs/").remove(0);
    let rubbish = vec![7; usize::try_from(length).unwrap()];
    for (round, names) in [(1, 2), (2, 3)] {
        let (last, _) = of_bad("packs/").pop().unwrap();
        pair.bad.damage(&last, rubbish.clone());
        pair.check(&format!("round {round}"));
        // written again from its source, or copied from another device
        if round == 1 {
            store(&small(), &[Arc::new(pair.bad.clone())], "p");
        } else {
            part::copy("p", &pair.holders, &pair.bad, &always).unwrap();
        }
        assert_eq!(of_bad("packs/").len(), names);
        assert_eq!(
            pair.bad.get(&name, None).unwrap(),
            rubbish,
            "nothing is overwritten"
        );
        pair.verify().unwrap();
        let (files, replaced) = Pair::restore(&pair.holders[..1]).unwrap();
        assert_eq!((files, replaced), (pair.exact.clone(), vec![]));
    }
    store(&small(), &[Arc::new(pair.bad.clone())], "p-2");
    assert_eq!(
        of_bad("packs/").len(),
        3,
        "a good object is not written again"
    );
    part::verify("p-2", &pair.bad, &always).unwrap();
}
