//! Plans that promise what their copies do not keep: each is told so, and its nearest neighbour
//! that keeps the promise is not.

use planc::check::proof::Outcome;

use super::{compiled, errors};

const HEAD: &str = "planc 1\nplan claims\ntimezone UTC\n\
                    environment prod inventory \"inventory.yaml\"\n";

const INVENTORY: &str = "inventory: 1
sites: {here: {}, there: {}}
hosts:
  desk: {site: here, write: 400 MiB/s, disks: {d1: {write: 400 MiB/s}}}
  cellar: {site: here, write: 400 MiB/s}
  depot: {site: there, write: 400 MiB/s}
services:
  docs: {engine: files, host: desk, disk: d1, path: /srv/docs}
devices:
  near: {host: cellar, path: /copies/near, write: 200 MiB/s, read: 200 MiB/s}
  far: {host: depot, path: /copies/far, write: 200 MiB/s, read: 200 MiB/s}
  tapes: {host: cellar, volumes: 40, volume_size: 1 TiB, write: 200 MiB/s, read: 200 MiB/s}
";

/// How the first promise of a plan comes out, in seconds or copies where it is proved, and what
/// stands against the plan.
fn judged(body: &str) -> (Outcome, Option<f64>, Vec<String>) {
    let sizes = "assume {\n  size docs 10 GiB\n  change docs 1%/day\n}\n";
    let compiled = compiled(&format!("{HEAD}{sizes}{body}"), INVENTORY);
    let first = compiled.judged.proofs.first().expect("a promise");
    (first.verdict, first.found, errors(&compiled))
}

fn takes(takes: &str, copy: &str, promise: &str) -> (Outcome, Option<f64>, Vec<String>) {
    judged(&format!(
        "objectives of docs {{\n  {promise}\n}}\nbackup daily of service docs {{\n  {takes}\n  \
         store on near\n  copy {copy} within 6h\n  retain window 30d\n  encrypt none\n}}\n"
    ))
}

#[test]
fn a_device_that_gets_fulls_only_is_as_old_as_its_newest_full() {
    let promise = "rpo 2d for loss of site";
    let weekly = "physical full every sun at 02:00\n  physical incremental every day at 02:00";
    let (outcome, _, errors) = takes(weekly, "full to far", promise);
    assert_eq!(outcome, Outcome::Broken);
    assert!(errors[0].contains("could cost 7d 6h"), "{errors:?}");
    let (outcome, ..) = takes(weekly, "to far", promise);
    assert_eq!(outcome, Outcome::Proved);
}

#[test]
fn two_schedules_at_other_hours_are_as_far_apart_as_their_hours() {
    let promise = "rpo 2d for loss of host";
    let hours = |full: &str, rest: &str| {
        let both =
            format!("physical full every sun {full}\n  physical incremental every mon..sat {rest}");
        takes(&both, "to far", promise).1.expect("a bound") / 3600.0
    };
    // from sunday at 2 to monday at 20
    assert!((42.0..43.0).contains(&hours("at 02:00", "at 20:00")));
    assert!((24.0..25.0).contains(&hours("at 20:00", "at 20:00")));
    // from saturday at 2 to sunday at 20
    assert!((42.0..43.0).contains(&hours("at 20:00", "at 02:00")));
}

fn recovery(action: &str) -> (Outcome, Option<f64>, Vec<String>) {
    judged(&format!(
        "objectives of docs {{\n  rto 4h for loss of site\n}}\nbackup daily of service docs {{\n  \
         physical full every day at 02:00\n  store on near\n  copy to far within 6h\n  retain \
         window 30d\n  encrypt none\n}}\nrecovery moved {{\n  for loss of site here\n  restore \
         service docs {action}\n  finish within 4h\n}}\n"
    ))
}

#[test]
fn a_recovery_cannot_use_what_is_lost() {
    for (action, gone) in [
        ("to cellar", "restores to cellar"),
        ("to depot from near", "reads from near"),
    ] {
        let (outcome, _, errors) = recovery(action);
        assert_eq!(outcome, Outcome::Broken, "{action}");
        let told = format!("P0922 `moved` {gone}, which loss of site here takes");
        assert_eq!(errors, [told]);
    }
    let (outcome, _, errors) = recovery("to depot from far");
    assert_eq!((outcome, errors), (Outcome::Proved, Vec::new()));
}

#[test]
fn a_key_on_the_lost_host_opens_nothing() {
    let key = |source: &str| {
        let (_, _, errors) = judged(&format!(
            "key k from {source}\nobjectives of docs {{\n  rpo 2d for loss of host\n}}\nbackup \
             daily of service docs {{\n  physical full every day at 02:00\n  store on near\n  \
             retain window 30d\n  encrypt with k\n}}\n"
        ));
        errors
    };
    let alone = key("file \"/etc/k\"");
    assert!(
        alone[0].starts_with("P1002 key k lives on one host only"),
        "{alone:?}"
    );
    assert_eq!(key("file \"/etc/k\" escrow at here"), Vec::<String>::new());
    assert_eq!(key("vault \"kv/k\""), Vec::<String>::new());
}

#[test]
fn volumes_that_travel_to_the_other_copy_are_at_one_site() {
    let sites = |store: &str| {
        judged(&format!(
            "device tapes is volumes {{\n  rotate to there every fri at 14:00, return when \
             expired\n}}\nobjectives of docs {{\n  copies >= 2 on >= 2 sites\n}}\nbackup daily of \
             service docs {{\n  physical full every day at 02:00\n  store on {store}\n  copy to \
             tapes within 6h\n  retain window 30d\n  encrypt none\n}}\n"
        ))
        .0
    };
    assert_eq!(sites("far"), Outcome::Broken);
    assert_eq!(sites("near"), Outcome::Proved);
}
