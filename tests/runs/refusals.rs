//! What bad input gets, with the real binary: the exit code of its class, a text that names place,
//! cause and next action, and nothing left that looks whole or could be resumed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::site::{NOW, Site, rows};

/// One wrong thing, and what is said of it.
struct Case {
    name: &'static str,
    spoil: fn(&Site),
    line: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const RESTORE: &str = "restore shop --to back.db --yes";
const NIGHTLY: &str = "run nightly --now 2026-03-04T10:00:00Z";

fn swap(site: &Site, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(site.path(file)).expect("read");
    assert!(text.contains(from), "{file} has {from}");
    fs::write(site.path(file), text.replacen(from, to, 1)).expect("write");
}

fn replace_database(site: &Site, content: &[u8]) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(site.path(&format!("data/shop.db{end}")));
    }
    fs::write(site.path("data/shop.db"), content).expect("write");
}

fn drop_device(site: &Site, name: &str) {
    fs::remove_dir_all(site.path("devices").join(name)).expect("removed");
}

/// Changes all stored objects of a kind on a device.
fn spoil_objects(site: &Site, device: &str, folder: &str, how: impl Fn(&mut Vec<u8>)) {
    let root = site.path("devices").join(device).join(folder);
    let files = files(&root);
    assert!(!files.is_empty(), "{} holds something", root.display());
    for file in files {
        let mut bytes = fs::read(&file).expect("read");
        how(&mut bytes);
        fs::remove_file(&file).expect("removed");
        fs::write(&file, bytes).expect("write");
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "one of several ways to damage a file, some of which shorten it"
)]
fn flip(bytes: &mut Vec<u8>) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter();
    let files = entries.filter_map(|entry| {
        let entry = entry.expect("entry");
        entry.file_type().is_file().then(|| entry.into_path())
    });
    files.collect()
}

