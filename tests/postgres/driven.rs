//! PostgreSQL by the plan: runs, restores and recoveries of the real binary on real servers with a
//! busy writer.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::chains::objects;
use super::cluster::{Cluster, run_ok, versions};
use super::ledger::{self, Commit, Writer};
use super::site::Site;

/// Rows of `lines` in database `orders`.
fn lines(cluster: &Cluster, table: &str) -> i64 {
    let mut client = cluster.client_of("postgres", "orders");
    let rows = client.query_one(&format!("select count(*) from {table}"), &[]);
    rows.expect("rows").get(0)
}

/// Runs statements in a transaction of its own in database `orders`; its number.
fn transact(cluster: &Cluster, statements: &str) -> i64 {
    let mut client = cluster.client_of("postgres", "orders");
    let mut transaction = client.transaction().expect("a transaction");
    transaction.batch_execute(statements).expect(statements);
    let row = transaction.query_one("select pg_current_xact_id()::text::int8", &[]);
    let xid = row.expect("a number").get(0);
    transaction.commit().expect("a commit");
    xid
}

pub(crate) fn check_pages(cluster: &Cluster) {
    let data = cluster.data.display().to_string();
    cluster.stop("fast");
    run_ok(cluster.version, "pg_checksums", &["--check", "-D", &data]);
}

/// The states that a run of the story leaves behind.
struct Story {
    first: i64,
    second_at: jiff::Timestamp,
    cold: Vec<Commit>,
    hot: Vec<Commit>,
}

/// Two runs of everything under load, with named moments between them.
fn story(site: &Site) -> Story {
    let cold = Writer::start(&site.cluster, "cold_ledger", "pg_default");
    let hot = Writer::start(&site.cluster, "hot_ledger", "hot");
    let dry = site.good("run --dry-run");
    for words in [
        "begin-backup",
        "shop/tablespace/hot",
        "archive-log",
        "commit-part",
    ] {
        assert!(dry.contains(words), "{words}: {dry}");
    }
    site.good("run");
    Writer::rest();
    let note = |text: &str| format!("insert into lines (customer, note) values (1, '{text}')");
    let first = transact(&site.cluster, &note("first"));
    std::thread::sleep(Duration::from_millis(20));
    let second_at = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_millis(20));
    transact(&site.cluster, &note("second"));
    site.cluster.sql("select pg_create_restore_point('noon')");
    transact(&site.cluster, &note("third"));
    // the newer part of one component only: parts of different age from here on
    site.cluster
        .sql("drop table if exists gone; create table gone tablespace hot as select 1");
    Writer::rest();
    let (cold, hot) = (cold.finish(), hot.finish());
    site.good("run wal");
    Story {
        first,
        second_at,
        cold,
        hot,
    }
}

#[test]
fn a_service_is_copied_and_restored_to_every_kind_of_target() {
    for version in [15, 16, 18] {
        let site = Site::new(version);
        let story = story(&site);
        let status = site.good("status");
        assert!(status.contains("shop/base/base: last copy"), "{status}");
        assert!(status.contains("log of shop: stored up to"), "{status}");
        let list = site.good("list");
        assert!(
            list.contains("shop/tablespace/hot") && list.contains("far, near"),
            "{list}"
        );
        site.good("verify --device near");

        let told = site.good("drill weekly --yes");
        assert!(told.contains("probe shop"), "{told}");
        site.ends("drill hopeless --yes", 1);
        let left = std::fs::read_dir(site.path("state/restored"));
        let left = left.map_or(0, |entries| {
            entries
                .flatten()
                .filter(|folder| {
                    std::fs::read_dir(folder.path()).is_ok_and(|in_it| in_it.count() > 0)
                })
                .count()
        });
        assert_eq!(left, 0, "nothing of a drill stays");

        let moved = site.path("moved-hot").display().to_string();
        site.good(&format!(
            "restore shop --to latest --relocate hot={moved} --yes"
        ));
        let restored = site.restored("latest");
        assert_eq!(ledger::read(&restored, "cold_ledger"), story.cold);
        assert_eq!(ledger::read(&restored, "hot_ledger"), story.hot);
        assert_eq!(lines(&restored, "lines"), 43);
        let query = "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'hot'";
        assert_eq!(restored.ask(query), moved);
        check_pages(&restored);

        for (number, (at, rows)) in [
            (story.first.to_string(), 41),
            (format!("before:{}", story.first), 40),
            (story.second_at.to_string(), 41),
            ("point:noon".to_owned(), 42),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("target-{number}");
            site.good(&format!("restore shop --to {name} --at {at} --yes"));
            assert_eq!(lines(&site.restored(&name), "lines"), rows, "{at}");
        }
    }
}

