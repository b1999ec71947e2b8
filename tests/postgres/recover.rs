//! Recovery of whole clusters from parts of different age, to every kind of target.

use jiff::Timestamp;
use planc::engine::EngineError;
use planc::engine::postgres::lsn::{Lsn, Timeline};
use planc::engine::postgres::records::{Ending, Record, Records};
use planc::engine::postgres::target::Target;
use planc::facts::holdings::Position;
use planc::graph::step::RecoveryTarget;

use super::backup::divided;
use super::cluster::{Cluster, run_ok, versions};
use super::ledger::{self, Writer};
use super::parts::{self, Part, copy};
use super::restored::{Until, log, restore, running};

const APART: [&str; 2] = ["shop/tablespace/hot", "shop/database/billing"];

/// What happens between two copies: tables come, go, are emptied and written anew.
fn meddle(cluster: &Cluster, round: i64) {
    Writer::rest();
    for (database, place) in [("postgres", "hot"), ("billing", "pg_default")] {
        let mut client = cluster.client_of("postgres", database);
        let statements = [
            format!("drop table if exists round_{}", round - 1),
            format!(
                "create table round_{round} tablespace {place} as \
                 select i, repeat('m', 100) from generate_series(1, 500) i"
            ),
            "create table if not exists kept (round int8)".to_owned(),
            format!("insert into kept values ({round})"),
            "create table if not exists emptied (i int8)".to_owned(),
            "truncate emptied".to_owned(),
            format!("insert into emptied select generate_series(1, {round} + 10)"),
            "vacuum full kept".to_owned(),
        ];
        for statement in statements {
            client.batch_execute(&statement).expect(&statement);
        }
    }
    Writer::rest();
}

fn sums(cluster: &Cluster) -> Vec<String> {
    let mut found = Vec::new();
    for database in ["postgres", "billing"] {
        let mut client = cluster.client_of("postgres", database);
        let query = "select (select string_agg(round::text, ',' order by round) from kept) || ' ' || \
                     (select count(*) from emptied) || ' ' || (select string_agg(relname, ',' \
                     order by relname) from pg_class where relname like 'round%')";
        found.push(client.query_one(query, &[]).expect("sums").get(0));
    }
    found
}

