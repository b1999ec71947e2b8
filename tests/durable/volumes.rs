//! The law of order over volume sets that are files.

use super::holds;
use super::law::Spared;
use crate::runs::site::{NOW, Site};

const PLAN: &str = r#"planc 1
plan shop
timezone UTC
environment test inventory "inventory.yaml"
device tapes is volumes at fra {
  rotate to dub every fri at 14:00, return when expired
}
backup nightly of service shop {
  physical full every day at 02:00
  store on tapes
  retain window 7d
  encrypt none
}
"#;

const INVENTORY: &str = r"inventory: 1
sites: {fra: {}, dub: {}}
hosts: {till: {site: fra}, bk1: {site: fra}}
services:
  shop: {engine: sqlite, host: till, path: data/shop.db}
devices:
  tapes: {host: bk1, volumes: 12, volume_size: 1 MiB, drives: 1, library: {folder: vault}}
state: state
";

#[test]
fn volumes_are_made_written_and_moved() {
    let site = Site::of(PLAN, INVENTORY);
    for made in ["vault", "state"] {
        std::fs::remove_dir_all(site.path(made)).expect("removed");
    }
    let hold = |line: &str| drop(holds(&site.command(line), &site.path(""), &[]));
    hold("device init --all");
    hold(&format!("run --now {NOW} --quiet"));
    hold("media checkout v01 --to shelf");
    hold("media checkin v01");
    let line = Spared::all("/register.jsonl", "a break before the next line");
    let verify = site.command("verify");
    holds(&verify, &site.path(""), &[line]);
}
