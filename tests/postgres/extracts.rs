//! Parts of a database at any moment, taken out of a scratch copy on real servers: a group, a
//! schema, a whole database; foreign keys and sequences minded; what was left out is measured.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, command_lines, versions};
use super::driven::kill_after;
use super::scenarios::orders;
use super::site::Site;

const MORE: &str = r#"
recovery group_then {
  for human error
  given moment: time
  restore service shop to scratch from nearest
  replay log until $moment
  extract group core into database orders as "core_then"
}

recovery schema_then {
  for human error
  given moment: time
  restore service shop to scratch from nearest
  replay log until $moment
  extract table "sales.*" into database orders as "sales_then"
}

recovery database_then {
  for human error
  given moment: time
  restore service shop to scratch from nearest
  replay log until $moment
  extract database orders into service shop as "orders_then"
}
"#;

pub(crate) fn site(version: u32) -> Site {
    Site::with(version, |plan| plan.to_owned() + MORE)
}

fn number(cluster: &Cluster, database: &str, query: &str) -> i64 {
    let mut client = cluster.client_of("postgres", database);
    client.query_one(query, &[]).expect(query).get(0)
}

/// Bytes that were restored, and that the cluster has, as the command tells them.
pub(crate) fn bytes(told: &str) -> (u64, u64) {
    let line = told
        .lines()
        .find(|line| line.contains("bytes were restored of"));
    let line = line.expect("the comparison");
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    let mut next = || numbers.next().expect("a number");
    (next(), next())
}

/// A copy, a moment after it, and what is lost after that moment.
fn lose(site: &Site) -> jiff::Timestamp {
    site.cluster.sql("alter role keeper superuser");
    let cold = site.path("spare").display().to_string();
    let create = format!("create tablespace cold location '{cold}'");
    site.cluster.sql(&create);
    site.cluster.sql("create database other tablespace cold");
    let mut other = site.cluster.client_of("postgres", "other");
    let big = "create table big as select i, repeat('b', 900) from generate_series(1, 9000) i";
    other.batch_execute(big).expect("a table");
    drop(other);
    orders(
        &site.cluster,
        "create schema sales; create type sales.mood as enum ('good', 'bad'); \
         create table sales.visits (id serial primary key, line int references lines, \
         feeling sales.mood); insert into sales.visits (line, feeling) \
         select i, 'good' from generate_series(1, 7) i; \
         create view sales.happy as select * from sales.visits where feeling = 'good'",
    );
    site.good("run");
    orders(
        &site.cluster,
        "insert into sales.visits (feeling) values ('bad')",
    );
    std::thread::sleep(Duration::from_millis(20));
    let moment = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_millis(20));
    orders(
        &site.cluster,
        "delete from sales.visits; delete from notes; delete from lines; \
         drop view sales.happy",
    );
    site.good("run wal");
    moment
}

#[test]
fn a_group_a_schema_and_a_database_come_back_as_they_were() {
    for version in versions() {
        let site = site(version);
        let moment = lose(&site);
        let told = site.good(&format!("recover group_then moment={moment} --yes"));
        assert!(told.contains("core_then.lines (40 rows)"), "{told}");
        let (restored, whole) = bytes(&told);
        assert!(
            restored + 8_000_000 < whole,
            "other databases stay out: {told}"
        );
        let words = "left out, and unusable in the copy: database other, tablespace cold";
        assert!(told.contains(words), "{told}");

        let told = site.good(&format!("recover schema_then moment={moment} --yes"));
        assert!(told.contains("sales_then.visits (8 rows)"), "{told}");
        assert!(
            told.contains("visits_line_fkey"),
            "the key that leads out is told: {told}"
        );
        let happy = "select count(*) from sales_then.happy";
        assert_eq!(number(&site.cluster, "orders", happy), 7);
        let next = "insert into sales_then.visits default values returning id::int8";
        assert!(
            number(&site.cluster, "orders", next) > 8,
            "the sequence came too"
        );
        let told = site.ends(&format!("recover schema_then moment={moment} --yes"), 2);
        assert!(told.contains("has a schema of this name"), "{told}");

        let told = site.good(&format!("recover database_then moment={moment} --yes"));
        assert!(told.contains("database orders_then (5 tables)"), "{told}");
        assert_eq!(
            number(&site.cluster, "orders_then", "select count(*) from lines"),
            40
        );
        assert_eq!(
            number(
                &site.cluster,
                "orders_then",
                "select count(*) from sales.happy"
            ),
            7
        );
        let told = site.ends(&format!("recover database_then moment={moment} --yes"), 2);
        assert!(told.contains("has a database orders_then"), "{told}");
        assert_eq!(site.left_behind(), 0);
    }
}

