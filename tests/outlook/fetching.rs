//! Times that only people can state: how long volumes travel, how fast rows are loaded.

use planc::check::proof::{Outcome, Row};

/// Each service has copies on volumes alone when its site is lost; `lists` is copied as rows.
const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
device tapes is volumes at here { rotate to there every mon at 14:00, return when expired }
service lists is postgresql { database lists { } }
assume {
  size service notes 360 GiB
  size database lists.lists 36 GiB
}
objectives of notes {
  rto 2d for loss of site here
}
objectives of lists {
  rto 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to tapes within 6h
  retain window 14d
}
backup rows of database lists.lists {
  logical every day at 03:00
  store on near
  retain window 14d
}
recovery elsewhere {
  for loss of site here
  restore service notes to spare
}
";

const INVENTORY: &str = "\
inventory: 1
sites: {here: {}, there: {}, third: {}}
hosts:
  desk: {site: here, write: 100 MiB/s}
  vault: {site: here}
  spare: {site: third, write: 100 MiB/s}
services:
  notes: {engine: files, host: desk, path: /srv/notes}
  lists: {engine: postgresql, version: \"18\", host: desk}
devices:
  near: {host: vault, path: /c, write: 100 MiB/s, read: 100 MiB/s}
  tapes: {host: vault, volumes: 400, volume_size: 6 TiB, write: 100 MiB/s, read: 100 MiB/s}
";

fn proof(inventory: &str, service: &str) -> Row {
    let compiled = super::compiled(PLAN, inventory);
    let errors = super::errors(&compiled);
    let rows = compiled.judged.proofs.into_iter();
    let mut rows = rows.filter(|row| row.claim == "rto" && row.service == service);
    rows.next().unwrap_or_else(|| panic!("{errors:#?}"))
}

#[test]
fn volumes_take_as_long_as_is_stated() {
    let unknown = proof(INVENTORY, "notes");
    assert_eq!(unknown.verdict, Outcome::Unknown, "{unknown:?}");
    assert!(
        unknown.reason.contains("to bring volumes of tapes"),
        "{}",
        unknown.reason
    );
    let stated = |fetch: &str| INVENTORY.replace("6 TiB,", &format!("6 TiB, fetch: {fetch},"));
    let known = proof(&stated("8h"), "notes");
    assert_eq!(known.verdict, Outcome::Proved, "{known:?}");
    // 8 h on the way, 360 GiB at 100 MiB/s, and the reserve of a fifth
    let found = known.found.expect("a bound");
    assert!((found - 1.2 * (28_800.0 + 3_686.4)).abs() < 1.0, "{found}");
    assert_eq!(proof(&stated("3d"), "notes").verdict, Outcome::Broken);
}

#[test]
fn rows_are_loaded_as_fast_as_is_stated() {
    let unknown = proof(INVENTORY, "lists");
    assert_eq!(unknown.verdict, Outcome::Unknown, "{unknown:?}");
    assert!(
        unknown.reason.contains("import speed of desk"),
        "{}",
        unknown.reason
    );
    let stated = INVENTORY.replace("desk: {site: here,", "desk: {site: here, import: 10 MiB/s,");
    let known = proof(&stated, "lists");
    assert_eq!(known.verdict, Outcome::Proved, "{known:?}");
    let found = known.found.expect("a bound");
    assert!((found - 1.2 * 3_686.4).abs() < 1.0, "{found}");
}
