//! Hot backup of running clusters, part by part.

use std::sync::atomic::{AtomicBool, Ordering};

use planc::engine::postgres::ahead::offered;
use planc::engine::postgres::control::ControlFile;
use planc::engine::postgres::label::BackupLabel;
use planc::engine::{Engine, Retry};
use planc::facts::holdings::Method;

use super::cluster::{Cluster, own, run, run_ok, versions};
use super::ledger::{self, Writer};
use super::parts::{self, Part, copy, copy_while};

/// Puts a base part that holds the whole cluster back in a cluster of its own.
fn start_copy(of: &Cluster, part: &Part) -> Cluster {
    let cluster = Cluster::around(of.version, |data| {
        let from = format!("{}/.", part.folder.path().display());
        let to = data.display().to_string();
        let done = std::process::Command::new("cp")
            .args(["-a", &from, &to])
            .status();
        assert!(done.is_ok_and(|status| status.success()));
        for name in ["backup_label", "tablespace_map"] {
            let text = part.ended.notes.get(name).expect("a note");
            if !text.is_empty() {
                std::fs::write(data.join(name), text).expect("note");
            }
        }
        std::fs::write(data.join("recovery.signal"), "").expect("signal");
    });
    let archive = of.archive().display().to_string();
    cluster.configure(&[
        "archive_mode = off",
        &format!("restore_command = 'cp {archive}/%f %p'"),
        &format!(
            "unix_socket_directories = '{}'",
            cluster.folder.path().display()
        ),
    ]);
    cluster.start();
    cluster.wait_open();
    cluster
}

#[test]
fn a_base_part_taken_under_load_recovers_every_acknowledged_row() {
    for version in versions() {
        let source = Cluster::archiving(version);
        let writer = Writer::start(&source, "ledger", "pg_default");
        Writer::rest();
        let part = copy(&parts::engine(&source, &[]), "shop/base/base").expect("a part");
        Writer::rest();
        let acknowledged = writer.finish();
        source.sql("select pg_switch_wal()");
        source.stop("fast");
        assert_eq!(part.ended.warnings, Vec::<String>::new());
        let (from, until) = (part.ended.from.clone(), part.ended.until.clone());
        assert!(from.expect("a start") < until.expect("a stop"));

        let copy = start_copy(&source, &part);
        assert_eq!(ledger::read(&copy, "ledger"), acknowledged);
        copy.stop("fast");
        let data = copy.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

#[test]
fn tables_that_come_and_go_during_the_copy_do_no_harm() {
    for version in versions() {
        let source = Cluster::archiving(version);
        let writer = Writer::start(&source, "ledger", "pg_default");
        let passing = source.folder.path().join("passing");
        std::fs::create_dir(&passing).expect("folder");
        own(&passing);
        let tablespace = format!("create tablespace passing location '{}'", passing.display());
        let busy = AtomicBool::new(true);
        let storm = std::thread::scope(|scope| {
            let (busy, source, tablespace) = (&busy, &source, tablespace.as_str());
            scope.spawn(move || {
                let mut client = source.client();
                let statements = [
                    "create table storm as select i, repeat('y', 200) t from generate_series(1, 2000) i",
                    "create index on storm (i)",
                    "vacuum full storm",
                    "truncate storm",
                    "create unlogged table quick as select generate_series(1, 1000) i",
                    "create temp table mine as select generate_series(1, 1000) i",
                    "drop table storm, quick, mine",
                    "create database fleeting strategy file_copy",
                    "drop database fleeting",
                    tablespace,
                    "create table there tablespace passing as select generate_series(1, 1000) i",
                    "drop table there",
                    "drop tablespace passing",
                ];
                while busy.load(Ordering::Relaxed) {
                    for statement in statements {
                        client.batch_execute(statement).expect(statement);
                    }
                }
            });
            let part = copy(&parts::engine(source, &[]), "shop/base/base");
            Writer::rest();
            busy.store(false, Ordering::Relaxed);
            part.expect("a part")
        });
        let acknowledged = writer.finish();
        source.sql("select pg_switch_wal()");
        source.stop("fast");
        assert_eq!(storm.ended.warnings, Vec::<String>::new());
        let copy = start_copy(&source, &storm);
        assert_eq!(ledger::read(&copy, "ledger"), acknowledged);
        assert_eq!(copy.ask("select count(*) from pg_database"), "3");
        assert_eq!(copy.ask("select count(*) from pg_tablespace"), "2");
    }
}

/// A cluster with a tablespace `hot` and a database `billing`, each with a table.
pub(crate) fn divided(version: u32) -> Cluster {
    let cluster = Cluster::archiving(version);
    let place = cluster.folder.path().join("hot");
    std::fs::create_dir(&place).expect("folder");
    own(&place);
    cluster.sql(&format!(
        "create tablespace hot location '{}'",
        place.display()
    ));
    cluster.sql("create table warm tablespace hot as select generate_series(1, 2000) i");
    cluster.sql("create database billing");
    let mut billing = cluster.client_of("postgres", "billing");
    let table = "create table bills as select generate_series(1, 3000) i";
    billing.batch_execute(table).expect("a table");
    cluster
}

#[test]
fn each_part_holds_its_own_files_and_base_leaves_them_out() {
    let apart = ["shop/tablespace/hot", "shop/database/billing"];
    for version in versions() {
        let cluster = divided(version);
        let engine = parts::engine(&cluster, &apart);
        let [base, hot, billing] =
            ["shop/base/base", apart[0], apart[1]].map(|key| copy(&engine, key).expect("a part"));
        let warm = cluster.ask("select pg_relation_filepath('warm')");
        let bills = cluster.client_of("postgres", "billing");
        let bills = { bills }.query_one("select pg_relation_filepath('bills')", &[]);
        let bills: String = bills.expect("a path").get(0);
        assert!(hot.paths().contains(warm.as_str()) && !base.paths().contains(warm.as_str()));
        assert!(billing.paths().contains(bills.as_str()));
        assert!(!base.paths().contains(bills.as_str()));
        assert!(base.paths().is_disjoint(&hot.paths()));
        assert!(base.paths().is_disjoint(&billing.paths()));
        assert_eq!(
            base.entries.last().expect("entries").path,
            "global/pg_control"
        );
        assert!(
            hot.paths()
                .iter()
                .all(|path| path.starts_with("pg_tblspc/"))
        );

        let size = engine.size("shop/tablespace/hot").expect("a size");
        let stored = std::fs::metadata(hot.folder.path().join(&warm))
            .expect("a file")
            .len();
        assert!(size >= stored && stored > 0);
        let identity = cluster.ask("select system_identifier from pg_control_system()");
        assert_eq!(engine.identity().expect("an identity"), identity);
        let whole = copy(&parts::engine(&cluster, &[]), "shop/base/base").expect("a part");
        assert!(whole.paths().contains(warm.as_str()) && whole.paths().contains(bills.as_str()));
        for part in [&base, &hot, &billing] {
            let label = BackupLabel::parse(&part.ended.notes["backup_label"]).expect("a label");
            assert_eq!(
                label.start.0,
                part.ended.from.as_ref().expect("a start").value
            );
        }
        let control = base.folder.path().join("global/pg_control");
        ControlFile::parse(&std::fs::read(control).expect("a file")).expect("a control file");
    }
}

#[test]
fn damaged_pages_are_listed_and_the_rest_is_copied() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        cluster.sql("create table t as select i, repeat('x', 200) from generate_series(1, 4000) i");
        let file = cluster.ask("select pg_relation_filepath('t')");
        cluster.stop("fast");
        let path = cluster.data.join(&file);
        let mut bytes = std::fs::read(&path).expect("table");
        bytes[2 * 8192 + 4000] ^= 4;
        bytes[7 * 8192 + 4000] ^= 4;
        std::fs::write(&path, bytes).expect("table");
        cluster.start();
        let part = copy(&parts::engine(&cluster, &[]), "shop/base/base").expect("a part");
        let told = &part.ended.warnings;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with(&format!("damaged page: {file} block 2 ")),
            "{told:?}"
        );
        assert!(
            told[1].starts_with(&format!("damaged page: {file} block 7 ")),
            "{told:?}"
        );
    }
}