#[test]
fn rows_that_violate_a_key_and_sequences_that_lag_are_told() {
    let site = site(15);
    site.cluster.sql("alter role keeper superuser");
    orders(
        &site.cluster,
        "create sequence shared; create table tickets (id int8 primary key default \
         nextval('shared')); insert into tickets select from generate_series(1, 50)",
    );
    site.good("run");
    let mut client = site.cluster.client_of("postgres", "orders");
    let mut work = client.transaction().expect("a transaction");
    let dropped = work.batch_execute("drop table tickets; drop table lines cascade");
    dropped.expect("dropped");
    let row = work.query_one("select pg_current_xact_id()::text", &[]);
    let bad: String = row.expect("a number").get(0);
    work.commit().expect("a commit");
    orders(
        &site.cluster,
        "delete from customers where id = 3; select setval('shared', 1)",
    );
    site.good("run wal");
    let told = site.good(&format!(
        "recover dropped_for_good victim=lines bad={bad} --yes"
    ));
    assert!(told.contains("holds for new rows only"), "{told}");
    assert!(told.contains("lines_customer_fkey"), "{told}");
    let told = site.good(&format!(
        "recover dropped_for_good victim=tickets bad={bad} --yes"
    ));
    assert!(
        told.contains("sequence public.shared stands at 1"),
        "{told}"
    );
    assert_eq!(
        number(&site.cluster, "orders", "select count(*) from tickets"),
        50
    );
}

/// Servers that run below a folder.
fn servers_below(folder: &std::path::Path) -> usize {
    let folder = folder.display().to_string();
    command_lines(&folder).len()
}

#[test]
fn a_drill_tames_hostile_settings_and_cleans_up_whatever_happens() {
    let site = site(15);
    site.cluster.stop("fast");
    site.cluster.configure(&["max_prepared_transactions = 4"]);
    site.cluster.start();
    // what it locks in the copy keeps nobody waiting
    orders(&site.cluster, "create table held (n int)");
    orders(
        &site.cluster,
        "begin; lock table held; prepare transaction 'held'",
    );
    let mark = site.path("hostile").display().to_string();
    for setting in [
        format!("recovery_end_command = 'touch {mark}'"),
        format!("archive_cleanup_command = 'touch {mark}'"),
        "recovery_target_name = 'never'".to_owned(),
        "shared_preload_libraries = 'no_such_library'".to_owned(),
        "statement_timeout = '1ms'".to_owned(),
        "default_transaction_read_only = on".to_owned(),
        "listen_addresses = '*'".to_owned(),
        "shared_buffers = '4TB'".to_owned(),
    ] {
        site.cluster.sql(&format!("alter system set {setting}"));
    }
    site.good("run");
    let told = site.good("drill weekly --yes");
    assert!(told.contains("pg_amcheck found nothing"), "{told}");
    assert!(
        !site.path("hostile").exists(),
        "no command of the live server ran"
    );
    assert_eq!(
        (site.left_behind(), servers_below(&site.path("state"))),
        (0, 0)
    );

    // asked to end at several moments
    let mut asked = 0;
    for records in [3, 6, 9] {
        let known = site.journal_records();
        let child = site
            .command("drill weekly --yes")
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.expect("planc starts");
        let began = Instant::now();
        while child.try_wait().expect("wait").is_none() {
            if site.journal_records() >= known + records {
                asked += usize::from(Site::ask_to_end(&child));
                child.wait().expect("wait");
                break;
            }
            assert!(began.elapsed() < Duration::from_mins(5), "the drill hangs");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(
            (site.left_behind(), servers_below(&site.path("state"))),
            (0, 0)
        );
    }
    assert!(asked > 0, "no drill was asked to end");
    // and one that fails
    site.ends("drill hopeless --yes", 1);
    assert_eq!(
        (site.left_behind(), servers_below(&site.path("state"))),
        (0, 0)
    );
}

/// The record behind which the extraction works.
const EXTRACTING: usize = 12;

/// Recovers a schema, kills planc a while after a record of the journal, goes on, and judges; true
/// when it was hit.
fn extract_killed(site: &Site, line: &str, records: usize, after: Duration) -> bool {
    orders(&site.cluster, "drop schema if exists sales_then cascade");
    let known = site.journal_records();
    let killed = kill_after(site, line, known + records, after);
    if killed {
        site.planc("recover --resume");
    }
    let visits = "select count(*) from sales_then.visits";
    let when = format!("{records} {after:?}");
    assert_eq!(number(&site.cluster, "orders", visits), 8, "{when}");
    let happy = "select count(*) from sales_then.happy";
    assert_eq!(number(&site.cluster, "orders", happy), 7, "{when}");
    let left = (site.left_behind(), servers_below(&site.path("state")));
    assert_eq!(left, (0, 0), "{when}");
    killed
}

/// Within the extraction, from its beginning to beyond its end.
fn within() -> impl Iterator<Item = (usize, Duration)> {
    (0..14_u64).map(|step| (EXTRACTING, Duration::from_millis(60 * step)))
}

fn sweep(moments: impl IntoIterator<Item = (usize, Duration)>) -> usize {
    let site = site(15);
    let moment = lose(&site);
    let line = format!("recover schema_then moment={moment} --yes");
    let moments = moments.into_iter();
    let hits = moments.filter(|(records, after)| extract_killed(&site, &line, *records, *after));
    hits.count()
}

#[test]
fn an_extract_that_is_killed_goes_on() {
    let records = [2, 5, 8, 11].map(|records| (records, Duration::ZERO));
    let killed = sweep(records.into_iter().chain(within().skip(2).step_by(4)));
    assert!(killed >= 3, "only {killed} of 7 were killed");
}

#[test]
#[ignore = "takes a minute: every record, and many moments within the extraction"]
fn an_extract_that_is_killed_anywhere_goes_on() {
    let records = (1..=EXTRACTING + 2).map(|records| (records, Duration::ZERO));
    let killed = sweep(records.chain(within()));
    assert!(killed >= EXTRACTING, "only {killed} were killed");
}
