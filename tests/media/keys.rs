//! Sealed copies: who can write them, who can open them, and what a change of keys adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use age::secrecy::SecretString;
use planc::media::keyed::KeyedDevice;
use planc::media::keys::{Keyring, escrow, rewrap};
use planc::media::memory::MemoryDevice;
use planc::media::part;
use planc::media::{Device, DeviceError, log, name};
use planc::resolve::plan::Codec;

use super::fixture::{
    Collect, Piece, always, bytes, contents, log_range, log_source, ring_of, small, store_sealed,
};

fn keyed(device: &MemoryDevice, text: &SecretString) -> Arc<dyn Device> {
    let keys = Arc::new(ring_of(text));
    Arc::new(KeyedDevice::new(Arc::new(device.clone()), keys))
}

fn new_key() -> (SecretString, SecretString) {
    let (secret, public) = escrow::generate("2026-01-01", &[]);
    (secret, public.into())
}

fn restored(device: &Arc<dyn Device>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut session = Collect::default();
    let done = part::restore("p", std::slice::from_ref(device), &mut session, &always);
    done.map(|_| session.files)
        .map_err(|error| error.to_string())
}

#[test]
fn a_public_half_writes_what_only_the_secret_half_reads() {
    let (secret, public) = new_key();
    let memory = MemoryDevice::new("a");
    let (writer, reader) = (keyed(&memory, &public), keyed(&memory, &secret));
    let manifest = store_sealed(&small(), std::slice::from_ref(&writer), "p", true);
    part::commit(&manifest, writer.as_ref()).expect("again, with equal bytes");
    let range = log_range(3, 9, &[5; 100]);
    let put = || log::put_sealed(writer.as_ref(), &log_source(), &range, Codec::Zstd(3), "k");
    let record = put().unwrap();
    assert_eq!(put().unwrap().log, record.log, "pushing again is harmless");
    let other = log_range(3, 9, &[6; 100]);
    let answer = log::put_sealed(writer.as_ref(), &log_source(), &other, Codec::Zstd(3), "k");
    assert!(matches!(answer, Err(DeviceError::Different { .. })));

    let refused = part::load(writer.as_ref(), "p").unwrap_err();
    assert!(matches!(refused, DeviceError::Sealed { .. }), "{refused}");
    assert!(refused.to_string().contains("public half of `k`"));
    assert!(restored(&writer).is_err());
    assert_eq!(restored(&reader).unwrap(), contents(&small()));
    part::verify("p", reader.as_ref(), &always).unwrap();
    let holders = [reader];
    assert_eq!(log::get(&record.log, &holders).unwrap().1, range);
}

#[test]
fn a_part_of_many_packs_is_sealed_pack_by_pack() {
    let (secret, _) = new_key();
    let memory = MemoryDevice::new("a");
    let device = keyed(&memory, &secret);
    let files = vec![("f".to_owned(), vec![Piece::Data(bytes(1, 7 << 20, true))])];
    let seal = device.keys().seal("k", "p", "run-1").unwrap();
    let devices = std::slice::from_ref(&device);
    let settings = super::fixture::settings(2);
    let mut writer =
        part::PartWriter::begin_sealed(devices, settings, Some(seal), &always, 3 << 20).unwrap();
    super::fixture::feed(&mut writer, &files).unwrap();
    let mut written = writer.finish().unwrap();
    assert!(written.packs.len() >= 3, "{}", written.packs.len());
    assert!(written.packs.iter().all(|pack| pack.length <= 3 << 20));
    let manifest = part::manifest(
        &mut written,
        super::fixture::header("p"),
        super::fixture::ended(),
    );
    part::commit(&manifest, device.as_ref()).unwrap();
    assert_eq!(restored(&device).unwrap(), contents(&files));
    let copied = MemoryDevice::new("b");
    let target = keyed(&copied, &secret);
    part::copy("p", devices, target.as_ref(), &always).unwrap();
    assert_eq!(memory.list("").unwrap(), copied.list("").unwrap());
    part::verify("p", target.as_ref(), &always).unwrap();
}

