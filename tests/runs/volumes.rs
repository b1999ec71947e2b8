//! Volume sets from end to end, with the real binary: runs, verification, restores, rotation,
//! rebuilt catalogs, reuse after expiry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::crash::kill_at;
use super::site::{NOW, Site, rows};
use crate::media::fixture::bytes;

const PLAN: &str = r#"planc 1
plan shop "A shop"
timezone UTC
environment test inventory "inventory.yaml"

device tapes is volumes at fra {
  rotate to dub every fri at 14:00, return when expired
}

backup nightly of service shop {
  physical full every day at 02:00
  store on disk
  copy to tapes within 20h
  retain window 7d
  encrypt none
}

archive wal of shop {
  ship every 1h to disk
  copy to tapes within 20h
  retain window 8d
  encrypt none
}

backup papers of service docs {
  physical full every day at 02:00
  store on tapes
  retain window 7d
  encrypt none
}
"#;

/// A host with a device and a set of volumes.
pub(super) const INVENTORY: &str = r"inventory: 1
sites: {fra: {}, dub: {}}
hosts:
  till: {site: fra}
  bk1: {site: fra}
services:
  shop: {engine: sqlite, host: till, path: data/shop.db}
  docs: {engine: files, host: till, path: docs}
devices:
  disk: {host: bk1, path: devices/disk}
  tapes: {host: bk1, volumes: 12, volume_size: 1 MiB, drives: 1, library: {folder: vault}}
state: state
";

/// A site whose first run is done.
fn site() -> Site {
    let site = Site::of(PLAN, INVENTORY);
    site.good(&format!("run --now {NOW}"));
    site
}

fn json(site: &Site, line: &str) -> Value {
    serde_json::from_str(&site.good(line)).expect("JSON")
}

fn volume(site: &Site, name: &str) -> Value {
    let list = json(site, &format!("media list --format json --now {NOW}"));
    let volumes = list["sets"][0]["volumes"].as_array().expect("volumes");
    let found = volumes.iter().find(|volume| volume["volume"] == name);
    found.expect("the volume").clone()
}

fn slot(site: &Site, name: &str) -> PathBuf {
    site.path(&format!("vault/{name}.volume"))
}

#[test]
fn copies_go_to_volumes_and_come_back() {
    let site = site();
    assert!(slot(&site, "v12").exists(), "as many as the inventory says");
    site.good("verify");
    // docs lies on volumes only
    let text = site.good("restore docs --to papers --yes");
    assert!(text.contains("volumes of tapes: v01"), "{text}");
    let restored = std::fs::read_to_string(site.path("papers/a.txt")).expect("file");
    assert_eq!(restored.len(), 3_000);
    // with the disk gone, shop comes from volumes too, log and all
    std::fs::rename(site.path("devices/disk"), site.path("devices/lost")).expect("moved");
    let text = site.good("restore shop --to back.db --from tapes --dry-run");
    assert!(text.contains("volumes of tapes: v01"), "{text}");
    site.good("restore shop --to back.db --yes");
    assert_eq!(rows(&site.path("back.db")).len(), 3);
}