#[test]
fn parts_of_different_age_recover_to_the_newest_state() {
    let orders = [["base", APART[0], APART[1]], [APART[1], "base", APART[0]]];
    for (version, order) in versions().into_iter().zip(orders) {
        let source = divided(version);
        let engine = parts::engine(&source, &APART);
        let cold = Writer::start(&source, "cold_ledger", "pg_default");
        let hot = Writer::start(&source, "hot_ledger", "hot");
        let mut copies: Vec<Part> = Vec::new();
        for (round, key) in (1..).zip(order) {
            meddle(&source, round);
            let key = if key == "base" { "shop/base/base" } else { key };
            copies.push(copy(&engine, key).expect("a part"));
        }
        meddle(&source, 9);
        let (cold, hot) = (cold.finish(), hot.finish());
        let expected = sums(&source);
        source.sql("select pg_switch_wal()");
        source.stop("fast");

        let parts: Vec<&Part> = copies.iter().collect();
        let latest = Until::Graph(RecoveryTarget::Latest);
        let (restored, replayed) = running(&source, &parts, &log(&source), &latest);
        assert_eq!(ledger::read(&restored, "cold_ledger"), cold);
        assert_eq!(ledger::read(&restored, "hot_ledger"), hot);
        assert_eq!(sums(&restored), expected);
        let newest = copies.iter().filter_map(|part| part.ended.until.as_ref());
        let newest = newest.map(|until| until.value).max().expect("an end");
        assert!(replayed.ended.0 >= newest);
        assert_eq!(replayed.new_timeline.number(), 2);
        let told =
            std::fs::read_to_string(restored.folder.path().join("staging/scratch/server.log"));
        let told = told.expect("the server's log");
        let (_, at) = told
            .split_once("consistent recovery state reached at ")
            .expect("a line");
        let at: Lsn = at
            .split_whitespace()
            .next()
            .and_then(|at| at.parse().ok())
            .expect("lsn");
        assert!(at.0 >= newest, "consistent at {at}, before {}", Lsn(newest));
        restored.stop("fast");
        let data = restored.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

/// One committed transaction as the client saw it.
struct Seen {
    xid: u32,
    after: Timestamp,
}

/// Commits rows 1 to 5, each in a transaction of its own, with a restore point behind row 4.
fn five_rows(cluster: &Cluster) -> Vec<Seen> {
    let mut client = cluster.client();
    client
        .batch_execute("create table five (number int8)")
        .expect("a table");
    let mut seen = Vec::new();
    for number in 1..=5i64 {
        let mut transaction = client.transaction().expect("a transaction");
        transaction
            .execute("insert into five values ($1)", &[&number])
            .expect("a row");
        let xid = transaction.query_one("select pg_current_xact_id()::text::int8", &[]);
        let xid: i64 = xid.expect("an id").get(0);
        transaction.commit().expect("a commit");
        std::thread::sleep(std::time::Duration::from_millis(15));
        let after = Timestamp::now();
        std::thread::sleep(std::time::Duration::from_millis(15));
        if number == 4 {
            let point = "select pg_create_restore_point('four')";
            client.query_one(point, &[]).expect("a restore point");
        }
        let xid = u32::try_from(xid).expect("an id");
        seen.push(Seen { xid, after });
    }
    seen
}

/// The position that names a transaction: the end of its commit record.
fn position_of(cluster: &Cluster, xid: u32) -> Position {
    for range in log(cluster) {
        let is_it = |record: &Record| {
            record.xid == xid
                && record
                    .ending()
                    .is_some_and(|(how, _)| how == Ending::Commit)
        };
        if let Some(record) = Records::new(&range.payload).expect("records").find(is_it) {
            return Timeline::of(&range.from)
                .expect("a timeline")
                .0
                .at(record.end);
        }
    }
    panic!("transaction {xid} is in no segment");
}

/// Every kind of target with the number of rows it must give; each version takes every other one,
/// in the long run each takes all.
fn targets(source: &Cluster, seen: &[Seen], round: usize) -> Vec<(Until, usize)> {
    let position = |number: usize| position_of(source, seen[number - 1].xid);
    let xid = |number: usize, inclusive| {
        let xid = seen[number - 1].xid;
        Until::Own(Target::Transaction { xid, inclusive })
    };
    let all = vec![
        (Until::Graph(RecoveryTarget::Instant(seen[1].after)), 2),
        (Until::Graph(RecoveryTarget::Before(position(3))), 2),
        (Until::Graph(RecoveryTarget::Transaction(position(3))), 3),
        (xid(4, false), 3),
        (xid(4, true), 4),
        (Until::Own(Target::Name("four".to_owned())), 4),
        (Until::Graph(RecoveryTarget::Latest), 5),
        (Until::Graph(RecoveryTarget::Backup), 0),
    ];
    let every = if std::env::var_os("PLANC_PG_ALL").is_some() {
        1
    } else {
        2
    };
    all.into_iter().skip(round % every).step_by(every).collect()
}

#[test]
fn every_kind_of_target_gives_exactly_its_rows() {
    for (round, version) in versions().into_iter().enumerate() {
        let source = divided(version);
        let engine = parts::engine(&source, &APART[..1]);
        let hot = copy(&engine, APART[0]).expect("a part");
        let base = copy(&engine, "shop/base/base").expect("a part");
        let seen = five_rows(&source);
        source.sql("select pg_switch_wal()");
        source.stop("fast");
        for (until, rows) in targets(&source, &seen, round) {
            let (restored, _) = running(&source, &[&base, &hot], &log(&source), &until);
            let found = match rows {
                0 => restored.ask("select count(*) from pg_class where relname = 'five'"),
                _ => restored.ask("select max(number) || '/' || count(*) from five"),
            };
            let expected = if rows == 0 {
                "0".to_owned()
            } else {
                format!("{rows}/{rows}")
            };
            assert_eq!(found, expected, "{version} {until:?}");
            assert_eq!(restored.ask("select count(*) from warm"), "2000");
        }
    }
}

#[test]
fn a_target_that_is_not_in_the_log_is_a_failure() {
    let source = divided(15);
    let engine = parts::engine(&source, &APART[..1]);
    let hot = copy(&engine, APART[0]).expect("a part");
    let base = copy(&engine, "shop/base/base").expect("a part");
    five_rows(&source);
    source.sql("select pg_switch_wal()");
    source.stop("fast");
    let attempt = |parts: &[&Part], log: &[_], until: &Until| {
        let restored = restore(&source, parts, log, until);
        restored
            .err()
            .unwrap_or_else(|| panic!("{until:?} was reached"))
    };
    let (log, latest) = (log(&source), Until::Graph(RecoveryTarget::Latest));
    let both: [&Part; 2] = [&base, &hot];
    let name = Until::Own(Target::Name("five hundred".to_owned()));
    let told = attempt(&both, &log, &name);
    assert!(matches!(told, EngineError::NotReached(_)), "{told}");
    let late = Until::Graph(RecoveryTarget::Instant(
        Timestamp::now() + jiff::Span::new().hours(1),
    ));
    let told = attempt(&both, &log, &late);
    assert!(matches!(told, EngineError::NotReached(_)), "{told}");
    // the log ends before the newest part does
    let stop = base.ended.until.as_ref().expect("a stop").value;
    let short: Vec<_> = log
        .iter()
        .filter(|range| range.until.value < stop)
        .cloned()
        .collect();
    let told = attempt(&both, &short, &latest);
    assert!(matches!(told, EngineError::NotReached(_)), "{told}");
    let mut holed = log.clone();
    holed.remove(holed.len() - 2);
    let told = attempt(&both, &holed, &latest);
    assert!(matches!(told, EngineError::ChainBroken { .. }), "{told}");
    let told = attempt(&[&base], &log, &latest).to_string();
    assert!(told.contains("base leaves out tablespace hot"), "{told}");
    let told = attempt(&[&hot], &log, &latest).to_string();
    assert!(told.contains("no part of base"), "{told}");
}

#[test]
fn a_database_that_was_made_again_under_its_name_comes_from_its_newer_part() {
    let source = divided(15);
    let engine = parts::engine(&source, &APART[1..]);
    let base = copy(&engine, "shop/base/base").expect("a part");
    source.sql("drop database billing");
    source.sql("create database billing");
    let writer = Writer::start_in(&source, "billing", "ledger", "pg_default");
    let billing = copy(&engine, APART[1]).expect("a part");
    let ledger = writer.finish();
    source.sql("select pg_switch_wal()");
    source.stop("fast");
    let latest = Until::Graph(RecoveryTarget::Latest);
    let (restored, _) = running(&source, &[&base, &billing], &log(&source), &latest);
    assert_eq!(ledger::read_in(&restored, "billing", "ledger"), ledger);
}

#[test]
fn a_tablespace_that_the_log_makes_lies_in_the_copy() {
    let source = Cluster::archiving(15);
    let base = copy(&parts::engine(&source, &[]), "shop/base/base").expect("a part");
    let place = source.folder.path().join("late");
    std::fs::create_dir(&place).expect("folder");
    super::cluster::own(&place);
    source.sql(&format!(
        "create tablespace late location '{}'",
        place.display()
    ));
    source.sql("create table young tablespace late as select generate_series(1, 300)");
    source.sql("select pg_switch_wal()");
    source.stop("fast");
    let latest = Until::Graph(RecoveryTarget::Latest);
    let (restored, _) = running(&source, &[&base], &log(&source), &latest);
    restored.sql("delete from young");
    let place = "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'late'";
    assert!(restored.ask(place).starts_with("../../tablespaces/"));
    restored.sql("checkpoint");
    source.start();
    assert_eq!(source.ask("select count(*) from young"), "300");
}
