//! Tests of the engine for trees of files.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use planc::engine::entry::encode;
use planc::engine::memory::{MemoryLog, MemoryPart, StoredEntry};
use planc::engine::{EndedBackup, Engine, EngineError, Entry, EntryKind, PartSink};
use planc::facts::holdings::Method;
use planc::graph::step::RecoveryTarget;
use planc::resolve::plan::EngineKind;
use proptest::prelude::*;
use rustix::fs::{Mode, OFlags};

use super::support::{Database, archive, at, full, notes, restore, spec};

fn engine(root: &Path, state: &Path) -> Box<dyn Engine> {
    planc::engine::open(&spec(EngineKind::Files, root, state)).unwrap()
}

/// All that must come back: names, kinds, modes, times, content, link targets.
pub(crate) fn picture(root: &Path) -> String {
    let mut lines = Vec::new();
    for found in walkdir::WalkDir::new(root).sort_by_file_name() {
        let found = found.unwrap();
        let meta = found.path().symlink_metadata().unwrap();
        let name = found
            .path()
            .strip_prefix(root)
            .unwrap()
            .as_os_str()
            .as_bytes();
        let content = if meta.is_file() {
            blake3::hash(&fs::read(found.path()).unwrap()).to_string()
        } else if meta.is_symlink() {
            encode(fs::read_link(found.path()).unwrap().as_os_str().as_bytes())
        } else {
            String::new()
        };
        let time = (meta.mtime(), meta.mtime_nsec());
        lines.push(format!(
            "{} {:o} {time:?} {content}",
            encode(name),
            meta.mode()
        ));
    }
    lines.join("\n")
}

#[test]
fn a_path_that_is_too_long_is_left_out_and_named_without_control_of_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("near"), "here").unwrap();
    // made from within: no path leads to the last one
    let mut place = rustix::fs::open(&root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let names = std::iter::repeat_n("d".repeat(200), 22);
    for name in std::iter::once("red\u{1b}[31m".to_owned()).chain(names) {
        rustix::fs::mkdirat(&place, &name, Mode::RWXU).unwrap();
        place = rustix::fs::openat(&place, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let flags = OFlags::CREATE | OFlags::WRONLY;
    drop(rustix::fs::openat(&place, "far", flags, Mode::RWXU).unwrap());
    let source = engine(&root, folder.path());
    let (part, ended) = full(source.as_ref(), 1);
    assert!(part.entries.iter().any(|one| one.entry.path == "near"));
    assert!(
        !part
            .entries
            .iter()
            .any(|one| one.entry.path.ends_with("far"))
    );
    let [told] = ended.warnings.as_slice() else {
        panic!("{:?}", ended.warnings);
    };
    assert!(told.contains("longer path than the system takes"), "{told}");
    assert!(
        told.len() < 600 && !told.chars().any(char::is_control),
        "{told}"
    );
    let refused = EngineError::io("list", root.join("red\u{1b}[31m"))(std::io::Error::other("no"));
    assert!(refused.to_string().contains("red\\u{1b}[31m"), "{refused}");
}

#[test]
fn everything_a_tree_has_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("a/b/text"), "hello").unwrap();
    fs::write(root.join("a/nothing"), "").unwrap();
    fs::hard_link(root.join("a/b/text"), root.join("second-name")).unwrap();
    symlink("../outside", root.join("a/link")).unwrap();
    symlink("/nowhere", root.join("dangling")).unwrap();
    fs::write(
        root.join(std::ffi::OsStr::from_bytes(b"odd \xff % name")),
        "x",
    )
    .unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::set_permissions(root.join("a/nothing"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o550)).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o2750)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(&root).unwrap().set_modified(time).unwrap();
    let engine = engine(&root, &folder.path().join("state"));
    let copy = full(engine.as_ref(), 0);
    assert_eq!(copy.1.warnings, Vec::<String>::new());
    let (_staging, session) =
        restore(engine.as_ref(), &copy, &[], &RecoveryTarget::Backup).unwrap();
    assert_eq!(picture(&session.result()), picture(&root));
    let inode = |name: &str| fs::metadata(session.result().join(name)).unwrap().ino();
    assert_eq!(inode("a/b/text"), inode("second-name"));
}

