//! Damage: found by reading back, told in three verdicts, repaired by adding, never by editing.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::site::{NOW, Site, rows};

const LATER: &str = "2026-03-02T11:00:00Z";

/// Files of a device below a folder.
fn files(site: &Site, device: &str, folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![site.path(&format!("devices/{device}/{folder}"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("list") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Spoils one byte of every file; gives what is left there.
fn spoil(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    let spoilt = paths.iter().map(|path| {
        let mut bytes = std::fs::read(path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] = bytes[middle].wrapping_add(1);
        std::fs::write(path, &bytes).expect("write");
        bytes
    });
    spoilt.collect()
}

fn filled() -> Site {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.good("run wal --now 2026-03-02T10:30:00Z");
    site
}

#[test]
fn three_verdicts_are_told_apart() {
    let site = filled();
    let text = site.good(&format!("verify --level restorable --now {LATER}"));
    assert!(
        text.contains("1 exist, 0 are intact, 0 are proven restorable"),
        "{text}"
    );
    let text = site.good(&format!("verify --level exists --now {LATER}"));
    assert!(
        text.contains("1 exist, 0 are intact, 0 are proven restorable"),
        "{text}"
    );
    let text = site.good(&format!("verify --now {LATER}"));
    assert!(
        text.contains("1 exist, 1 are intact, 1 are proven restorable"),
        "{text}"
    );
    spoil(&files(&site, "nas", "packs"));
    let text = site.good(&format!("verify --level exists --now {LATER}"));
    assert!(!text.contains("damaged"), "its length is as it was: {text}");
    let text = site.ends(&format!("verify --now {LATER}"), 1);
    assert!(text.contains("damaged on nas"), "{text}");
    assert!(
        text.contains("1 are proven restorable"),
        "disk has it intact: {text}"
    );
    spoil(&files(&site, "disk", "packs"));
    let text = site.ends(&format!("verify --now {LATER}"), 1);
    assert!(
        text.contains("0 exist, 0 are intact, 0 are proven restorable"),
        "{text}"
    );
    assert!(text.contains("not restorable: no good copy of"), "{text}");
    let text = site.ends(&format!("repair --now {LATER}"), 1);
    assert!(
        text.contains("still damaged"),
        "nobody has good bytes: {text}"
    );
}

#[test]
fn damage_of_every_kind_is_repaired_by_adding() {
    let site = filled();
    for folder in ["packs", "parts", "logs"] {
        let paths = files(&site, "nas", folder);
        let spoilt = spoil(&paths);
        let text = site.ends(&format!("verify --device nas --now {LATER}"), 1);
        assert!(text.contains("damaged"), "{folder}: {text}");
        let text = site.ends("status", 1);
        assert!(text.contains("DAMAGED"), "{folder}: {text}");
        site.good(&format!("repair --now {LATER}"));
        let left: Vec<Vec<u8>> = paths
            .iter()
            .map(|path| std::fs::read(path).expect("read"))
            .collect();
        assert_eq!(left, spoilt, "{folder}: nothing was overwritten");
        site.good(&format!("verify --now {LATER}"));
        site.good("status");
    }
    let dump = site.good("catalog dump");
    site.good("catalog rebuild --from nas");
    assert_eq!(
        site.good("catalog dump"),
        dump,
        "the repaired device alone is enough"
    );
    site.good("restore shop --to back.db --from nas --yes");
    assert_eq!(rows(&site.path("back.db")).len(), 4);
}

#[test]
fn a_run_repairs_what_was_found_and_gives_up_in_time() {
    let site = filled();
    let packs = || files(&site, "nas", "packs").len();
    let before = packs();
    spoil(&files(&site, "nas", "packs"));
    site.ends(&format!("verify --now {LATER}"), 1);
    site.good("run --now 2026-03-02T11:10:00Z");
    assert!(packs() > before, "damage is repaired without being asked");
    site.good("verify --now 2026-03-02T11:20:00Z");
    spoil(&files(&site, "nas", "packs"));
    site.ends("verify --now 2026-03-02T11:30:00Z", 1);
    let spoilt = packs();
    let mut tries = 0;
    lock(&site, 0o555);
    let due = |tries| {
        let line = format!("run --dry-run --now 2026-03-02T12:{tries:02}:00Z");
        site.good(&line).contains("a good one is added beside it")
    };
    while due(tries) {
        tries += 1;
        assert!(tries < 20, "a run does not try for ever");
        let line = format!("run --now 2026-03-02T12:{tries:02}:00Z");
        site.as_a_user(&line).output().expect("planc starts");
        assert_eq!(packs(), spoilt, "nothing can be added");
    }
    assert!(tries >= 3, "{tries}");
    lock(&site, 0o755);
    site.good("run --now 2026-03-02T13:00:00Z");
    assert_eq!(packs(), spoilt, "people must look");
    let text = site.ends("status", 1);
    assert!(text.contains("repaired in vain 3 times"), "{text}");
    site.good("repair --now 2026-03-02T13:10:00Z");
    assert!(packs() > spoilt, "somebody asked");
    site.good("status");
}

/// Lets nothing be added beside the packs of a device, or lets it again.
fn lock(site: &Site, mode: u32) {
    for folder in std::fs::read_dir(site.path("devices/nas/packs")).expect("list") {
        let path = folder.expect("entry").path();
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode");
    }
}

#[test]
fn damage_is_never_copied_and_good_copies_are_never_touched() {
    let site = Site::new();
    site.good("run nightly --now 2026-03-02T09:00:00Z");
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    site.good(&format!("run papers --now {NOW}"));
    std::fs::rename(&away, &nas).expect("plugged in");
    let good: Vec<(PathBuf, Vec<u8>)> = (files(&site, "disk", "packs").into_iter())
        .map(|path| (path.clone(), std::fs::read(path).expect("read")))
        .collect();
    // nobody has read them back since
    spoil(&files(&site, "disk", "packs"));
    let text = site.ends(&format!("run --now {LATER}"), 1);
    assert!(
        text.contains("device disk") && text.contains("is damaged"),
        "{text}"
    );
    let held = site.good("list --device nas");
    assert!(!held.contains("docs/files/tree"), "{held}");
    for (path, bytes) in &good {
        std::fs::write(path, bytes).expect("as they were");
    }
    site.good("run --now 2026-03-02T11:10:00Z");
    site.good("verify --now 2026-03-02T11:20:00Z");
    let objects = |device| {
        let folders = ["packs", "parts"].into_iter();
        let paths = folders.flat_map(|folder| files(&site, device, folder));
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("read"));
        paths.map(read).collect::<Vec<_>>()
    };
    let whole = objects("nas");
    spoil(&files(&site, "disk", "packs"));
    let spoilt = objects("disk");
    site.good("run --now 2026-03-02T11:30:00Z");
    assert_eq!(objects("nas"), whole, "before anybody knows of the damage");
    site.ends("verify --now 2026-03-02T11:40:00Z", 1);
    site.good("run --now 2026-03-02T11:50:00Z");
    let mended = objects("disk");
    assert!(mended.len() > spoilt.len(), "good ones were added");
    assert!(spoilt.iter().all(|one| mended.contains(one)));
    for one in &whole {
        assert!(objects("nas").contains(one), "{}", one.0.display());
    }
    site.good("restore docs --to papers --from disk --yes");
    let text = std::fs::read(site.path("papers/a.txt")).expect("file");
    assert_eq!(text, vec![b'a'; 3_000]);
}

#[test]
fn a_scrub_begins_with_what_was_not_read_for_the_longest_time() {
    let site = filled();
    let first = site.good(&format!("verify --limit 1B --dry-run --now {NOW}"));
    assert_eq!(first.matches("never read back").count(), 1, "{first}");
    let copies = site.good(&format!("verify --dry-run --now {NOW}"));
    let copies = copies.matches("verify-stored").count();
    for round in 0..copies {
        let now = format!("2026-03-02T10:{:02}:00Z", round + 1);
        site.good(&format!("verify --limit 1B --now {now}"));
    }
    let text = site.good(&format!("verify --older 30d --now {LATER}"));
    assert!(
        text.contains("no copies to verify"),
        "all were read once: {text}"
    );
    let text = site.good("verify --older 30d --dry-run --now 2026-04-20T00:00:00Z");
    assert_eq!(text.matches("verify-stored").count(), copies, "{text}");
}

#[test]
fn what_is_good_in_each_of_two_damaged_copies_makes_a_good_one() {
    let site = Site::new();
    let mut hash = blake3::Hasher::new();
    hash.update(b"noise");
    let mut noise = vec![0; 3 << 20];
    hash.finalize_xof().fill(&mut noise);
    std::fs::write(site.path("docs/noise"), &noise).expect("write");
    site.good(&format!("run papers --now {NOW}"));
    for (device, at) in [("disk", 1000), ("nas", 5 << 19)] {
        let paths = files(&site, device, "packs");
        let mut bytes = std::fs::read(&paths[0]).expect("read");
        bytes[at] ^= 1;
        std::fs::write(&paths[0], bytes).expect("write");
    }
    let told = site.ends(&format!("verify --now {LATER}"), 1);
    assert!(told.contains("makes one of what is good in each"), "{told}");
    site.good(&format!("repair --now {LATER}"));
    site.good(&format!("verify --now {LATER}"));
    site.good("restore docs --to papers --from nas --yes");
    let text = std::fs::read(site.path("papers/noise")).expect("file");
    assert!(text == noise, "other bytes came back");
}