/// Kills a command when the journals have this many records; true when it was killed.
pub(crate) fn kill_at(site: &Site, line: &str, records: usize) -> bool {
    kill_after(site, line, records, Duration::ZERO)
}

/// As [`kill_at`], a while after that record.
pub(crate) fn kill_after(site: &Site, line: &str, records: usize, after: Duration) -> bool {
    let (silent, silent_too) = (Stdio::null(), Stdio::null());
    let child = site.command(line).stdout(silent).stderr(silent_too).spawn();
    let mut child = child.expect("planc starts");
    let began = Instant::now();
    while child.try_wait().expect("wait").is_none() {
        if site.journal_records() >= records {
            std::thread::sleep(after);
            site.kill_planc(&child);
            child.wait().expect("wait");
            return true;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{line} hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[test]
fn a_run_and_a_restore_that_are_killed_anywhere_go_on() {
    let site = Site::new(versions()[0]);
    let writer = Writer::start(&site.cluster, "ledger", "hot");
    let mut killed = 0;
    for records in [2, 5, 8, 11, 14] {
        let known = site.journal_records();
        let hit = kill_at(&site, "run nightly", known + records);
        killed += usize::from(hit);
        if hit {
            site.good("run --resume");
        }
        let query = "select count(*) from pg_stat_progress_basebackup";
        assert_eq!(site.cluster.ask(query), "0");
    }
    let acknowledged = writer.finish();
    site.good("run wal");
    for (number, records) in [3, 6, 9].into_iter().enumerate() {
        let known = site.journal_records();
        let line = format!("restore shop --to copy-{number} --yes");
        let hit = kill_at(&site, &line, known + records);
        killed += usize::from(hit);
        if hit {
            site.good("restore --resume");
        }
        let restored = site.restored(&format!("copy-{number}"));
        assert_eq!(ledger::read(&restored, "ledger"), acknowledged);
    }
    assert!(killed >= 5, "only {killed} of 8 were killed");
}

#[test]
fn what_cannot_work_is_named_before_anything_is_changed() {
    let site = Site::new(15);
    site.good("run");
    let before = site.journal_records();
    let refused = |line: &str, words: &str| {
        let told = site.ends(line, 2);
        assert!(told.contains(words), "{line}: {told}");
    };
    std::fs::create_dir_all(site.path("taken/x")).expect("a folder");
    refused("restore shop --to taken --yes", "an empty folder");
    refused(
        "restore shop --to new --at 2020-01-01T00:00:00Z --yes",
        "as old as",
    );
    refused(
        "restore shop --to new --at 2099-01-01T00:00:00Z --yes",
        "is not reached",
    );
    refused(
        "restore shop --to new --at 4000000000 --yes",
        "no stored log",
    );
    refused(
        "restore shop --to new --at point:never --yes",
        "no stored log",
    );
    refused("restore shop --to new --timeline 9 --yes", "as old as");
    refused("recover lost_tablespace ts=cold --yes", "no tablespace");
    std::fs::write(site.path("secret"), "wrong\n").expect("secret");
    refused("run nightly", "password authentication failed");
    std::fs::remove_file(site.path("secret")).expect("removed");
    refused("run nightly", "secret");
    std::fs::write(site.path("secret"), "open sesame\n").expect("secret");
    site.cluster
        .sql("revoke execute on function pg_backup_stop from keeper");
    refused("run nightly", "may not call pg_backup_stop");
    site.cluster.sql("alter system set full_page_writes = off");
    site.cluster.sql("select pg_reload_conf()");
    while site.cluster.ask("current_setting('full_page_writes')") != "off" {
        std::thread::sleep(Duration::from_millis(20));
    }
    refused("run nightly", "full_page_writes is off");
    assert_eq!(site.journal_records(), before);
}

/// Makes a restore point whose record begins in one segment of the log and ends in the next.
fn point_over_the_edge(cluster: &Cluster) -> String {
    const RECORD: u64 = 98;
    let left = "1048576 - pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8 % 1048576";
    for number in 0..100 {
        loop {
            let left: u64 = cluster.ask(left).parse().expect("a number");
            if left < RECORD {
                break;
            }
            let long = if left > 20_000 { 9_000 } else { 1 };
            let fill = "select pg_logical_emit_message(false, '', repeat('x', {}))";
            cluster.sql(&fill.replace("{}", &long.to_string()));
        }
        let name = format!("edge-{number}");
        let before: u64 = cluster.ask(left).parse().expect("a number");
        cluster.sql(&format!("select pg_create_restore_point('{name}')"));
        let after: u64 = cluster.ask(left).parse().expect("a number");
        // no whole header fits into fewer bytes
        if before > 24 && before < RECORD && after > before {
            return name;
        }
    }
    panic!("no record crosses");
}

#[test]
fn a_point_whose_record_crosses_into_the_next_segment_is_found() {
    let site = Site::new(15);
    site.good("run");
    let name = point_over_the_edge(&site.cluster);
    site.good("run wal");
    let told = site.good(&format!(
        "restore shop --to edge --at point:{name} --dry-run"
    ));
    assert!(told.contains("replay-log"), "{told}");
    // where the log ends is told in the words in which `--at` takes it
    let listed = site.good("list");
    let logs = listed.split("LOG OF").nth(1).expect("log");
    let cells: Vec<&str> = logs
        .lines()
        .nth(1)
        .expect("a row")
        .split_whitespace()
        .collect();
    let (from, until) = (cells[1], cells[2]);
    assert!(from.starts_with("00000001:0/"), "{listed}");
    assert_eq!(until.rsplit_once('/').map(|at| at.0), Some("0"), "{listed}");
    for at in [until.to_owned(), format!("00000001:{until}")] {
        let told = site.good(&format!("restore shop --to there --at {at} --dry-run"));
        assert!(told.contains(&format!("to {until}")), "{told}");
    }
    let told = site.ends("restore shop --to there --at 02:55 --dry-run", 2);
    assert!(told.contains("says neither its day"), "{told}");
}

#[test]
fn a_restore_point_is_found_without_reading_log_that_says_it_has_none() {
    let site = Site::new(15);
    site.good("run");
    for point in ["noon", "dusk", "night"] {
        let make = format!("select pg_create_restore_point('{point}'); select pg_switch_wal()");
        site.cluster.sql(&make);
    }
    site.good("run wal");
    for device in ["near", "far"] {
        let logs = objects(&site, &format!("{device}/logs"));
        for newer in &logs[logs.len() - 2..] {
            let mut bytes = std::fs::read(newer).expect("log");
            // the record in front stays as it was
            *bytes.last_mut().expect("bytes") ^= 1;
            std::fs::write(newer, bytes).expect("spoiled");
        }
    }
    let told = site.good("restore shop --to new --at point:noon --dry-run");
    assert!(told.contains("replay-log"), "{told}");
    // what could not be read may hold it
    let told = site.ends("restore shop --to new --at point:never --dry-run", 1);
    assert!(told.contains("is damaged"), "{told}");
}