/// A part in memory; before its entry `link` comes, two names are given to another file.
struct Meddled {
    part: MemoryPart,
    root: std::path::PathBuf,
}

impl PartSink for Meddled {
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
        if entry.path == "link" {
            let [one, two] = ["x", "y"].map(|name| self.root.join(name));
            for name in ["a", "b", "x", "y"] {
                fs::remove_file(self.root.join(name)).unwrap();
            }
            fs::write(&one, "new").unwrap();
            fs::hard_link(one, two).unwrap();
        }
        self.part.entry(entry)
    }

    fn read_from(&mut self, from: &mut dyn Read, most: u64, at: &Path) -> Result<u64, EngineError> {
        self.part.read_from(from, most, at)
    }

    fn hole(&mut self, length: u64) -> Result<(), EngineError> {
        self.part.hole(length)
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.part.close()
    }
}

#[test]
fn a_file_that_got_the_number_of_a_deleted_one_is_no_further_name_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir(&root).unwrap();
    for name in ["a", "x", "y"] {
        fs::write(root.join(name), "old").unwrap();
    }
    fs::hard_link(root.join("a"), root.join("b")).unwrap();
    symlink("a", root.join("link")).unwrap();
    let engine = engine(&root, &folder.path().join("state"));
    let mut session = engine.begin("c", Method::PhysicalFull, at(0)).unwrap();
    let part = MemoryPart::default();
    let mut meddled = Meddled { part, root };
    session.copy(&mut meddled).unwrap();
    let part = meddled.part;
    let target = |name: &str| match &part.find(name).unwrap().entry.kind {
        EntryKind::Hardlink { target } => target.clone(),
        _ => String::new(),
    };
    // most file systems give the lowest number that is free
    assert_eq!(target("b"), "a");
    assert_eq!(part.find("x").unwrap().pieces, [(0, b"new".to_vec())]);
    assert_eq!(target("y"), "x");
}

#[test]
fn an_empty_folder_in_the_place_of_the_tree_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (root, away) = (folder.path().join("data"), folder.path().join("away"));
    fs::create_dir(&root).unwrap();
    let engine = engine(&root, &folder.path().join("state"));
    let first = engine
        .identity()
        .expect("a tree that is empty from the start");
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    let refused = engine.identity().unwrap_err().to_string();
    assert!(refused.contains("mount what belongs there"), "{refused}");
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert_eq!(engine.identity().unwrap(), first);
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "x").unwrap();
    assert_ne!(engine.identity().unwrap(), first, "another tree");
}

/// An access list in which the owner reads and writes, and one more user reads.
const LIST: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 210, 4, 0, 0, 4, 0, 4, 0, 255, 255,
    255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

#[test]
fn access_lists_and_extended_attributes_come_back_as_the_newest_copy_has_them() {
    use rustix::fs::{XattrFlags, getxattr, removexattr, setxattr};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("file"), "x").unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        setxattr(path, name, value, XattrFlags::empty()).expect("a file system with attributes");
    };
    let get = |path: &Path, name: &str| {
        let mut room = [0; 100];
        let length = getxattr(path, name, &mut room);
        length.ok().map(|length| room[..length].to_vec())
    };
    set(&root, "user.root", b"r");
    set(&root.join("sub"), "user.odd", b"\xff\0%");
    set(&root.join("file"), "user.old", b"old");
    let engine = engine(&root, &folder.path().join("state"));
    let first = full(engine.as_ref(), 0);
    removexattr(root.join("file"), "user.old").unwrap();
    set(&root.join("file"), "system.posix_acl_access", &LIST);
    let second = full(engine.as_ref(), 1);
    for (copy, listed) in [(first, false), (second, true)] {
        let until = RecoveryTarget::Backup;
        let (_staging, session) = restore(engine.as_ref(), &copy, &[], &until).unwrap();
        assert_eq!(session.warnings(), [] as [String; 0]);
        let there = |name: &str| session.result().join(name);
        let file = there("file");
        assert_eq!(get(&session.result(), "user.root").unwrap(), b"r");
        assert_eq!(get(&there("sub"), "user.odd").unwrap(), b"\xff\0%");
        assert_eq!(get(&file, "user.old").is_some(), !listed);
        let list = get(&file, "system.posix_acl_access");
        assert_eq!(list, listed.then(|| LIST.to_vec()));
    }
}

