//! Trouble of a real server: down, restarted in the middle of a copy, without a disk, with two
//! histories. Nothing half is committed, and the cause is named.

use planc::engine::postgres::engine::PostgresEngine;
use planc::engine::{Engine, TableSet};
use planc::facts::holdings::Method;

use super::ahead::until;
use super::cluster::Cluster;
use super::parts;
use super::site::Site;
use super::standby::{catch_up, follow};

#[test]
fn a_restart_in_the_middle_of_a_copy_leaves_no_part() {
    let cluster = Cluster::archiving(15);
    cluster.sql("create table kept as select generate_series(1, 100) i");
    let restart = || {
        cluster.stop("immediate");
        cluster.start();
    };
    let engine = parts::engine(&cluster, &[]);
    let told = parts::copy_while(&engine, "shop/base/base", restart);
    let error = told.expect_err("the bracket is lost");
    let told = format!("{error}; {}", error.help());
    for words in ["end the backup of shop", "is the server up"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    parts::copy(&engine, "shop/base/base").expect("the next one is whole");

    let mut spec = parts::spec(&cluster, "postgres", &[]);
    let key = "shop/group/g".to_owned();
    let set = TableSet {
        database: Some("postgres".to_owned()),
        tables: vec!["kept".to_owned()],
    };
    spec.sets.insert(key.clone(), set);
    let engine = PostgresEngine::new(spec);
    let begin = || engine.begin(&key, Method::Logical, jiff::Timestamp::now());
    let mut session = begin().expect("a snapshot");
    restart();
    let told = parts::gather(session.as_mut()).expect_err("the snapshot is lost");
    assert!(told.to_string().contains("pg_dump"), "{told}");
    drop(session);
    let mut session = begin().expect("another snapshot");
    let (_folder, entries) = parts::gather(session.as_mut()).expect("a dump");
    let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        names,
        ["globals.sql", "roles.sql", "schema.dump", "data.dump"]
    );
    session.end().expect("its end");
    assert!(
        engine
            .begin("shop/base/base", Method::Logical, jiff::Timestamp::now())
            .is_err()
    );
}

#[test]
fn a_server_that_is_down_and_a_disk_that_is_gone_are_named() {
    let site = Site::new(15);
    site.cluster.stop("fast");
    let told = site.ends("run nightly", 1);
    assert!(told.contains("connect to shop as keeper"), "{told}");
    site.cluster.start();
    std::fs::rename(site.path("hot"), site.path("gone")).expect("unmounted");
    let told = site.ends("run nightly", 1);
    assert!(told.contains("hot"), "{told}");
    let list = site.good("list");
    assert!(!list.contains("shop/tablespace/hot"), "{list}");
    std::fs::rename(site.path("gone"), site.path("hot")).expect("mounted");
    site.good("run nightly");
}

#[test]
fn two_histories_must_be_told_apart() {
    let site = Site::new(15);
    site.good("run");
    let orders = |cluster: &Cluster, table: &str| {
        let mut client = cluster.client_of("postgres", "orders");
        client
            .batch_execute(&format!("create table {table} (i int)"))
            .expect("a table");
    };
    orders(&site.cluster, "common");
    site.good("run wal");
    let other = site.path("other-hot").display().to_string();
    site.good(&format!(
        "restore shop --to other --relocate hot={other} --yes"
    ));
    {
        // the copy goes on by itself, into the same archive
        let copy = site.restored("other");
        copy.sql("alter system reset archive_mode");
        copy.stop("fast");
        copy.start();
        orders(&copy, "theirs");
        copy.sql("select pg_switch_wal()");
        copy.stop("fast");
    }
    orders(&site.cluster, "ours");
    site.good("run wal");
    let told = site.ends("restore shop --to new --yes", 2);
    assert!(told.contains("more than one history"), "{told}");
    assert!(told.contains("--timeline"), "{told}");
    let hot = site.path("own-hot").display().to_string();
    site.good(&format!(
        "restore shop --to new --timeline 1 --relocate hot={hot} --yes"
    ));
    let restored = site.restored("new");
    let mut client = restored.client_of("postgres", "orders");
    let mut has = |table: &str| -> bool {
        let query = format!("select to_regclass('{table}') is not null");
        client.query_one(&query, &[]).expect("an answer").get(0)
    };
    assert!(has("common") && has("ours") && !has("theirs"));
    // where the other one came from was never archived: its log leads nowhere
    let told = site.ends("restore shop --to other-new --timeline 2 --yes", 2);
    assert!(told.contains("as old as"), "{told}");
}

/// A standby was promoted, and its primary writes on: the newest history is taken, and what the
/// other one holds is told.
#[test]
fn a_history_that_was_left_and_goes_on_is_told() {
    let site = Site::new(15);
    site.good("run");
    let standby = follow(&site.cluster);
    catch_up(&site.cluster, &standby);
    standby.sql("select pg_promote()");
    standby.wait_open();
    standby.sql("create table theirs (i int)");
    standby.sql("select pg_switch_wal()");
    let archived = "select count(*) from pg_stat_archiver where last_archived_wal \
                    like '00000002%' and last_archived_wal not like '%history'";
    until("it is archived", || standby.ask(archived) == "1");
    let told = site.good("restore shop --to new --dry-run");
    assert!(!told.contains("was left at"), "{told}");
    for table in ["ours", "ours_too"] {
        site.cluster.sql(&format!("create table {table} (i int)"));
        site.good("run wal");
    }
    let told = site.good("restore shop --to new --dry-run");
    assert!(told.contains("; history 00000001 was left at"), "{told}");
    let told = site.good("restore shop --to new --timeline 1 --dry-run");
    assert!(!told.contains("was left at"), "{told}");
}
