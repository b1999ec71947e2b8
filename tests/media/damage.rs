//! Whatever happens to the bytes of a copy is noticed, and another copy takes its place.

use std::sync::Arc;

use planc::catalog::{Catalog, Owner};
use planc::media::keyed::KeyedDevice;
use planc::media::memory::MemoryDevice;
use planc::media::part::Replaced;
use planc::media::sealed::{self, Kind};
use planc::media::{Device, DeviceError, log, name, part};

use super::fixture::{
    Collect, Contents, Files, Piece, always, bytes, contents, log_range, log_source, memory, ring,
    small, store, store_sealed,
};

/// Two devices with the same part and log; the first one is going to be damaged.
struct Pair {
    bad: MemoryDevice,
    holders: Vec<Arc<dyn Device>>,
    log: String,
    exact: Contents,
    sealed: bool,
}

impl Pair {
    fn new() -> Self {
        Self::of(false)
    }

    /// Plain copies, or sealed ones.
    fn of(sealed: bool) -> Self {
        let bad = MemoryDevice::new("bad");
        let mut holders: Vec<Arc<dyn Device>> = vec![Arc::new(bad.clone())];
        holders.extend(memory(&["good"]));
        if sealed {
            let ring = Arc::new(ring());
            let keyed = |device| Arc::new(KeyedDevice::new(device, Arc::clone(&ring)));
            holders = holders
                .into_iter()
                .map(|one| keyed(one) as Arc<dyn Device>)
                .collect();
        }
        store_sealed(&small(), &holders, "p", sealed);
        let range = log_range(3, 9, &[5; 100]);
        let mut records = holders.iter().map(|device| {
            let codec = planc::resolve::plan::Codec::Zstd(3);
            if sealed {
                return log::put_sealed(device.as_ref(), &log_source(), &range, codec, "k")
                    .unwrap();
            }
            log::put(device.as_ref(), &log_source(), &range, codec).unwrap()
        });
        let log = records.next().unwrap().log;
        assert_eq!(records.next().unwrap().log, log);
        Self {
            bad,
            holders,
            log,
            exact: contents(&small()),
            sealed,
        }
    }

    /// Verification of everything on the bad device.
    fn verify(&self) -> Result<u64, DeviceError> {
        let bad = self.holders[0].as_ref();
        let read = part::verify("p", bad, &always)?;
        Ok(read + log::verify(&self.log, bad)?)
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
            ) || matches!(answer, Err(DeviceError::Sealed { .. }) if self.sealed),
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
    flip(&Pair::new(), 1);
}

#[test]
fn every_fifth_bit_of_sealed_copies_counts() {
    flip(&Pair::of(true), 5);
}

/// All bits of sealed copies: takes minutes, for the campaign.
#[test]
#[ignore = "takes minutes"]
fn every_bit_of_sealed_copies_counts() {
    flip(&Pair::of(true), 1);
}