#[test]
fn holes_stay_holes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir(&root).unwrap();
    let mut file = fs::File::create(root.join("sparse")).unwrap();
    file.seek(SeekFrom::Start(8 << 20)).unwrap();
    file.write_all(b"island").unwrap();
    file.set_len(64 << 20).unwrap();
    drop(file);
    let engine = engine(&root, &folder.path().join("state"));
    let copy = full(engine.as_ref(), 0);
    let stored = copy.0.find("sparse").unwrap();
    let data: usize = stored.pieces.iter().map(|piece| piece.1.len()).sum();
    assert!(data < 1 << 20, "{data} bytes were read");
    let (_staging, session) =
        restore(engine.as_ref(), &copy, &[], &RecoveryTarget::Backup).unwrap();
    let restored = fs::metadata(session.result().join("sparse")).unwrap();
    assert_eq!(restored.len(), 64 << 20);
    assert!(restored.blocks() * 512 < 1 << 20);
    assert_eq!(picture(&session.result()), picture(&root));
}

#[test]
fn a_database_that_is_a_service_of_its_own_is_left_out_and_keeps_its_locks() {
    let database = Database::new();
    database.add("first");
    let sqlite = database.engine();
    let copy = full(&sqlite, 0);
    let mut log = MemoryLog::default();
    fs::write(database.folder.path().join("beside"), "x").unwrap();
    let state = tempfile::tempdir().unwrap();
    let files = engine(database.folder.path(), state.path());
    let tree = full(files.as_ref(), 1);
    let left_out = |name: &str| tree.1.warnings.iter().any(|said| said.starts_with(name));
    for name in ["app.db ", "app.db-wal ", "app.db-shm "] {
        assert!(left_out(name), "{:?}", tree.1.warnings);
        assert!(tree.0.find(name.trim()).is_none());
    }
    assert!(tree.0.find("beside").is_some());
    // another process cannot begin the log anew: the locks are still there
    for note in ["second", "third"] {
        database.add(note);
        empty_from_another_process(&database.path);
    }
    assert_eq!(archive(&sqlite, 2, &mut log).broken, None);
    let latest = RecoveryTarget::Latest;
    let (_staging, session) = restore(&sqlite, &copy, &log.ranges, &latest).unwrap();
    assert_eq!(notes(&sqlite, &session.result()).len(), 3);
    drop(sqlite);
    assert!(full(files.as_ref(), 3).0.find("app.db").is_some());
}