/// A half of the page as it is, the other as it was.
fn tear(path: &std::path::Path, block: u64, was: &[u8]) {
    let place = usize::try_from(block).expect("a small table") * 8192;
    let mut bytes = std::fs::read(path).expect("a table");
    let whole = bytes[place..place + 8192].to_vec();
    bytes[place + 4096..place + 8192].copy_from_slice(&was[4096..]);
    let torn = &bytes[place..place + 8192];
    assert!(torn != whole && torn != was, "block {block} is torn");
    std::fs::write(path, bytes).expect("a table");
}

/// Waits until the server has archived all that it offers.
fn wait_archived(source: &Cluster) {
    let log = source.data.join("pg_wal");
    for _ in 0..3000 {
        if offered(&log).expect("a folder").is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it is not archived:\n{}", source.log());
}

#[test]
fn a_torn_page_is_mended_by_its_image_in_the_log_and_told_when_there_is_none() {
    for version in versions() {
        let source = Cluster::archiving(version);
        source.sql("create table t as select i, repeat('x', 200) from generate_series(1, 4000) i");
        source.sql("vacuum (freeze) t");
        source.sql("checkpoint");
        let file = source.ask("select pg_relation_filepath('t')");
        let path = source.data.join(&file);
        let before = std::fs::read(&path).expect("a table");
        let part = copy_while(&parts::engine(&source, &[]), "shop/base/base", || {
            // the first change within the bracket puts the whole page into the log
            source.sql("delete from t where i = 1");
            source.sql("checkpoint");
            // nobody changes this one
            tear(&path, 7, &[0; 8192]);
        });
        let part = part.expect("a part");
        let told = &part.ended.warnings;
        let wanted = format!("damaged page: {file} block 7 ");
        assert!(told.len() == 1 && told[0].starts_with(&wanted), "{told:?}");
        tear(&part.folder.path().join(&file), 0, &before[..8192]);
        source.sql("select pg_switch_wal()");
        wait_archived(&source);
        source.stop("immediate");
        let copy = start_copy(&source, &part);
        // only the pages before the one that nothing mends
        let least = copy.ask("select min(i) from t where ctid < '(7,0)'::tid");
        assert_eq!(least, "2");
        copy.stop("fast");
        let data = copy.data.display().to_string();
        let checked = run(version, "pg_checksums", &["--check", "-D", &data]);
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(!checked.status.success(), "{told}");
        assert!(told.contains("block 7"), "{told}");
        assert!(!told.contains("block 0"), "replay mended it: {told}");
    }
}

#[test]
fn a_role_with_the_documented_grants_is_enough() {
    for version in versions() {
        let cluster = divided(version);
        cluster.sql("create role keeper login");
        let engine = |user| {
            let spec = parts::spec(&cluster, user, &["shop/tablespace/hot"]);
            planc::engine::postgres::engine::PostgresEngine::new(spec)
        };
        let refused = copy(&engine("keeper"), "shop/base/base").expect_err("no grants");
        assert!(
            refused.to_string().contains("pg_read_all_settings"),
            "{refused}"
        );
        cluster.sql("grant pg_read_all_settings to keeper");
        let refused = copy(&engine("keeper"), "shop/base/base").expect_err("no grants");
        assert!(refused.to_string().contains("pg_backup_start"), "{refused}");
        cluster.sql(
            "grant execute on function pg_backup_start to keeper; \
             grant execute on function pg_backup_stop to keeper; \
             grant execute on function pg_switch_wal to keeper",
        );
        copy(&engine("keeper"), "shop/base/base").expect("a part");
        copy(&engine("keeper"), "shop/tablespace/hot").expect("a part");
    }
}

#[test]
fn what_cannot_be_recovered_is_refused_before_backup_mode() {
    let cluster = Cluster::create(15);
    cluster.start();
    let engine = parts::engine(&cluster, &[]);
    let refusal = || {
        let session = engine.begin(
            "shop/base/base",
            Method::PhysicalFull,
            jiff::Timestamp::now(),
        );
        session.err().expect("a refusal").to_string()
    };
    let told = refusal();
    assert!(told.contains("archive_mode is off"), "{told}");
    for (setting, word) in [
        (
            "archive_mode = on\nfull_page_writes = off",
            "full_page_writes is off",
        ),
        (
            "archive_mode = off\nwal_level = minimal\nmax_wal_senders = 0",
            "wal_level is minimal",
        ),
    ] {
        cluster.configure(&[setting]);
        cluster.stop("fast");
        cluster.start();
        let told = refusal();
        assert!(told.contains(word), "{told}");
    }
    let told = engine
        .size("shop/tablespace/none")
        .expect_err("no tablespace")
        .to_string();
    assert!(told.contains("no such tablespace"), "{told}");
    let told = engine
        .size("shop/group/g")
        .expect_err("no part")
        .to_string();
    assert!(told.contains("logical"), "{told}");
}

#[test]
fn a_lost_tablespace_folder_is_an_error_not_an_empty_part() {
    let cluster = divided(15);
    std::fs::rename(
        cluster.folder.path().join("hot"),
        cluster.folder.path().join("lost"),
    )
    .expect("moved");
    let engine = parts::engine(&cluster, &["shop/tablespace/hot"]);
    assert!(copy(&engine, "shop/tablespace/hot").is_err());
    assert!(copy(&parts::engine(&cluster, &[]), "shop/base/base").is_err());
}

#[test]
fn a_lost_session_or_server_ends_the_part() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        let engine = parts::engine(&cluster, &[]);
        let lost = copy_while(&engine, "shop/base/base", || {
            cluster.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity \
                 where application_name = 'planc'",
            );
        });
        let lost = lost.expect_err("no session");
        assert_eq!(lost.retry(), Retry::Later, "{lost}");
        let lost = copy_while(&engine, "shop/base/base", || {
            cluster.stop("immediate");
            cluster.start();
        });
        assert!(lost.is_err());
        copy(&engine, "shop/base/base").expect("the next one is whole");
    }
}

#[test]
fn a_folder_of_another_cluster_is_refused() {
    let (here, there) = (Cluster::archiving(15), Cluster::create(15));
    let mut spec = parts::spec(&here, "postgres", &[]);
    spec.data_directory = Some(there.data.clone());
    let engine = planc::engine::postgres::engine::PostgresEngine::new(spec);
    let told = copy(&engine, "shop/base/base")
        .expect_err("refused")
        .to_string();
    assert!(told.contains("system identifier"), "{told}");
}
