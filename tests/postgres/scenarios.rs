//! Recoveries of a plan on real servers: a lost tablespace where it was and elsewhere, a dropped
//! table beside the live ones and under its old name.

use std::time::Duration;

use super::cluster::{Cluster, own, run_ok, versions};
use super::ledger::{self, Writer};
use super::site::Site;

/// A schema as it was before a transaction, under another name.
pub(crate) const SCHEMA_THEN: &str = r#"
recovery schema_then {
  for human error
  given bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract table "sales.*" into database orders as "sales_then"
}
"#;

pub(crate) fn orders(cluster: &Cluster, statements: &str) {
    let mut client = cluster.client_of("postgres", "orders");
    client.batch_execute(statements).expect(statements);
}

/// What a query of database `orders` answers.
pub(crate) fn number(cluster: &Cluster, query: &str) -> i64 {
    let mut client = cluster.client_of("postgres", "orders");
    client.query_one(query, &[]).expect(query).get(0)
}

/// The transaction that ran a statement.
pub(crate) fn blamed(cluster: &Cluster, statement: &str) -> i64 {
    let mut client = cluster.client_of("postgres", "orders");
    let mut transaction = client.transaction().expect("a transaction");
    transaction.batch_execute(statement).expect(statement);
    let row = transaction.query_one("select pg_current_xact_id()::text::int8", &[]);
    let xid = row.expect("a number").get(0);
    transaction.commit().expect("a commit");
    xid
}

#[test]
fn a_lost_tablespace_comes_back_in_place_or_on_another_disk() {
    let scenarios = ["lost_tablespace", "moved_tablespace"];
    for (version, scenario) in versions().into_iter().zip(scenarios) {
        let site = Site::new(version);
        let cold = Writer::start(&site.cluster, "cold_ledger", "pg_default");
        let hot = Writer::start(&site.cluster, "hot_ledger", "hot");
        site.good("run");
        Writer::rest();
        let (cold, hot) = (cold.finish(), hot.finish());
        let told = site.ends(&format!("recover {scenario} ts=hot --yes"), 1);
        assert!(told.contains("the server runs"), "{told}");
        site.cluster.stop("immediate");
        std::fs::remove_dir_all(site.path("hot")).expect("lost");
        if scenario == "lost_tablespace" {
            std::fs::create_dir(site.path("hot")).expect("a new disk");
            own(&site.path("hot"));
        }
        let dry = site.good(&format!("recover {scenario} ts=hot --dry-run"));
        assert!(dry.contains("prepare-in-place"), "{dry}");
        let told = site.good(&format!("recover {scenario} ts=hot --yes"));
        assert!(told.contains("bytes were put back"), "{told}");
        site.cluster.start();
        assert_eq!(ledger::read(&site.cluster, "cold_ledger"), cold);
        assert_eq!(ledger::read(&site.cluster, "hot_ledger"), hot);
        let place = "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'hot'";
        let moved = site.cluster.ask(place);
        assert_eq!(
            moved.ends_with("spare/shop-hot"),
            scenario == "moved_tablespace"
        );

        // the cluster goes on with a history of its own, and old parts lead through it
        site.cluster.sql("create table after_it as select 7 n");
        site.good("run wal");
        site.good("restore shop --to later --relocate hot=later-hot --yes");
        let later = site.restored("later");
        assert_eq!(later.ask("select n from after_it"), "7");
        assert_eq!(ledger::read(&later, "hot_ledger"), hot);
        site.cluster.stop("fast");
        let data = site.cluster.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

#[test]
fn log_that_was_not_archived_outlives_a_recovery_in_place() {
    for version in versions() {
        let site = Site::new(version);
        site.good("run");
        let (there, away) = (site.path("far"), site.path("away"));
        std::fs::rename(&there, &away).expect("a device is away");
        for number in 0..6 {
            let fill = format!(
                "create table fill{number} as select repeat('f', 900) \
                                from generate_series(1, 2000)"
            );
            site.cluster.sql(&fill);
        }
        site.cluster.stop("immediate");
        std::fs::rename(&away, &there).expect("it is back");
        std::fs::remove_dir_all(site.path("hot")).expect("lost");
        std::fs::create_dir(site.path("hot")).expect("a new disk");
        own(&site.path("hot"));
        site.good("recover lost_tablespace ts=hot --yes");
        site.cluster.start();
        site.cluster.sql("create table after_it as select 7 n");
        site.good("run wal");
        let told = site.good("restore shop --to later --relocate hot=later-hot --yes");
        assert!(!told.contains("has a gap"), "{told}");
        let later = site.restored("later");
        assert_eq!(later.ask("select n from after_it"), "7");
    }
}

#[test]
fn a_dropped_table_comes_back_beside_the_live_ones_or_under_its_old_name() {
    for version in versions() {
        let site = Site::new(version);
        site.cluster
            .sql("create table big as select i, repeat('b', 900) from generate_series(1, 9000) i");
        site.good("run");
        orders(
            &site.cluster,
            "insert into lines (customer, note) values (2, 'late')",
        );
        std::thread::sleep(Duration::from_millis(10));
        let bad = blamed(&site.cluster, "drop table lines cascade");
        orders(&site.cluster, "insert into customers values (51, 'after')");
        site.good("run wal");

        let line = format!("recover dropped_table victim=lines bad={bad} --yes");
        let told = site.ends(&line, 2);
        assert!(told.contains("the role keeper may not"), "{told}");
        // who writes into a database must own what it touches
        site.cluster.sql("alter role keeper superuser");
        let told = site.good(&line);
        assert!(told.contains("recovered.lines (41 rows)"), "{told}");
        assert!(told.contains("bytes were restored"), "{told}");
        assert_eq!(
            number(&site.cluster, "select count(*) from recovered.lines"),
            41
        );

        let line = format!("recover dropped_for_good victim=orders.lines bad={bad} --yes");
        let told = site.good(&line);
        assert!(told.contains("public.lines (41 rows)"), "{told}");
        let live = &site.cluster;
        assert_eq!(number(live, "select count(*) from customers"), 51);
        let next = "insert into lines (customer, note) values (3, 'next') returning id::int8";
        // replay leaves a sequence up to 32 values ahead, as a crash does
        assert!(
            (42..=74).contains(&number(live, next)),
            "the sequence came too"
        );
        let keys = "select count(*) from pg_constraint where contype = 'f' and convalidated";
        assert_eq!(
            number(live, keys),
            2,
            "its own foreign key and the one to it"
        );
        let told = site.ends(&line, 2);
        assert!(told.contains("has a table of this name"), "{told}");
    }
}
