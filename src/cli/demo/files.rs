//! The texts of the demo: its plan and its inventory, as a user would write them.

/// The plan: one SQLite database, three devices on two sites, one recovery.
pub(super) const PLAN: &str = r#"planc 1
plan shop "A small shop: one database, three devices, two sites"
timezone UTC
environment demo inventory "inventory.yaml"

assume {
  log peak shop 4 GiB/h  # stated until it is measured; the promises are proved from it
}

# ---- what we promise ------------------------------------------------------------
objectives of shop {
  rpo 10s for loss of disk
  rpo 2min for loss of site
  rto 10min for human error
  recovery window 7d
  copies >= 3 on >= 2 sites
}

# ---- how we keep it -------------------------------------------------------------
backup nightly of service shop {
  physical full every day at 02:00
  store on disk
  copy to nas within 1h
  copy to cellar within 1h
  retain window 7d, monthly 3
  encrypt none  # copies of this demo stay on this machine
}

archive wal of shop {
  ship every 1s or 256 KiB to disk
  copy to nas within 1min
  copy to cellar within 1min
  retain window 8d
  encrypt none
}

# ---- what we do when ------------------------------------------------------------
recovery bad_transaction {
  for human error
  given bad: transaction
  restore service shop to bench
  replay log until before $bad
  probe shop "select count(*) from order_lines" > 0
  finish within 10min
}
"#;

/// The inventory beside it: where things are.
pub(super) const INVENTORY: &str = r"inventory: 1
sites: {fra: {city: Frankfurt}, dub: {city: Dublin}}
hosts:
  till: {site: fra}
  bk1: {site: fra}
  bk3: {site: fra}
  bk2: {site: dub}
  bench: {site: fra}
services:
  shop: {engine: sqlite, host: till, path: data/shop.db}
devices:
  disk: {host: bk1, path: devices/disk, write: 50 MiB/s}
  nas: {host: bk3, path: devices/nas, write: 50 MiB/s}
  cellar: {host: bk2, path: devices/cellar, write: 50 MiB/s}
state: state
";
