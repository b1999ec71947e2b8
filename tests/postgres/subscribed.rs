//! A cluster that receives changes from another one, on real servers: the servers that planc runs on
//! its copies ask for none of them, because what they took would be lost to the real one.

use std::time::{Duration, Instant};

use super::arrival::DATABASE_THEN;
use super::cluster::{Cluster, versions};
use super::scenarios::{blamed, orders};
use super::site::Site;

/// A server that hands changes on.
fn publisher(version: u32) -> Cluster {
    let publisher = Cluster::create(version);
    publisher.configure(&["wal_level = logical", "log_replication_commands = on"]);
    publisher.start();
    publisher.sql("create table news (i int primary key); create publication news for table news");
    publisher
}

/// How often somebody asked for changes.
fn asked(publisher: &Cluster) -> usize {
    publisher.log().matches("START_REPLICATION").count()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A database that comes under another name beside the live one leaves the subscription to that.
fn take_database(site: &Site) {
    site.cluster.sql("alter role keeper superuser");
    let bad = blamed(&site.cluster, "truncate lines cascade");
    site.good("run wal");
    let told = site.good(&format!("recover database_then bad={bad} --yes"));
    let words = "subscription news: not made, the live database may have it";
    assert!(told.contains(words), "{told}");
    site.cluster.sql("drop database orders_then");
}

#[test]
fn a_restored_copy_takes_no_changes_from_a_publisher() {
    for version in versions() {
        let publisher = publisher(version);
        let site = Site::with(version, |plan| plan.to_owned() + DATABASE_THEN);
        let subscribe = format!(
            "create subscription news connection 'host={} user=postgres dbname=postgres' \
             publication news",
            publisher.folder.path().display()
        );
        orders(&site.cluster, "create table news (i int primary key)");
        orders(&site.cluster, &subscribe);
        publisher.sql("insert into news values (1)");
        let news = "select count(*) from news";
        wait_until("the first row comes", || {
            let mut client = site.cluster.client_of("postgres", "orders");
            client.query_one(news, &[]).expect("rows").get::<_, i64>(0) == 1
        });
        site.good("run");
        take_database(&site);
        site.cluster.stop("immediate");
        publisher.sql("insert into news values (2)");
        let slot = "select confirmed_flush_lsn from pg_replication_slots where not active";
        wait_until("the subscriber is gone", || {
            publisher.ask("select count(*) from pg_replication_slots where active") == "0"
        });
        let before = (asked(&publisher), publisher.ask(slot));
        let told = site.good("restore shop --to new --yes");
        let words = "subscription news of database orders goes on once the copy is started";
        assert!(told.contains(words), "{told}");
        assert_eq!((asked(&publisher), publisher.ask(slot)), before);

        // who starts the copy gets what the lost one did not
        let copy = site.restored("new");
        wait_until("the second row comes", || {
            let mut client = copy.client_of("postgres", "orders");
            client.query_one(news, &[]).expect("rows").get::<_, i64>(0) == 2
        });
    }
}
