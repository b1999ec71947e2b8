//! Retention from end to end: tombstone, grace, deletion, a change of mind, and SIGKILL at every
//! record of the journal.

use super::crash::kill_at;
use super::site::{NOW, Site, rows};

/// Later than the window of a week, with a copy of that day.
const LATER: &str = "2026-03-20T10:00:00Z";

/// Later than the grace after [`LATER`].
const LAST: &str = "2026-03-22T10:00:00Z";

/// A site with an old and a fresh copy of everything.
fn aged() -> Site {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.good("run nightly papers wal --now 2026-03-12T09:00:00Z");
    site.sql("INSERT INTO t (x) VALUES ('five')");
    site.good("run nightly papers wal --now 2026-03-20T09:00:00Z");
    site
}

/// What the catalog says is where, with its tombstones.
fn catalog(site: &Site) -> Vec<String> {
    let path = site.path("state/shop@test/catalog.sqlite");
    let db = rusqlite::Connection::open(path).expect("catalog");
    let sql = "SELECT 'held ' || object || ' ' || device FROM held
        UNION ALL SELECT 'tomb ' || object || ' ' || device FROM condemned ORDER BY 1";
    let mut query = db.prepare(sql).expect("query");
    let lines = query.query_map([], |row| row.get(0)).expect("lines");
    lines.map(|line| line.expect("line")).collect()
}

