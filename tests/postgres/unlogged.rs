//! Log that was written under `wal_level = minimal`: it lacks what the server did, so no copy made
//! before leads beyond it, though every segment is stored.

use super::chains::a_second;
use super::site::Site;

fn set(site: &Site, settings: &[&str]) {
    site.cluster.stop("fast");
    site.cluster.configure(settings);
    site.cluster.start();
}

#[test]
fn log_that_lacks_what_the_server_did_is_a_gap() {
    let site = Site::incremental(15);
    let cluster = &site.cluster;
    site.good("run");
    cluster.sql("create table early as select 1 i");
    let minimal = ["wal_level = minimal", "archive_mode = off"];
    set(
        &site,
        &[
            &minimal[..],
            &["max_wal_senders = 0", "wal_keep_size = 256MB"],
        ]
        .concat(),
    );
    cluster.sql("begin; create table bulk as select generate_series(1, 5000) i; commit");
    let again = ["wal_level = replica", "archive_mode = on"];
    set(
        &site,
        &[&again[..], &["max_wal_senders = 10", "wal_keep_size = 0"]].concat(),
    );
    // the server offers what it wrote meanwhile when it would remove it
    cluster.sql("select pg_switch_wal(); checkpoint");
    cluster.sql("create table late as select 1 i");
    site.good("run wal");
    let at = cluster.ask("select to_char(now(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ')");
    cluster.sql("create table later as select 1 i");
    site.good("run wal");

    let told = site.good("log status");
    assert!(!told.contains("lost"), "every segment is there: {told}");
    assert!(told.contains("ran with wal_level = minimal"), "{told}");
    let told = site.ends(&format!("restore shop --to then --at {at} --yes"), 2);
    assert!(told.contains("goes on at"), "{told}");
    let is_there = "select to_regclass('early') is not null, to_regclass('late') is not null";
    let tables = |name: &str| {
        let copy = site.restored(name);
        let row = copy.client().query_one(is_there, &[]).expect("an answer");
        (row.get::<_, bool>(0), row.get::<_, bool>(1))
    };
    let told = site.good("restore shop --to before --yes");
    assert!(told.contains("has a gap"), "{told}");
    assert_eq!(tables("before"), (true, false));

    a_second();
    let told = site.good("run --dry-run");
    assert!(told.contains("the stored log has a hole from"), "{told}");
    site.good("run");
    site.good("restore shop --to now --yes");
    assert_eq!(tables("now"), (true, true));
}
