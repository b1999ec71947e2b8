//! Log of databases that nobody wants, on real servers: a scratch copy is replayed without it, and
//! what is taken out of the copy is whole, whatever the others did meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::{Cluster, versions};
use super::extracts::site;
use super::ledger::{self, Writer};
use super::one_database::run;

/// Every kind of content that has log of its own.
const TABLE: &str = "create table all_kinds (i serial primary key, h int, words int[], \
    place point, label text, at int default nextval('counter')); \
    create index on all_kinds using hash (h); create index on all_kinds using gin (words); \
    create index on all_kinds using gist (place); create index on all_kinds using spgist (label); \
    create index on all_kinds using brin (at)";

/// What goes on in another database, round after round.
const ROUND: [&str; 12] = [
    "insert into all_kinds (h, words, place, label) select i % 90, array[i, i % 7], \
     point(i % 83, i % 89), repeat(md5(i::text), 1 + i % 9) from generate_series(1, 1500) i",
    "update all_kinds set h = h + 1, label = label || 'x' where i % 3 = 0",
    "begin; select 1 from all_kinds where i % 50 = 0 for update; savepoint s; \
     delete from all_kinds where i % 5 = 0; rollback to s; \
     delete from all_kinds where i % 11 = 0; commit",
    "vacuum all_kinds",
    "create table passing as select * from all_kinds; truncate passing",
    "drop table passing; checkpoint",
    "create unlogged table unsafe as select * from all_kinds limit 900",
    "alter table unsafe set logged",
    "reindex table all_kinds",
    "drop table unsafe",
    "vacuum (full, analyze) all_kinds",
    "select setval('counter', nextval('counter') + 50)",
];

/// Works in the other database until it is told to end, whatever happens to the server.
fn storm(cluster: &Cluster, done: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !done.load(Ordering::Relaxed) || rounds == 0 {
        let mut config = postgres::Config::new();
        config.host_path(cluster.folder.path()).user("postgres");
        let Ok(mut client) = config.dbname("other").connect(postgres::NoTls) else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let whole = ROUND.iter().all(|one| client.batch_execute(one).is_ok());
        let _ = client.batch_execute("rollback; drop table if exists passing, unsafe");
        rounds += usize::from(whole);
    }
    rounds
}

/// Bytes of log that were passed over, as the command tells them.
fn passed(told: &str) -> u64 {
    let words = " bytes of log that change nothing else were passed over";
    let before = told.split_once(words).expect("it tells").0;
    let number = before.rsplit(' ').next();
    number.and_then(|one| one.parse().ok()).expect("a number")
}

#[test]
fn log_of_other_databases_is_passed_over() {
    for version in versions() {
        let site = site(version);
        let cluster = &site.cluster;
        cluster.sql("alter role keeper superuser");
        cluster.sql("create database other");
        run(cluster, "other", "create sequence counter");
        run(cluster, "other", TABLE);
        site.good("run");
        let before = cluster.ask("select pg_current_wal_lsn() - '0/0'");
        let done = AtomicBool::new(false);
        let kept = std::thread::scope(|scope| {
            let stormy = scope.spawn(|| storm(cluster, &done));
            let mut kept = Vec::new();
            for name in ["first", "second"] {
                let writer = Writer::start_in(cluster, "orders", name, "pg_default");
                std::thread::sleep(Duration::from_millis(500));
                kept.push((name, writer.finish()));
                cluster.stop("immediate");
                cluster.start_again();
                cluster.wait_open();
            }
            done.store(true, Ordering::Relaxed);
            assert!(stormy.join().expect("stormy") > 0);
            kept
        });
        std::thread::sleep(Duration::from_millis(20));
        let moment = Timestamp::now();
        std::thread::sleep(Duration::from_millis(20));
        run(cluster, "orders", "delete from first; drop table second");
        site.good("run wal");
        let told = site.good(&format!("recover database_then moment={moment} --yes"));
        for (name, ledger) in &kept {
            let found = ledger::read_in(cluster, "orders_then", name);
            let counts = (found.len(), ledger.len());
            assert!(&found == ledger, "{name}: {counts:?} at {moment}: {told}");
        }
        let written = cluster.ask(&format!("select pg_current_wal_lsn() - '0/0' - {before}"));
        let written: u64 = written.parse().expect("bytes");
        let passed = passed(&told);
        assert!(passed > written / 4, "{passed} of {written}: {told}");
        assert!(passed < written, "{passed} of {written}: {told}");
        assert_eq!(site.left_behind(), 0);
    }
}
