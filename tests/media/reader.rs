//! A reader that was made from the documentation of the format alone, without planc's code, reads
//! what planc stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use planc::engine::{Entry, EntryKind, PartSink};
use planc::media::directory::DirectoryDevice;
use planc::media::keyed::KeyedDevice;
use planc::media::keys::escrow;
use planc::media::part::{self, PartWriter, WriteSettings};
use planc::media::{Device, name};
use planc::resolve::plan::Codec;

use super::fixture::{Files, Piece};
use super::fixture::{always, bytes, contents, ended, entry, feed, header};

/// Runs the reader; it needs `python3` and `zstd`.
pub(super) fn reader(arguments: &[&Path]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/reader.py");
    for (tool, flag) in [("python3", "--version"), ("zstd", "--version")] {
        let there = Command::new(tool).arg(flag).output();
        assert!(
            there.is_ok(),
            "this test needs `{tool}`: install it (`tests/run` does)"
        );
    }
    let mut python = Command::new("python3");
    python.arg(program).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A tree whose longest file has `long` bytes.
fn tree(long: usize) -> Files {
    let file = |path: &str, pieces: Vec<Piece>| (path.to_owned(), pieces);
    vec![
        file("empty", vec![]),
        file("folder/text", vec![Piece::Data(bytes(1, long, false))]),
        file("folder/noise", vec![Piece::Data(bytes(2, 3000, true))]),
        file(
            "sparse",
            vec![
                Piece::Data(bytes(3, 1000, true)),
                Piece::Hole(30_000),
                Piece::Data(bytes(4, 500, false)),
                Piece::Hole(70),
            ],
        ),
        file("100%25", vec![Piece::Data(b"a percent sign".to_vec())]),
    ]
}

/// Stores the tree, a link and a hard link as a part of its own.
fn store(device: &Arc<dyn Device>, part: &str, codec: Codec, long: usize) {
    let settings = WriteSettings::new(codec);
    let devices = std::slice::from_ref(device);
    let mut writer = PartWriter::begin(devices, settings, &always).unwrap();
    feed(&mut writer, &tree(long)).unwrap();
    let target = |path: &str| path.to_owned();
    let links: [Entry; 2] = [
        entry(
            "link",
            EntryKind::Symlink {
                target: target("folder/text"),
            },
        ),
        entry(
            "again",
            EntryKind::Hardlink {
                target: target("folder/noise"),
            },
        ),
    ];
    for link in links {
        writer.entry(link).unwrap();
        writer.close().unwrap();
    }
    let manifest = part::manifest(&mut writer.finish().unwrap(), header(part), ended());
    part::commit(&manifest, device.as_ref()).unwrap();
}

struct Stored {
    folder: tempfile::TempDir,
    path: PathBuf,
    device: Arc<dyn Device>,
}

fn stored(codec: Codec, long: usize) -> Stored {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device");
    std::fs::create_dir(&path).unwrap();
    let device: Arc<dyn Device> = Arc::new(DirectoryDevice::init("a", &path).unwrap());
    store(&device, "p", codec, long);
    Stored {
        folder,
        path,
        device,
    }
}

fn check_restored(to: &Path, long: usize) {
    let wanted = contents(&tree(long));
    let read = |path: &String| {
        let file = path.replace("%25", "%");
        (path.clone(), std::fs::read(to.join(file)).unwrap())
    };
    let found: BTreeMap<_, _> = wanted.keys().map(read).collect();
    assert!(found == wanted, "the reader restores other bytes");
    let link = std::fs::read_link(to.join("link")).unwrap();
    assert_eq!(link, Path::new("folder/text"));
    assert_eq!(
        std::fs::read(to.join("again")).unwrap(),
        wanted["folder/noise"]
    );
    let time = std::fs::metadata(to.join("sparse"))
        .unwrap()
        .modified()
        .unwrap();
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!((since.as_secs(), since.subsec_nanos()), (1_700_000_000, 5));
}

#[test]
fn a_reader_made_from_the_documentation_restores_every_codec() {
    // the reader hashes slowly, so only one codec meets a file of more than one window
    let codecs = [
        (Codec::None, 9_000),
        (Codec::Lz4, 70_000),
        (Codec::Zstd(1), (1 << 20) + 5),
    ];
    for (codec, long) in codecs {
        let stored = stored(codec, long);
        let list = reader(&[&stored.path]);
        let object = name::manifest("p");
        assert!(
            text(&list.stdout).starts_with(&object),
            "{}",
            text(&list.stderr)
        );
        let to = stored.folder.path().join("restored");
        let answer = reader(&[&stored.path, Path::new(&object), &to]);
        assert!(
            answer.status.success(),
            "{codec:?}: {}",
            text(&answer.stderr)
        );
        check_restored(&to, long);
    }
}

#[test]
fn the_reader_notices_damage_and_finds_the_pack_that_was_written_again() {
    let stored = stored(Codec::Zstd(1), 9_000);
    let (pack, _) = stored.device.list("packs/").unwrap().remove(0);
    let mut bytes = stored.device.get(&pack, None).unwrap();
    bytes[64 + 60] ^= 1;
    std::fs::write(stored.path.join(&pack), bytes).unwrap();
    let manifest = name::manifest("p");
    let restore = |to: &str| {
        let to = stored.folder.path().join(to);
        reader(&[&stored.path, Path::new(&manifest), &to])
    };
    let answer = restore("first");
    assert!(!answer.status.success());
    assert!(
        text(&answer.stderr).contains("damaged"),
        "{}",
        text(&answer.stderr)
    );
    store(&stored.device, "p-2", Codec::Zstd(1), 9_000);
    assert!(restore("second").status.success());
    check_restored(&stored.folder.path().join("second"), 9_000);
}

#[test]
fn a_sealed_part_is_opened_with_stock_tools_and_a_key_file() {
    for (tool, flags) in [
        ("age", vec!["--version"]),
        ("python3", vec!["-c", "import cryptography"]),
    ] {
        let there = Command::new(tool).args(flags).output();
        assert!(
            there.is_ok_and(|output| output.status.success()),
            "this test needs `{tool}` and the package `cryptography` (`tests/run` installs them)"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("device")).unwrap();
    let (secret, _) = escrow::generate("2026-01-01", &[]);
    std::fs::write(path("key"), escrow::bytes(&secret)).unwrap();
    let device: Arc<dyn Device> = Arc::new(DirectoryDevice::init("a", &path("device")).unwrap());
    let keys = Arc::new(super::fixture::ring_of(&secret));
    let device: Arc<dyn Device> = Arc::new(KeyedDevice::new(device, keys));
    let tree = super::fixture::small();
    super::fixture::store_sealed(&tree, std::slice::from_ref(&device), "p", true);
    let manifest = name::manifest("p");
    let refused = reader(&[&path("device")]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("is sealed"));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/unseal.py");
    let mut python = Command::new("python3");
    python.args([
        &program,
        &path("device"),
        Path::new(&manifest),
        &path("key"),
        &path("plain"),
    ]);
    let opened = python.output().unwrap();
    assert!(opened.status.success(), "{}", text(&opened.stderr));
    let answer = reader(&[&path("plain"), Path::new(&manifest), &path("restored")]);
    assert!(answer.status.success(), "{}", text(&answer.stderr));
    for (name, content) in super::fixture::contents(&tree) {
        assert_eq!(
            std::fs::read(path("restored").join(&name)).unwrap(),
            content,
            "{name}"
        );
    }
}
