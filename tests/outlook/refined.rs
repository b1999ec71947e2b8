//! What runs have shown of devices.

use jiff::Timestamp;
use planc::facts::holdings::{Holdings, JobHistory, fetching};
use planc::facts::refined::{Rates, rates};
use planc::quantity::BytesPerSecond;

const PLAN: &str = "\
planc 1
plan notes
timezone UTC
environment prod inventory \"inventory.yaml\"
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 1h
  copy to slow within 1h
  retain window 14d
}
backup gently of service notes {
  physical full every day at 05:30
  store on slow
  throttle 1 MiB/s
  retain window 14d
}
";

const INVENTORY: &str = "\
inventory: 1
hosts: {desk: {}, vault: {}}
services: {notes: {engine: sqlite, host: desk, path: /srv/notes.db}}
devices:
  near: {host: vault, path: /c}
  far: {host: vault, path: /d}
  slow: {host: vault, path: /e}
";

const MIB: f64 = 1_048_576.0;

fn shown(jobs: &[(&str, f64, u64)]) -> Vec<(String, Rates)> {
    let compiled = super::compiled(PLAN, INVENTORY);
    let plan = compiled.environments()[0];
    let jobs = jobs.iter().map(|(job, seconds, mebibytes)| JobHistory {
        job: (*job).to_owned(),
        method: None,
        began: Timestamp::UNIX_EPOCH,
        seconds: *seconds,
        bytes: mebibytes << 20,
    });
    let holdings = Holdings {
        jobs: jobs.collect(),
        ..Holdings::default()
    };
    rates(plan, &holdings).into_iter().collect()
}

fn mebibytes(rate: f64) -> BytesPerSecond {
    BytesPerSecond(rate * MIB)
}

#[test]
fn a_run_tells_how_fast_its_devices_were_written() {
    let found = shown(&[("nightly", 4.0, 800), ("gently", 100.0, 100)]);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["far", "near", "slow"]);
    // the throttled job says nothing of the device that it writes as well
    assert!(
        found
            .iter()
            .all(|(_, rates)| *rates == (Some(mebibytes(200.0)), None))
    );
}

#[test]
fn a_restore_tells_what_each_device_gave() {
    let both = fetching("notes", &["near".to_owned(), "far".to_owned()]);
    let half = (None, Some(mebibytes(200.0)));
    assert_eq!(
        shown(&[(&both, 2.0, 800)]),
        [("far".to_owned(), half), ("near".to_owned(), half)]
    );
}

#[test]
fn what_is_short_or_small_tells_nothing() {
    assert_eq!(shown(&[("nightly", 0.2, 800), ("gently", 9.0, 1)]), []);
}
