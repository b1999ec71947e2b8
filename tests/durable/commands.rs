//! The law of order over the commands of a site with a database of SQLite and a tree.

use super::holds;
use super::trace::{Call, in_order};
use crate::runs::site::{NOW, Site};

fn hold(site: &Site, line: &str) -> Vec<Call> {
    holds(&site.command(line), &site.path(""), &[])
}

#[test]
fn runs_and_restores() {
    let site = Site::new();
    hold(&site, &format!("run --plan shop.plan --now {NOW} --quiet"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    hold(&site, "run wal --now 2026-03-02T10:10:00Z --quiet");
    hold(&site, "verify");
    let calls = hold(&site, "restore docs --to papers --yes");
    // which file it is must be known before it has its name
    let staging = "/.papers.planc-staging-";
    in_order(
        &calls,
        &[
            ("fsync", "/.publishing"),
            ("fsync", staging),
            ("rename", "/papers"),
        ],
    );
    hold(&site, "restore shop --to back.db --yes");
    hold(&site, "catalog rebuild --from disk");
    for day in ["12", "20"] {
        site.sql("INSERT INTO t (x) VALUES ('more')");
        site.good(&format!(
            "run nightly papers wal --now 2026-03-{day}T09:00:00Z"
        ));
    }
    hold(&site, "expire --apply --now 2026-03-20T10:00:00Z");
    let calls = hold(&site, "expire --apply --now 2026-03-22T10:00:00Z");
    in_order(&calls, &[("unlink", "/devices/disk/packs/")]);
}

#[test]
fn devices_are_claimed() {
    let site = Site::new();
    for device in ["devices/disk", "devices/nas"] {
        std::fs::remove_dir_all(site.path(device)).expect("removed");
        std::fs::create_dir(site.path(device)).expect("a folder");
    }
    hold(&site, "device init --all");
}

#[test]
fn files_that_people_keep() {
    let site = Site::new();
    let inventory = crate::runs::site::INVENTORY.to_owned() + "facts: shop.facts.yaml\n";
    std::fs::write(site.path("inventory.yaml"), inventory).expect("inventory");
    hold(&site, "key new new.key --public new.pub");
    let key = std::fs::read(site.path("new.key")).expect("a key");
    assert!(!site.planc("key new new.key").status.success());
    assert_eq!(std::fs::read(site.path("new.key")).expect("a key"), key);
    hold(&site, "survey --sample 0");
    hold(&site, "survey --sample 0");
    std::fs::write(site.path("bad.plan"), "planc   1\nplan bad\n").expect("plan");
    hold(&site, "fmt bad.plan");
}