const CASES: &[Case] = &[
    Case {
        name: "unknown word",
        spoil: |site| swap(site, "shop.plan", "physical full", "physical fulll"),
        line: "check shop.plan",
        code: 1,
        says: &["shop.plan:7:", "fulll", "help"],
    },
    Case {
        name: "wrong unit",
        spoil: |site| swap(site, "shop.plan", "within 1h", "within 1kg"),
        line: "check shop.plan",
        code: 1,
        says: &["shop.plan:9:", "1kg", "help"],
    },
    Case {
        name: "a plan with errors is not run",
        spoil: |site| swap(site, "shop.plan", "within 1h", "within 1kg"),
        line: NIGHTLY,
        code: 2,
        says: &["shop.plan", "nothing was started", "help"],
    },
    Case {
        name: "no such plan",
        spoil: |_| {},
        line: "check other.plan",
        code: 2,
        says: &["other.plan", "no such file", "help"],
    },
    Case {
        name: "no such inventory",
        spoil: |site| fs::remove_file(site.path("inventory.yaml")).expect("removed"),
        line: "check shop.plan",
        code: 1,
        says: &["inventory.yaml", "shop.plan:4:", "no such file"],
    },
    Case {
        name: "inventory that is no YAML",
        spoil: |site| fs::write(site.path("inventory.yaml"), "a: [").expect("write"),
        line: "check shop.plan",
        code: 1,
        says: &["inventory.yaml:"],
    },
    Case {
        name: "device that is not there",
        spoil: |site| drop_device(site, "nas"),
        line: NIGHTLY,
        code: 0,
        says: &[
            "device nas",
            "devices/nas does not exist",
            "planc device init",
            "under-replicated",
            "holds until",
        ],
    },
    Case {
        name: "device that was not claimed",
        spoil: |site| {
            drop_device(site, "nas");
            fs::create_dir(site.path("devices/nas")).expect("made");
        },
        line: NIGHTLY,
        code: 0,
        says: &["device nas", "empty folder", "mount", "planc device init"],
    },
    Case {
        name: "folder that is somebody's",
        spoil: |site| {
            drop_device(site, "nas");
            fs::create_dir(site.path("devices/nas")).expect("made");
            fs::write(site.path("devices/nas/photo"), "x").expect("write");
        },
        line: NIGHTLY,
        code: 0,
        says: &["device nas", "not a planc device", "check `path`"],
    },
    Case {
        name: "device that is another than before",
        spoil: |site| {
            drop_device(site, "nas");
            fs::create_dir(site.path("devices/nas")).expect("made");
            site.good("device init nas");
        },
        line: NIGHTLY,
        code: 0,
        says: &["nas", "the device that was there before", "holds until"],
    },
    Case {
        name: "source that is not there",
        spoil: |site| {
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(site.path(&format!("data/shop.db{end}")));
            }
        },
        line: NIGHTLY,
        code: 2,
        says: &["service shop", "data/shop.db", "help"],
    },
    Case {
        name: "database that is not SQLite",
        spoil: |site| replace_database(site, &[b'x'; 8192]),
        line: NIGHTLY,
        code: 2,
        says: &[
            "service shop",
            "data/shop.db is not a SQLite database",
            "inventory",
        ],
    },
    Case {
        name: "database that is a folder",
        spoil: |site| {
            replace_database(site, b"");
            fs::remove_file(site.path("data/shop.db")).expect("removed");
            fs::create_dir(site.path("data/shop.db")).expect("made");
        },
        line: NIGHTLY,
        code: 2,
        says: &["data/shop.db is not a SQLite database", "inventory"],
    },
    Case {
        name: "target that has content",
        spoil: |site| fs::write(site.path("back.db"), "mine").expect("write"),
        line: RESTORE,
        code: 2,
        says: &["back.db", "it exists", "--to"],
    },
    Case {
        name: "target that is the live source",
        spoil: |_| {},
        line: "restore shop --to data/shop.db --yes",
        code: 2,
        says: &["data/shop.db", "live source", "--to"],
    },
    Case {
        name: "target that is in use",
        spoil: |site| fs::write(site.path("back.db-wal"), "wal").expect("write"),
        line: RESTORE,
        code: 2,
        says: &["back.db", "in use", "--to"],
    },
    Case {
        name: "target folder that has content",
        spoil: |site| {
            fs::create_dir(site.path("papers")).expect("made");
            fs::write(site.path("papers/x"), "mine").expect("write");
        },
        line: "restore docs --to papers --yes",
        code: 2,
        says: &["papers", "not empty", "--to"],
    },
    Case {
        name: "target below a file",
        spoil: |site| fs::write(site.path("back.db"), "mine").expect("write"),
        line: "restore shop --to back.db/x.db --yes",
        code: 2,
        says: &["back.db", "help"],
    },
    Case {
        name: "restore without any of the devices",
        spoil: |site| {
            drop_device(site, "nas");
            drop_device(site, "disk");
        },
        line: RESTORE,
        code: 2,
        says: &["no copy of", "device disk", "device nas", "help"],
    },
    Case {
        name: "corrupt pack is found",
        spoil: |site| spoil_objects(site, "disk", "packs", flip),
        line: "verify --device disk",
        code: 1,
        says: &["device disk", "damaged", "help"],
    },
    Case {
        name: "corrupt packs on every device",
        spoil: |site| {
            for device in ["disk", "nas"] {
                spoil_objects(site, device, "packs", flip);
            }
        },
        line: RESTORE,
        code: 1,
        says: &["damaged", "help", "planc restore --resume"],
    },
    Case {
        name: "truncated manifest is found",
        spoil: |site| spoil_objects(site, "disk", "parts", |bytes| bytes.truncate(40)),
        line: "verify --device disk",
        code: 1,
        says: &["device disk", "damaged", "help"],
    },
    Case {
        name: "truncated manifests on every device",
        spoil: |site| {
            for device in ["disk", "nas"] {
                spoil_objects(site, device, "parts", |bytes| bytes.truncate(40));
            }
        },
        line: RESTORE,
        code: 1,
        says: &["damaged", "help"],
    },
];

/// A site with one finished run.
fn used() -> Site {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site
}