#[test]
fn a_robots_program_gets_no_secret_of_devices_that_are_not_even_opened() {
    let site = site();
    let inventory = INVENTORY
        .replace(
            "library: {folder: vault}",
            "library: {drives: [/dev/null], changer: /dev/null}",
        )
        .replace(
            "state:",
            "  bucket: {site: fra, s3: {endpoint: 'http://127.0.0.1:1', bucket: one, \
             secret_key: {env: BUCKET_SECRET}}}\nstate:",
        );
    std::fs::write(site.path("inventory.yaml"), inventory).expect("inventory");
    let mtx = site.path("mtx");
    let script = format!(
        "#!/bin/sh\nenv >> {}\nexit 1\n",
        site.path("seen").display()
    );
    std::fs::write(&mtx, script).expect("script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&mtx, mode).expect("mode");
    let mut command = site.command("media list");
    let path = format!("{}:/usr/bin:/bin", site.folder.path().display());
    let asked = command
        .env("PATH", path)
        .env("BUCKET_SECRET", "canary-of-a-bucket");
    asked.output().expect("planc starts");
    let seen = std::fs::read_to_string(site.path("seen")).expect("the program ran");
    assert!(!seen.contains("canary"), "{seen}");
}

#[test]
fn the_catalog_is_rebuilt_from_volumes_without_anything_of_the_host() {
    let site = site();
    let dump = site.good("catalog dump");
    std::fs::remove_dir_all(site.path("state")).expect("removed");
    site.good("catalog rebuild --from tapes");
    assert_eq!(site.good("catalog dump"), dump);
    site.good("restore docs --to papers --yes");
}

#[test]
fn a_volume_that_travels_is_called_for_before_anything_is_restored() {
    let site = site();
    let friday = "2026-03-06T08:00:00Z";
    let list = site.good(&format!("media list --now {friday}"));
    assert!(list.contains("send v01 to dub"), "{list}");
    site.good(&format!("media checkout v01 --now {friday}"));
    assert!(!slot(&site, "v01").exists(), "it left its slot");
    let list = site.good(&format!("media list --now {friday}"));
    assert!(
        list.contains("on its way to dub") && list.contains("arrive v01"),
        "{list}"
    );
    site.good(&format!("media checkin v01 --at dub --now {friday}"));
    let place = volume(&site, "v01")["place"].clone();
    assert_eq!(place["site"], "dub", "{place}");
    let text = site.ends("restore docs --to papers --yes", 2);
    assert!(
        text.contains("volumes to fetch first: v01 of tapes (at dub)"),
        "{text}"
    );
    assert!(!site.path("papers").exists());
    let text = site.good("media locate docs");
    assert!(text.contains("v01") && text.contains("at dub"), "{text}");
    // copies on a disk need no volume
    site.good("restore shop --to back.db --yes");
    // what is away is not known to be damaged
    let text = site.good("verify --device tapes");
    assert!(text.contains("at dub"), "{text}");
    site.good("run papers --now 2026-03-07T03:00:00Z");
    site.good("restore docs --to papers --yes");
    let text = site.good("media locate docs --format json");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let volumes = value["volumes"].as_array().expect("volumes");
    assert!(volumes.iter().any(|one| one["volume"] == "v02"), "{text}");
    site.good("media checkin v01");
    assert!(slot(&site, "v01").exists());
    site.good("verify --device tapes");
}

#[test]
fn what_lay_on_a_lost_volume_does_not_count_and_is_copied_again() {
    let site = site();
    // two writers may have begun two volumes
    let text = site.good("media checkout v01 v02 --to lost");
    assert!(text.contains("planc verify --level exists"), "{text}");
    let look = "verify --level exists --device tapes --now 2026-03-02T11:00:00Z";
    let text = site.ends(look, 1);
    assert!(text.contains("device tapes holds no object"), "{text}");
    let text = site.good("run --now 2026-03-02T12:00:00Z");
    assert!(text.contains("copy stored shop/database/main"), "{text}");
    std::fs::rename(site.path("devices/disk"), site.path("devices/away")).expect("moved");
    let text = site.good("restore shop --to back.db --yes");
    assert!(!text.contains("v01"), "{text}");
    assert_eq!(rows(&site.path("back.db")).len(), 3);
    // what turns up again counts again
    site.ends("restore docs --to papers --yes", 2);
    site.good("media checkin v01 v02");
    site.good("verify --device tapes --now 2026-03-02T13:00:00Z");
    site.good("restore docs --to papers --yes");
}

#[test]
fn a_foreign_volume_in_the_slot_of_another_is_refused() {
    let (site, other) = (site(), site());
    site.good("media checkout v01 --to shelf");
    std::fs::copy(slot(&other, "v01"), slot(&site, "v01")).expect("copied");
    let text = site.ends("media checkin v01", 2);
    assert!(
        text.contains("is not a planc device") || text.contains("label"),
        "{text}"
    );
    let before = std::fs::read(slot(&site, "v01")).expect("volume");
    site.good("run papers --now 2026-03-03T03:00:00Z");
    let after = std::fs::read(slot(&site, "v01")).expect("volume");
    assert!(before == after, "a foreign volume is left alone");
    let text = site.ends("media label v01", 2);
    assert!(text.contains("another set"), "{text}");
    // the right one is used again
    std::fs::remove_file(slot(&site, "v01")).expect("removed");
    site.good("media checkin v01");
    assert_eq!(volume(&site, "v01")["state"], "full");
    site.good("verify --device tapes");
}

/// How often each volume was loaded.
fn mounts(site: &Site) -> BTreeMap<String, u64> {
    let list = json(site, &format!("media list --format json --now {NOW}"));
    let volumes = list["sets"][0]["volumes"].as_array().expect("volumes");
    let mounts = volumes.iter().map(|volume| {
        let name = volume["volume"].as_str().expect("name").to_owned();
        (name, volume["mounts"].as_u64().expect("a number"))
    });
    mounts.collect()
}

#[test]
fn a_killed_restore_goes_on_with_one_pass_over_each_volume() {
    let site = Site::of(PLAN, INVENTORY);
    let content = bytes(3, 3_500_000, true);
    std::fs::write(site.path("docs/noise"), &content).expect("file");
    site.good(&format!("run papers --now {NOW}"));
    let mut resumed = 0;
    for record in 1.. {
        let target = site.path(&format!("papers{record}"));
        let line = format!("restore docs --to papers{record} --yes");
        let killed = kill_at(&site, &line, site.journal_records() + record);
        if killed && target.exists() {
            // all that was left is to say so
            let text = site.good("restore --resume");
            assert!(!text.contains("volumes of tapes"), "{text}");
        } else if killed {
            resume_once(&site, &target);
            resumed += 1;
        }
        let restored = std::fs::read(target.join("noise")).expect("file");
        assert!(restored == content, "killed at record {record}");
        if !killed {
            break;
        }
    }
    assert!(resumed > 0, "no kill hit the restore");
    let folder = std::fs::read_dir(site.path("state/shop@test/volumes/tapes")).expect("there");
    let names = folder.map(|entry| entry.expect("entry").file_name());
    let left = names.filter(|name| name.to_string_lossy().starts_with(".tmp"));
    assert_eq!(left.count(), 0, "nothing of the killed ones stays");
}

/// Goes on with a restore: not without one of its volumes, and then with one pass over each.
fn resume_once(site: &Site, target: &Path) {
    site.good("media checkout v02 --to shelf");
    let before = mounts(site);
    let text = site.ends("restore --resume", 2);
    let away = "volumes to fetch first: v02 of tapes";
    assert!(
        text.contains(away) && text.contains("media checkin"),
        "{text}"
    );
    assert!(!target.exists());
    assert_eq!(
        mounts(site),
        before,
        "nothing is loaded for what cannot end"
    );
    site.good("media checkin v02");
    let before = mounts(site);
    let text = site.good("restore --resume");
    assert!(text.contains("volumes of tapes: v01"), "{text}");
    let passes = mounts(site).into_iter();
    let passes = passes.map(|(volume, loaded)| loaded - before[&volume]);
    let passes: Vec<u64> = passes.filter(|loads| *loads > 0).collect();
    assert_eq!(passes, [1; 5]);
}

#[test]
fn a_library_that_is_gone_is_told_before_anything_is_restored() {
    let site = site();
    std::fs::remove_dir_all(site.path("vault")).expect("removed");
    let text = site.ends("restore docs --to papers --yes", 2);
    assert!(text.contains("tapes") && text.contains("help:"), "{text}");
    assert!(!site.path("papers").exists());
}

#[test]
fn a_volume_is_written_over_only_when_all_on_it_has_expired() {
    let site = site();
    let text = site.ends("media label v01", 2);
    assert!(text.contains("have not expired"), "{text}");
    let text = std::fs::read_to_string(site.path("docs/a.txt")).expect("file");
    // noise, so that volumes fill
    for day in 3..28 {
        std::fs::write(site.path("docs/noise"), bytes(day, 700_000, true)).expect("file");
        site.good(&format!("run papers --now 2026-03-{day:02}T03:00:00Z"));
        site.good(&format!(
            "expire --apply --grace 1h --now 2026-03-{day:02}T04:00:00Z"
        ));
        site.good(&format!(
            "expire --apply --grace 1h --now 2026-03-{day:02}T06:00:00Z"
        ));
    }
    // 25 copies of 700 kB do not fit on twelve volumes of 1 MiB: some were used again
    site.good("restore docs --to papers --yes");
    assert_eq!(
        std::fs::read_to_string(site.path("papers/a.txt")).expect("file"),
        text
    );
    let held = site.good("list --device tapes");
    site.good("verify --device tapes");
    std::fs::remove_dir_all(site.path("state")).expect("removed");
    site.good("catalog rebuild --from disk tapes");
    assert_eq!(
        site.good("list --device tapes"),
        held,
        "nothing comes back from the dead"
    );
}