#[test]
fn nothing_readable_stands_on_the_device() {
    let (secret, _) = new_key();
    let memory = MemoryDevice::new("a");
    let device = keyed(&memory, &secret);
    let word = b"a word that must not be read".repeat(40);
    let files = vec![("name-of-a-file".to_owned(), vec![Piece::Data(word.clone())])];
    let seal = device.keys().seal("k", "p", "run-1").unwrap();
    let devices = std::slice::from_ref(&device);
    let plain = planc::media::part::WriteSettings::new(Codec::None);
    let mut writer =
        part::PartWriter::begin_sealed(devices, plain, Some(seal), &always, 1 << 30).unwrap();
    super::fixture::feed(&mut writer, &files).unwrap();
    let mut written = writer.finish().unwrap();
    let manifest = part::manifest(
        &mut written,
        super::fixture::header("p"),
        super::fixture::ended(),
    );
    part::commit(&manifest, device.as_ref()).unwrap();
    let range = log_range(3, 9, &word);
    log::put_sealed(device.as_ref(), &log_source(), &range, Codec::None, "k").unwrap();
    for (object, _) in memory.list("").unwrap() {
        let bytes = memory.get(&object, None).unwrap();
        for secret in [&b"a word that"[..], b"name-of-a-file", b"service/files"] {
            let found = bytes.windows(secret.len()).any(|piece| piece == secret);
            assert!(!found, "{object}: {}", String::from_utf8_lossy(secret));
        }
    }
}

#[test]
fn a_new_key_opens_old_copies_after_a_rewrap_that_edits_nothing() {
    let ((old, _), (new, _)) = (new_key(), new_key());
    let memory = MemoryDevice::new("a");
    let device = keyed(&memory, &old);
    store_sealed(&small(), std::slice::from_ref(&device), "p", true);
    let range = log_range(3, 9, &[5; 100]);
    let log = log::put_sealed(device.as_ref(), &log_source(), &range, Codec::Zstd(3), "k");
    let log = log.unwrap().log;
    let before: Vec<_> = memory.list("").unwrap();
    let text = |secret: &SecretString| String::from_utf8(escrow::bytes(secret).to_vec()).unwrap();
    let both = SecretString::from(format!("{}# former\n{}", text(&new), text(&old)));
    let rotated = ring_of(&both);
    let key = rotated.key("k").unwrap();

    let done = rewrap::rewrap(&memory, key).unwrap();
    assert_eq!((done.added, done.known, done.closed.len()), (2, 0, 0));
    let done = rewrap::rewrap(&memory, key).unwrap();
    assert_eq!((done.added, done.known), (0, 2), "once is enough");
    let after: Vec<_> = memory.list("").unwrap();
    assert!(before.iter().all(|object| after.contains(object)));
    assert_eq!(after.len(), before.len() + 1);

    let device = keyed(&memory, &new);
    assert_eq!(restored(&device).unwrap(), contents(&small()));
    part::verify("p", device.as_ref(), &always).unwrap();
    assert_eq!(log::get(&log, &[device]).unwrap().1, range);
    let stranger = keyed(&memory, &new_key().0);
    assert!(matches!(
        part::load(stranger.as_ref(), "p"),
        Err(DeviceError::Sealed { .. })
    ));
}

#[test]
fn damage_keeps_no_other_set_from_being_wrapped() {
    let ((old, _), (new, _)) = (new_key(), new_key());
    let memory = MemoryDevice::new("a");
    let device = keyed(&memory, &old);
    for part in ["p", "q"] {
        store_sealed(&small(), std::slice::from_ref(&device), part, true);
    }
    memory.damage(&name::manifest("q"), Vec::new());
    let text = |secret: &SecretString| String::from_utf8(escrow::bytes(secret).to_vec()).unwrap();
    let both = SecretString::from(format!("{}# former\n{}", text(&new), text(&old)));
    let done = rewrap::rewrap(&memory, ring_of(&both).key("k").unwrap()).unwrap();
    assert_eq!((done.added, done.damaged.len()), (1, 1), "{done:?}");
    assert!(done.damaged[0].contains("parts/q"), "{done:?}");
    part::verify("p", keyed(&memory, &new).as_ref(), &always).unwrap();
}

#[test]
fn a_set_under_the_name_of_another_is_refused() {
    let (secret, _) = new_key();
    let memory = MemoryDevice::new("a");
    let device = keyed(&memory, &secret);
    for part in ["p", "q"] {
        store_sealed(&small(), std::slice::from_ref(&device), part, true);
    }
    let old = memory.get(&name::manifest("q"), None).unwrap();
    memory.damage(&name::manifest("p"), old);
    let answer = part::load(device.as_ref(), "p");
    assert!(
        matches!(answer, Err(DeviceError::Damaged { .. })),
        "{answer:?}"
    );
}

#[test]
fn a_host_without_keys_says_so() {
    let (secret, _) = new_key();
    let memory = MemoryDevice::new("a");
    store_sealed(&small(), &[keyed(&memory, &secret)], "p", true);
    let error = part::load(&memory, "p").unwrap_err();
    assert!(
        error.to_string().contains("sealed for other keys"),
        "{error}"
    );
    assert!(error.help().contains("escrow"));
    assert!(Keyring::empty().seal("k", "p", "r").is_err());
}
