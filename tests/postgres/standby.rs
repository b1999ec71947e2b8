//! Copies taken from a standby: alone and beside copies of its primary, while it is promoted, and
//! by the plan.

use planc::engine::Engine;
use planc::facts::holdings::Method;
use planc::graph::step::RecoveryTarget;

use super::backup::divided;
use super::cluster::{Cluster, own, run_ok, versions};
use super::ledger::{self, Writer};
use super::parts::{self, Part, copy, gather};
use super::restored::{Until, log, running};

const HOT: &str = "shop/tablespace/hot";
const BASE: &str = "shop/base/base";

/// A standby that streams from a primary, running.
pub(crate) fn follow(primary: &Cluster) -> Cluster {
    let folder = super::cluster::folder();
    let data = folder.path().join("data");
    let hot = folder.path().join("hot");
    let mapping = format!(
        "{}={}",
        primary.folder.path().join("hot").display(),
        hot.display()
    );
    let (target, from) = (data.display().to_string(), primary.folder.path());
    let from = from.display().to_string();
    run_ok(
        primary.version,
        "pg_basebackup",
        &[
            "-D", &target, "-h", &from, "-U", "postgres", "-c", "fast", "-R", "-T", &mapping,
        ],
    );
    own(folder.path());
    let standby = Cluster::adopt(primary.version, folder, data);
    let sockets = standby.folder.path().display().to_string();
    standby.configure(&[&format!("unix_socket_directories = '{sockets}'")]);
    standby.start();
    standby
}

/// Waits until a standby has replayed what its primary committed so far. The end of what is durable
/// is asked for: where a segment was ended, the next record would be put behind a page header, and
/// nothing is replayed up to there before somebody writes again.
pub(crate) fn catch_up(primary: &Cluster, standby: &Cluster) {
    let wrote = primary.ask("select pg_current_wal_flush_lsn()");
    let query = format!("select pg_last_wal_replay_lsn() >= '{wrote}'::pg_lsn");
    for _ in 0..12_000 {
        if standby.ask(&query) == "true" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("the standby does not follow:\n{}", standby.log());
}

#[test]
fn parts_of_a_standby_and_of_its_primary_become_one() {
    for version in versions() {
        let primary = divided(version);
        let standby = follow(&primary);
        let cold = Writer::start(&primary, "cold_ledger", "pg_default");
        let hot = Writer::start(&primary, "hot_ledger", "hot");
        let (there, here) = (
            parts::engine(&standby, &[HOT]),
            parts::engine(&primary, &[HOT]),
        );
        Writer::rest();
        catch_up(&primary, &standby);
        let old_hot = copy(&there, HOT).expect("a part of the standby");
        let old_base = copy(&there, BASE).expect("a part of the standby");
        assert!(old_hot.ended.notes["backup_label"].contains("BACKUP FROM: standby"));
        primary.sql("create table between tablespace hot as select generate_series(1, 500) i");
        Writer::rest();
        let new_base = copy(&here, BASE).expect("a part of the primary");
        let new_hot = copy(&here, HOT).expect("a part of the primary");
        Writer::rest();
        let (cold, hot) = (cold.finish(), hot.finish());
        primary.sql("select pg_switch_wal()");
        standby.stop("fast");
        primary.stop("fast");
        let log = log(&primary);
        let latest = Until::Graph(RecoveryTarget::Latest);
        let sets: [[&Part; 2]; 3] = [
            [&old_base, &old_hot],
            [&new_base, &old_hot],
            [&old_base, &new_hot],
        ];
        for set in sets {
            let (restored, replayed) = running(&primary, &set, &log, &latest);
            assert_eq!(ledger::read(&restored, "cold_ledger"), cold);
            assert_eq!(ledger::read(&restored, "hot_ledger"), hot);
            let ends = set.iter().filter_map(|part| part.ended.until.as_ref());
            let newest = ends.map(|at| at.value).max().expect("an end");
            assert!(replayed.ended.0 >= newest);
            restored.stop("fast");
            let data = restored.data.display().to_string();
            run_ok(version, "pg_checksums", &["--check", "-D", &data]);
        }
    }
}

#[test]
fn a_standby_that_is_promoted_meanwhile_gives_no_part() {
    let primary = divided(15);
    let standby = follow(&primary);
    catch_up(&primary, &standby);
    let engine = parts::engine(&standby, &[HOT]);
    let now = jiff::Timestamp::now();
    let begun = engine.begin(HOT, Method::PhysicalFull, now);
    let mut session = begun.expect("backup mode");
    let _copied = gather(session.as_mut()).expect("copied");
    standby.sql("select pg_promote()");
    let error = session.end().expect_err("no part").to_string();
    assert!(error.contains("promoted"), "{error}");
}

/// The server refuses by itself, and its own hint says what to do.
#[test]
fn a_standby_of_a_primary_without_full_page_writes_gives_no_part() {
    let primary = divided(15);
    let standby = follow(&primary);
    primary.sql("alter system set full_page_writes = off");
    primary.sql("select pg_reload_conf()");
    let off = "select not current_setting('full_page_writes')::bool";
    super::ahead::until("it is off", || primary.ask(off) == "true");
    primary.sql("checkpoint; create table torn as select 1");
    catch_up(&primary, &standby);
    let engine = parts::engine(&standby, &[HOT]);
    let begun = engine.begin(HOT, Method::PhysicalFull, jiff::Timestamp::now());
    let error = begun.err().expect("refused").to_string();
    assert!(error.contains("Enable full_page_writes"), "{error}");
}

#[test]
fn the_log_is_ended_on_the_primary_of_a_standby() {
    let primary = divided(15);
    let standby = follow(&primary);
    catch_up(&primary, &standby);
    primary.sql("create table last as select 1");
    let engine = parts::engine(&standby, &[HOT]);
    let mut sink = planc::engine::memory::MemoryLog::default();
    let now = jiff::Timestamp::now();
    let archived = engine.archive(None, now, &mut sink).expect("archived");
    let at = archived.position.expect("a position");
    let wrote = primary.ask("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn");
    let wrote: u64 = wrote.parse().expect("a number");
    assert!(at.value > 0 && at.value <= wrote, "{} {wrote}", at.value);
    // one that follows nobody says so
    primary.stop("fast");
    let error = engine.archive(None, now, &mut sink).expect_err("nobody");
    assert!(
        error.to_string().contains("primary of the standby"),
        "{error}"
    );
}