#[test]
fn every_kind_of_bad_input_is_named_and_changes_nothing() {
    for case in CASES {
        let site = used();
        (case.spoil)(&site);
        let (runs, kept) = (site.runs(), fs::read(site.path("back.db")).ok());
        let text = site.ends(case.line, case.code);
        for part in case.says {
            assert!(text.contains(part), "{}: no `{part}` in {text}", case.name);
        }
        let back = fs::read(site.path("back.db")).ok();
        assert_eq!(back, kept, "{}: the target", case.name);
        assert_eq!(site.leftovers(), 0, "{}: staging", case.name);
        if case.code == 2 {
            assert_eq!(site.runs(), runs, "{}: no run is left", case.name);
        }
    }
}

#[test]
fn a_refused_restore_is_not_resumed_and_a_failed_one_only_by_restore() {
    let site = used();
    fs::write(site.path("back.db"), "mine").expect("write");
    site.ends(RESTORE, 2);
    assert_eq!(site.good("restore --resume"), "no unfinished run\n");
    fs::remove_file(site.path("back.db")).expect("removed");
    let whole = site.keep();
    for device in ["disk", "nas"] {
        spoil_objects(&site, device, "packs", flip);
    }
    site.ends(RESTORE, 1);
    assert_eq!(site.good("run --resume"), "no unfinished run\n");
    assert_eq!(site.good("recover --resume"), "no unfinished run\n");
    let status = site.good(&format!("status --now {NOW}"));
    assert!(status.contains("`planc restore --resume`"), "{status}");
    // the state stays: it knows of the failed restore
    fs::remove_dir_all(site.path("devices")).expect("removed");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(whole.path().join("devices"))
        .arg(site.path("devices"))
        .status();
    assert!(copied.expect("cp").success());
    site.good("restore --resume");
    assert_eq!(rows(&site.path("back.db")).len(), 3);
    assert_eq!(site.good("restore --resume"), "no unfinished run\n");
}

#[test]
fn a_quiet_command_says_nothing_while_all_goes_well_and_else_what_failed() {
    let site = used();
    assert_eq!(site.good(&format!("{NIGHTLY} --quiet")), "");
    for device in ["disk", "nas"] {
        spoil_objects(&site, device, "packs", flip);
    }
    for line in [RESTORE, "verify --device disk"] {
        let output = site.planc(&format!("{line} --quiet"));
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty(), "{line}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("damaged"), "{line}: {told}");
    }
}

#[test]
fn one_source_that_is_gone_does_not_keep_the_others_from_being_copied() {
    let site = Site::new();
    fs::remove_dir_all(site.path("docs")).expect("removed");
    let text = site.ends(&format!("run --now {NOW}"), 1);
    assert!(text.contains("docs"), "{text}");
    let listed = site.good("list");
    assert!(listed.contains("shop/database/main"), "{listed}");
    assert!(!listed.contains("docs/"), "{listed}");
}

#[test]
fn a_device_that_cannot_be_written_is_named_and_gone_around() {
    let site = used();
    for folder in ["", "/tmp"] {
        let path = site.path(&format!("devices/nas{folder}"));
        fs::set_permissions(path, Permissions::from_mode(0o555)).expect("mode");
    }
    let output = site.as_a_user(NIGHTLY).output().expect("planc starts");
    for folder in ["", "/tmp"] {
        let path = site.path(&format!("devices/nas{folder}"));
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("mode");
    }
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("device nas is read-only"), "{text}");
    assert!(text.contains("remount it writable"), "{text}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("it is on disk"), "{said}");
    // a device that took nothing of the run log has lost nothing of it
    site.good("status");
}

/// Bytes that no codec makes shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_device_that_gets_full_fails_the_run_and_holds_nothing_that_looks_whole() {
    let site = used();
    let listed = site.good("list");
    // no file may grow beyond this: the device answers as a full one does
    fs::write(site.path("docs/noise"), noise(3_000_000)).expect("write");
    let shell = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let line = "run papers --now 2026-03-04T10:00:00Z";
    let output = site.wrapped(&["sh", "-c", shell], line).output();
    let output = output.expect("planc starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is full"), "{text}");
    assert!(text.contains("free space"), "{text}");
    assert_eq!(site.good("list"), listed, "no copy came to be");
    site.good("verify");
    // with space again the run is finished
    site.good("run --resume --now 2026-03-04T11:00:00Z");
    site.good("restore docs --to papers --yes");
    assert!(site.path("papers/noise").exists());
}