/// Locks of one process never stand in its own way, so this needs another one: this very test
/// program, told by its environment what to do.
fn empty_from_another_process(database: &Path) {
    let program = std::env::current_exe().unwrap();
    let name = "engines::trees::another_process_empties_the_log";
    let ended = std::process::Command::new(program)
        .args(["--exact", name, "--ignored"])
        .env("PLANC_TEST_DATABASE", database)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
#[ignore = "it is the other process of a test, and needs a database from it"]
fn another_process_empties_the_log() {
    let Some(path) = std::env::var_os("PLANC_TEST_DATABASE") else {
        return;
    };
    let connection = rusqlite::Connection::open(path).unwrap();
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

#[test]
fn what_is_no_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(engine(&file, folder.path()).identity().is_err());
    assert!(
        engine(&folder.path().join("absent"), folder.path())
            .identity()
            .is_err()
    );
}

fn entry(path: &str, kind: EntryKind) -> StoredEntry {
    StoredEntry {
        entry: Entry {
            path: path.to_owned(),
            kind,
            mode: 0o644,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            mtime: (1, 2),
        },
        pieces: Vec::new(),
        length: 0,
    }
}

fn hostile(entries: Vec<StoredEntry>) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let staging = folder.path().join("staging");
    fs::create_dir(&staging).unwrap();
    fs::write(folder.path().join("canary"), "alive").unwrap();
    let engine = engine(folder.path(), &folder.path().join("state"));
    let mut session = engine.restore(&staging).unwrap();
    let mut part = MemoryPart::default();
    part.entries = entries;
    let ended = EndedBackup {
        taken_at: super::support::at(0),
        from: None,
        until: None,
        warnings: Vec::new(),
        notes: std::collections::BTreeMap::new(),
    };
    // links are made when all parts have come
    let played = part.play(session.as_mut(), &ended);
    let refused = played.and_then(|()| session.check()).is_err();
    assert_eq!(fs::read(folder.path().join("canary")).unwrap(), b"alive");
    let outside: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    refused
}

#[test]
fn hostile_parts_are_refused() {
    let file = |path: &str| entry(path, EntryKind::File);
    let link = |path: &str, target: &str| {
        let target = target.to_owned();
        entry(path, EntryKind::Symlink { target })
    };
    let hard = |path: &str, target: &str| {
        let target = target.to_owned();
        entry(path, EntryKind::Hardlink { target })
    };
    for path in [
        "../canary",
        "/canary",
        "a/../../canary",
        "%2E%2E/canary",
        "..%2Fcanary",
        "",
        ".",
    ] {
        assert!(hostile(vec![file(path)]), "{path}");
        if path != planc::engine::entry::ROOT {
            assert!(
                hostile(vec![entry(path, EntryKind::Directory)]),
                "folder {path}"
            );
        }
        assert!(hostile(vec![entry(path, EntryKind::Fifo)]), "pipe {path}");
        assert!(hostile(vec![link(path, "x")]), "link {path}");
        assert!(hostile(vec![hard("x", path)]), "hard link to {path}");
    }
    // a link, and something that would be written through it
    assert!(hostile(vec![link("a", ".."), file("a/canary")]));
    assert!(hostile(vec![
        link("a", "../../canary"),
        file("a"),
        hard("b", "a")
    ]));
    assert!(hostile(vec![link("a", "../../canary"), hard("b", "a")]));
    assert!(hostile(vec![file("twice"), file("twice")]));
    let root = || entry(planc::engine::entry::ROOT, EntryKind::Directory);
    assert!(hostile(vec![root(), root()]));
    assert!(hostile(vec![file("absent/child")]));
    assert!(hostile(vec![entry("over-nothing", EntryKind::Over)]));
    assert!(hostile(vec![
        link("a", "../canary"),
        entry("a", EntryKind::Over)
    ]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(
        files in prop::collection::btree_map(
            "[a-c]{1,2}(/[a-c]{1,2}){0,3}",
            (prop::collection::vec(any::<u8>(), 0..200), 0o400..0o777_u32, any::<u32>()),
            0..20,
        )
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        fs::create_dir(&root).unwrap();
        for (name, (content, mode, time)) in &files {
            let path = root.join(name);
            if fs::create_dir_all(path.parent().unwrap()).is_err() || path.is_dir() {
                continue;
            }
            fs::write(&path, content).unwrap();
            let file = fs::File::open(&path).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis((*time).into());
            file.set_modified(time).unwrap();
            file.set_permissions(fs::Permissions::from_mode(mode | 0o400)).unwrap();
        }
        let engine = engine(&root, &folder.path().join("state"));
        let copy = full(engine.as_ref(), 0);
        let until = RecoveryTarget::Backup;
        let (_staging, session) = restore(engine.as_ref(), &copy, &[], &until).unwrap();
        prop_assert_eq!(picture(&session.result()), picture(&root));
    }
}