/// Objects on a device.
fn objects(site: &Site, device: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![site.path(&format!("devices/{device}"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("list") {
            let path = entry.expect("entry").path();
            // what a killed process was writing has no name yet
            // and a run that died writes no entry of the run log
            if path.is_dir() && (path.ends_with("tmp") || path.ends_with("runs")) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_changes_without_apply() {
    let site = aged();
    let (before, held) = (objects(&site, "disk"), catalog(&site));
    let text = site.good(&format!("expire --now {LATER}"));
    assert!(text.contains("gets a tombstone"), "{text}");
    assert!(
        text.contains("`window 7d` begins in what it shows"),
        "{text}"
    );
    assert!(text.contains("nothing was changed"), "{text}");
    let json = site.good(&format!("expire --format json --now {LATER}"));
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["format"], "planc-expire/1");
    assert_eq!(objects(&site, "disk"), before);
    assert_eq!(catalog(&site), held);
}

#[test]
fn a_copy_goes_after_its_grace_and_what_stays_can_be_restored() {
    let site = aged();
    let held = catalog(&site);
    site.good(&format!("expire --apply --now {LATER}"));
    let condemned = catalog(&site);
    let tombs = condemned
        .iter()
        .filter(|line| line.starts_with("tomb"))
        .count();
    assert!(
        tombs >= 4,
        "two parts on two devices at least: {condemned:?}"
    );
    assert_eq!(
        condemned.len(),
        held.len() + tombs,
        "a tombstone takes nothing away"
    );
    let text = site.good(&format!("expire --apply --now {LATER}"));
    assert!(
        text.contains("nothing to delete"),
        "the grace is not over: {text}"
    );
    site.good(&format!("expire --apply --now {LAST}"));
    let left = catalog(&site);
    assert_eq!(left.len(), held.len() - tombs, "{left:?}");
    assert!(
        site.good(&format!("expire --now {LAST}"))
            .starts_with("goes: 0 copies")
    );
    site.good(&format!("verify --now {LAST}"));
    site.good(&format!("restore shop --to back.db --yes --now {LAST}"));
    assert_eq!(rows(&site.path("back.db")).len(), 5);
    let dump = site.good("catalog dump");
    site.good("catalog rebuild --from disk nas");
    assert_eq!(
        site.good("catalog dump"),
        dump,
        "no manifest is left of what is gone"
    );
    let packs = objects(&site, "disk")
        .iter()
        .filter(|path| path.contains("/packs/"))
        .count();
    let parts = objects(&site, "disk")
        .iter()
        .filter(|path| path.contains("/parts/"))
        .count();
    assert!(
        packs <= parts,
        "no pack is left of what is gone: {packs} packs, {parts} parts"
    );
    assert!(
        objects(&site, "disk")
            .iter()
            .all(|path| !path.contains("/tombs/"))
    );
}

#[test]
fn a_longer_window_takes_the_tombstones_away() {
    let site = aged();
    let held = catalog(&site);
    site.good(&format!("expire --apply --now {LATER}"));
    keep_longer(&site);
    site.good(&format!("expire --apply --now {LAST}"));
    assert_eq!(catalog(&site), held);
    assert!(
        objects(&site, "nas")
            .iter()
            .all(|path| !path.contains("/tombs/"))
    );
}

/// As [`aged`], after an expiry that was killed when it had taken one manifest of the papers; the
/// part. The plan then keeps everything again.
fn interrupted() -> (Site, String) {
    let site = aged();
    site.good(&format!("expire --apply --now {LATER}"));
    let parts = catalog(&site).into_iter().filter_map(|line| {
        let (part, device) = line.strip_prefix("tomb ")?.rsplit_once(' ')?;
        (device == "disk").then(|| part.to_owned())
    });
    let manifest = |part: &String| site.path(&format!("devices/disk/parts/{part}.manifest"));
    let part = parts.into_iter().find(|part| manifest(part).exists());
    let part = part.expect("a part");
    std::fs::remove_file(manifest(&part)).expect("removed");
    (site, part)
}

fn keep_longer(site: &Site) {
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let longer = plan
        .replace("window 7d", "window 70d")
        .replace("window 8d", "window 80d");
    std::fs::write(site.path("shop.plan"), longer).expect("plan");
}

#[test]
fn what_a_killed_expiry_took_is_not_said_to_stay() {
    let (site, part) = interrupted();
    keep_longer(&site);
    site.good(&format!("expire --apply --now {LAST}"));
    let held = format!("held {part} disk");
    assert!(!catalog(&site).contains(&held), "{part}");
    site.good(&format!("run --now {LAST}"));
    assert!(catalog(&site).contains(&held), "{part}");
    site.good(&format!("verify --now {LAST}"));
}

#[test]
fn what_is_left_of_a_deletion_is_shown_and_not_deleted_again_when_it_comes_back() {
    let (site, part) = interrupted();
    site.good("catalog rebuild --from disk nas");
    let told = site.good(&format!("expire --now {LAST}"));
    let left = format!("what is left of {part} on disk ({part}): is deleted");
    assert!(told.contains(&left), "{told}");
    keep_longer(&site);
    site.good(&format!("run --now {LAST}"));
    assert!(catalog(&site).contains(&format!("held {part} disk")));
    site.good(&format!("verify --now {LAST}"));
    assert!(
        objects(&site, "disk")
            .iter()
            .all(|path| !path.contains("/tombs/"))
    );
}

#[test]
fn a_run_expires_what_its_plan_lets_go() {
    let site = aged();
    let text = site.good(&format!("run --dry-run --now {LATER}"));
    assert!(text.contains("condemn"), "{text}");
    site.good(&format!("run --now {LATER}"));
    assert!(catalog(&site).iter().any(|line| line.starts_with("tomb")));
    site.good(&format!("run --now {LAST}"));
    site.good(&format!("run --now {LAST}"));
    assert!(catalog(&site).iter().all(|line| !line.starts_with("tomb")));
    site.good(&format!("verify --now {LAST}"));
}

#[test]
fn a_run_of_a_wrong_clock_stops_retention_until_its_job_has_run_again() {
    let site = aged();
    site.good("run nightly papers wal --now 2031-03-01T10:00:00Z");
    let text = site.ends(&format!("expire --apply --now {LATER}"), 2);
    assert!(text.contains("there is a copy of 2031-03-01"), "{text}");
    assert!(text.contains("run that job by name"), "{text}");
    site.good(&format!("run nightly papers wal --now {LATER}"));
    let text = site.good(&format!("expire --now {LATER}"));
    let ahead = "its time 2031-03-01T10:00:00Z lies in the future";
    assert!(text.contains(ahead), "what is ahead stays: {text}");
    site.good(&format!("expire --apply --now {LATER}"));
    assert!(catalog(&site).iter().any(|line| line.starts_with("tomb")));
}

#[test]
fn a_clock_behind_the_copies_deletes_nothing() {
    let site = aged();
    let text = site.ends("expire --apply --now 2026-03-13T00:00:00Z", 2);
    assert!(text.contains("nothing can be judged by age"), "{text}");
    let text = site.ends("expire --device dsk", 2);
    assert!(text.contains("did you mean `disk`?"), "{text}");
}

#[test]
fn a_clock_that_was_ahead_keeps_no_later_copy_from_being_made() {
    let site = Site::new();
    site.good("run --now 2027-03-02T10:00:00Z");
    for now in [NOW, "2026-03-03T10:00:00Z"] {
        let told = site.good(&format!("run --now {now}"));
        assert!(told.contains("commit docs/files/tree"), "{now}: {told}");
        let told = site.good(&format!("run --now {now}"));
        assert!(!told.contains("commit docs/files/tree"), "{now}: {told}");
    }
}

#[test]
fn an_equal_pack_stays_while_another_part_needs_it() {
    let site = Site::new();
    // the same files give the same pack
    site.good(&format!("run papers --now {NOW}"));
    site.good("run papers --now 2026-03-12T09:00:00Z");
    site.good("run papers --now 2026-03-20T09:00:00Z");
    site.good(&format!("expire --apply --now {LATER}"));
    site.good(&format!("expire --apply --now {LAST}"));
    site.good(&format!("verify --now {LAST}"));
    site.good(&format!("restore docs --to back --yes --now {LAST}"));
    let text = std::fs::read_to_string(site.path("back/a.txt")).expect("file");
    assert_eq!(text, "a".repeat(3_000));
}

#[test]
fn an_expiry_killed_anywhere_resumes_to_the_same_catalog() {
    let site = aged();
    for now in [LATER, LAST] {
        // the first round leaves the tombstones for the second
        let line = format!("expire --apply --now {now}");
        let kept = site.keep();
        site.good(&line);
        let (expected, dump) = (catalog(&site), site.good("catalog dump"));
        let left = [objects(&site, "disk"), objects(&site, "nas")];
        let mut kills = 0;
        for record in 1..200 {
            site.put_back(&kept);
            let known = site.journal_records();
            let killed = kill_at(&site, &line, known + record);
            if killed {
                kills += 1;
                site.good(&format!("run --resume --now {now}"));
            }
            assert_eq!(catalog(&site), expected, "killed at record {record}");
            assert_eq!(site.good("catalog dump"), dump, "killed at record {record}");
            let found = [objects(&site, "disk"), objects(&site, "nas")];
            assert_eq!(found, left, "killed at record {record}");
            if !killed {
                break;
            }
        }
        assert!(kills >= 3, "only {kills} kills hit the run");
    }
}
