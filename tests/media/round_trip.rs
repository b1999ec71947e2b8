//! What is written comes back, whatever the tree, the devices and the number of threads.

use std::sync::Arc;

use planc::media::{Device, part};
use proptest::prelude::*;

use super::fixture::{
    Collect, Files, Piece, always, bytes, contents, memory, settings, store, write,
};

const MIB: usize = 1 << 20;

fn data(seed: u64, length: usize) -> Piece {
    Piece::Data(bytes(seed, length, seed.is_multiple_of(2)))
}

/// Every edge of windows and frames that is known to matter.
fn edges() -> Files {
    let file = |name: &str, pieces: Vec<Piece>| (name.to_owned(), pieces);
    let mut files = vec![
        file("empty", vec![]),
        file("tiny", vec![data(1, 1)]),
        file("one-frame", vec![data(2, MIB)]),
        file("frame-and-one", vec![data(3, MIB + 1)]),
        file("frames", vec![data(4, 3 * MIB)]),
        file("odd", vec![data(5, 2 * MIB + 77)]),
        file("hole", vec![Piece::Hole(3_000_000)]),
        file("hole-first", vec![Piece::Hole(5000), data(6, 10)]),
        file("hole-last", vec![data(7, 10), Piece::Hole(5 << 20)]),
        file(
            "islands",
            vec![
                data(8, 10),
                Piece::Hole(100),
                data(9, MIB),
                Piece::Hole(MIB as u64),
            ],
        ),
        file("two-reads", vec![data(10, 700_000), data(11, 700_000)]),
        file(
            "hole-to-edge",
            vec![data(12, 10), Piece::Hole(MIB as u64 - 10), data(13, 5)],
        ),
    ];
    files.extend((0..300).map(|n| {
        file(
            &format!("small-{n}"),
            vec![data(n, 100 * usize::try_from(n).unwrap())],
        )
    }));
    files
}

fn restored(part_id: &str, holders: &[Arc<dyn Device>]) -> Collect {
    let mut session = Collect::default();
    let (_, replaced) = part::restore(part_id, holders, &mut session, &always).unwrap();
    assert_eq!(replaced, []);
    assert!(session.finished);
    session
}

#[test]
fn edges_come_back() {
    let files = edges();
    let devices = memory(&["a", "b"]);
    let manifest = store(&files, &devices, "p");
    assert_eq!(manifest.entries.len(), files.len() + 1);
    for holders in [&devices[..1], &devices[1..], &devices[..]] {
        let session = restored("p", holders);
        assert_eq!(session.files, contents(&files));
        assert_eq!(session.folders, ["folder"]);
    }
    for device in &devices {
        let read = part::verify("p", device.as_ref(), &always).unwrap();
        let all: u64 = device.list("").unwrap().iter().map(|(_, size)| size).sum();
        assert_eq!(read, all);
    }
}

#[test]
fn the_hash_of_a_file_depends_on_its_content_alone() {
    let one = vec![("x".to_owned(), vec![data(1, 3 * MIB + 5)])];
    let other = vec![
        ("before".to_owned(), vec![data(9, 12345)]),
        ("x".to_owned(), vec![data(1, 3 * MIB + 5)]),
    ];
    let hash = |files: &Files| {
        let manifest = store(files, &memory(&["a"]), "p");
        manifest.entries.last().unwrap().hash
    };
    assert_eq!(hash(&one), hash(&other));
    let zeros = vec![("x".to_owned(), vec![Piece::Data(vec![0; 2 * MIB + 3])])];
    let hole = vec![("x".to_owned(), vec![Piece::Hole(2 * MIB as u64 + 3)])];
    assert_eq!(hash(&zeros), hash(&hole));
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let files = edges();
    let pack_names = |threads: usize| {
        let devices = memory(&["a"]);
        let written = write(&files, &devices, settings(threads), 2 << 20).unwrap();
        let names: Vec<_> = devices[0].list("packs/").unwrap();
        assert!(names.len() > 2, "the packs roll over");
        assert_eq!(names.len(), written.packs.len());
        (written.packs, written.frames, written.entries)
    };
    let one = pack_names(1);
    for threads in [2, 3, 8] {
        assert_eq!(pack_names(threads), one);
    }
}

#[test]
fn a_copy_is_the_same_part() {
    let files = edges();
    let from = memory(&["a", "b"]);
    let to = memory(&["c"]);
    let manifest = store(&files, &from, "p");
    let (written, replaced) = part::copy("p", &from, to[0].as_ref(), &always).unwrap();
    assert_eq!(replaced, []);
    assert_eq!(to[0].list("").unwrap(), from[0].list("").unwrap());
    let all: u64 = to[0].list("").unwrap().iter().map(|(_, size)| size).sum();
    assert_eq!(written, all);
    assert_eq!(part::load(to[0].as_ref(), "p").unwrap(), manifest);
    assert_eq!(restored("p", &to).files, contents(&files));
    part::copy("p", &from, to[0].as_ref(), &always).unwrap();
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let length = prop_oneof![0..20_usize, 0..5000_usize, 900_000..2_500_000_usize];
    let piece = prop_oneof![
        4 => (any::<u64>(), length).prop_map(|(seed, length)| data(seed, length)),
        1 => (0..4_000_000_u64).prop_map(Piece::Hole),
    ];
    prop::collection::vec(piece, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_comes_back(trees in prop::collection::vec(pieces(), 0..12), two in any::<bool>()) {
        let files: Files = trees
            .into_iter()
            .enumerate()
            .map(|(number, pieces)| (format!("file-{number:03}"), pieces))
            .collect();
        let devices = memory(if two { &["a", "b"] } else { &["a"] });
        store(&files, &devices, "p");
        for device in &devices {
            part::verify("p", device.as_ref(), &always).unwrap();
        }
        prop_assert_eq!(restored("p", &devices).files, contents(&files));
    }
}
