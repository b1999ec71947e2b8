//! Copies that are sealed for changing keys: which of them stay closed, from when to when, is told
//! before a restore changes anything.

use std::path::PathBuf;

use super::site::{NOW, Site, rows};
use super::volumes::INVENTORY;

const PLAN: &str = r#"planc 1
plan shop "A shop"
timezone UTC
environment test inventory "inventory.yaml"

device tapes is volumes at fra
key k from file "k.key" escrow at dub

backup nightly of service shop {
  physical full every day at 02:00
  store on disk
  retain window 7d
  encrypt with k
}

archive wal of shop {
  ship every 1h to disk
  retain window 8d
  encrypt with k
}

backup papers of service docs {
  physical full every day at 02:00
  store on disk
  copy to tapes within 20h
  retain window 7d
  encrypt with k
}
"#;

/// Ranges of log that are sealed for each of two keys.
const RANGES: usize = 13;

/// A site with a key; the key's public half.
fn site() -> (Site, String) {
    let site = Site::of(PLAN, INVENTORY);
    let half = new_key(&site);
    (site, half)
}

/// Makes the key of the plan; its public half.
fn new_key(site: &Site) -> String {
    let told = site.good("key new k.key");
    let half = told.lines().find(|line| line.starts_with("age1"));
    half.expect("a public half").to_owned()
}

/// Where stored ranges of log begin, in order.
fn begins(site: &Site) -> Vec<u64> {
    let logs = walkdir::WalkDir::new(site.path("devices/disk/logs"));
    let files = logs.into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    let mut begins: Vec<u64> = files
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    begins.sort_unstable();
    begins
}

fn ship(site: &Site) {
    for _ in 0..RANGES {
        site.sql("INSERT INTO t (x) VALUES ('more')");
        site.good("run wal");
    }
}

/// The restore is refused, and names the log from the first to the last of these ranges.
fn refused(site: &Site, closed: &[u64], half: &str) -> String {
    let told = site.ends("restore shop --to back.db --yes", 2);
    let (first, last) = (closed[0], closed[closed.len() - 1]);
    let (_, log) = told.split_once("log from ").expect(&told);
    let (ids, rest) = log.split_once(')').expect(&told);
    let (from, until) = ids.split_once(" to shop.").expect(&told);
    assert!(from.contains(&format!(".{first}.")), "{first}: {told}");
    assert!(until.contains(&format!(".{last}.")), "{last}: {told}");
    let holder = format!(" on device disk, sealed for {half}");
    assert!(rest.starts_with(&holder), "{holder}: {told}");
    assert!(
        told.contains("escrow") && told.contains("nothing was changed"),
        "{told}"
    );
    assert!(!site.path("back.db").exists());
    told
}

#[test]
fn log_that_no_key_opens_is_named_from_its_first_range_to_its_last() {
    let (site, old) = site();
    site.good(&format!("run nightly --now {NOW}"));
    ship(&site);
    let earlier = begins(&site).len();
    let (key, away) = (site.path("k.key"), site.path("old.key"));
    std::fs::rename(&key, &away).expect("moved");
    let new = new_key(&site);
    ship(&site);
    let all = begins(&site);
    // with the new key: the copy and the older log stay closed
    let told = refused(&site, &all[..earlier], &old);
    let copies = format!(" on device disk, sealed for {old}");
    let closed = told.matches(&copies).count();
    assert!(closed == 2 && !told.contains(&new), "{told}");
    // with the old one: the newer log
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a key");
    let both = format!("{}# former\n{}", read(&key), read(&away));
    std::fs::copy(&away, &key).expect("copied");
    let told = refused(&site, &all[earlier..], &new);
    assert!(!told.contains(&old), "{told}");
    std::fs::write(&key, both).expect("written");
    site.good("restore shop --to back.db --yes");
    assert_eq!(rows(&site.path("back.db")).len(), 3 + 2 * RANGES);
}

#[test]
fn a_volume_set_is_judged_by_what_is_remembered_of_it() {
    let (site, half) = site();
    site.good(&format!("run papers --now {NOW}"));
    std::fs::rename(site.path("devices/disk"), site.path("devices/lost")).expect("away");
    std::fs::rename(site.path("k.key"), site.path("old.key")).expect("away");
    // no volume is within reach: nothing can be loaded
    let volume = site.path("vault/v01.volume");
    std::fs::rename(&volume, site.path("v01.volume")).expect("away");
    let told = site.ends("restore docs --to papers --yes", 2);
    assert!(
        told.contains(&format!("on device tapes, sealed for {half}")),
        "{told}"
    );
    std::fs::rename(site.path("v01.volume"), &volume).expect("back");
    std::fs::rename(site.path("old.key"), site.path("k.key")).expect("back");
    site.good("restore docs --to papers --yes");
}

#[test]
fn what_a_host_with_the_public_half_lets_go_is_left_to_the_one_with_the_secret_half() {
    let (site, half) = site();
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    std::fs::write(
        site.path("shop.plan"),
        plan.replace("retain window 7d", "retain last 1"),
    )
    .expect("plan");
    let secret = std::fs::read(site.path("k.key")).expect("key");
    std::fs::write(site.path("k.key"), half + "\n").expect("public half");
    site.good("run --now 2026-03-01T02:00:00Z");
    site.good("run --now 2026-03-02T02:00:00Z");
    let text = site.good("run --now 2026-03-03T02:00:00Z");
    assert!(text.contains("stays: no key at hand opens it"), "{text}");
    let expire = "expire --apply --now 2026-03-03T03:00:00Z";
    let text = site.ends(expire, 1);
    assert!(text.contains("sealed for other keys"), "{text}");
    std::fs::write(site.path("k.key"), secret).expect("secret half");
    let text = site.good(expire);
    assert!(text.contains("tombstone of"), "{text}");
    let text = site.good("run --now 2026-03-04T04:00:00Z");
    assert!(text.contains("deleted"), "{text}");
}

#[test]
fn a_stored_copy_brings_its_rewrapped_secrets_along() {
    let two = PLAN
        .replace(" is volumes at fra", "")
        .replace("tapes", "nas")
        .replace("within 20h", "every day at 12:00");
    let site = Site::of(&two, super::site::INVENTORY);
    new_key(&site);
    site.good(&format!("run papers --now {NOW}"));
    let key = site.path("k.key");
    let former = std::fs::read_to_string(&key).expect("a key");
    std::fs::remove_file(&key).expect("removed");
    new_key(&site);
    let new = std::fs::read_to_string(&key).expect("a key");
    std::fs::write(&key, format!("{new}# former\n{former}")).expect("written");
    site.good("key rewrap k");
    std::fs::write(&key, new).expect("written");
    site.good("run --now 2026-03-02T12:30:00Z");
    std::fs::rename(site.path("devices/disk"), site.path("devices/lost")).expect("away");
    let told = site.good("key check --device nas");
    assert!(!told.contains("0 of 0"), "{told}");
    site.good("restore docs --to papers --yes --at 2026-03-02T11:00:00Z");
}