/// Flips bits `step` apart in every object, one at a time.
fn flip(pair: &Pair, step: usize) {
    pair.verify().unwrap();
    for (name, whole) in objects(&pair.bad) {
        for bit in (0..whole.len() * 8).step_by(step) {
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
    cut(&Pair::new());
}

#[test]
fn every_length_of_sealed_copies_counts() {
    cut(&Pair::of(true));
}

fn cut(pair: &Pair) {
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
    swap(&Pair::new());
}

#[test]
fn swapped_sealed_objects_are_noticed() {
    swap(&Pair::of(true));
}

fn swap(pair: &Pair) {
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
fn renamed_objects_are_noticed() {
    rename(&Pair::new());
}

#[test]
fn renamed_sealed_objects_are_noticed() {
    rename(&Pair::of(true));
}

/// An object that lies under another name of its kind is missed where it was, and is nothing where
/// it is.
fn rename(pair: &Pair) {
    for (name, whole) in objects(&pair.bad) {
        let other = another(&name);
        pair.bad.lose(&name);
        pair.bad.damage(&other, whole.clone());
        pair.check(&format!("{name} as {other}"));
        refuse(pair, &other);
        pair.bad.lose(&other);
        pair.bad.damage(&name, whole);
    }
    pair.verify().unwrap();
}

#[test]
fn duplicated_objects_are_noticed_and_do_no_harm() {
    duplicate(&Pair::new());
}

#[test]
fn duplicated_sealed_objects_are_noticed_and_do_no_harm() {
    duplicate(&Pair::of(true));
}

fn duplicate(pair: &Pair) {
    for (name, whole) in objects(&pair.bad) {
        let other = another(&name);
        pair.bad.damage(&other, whole);
        pair.verify().unwrap();
        let (files, replaced) = Pair::restore(&pair.holders[..1]).unwrap();
        assert_eq!((files, replaced), (pair.exact.clone(), vec![]));
        refuse(pair, &other);
        pair.bad.lose(&other);
    }
}

/// A name of the same kind: of another part, another pack, another place in the log.
fn another(name: &str) -> String {
    let (folder, last) = name.rsplit_once('/').unwrap();
    if let Some(part) = last.strip_suffix(name::MANIFEST) {
        format!("{folder}/{part}-2{}", name::MANIFEST)
    } else {
        let turned: String = last.chars().map(turn).collect();
        format!("{folder}/{turned}")
    }
}

fn turn(digit: char) -> char {
    match digit {
        '0' => '1',
        '1' => '0',
        other => other,
    }
}

/// What lies under this name is not what the name says, and whoever looks through the device says
/// so.
fn refuse(pair: &Pair, object: &str) {
    if object.starts_with(name::PACKS) {
        let hash = object.rsplit('/').next().unwrap();
        let bytes = pair.bad.get(object, None).unwrap();
        assert_ne!(blake3::hash(&bytes).to_hex().as_str(), hash);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner {
        plan: "plan".to_owned(),
        environment: "default".to_owned(),
    };
    let path = folder.path().join("catalog");
    let (_, problems) = Catalog::rebuild(&path, &pair.holders[..1], &owner).unwrap();
    let told = problems.iter().any(|problem| problem.contains(object));
    assert!(told, "{object}: {problems:?}");
}

#[test]
fn replayed_objects_are_noticed() {
    replay(false);
}

#[test]
fn replayed_sealed_objects_are_noticed() {
    replay(true);
}

/// Objects of another part and of another range, good in themselves, put in place of these.
fn replay(sealed: bool) {
    let (pair, other) = (Pair::of(sealed), Pair::of(sealed));
    let changed = vec![(
        "a".to_owned(),
        vec![super::fixture::Piece::Data(vec![9; 300])],
    )];
    let devices = &other.holders[..1];
    store_sealed(&changed, devices, "q", sealed);
    let range = log_range(9, 12, &[6; 50]);
    let codec = planc::resolve::plan::Codec::Zstd(3);
    if sealed {
        log::put_sealed(devices[0].as_ref(), &log_source(), &range, codec, "k").unwrap();
    } else {
        log::put(devices[0].as_ref(), &log_source(), &range, codec).unwrap();
    }
    let strange = objects(&other.bad);
    for (name, whole) in objects(&pair.bad) {
        for (from, bytes) in strange.iter().filter(|(_, bytes)| *bytes != whole) {
            pair.bad.damage(&name, bytes.clone());
            pair.check(&format!("{from} of another time as {name}"));
        }
        pair.bad.damage(&name, whole);
    }
    pair.verify().unwrap();
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
    // the first range is read from the first holder, and there is no more than that
    let (files, replaced) = Pair::restore(&pair.holders).unwrap();
    assert_eq!(files, pair.exact);
    let told = replaced.into_iter().next().unwrap();
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

/// Frames of equal length change places in a pack, each whole in itself.
#[test]
fn frames_in_the_place_of_others_are_replaced_from_a_good_copy() {
    let holders = memory(&["bad", "good"]);
    let file = |name: &str, seed| {
        (
            name.to_owned(),
            vec![Piece::Data(bytes(seed, 12 << 20, true))],
        )
    };
    let files: Files = vec![file("a", 1), file("b", 2)];
    let manifest = store(&files, &holders, "p");
    let frames = &manifest.frames;
    let half = frames.len() / 2;
    assert!(half > 4 && frames[0].pack == frames[half].pack);
    let pack = &manifest.packs[frames[0].pack as usize].name;
    let good = holders[1].get(pack, None).unwrap();
    let mut swapped = good.clone();
    let place = |number: usize| {
        let begin = usize::try_from(frames[number].offset).unwrap();
        begin..begin + frames[number].stored as usize
    };
    for number in 0..half {
        let (one, other) = (place(number), place(number + half));
        if frames[number + half].pack == frames[number].pack && one.len() == other.len() {
            swapped[one.clone()].copy_from_slice(&good[other.clone()]);
            swapped[other].copy_from_slice(&good[one]);
        }
    }
    assert_ne!(swapped, good);
    holders[0].delete(pack).unwrap();
    holders[0].put_if_absent(pack, &swapped).unwrap();
    let (found, replaced) = Pair::restore(&holders).expect("the other copy is good");
    assert_eq!(found, contents(&files));
    assert!(replaced.iter().all(|one| one.device == "bad" && one.sure));
    assert!(part::verify("p", holders[0].as_ref(), &always).is_err());
}

/// All of it has the hash of its trailer; only the length that stands there is another one.
#[test]
fn an_object_that_says_another_length_is_refused() {
    let holders = memory(&["one"]);
    store(&small(), &holders, "p");
    let mut bytes = holders[0].get(&name::manifest("p"), None).unwrap();
    let at = bytes.len() - sealed::TRAILER;
    sealed::open(Kind::Manifest, &bytes).unwrap();
    let longer = bytes.len() as u64 + 1;
    bytes[at..at + 8].copy_from_slice(&longer.to_le_bytes());
    let hash = blake3::hash(&bytes[..at + 8]);
    bytes[at + 8..at + 40].copy_from_slice(hash.as_bytes());
    let refused = sealed::open(Kind::Manifest, &bytes).unwrap_err();
    assert!(refused.contains("its trailer"), "{refused}");
}

#[test]
fn a_file_whose_frames_do_not_make_it_up_is_refused() {
    let holders = memory(&["one"]);
    let mut manifest = store(&small(), &holders, "p");
    manifest.header.part = "q".to_owned();
    let file = manifest.entries.iter_mut().find(|one| one.length > 0);
    let file = file.expect("a file");
    file.hash = Some(blake3::hash(b"another file"));
    part::commit(&manifest, holders[0].as_ref()).unwrap();
    let mut session = Collect::default();
    let error = part::restore("q", &holders, &mut session, &always).unwrap_err();
    assert!(
        error.to_string().contains("the hash of the manifest"),
        "{error}"
    );
}
