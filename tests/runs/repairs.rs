//! Damage: found by reading back, told in three verdicts, repaired by adding, never by editing.

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
    // three repairs that were not found intact afterwards
    let catalog = site.path("state/shop@test/catalog.sqlite");
    let catalog = rusqlite::Connection::open(catalog).expect("catalog");
    let sql = "INSERT INTO tried SELECT object, device, 3 FROM verified WHERE NOT intact";
    let tried = catalog.execute(sql, []).expect("statement");
    assert!(tried >= 2, "{tried}");
    drop(catalog);
    let spoilt = packs();
    site.good("run --now 2026-03-02T11:40:00Z");
    assert_eq!(packs(), spoilt, "a run does not try for ever");
    let text = site.ends("status", 1);
    assert!(text.contains("repaired in vain 3 times"), "{text}");
    site.good("repair --now 2026-03-02T11:50:00Z");
    assert!(packs() > spoilt, "somebody asked");
    site.good("status");
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
