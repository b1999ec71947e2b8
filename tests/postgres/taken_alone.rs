//! What is taken out of a copy comes for itself: live parents of a partition or of a table that
//! inherits keep their rows, and what holds on to it in the copy lets go: prepared transactions,
//! settings of its database, a database that is closed.

use super::cluster::{Cluster, versions};
use super::scenarios::{number, orders};
use super::site::Site;

const MORE: &str = r#"
recovery beside {
  for human error
  given victim: table, bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract table $victim into database orders as "beside"
}

recovery closed_then {
  for human error
  given bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract database closed into service shop as "closed_then"
}

recovery schema_then {
  for human error
  given bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract table "apart.*" into database orders as "apart_then"
}
"#;

const TABLES: &str = "create table parts (k int, d int, line int references lines, \
     primary key (k, d)) partition by list (d); \
     create table one partition of parts for values in (1); \
     create table two partition of parts for values in (2); \
     insert into parts select i, 1 + i % 2, 1 + i % 9 from generate_series(1, 40) i; \
     create table refers (k int, d int, foreign key (k, d) references parts); \
     insert into refers values (2, 1); \
     create table parent (a int); create table child (b int) inherits (parent); \
     insert into parent values (1); insert into child select i, i from generate_series(1, 9) i; \
     create statistics \"of child\" (ndistinct, mcv) on a, (b + 1) from child; \
     create materialized view kept as select a from parent; \
     create schema apart; create table apart.logs (d int) partition by list (d); \
     create table late partition of apart.logs for values in (1); \
     insert into apart.logs values (1); \
     create unlogged table cache as select generate_series(1, 5) i";

fn site(version: u32) -> Site {
    let site = Site::with(version, |plan| {
        plan.replace(
            "  database orders {",
            "  database closed\n  database orders {",
        ) + MORE
    });
    site.cluster.stop("fast");
    site.cluster.configure(&["max_prepared_transactions = 4"]);
    site.cluster.start();
    site.cluster.sql("alter role keeper superuser");
    site.cluster.sql("create database closed");
    orders(&site.cluster, TABLES);
    site.good("run");
    site
}

/// Prepares a transaction in database `orders`; its number.
fn prepare(cluster: &Cluster, statements: &str, name: &str) -> String {
    let mut client = cluster.client_of("postgres", "orders");
    client
        .batch_execute(&format!("begin; {statements}"))
        .expect(statements);
    let row = client.query_one("select pg_current_xact_id()::text", &[]);
    let number = row.expect("a number").get(0);
    client
        .batch_execute(&format!("prepare transaction '{name}'"))
        .expect("prepared");
    number
}

/// A prepared transaction drops a table. At its end another one holds locks, no session can begin
/// in `orders` for want of a library, and none may begin in `closed`.
fn lose(site: &Site) -> String {
    let bad = prepare(&site.cluster, "drop table cache", "bad");
    let locks = "lock table parent, child, parts in access exclusive mode";
    prepare(&site.cluster, locks, "open");
    let mut client = site.cluster.client_of("postgres", "orders");
    for statement in [
        "alter database closed allow_connections off",
        "alter database orders set session_preload_libraries = 'nowhere'",
        "alter database orders set default_transaction_read_only = on",
        "commit prepared 'bad'",
        "rollback prepared 'open'",
        "alter database orders reset all",
        "drop table one cascade",
    ] {
        client.batch_execute(statement).expect(statement);
    }
    site.good("run wal");
    bad
}

/// Rows that no copy of files has are told; a closed database is opened in the copy; a schema comes
/// with partitions of its tables that lie elsewhere.
fn comes_as_it_can(site: &Site, told: &str, bad: &str) {
    let words = "public.cache is unlogged and came empty";
    assert!(told.contains(words), "{told}");
    let told = site.good(&format!("recover closed_then bad={bad} --yes"));
    assert!(told.contains("database closed_then (0 tables)"), "{told}");
    let told = site.good(&format!("recover schema_then bad={bad} --yes"));
    assert!(told.contains("apart_then.late (1 rows)"), "{told}");
    let live = "select count(*) from apart.logs";
    assert_eq!(number(&site.cluster, live), 1);
}

#[test]
fn what_is_taken_alone_leaves_live_parents_alone() {
    for version in versions() {
        let site = site(version);
        let bad = lose(&site);
        let live = &site.cluster;
        let beside = |victim: &str| {
            orders(live, "drop schema if exists beside cascade");
            site.good(&format!("recover beside victim={victim} bad={bad} --yes"))
        };
        let told = beside("parent");
        for words in [
            "beside.parent (10 rows)",
            "beside.child (9 rows)",
            "prepared as `open`",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let told = beside("child");
        assert!(told.contains("beside.child (9 rows)"), "{told}");

        let defined = "select count(*) from pg_statistic_ext where stxname = 'of child' \
                       and stxnamespace = 'beside'::regnamespace and stxkind = '{d,m,e}' \
                       and stxrelid = 'beside.child'::regclass";
        assert_eq!(number(live, defined), 1);
        assert_eq!(number(live, "select count(*) from only parent"), 1);
        assert_eq!(
            number(live, "select count(*) from parent"),
            10,
            "no row is there twice"
        );

        let told = site.ends(&format!("recover beside victim=kept bad={bad} --yes"), 1);
        assert!(
            told.contains("it is a materialized view: take the tables"),
            "{told}"
        );
        let told = beside("one");
        assert!(told.contains("came as a table of its own"), "{told}");
        assert_eq!(number(live, "select count(*) from parts"), 20);
        let told = site.good(&format!(
            "recover dropped_for_good victim=one bad={bad} --yes"
        ));
        assert!(told.contains("public.one (20 rows)"), "{told}");
        assert_eq!(
            number(live, "select count(*) from parts"),
            40,
            "it is a partition again"
        );
        assert_eq!(number(live, "select count(*) from refers"), 1);

        if version == 15 {
            comes_as_it_can(&site, &beside("cache"), &bad);
        }
        assert_eq!(site.left_behind(), 0);
    }
}
