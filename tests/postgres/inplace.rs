//! One lost tablespace put back, everything else where it is.

use planc::engine::postgres::component::Place;
use planc::engine::postgres::inplace::InPlaceRestore;
use planc::engine::postgres::notes::PartNotes;
use planc::engine::{EntryKind, Lost, RestoreSession};

use super::backup::divided;
use super::cluster::{Cluster, own, run_ok, versions};
use super::ledger::{self, Writer};
use super::parts::{self, Part, copy};

const HOT: &str = "shop/tablespace/hot";

fn hot() -> Lost {
    let component = HOT.to_owned();
    Lost::Component {
        component,
        place: None,
    }
}

/// Puts a part back and replays; bytes written.
fn put_back(cluster: &Cluster, part: &Part) -> u64 {
    let spec = parts::spec(cluster, "postgres", &[]);
    let scratch = super::cluster::folder();
    let restore = InPlaceRestore::new(spec, &cluster.data, &hot(), scratch.path());
    let mut restore = restore.expect("the cluster is stopped");
    restore.begin_part(&part.ended).expect("the part fits");
    for entry in &part.entries {
        restore.entry(entry).expect("an entry");
        if entry.kind == EntryKind::File {
            let bytes = std::fs::read(part.folder.path().join(&entry.path)).expect("a file");
            restore.data(0, &bytes).expect("bytes");
            restore.close(bytes.len() as u64).expect("closed");
        }
    }
    let fetch = format!("cp {}/%f %p", cluster.archive().display());
    let replayed = restore.recover(&fetch, scratch.path()).expect("recovered");
    assert_eq!(replayed.reason, "no recovery target specified");
    let place = cluster.folder.path().join("hot/.planc-restoring");
    assert!(place.exists(), "the place is claimed until the end");
    std::fs::remove_file(place).expect("released");
    restore.bytes()
}

fn bytes_below(folder: &std::path::Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter();
    files
        .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
        .sum()
}

#[test]
fn a_lost_tablespace_comes_back_with_every_acknowledged_row() {
    // one server stops in order, the other one crashes
    for (version, mode) in versions().into_iter().zip(["fast", "immediate"]) {
        let cluster = divided(version);
        let cold = Writer::start(&cluster, "cold_ledger", "pg_default");
        let hot = Writer::start(&cluster, "hot_ledger", "hot");
        Writer::rest();
        let part = copy(&parts::engine(&cluster, &[HOT]), HOT).expect("a part");
        let place = cluster.folder.path().join("hot");
        let held = bytes_below(&place);
        cluster.sql("create table late tablespace hot as select generate_series(1, 99) i");
        cluster.sql("drop table warm; create table moved as select * from late");
        cluster.sql("checkpoint; select pg_switch_wal()");
        cluster.sql("alter table moved set tablespace hot");
        Writer::rest();
        let (cold, hot) = (cold.finish(), hot.finish());
        cluster.stop(mode);
        std::fs::remove_dir_all(&place).expect("lost");
        std::fs::create_dir(&place).expect("a new disk");
        own(&place);

        let moved = put_back(&cluster, &part);
        assert!(moved > 0 && moved * 10 <= held * 11, "{moved} of {held}");
        cluster.start();
        assert_eq!(ledger::read(&cluster, "cold_ledger"), cold);
        assert_eq!(ledger::read(&cluster, "hot_ledger"), hot);
        assert_eq!(cluster.ask("select count(*) from late"), "99");
        assert_eq!(cluster.ask("select count(*) from moved"), "99");
        assert_eq!(
            cluster.ask("select count(*) from pg_class where relname = 'warm'"),
            "0"
        );
        cluster.stop("fast");
        let data = cluster.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_changed() {
    let cluster = divided(15);
    let part = copy(&parts::engine(&cluster, &[HOT]), HOT).expect("a part");
    let base = copy(&parts::engine(&cluster, &[HOT]), "shop/base/base").expect("a part");
    let refusal = |part: &Part, data: &std::path::Path| {
        let spec = parts::spec(&cluster, "postgres", &[]);
        let restore = InPlaceRestore::new(spec, data, &hot(), data);
        let judged = restore.and_then(|mut restore| restore.begin_part(&part.ended));
        judged.expect_err("a refusal").to_string()
    };
    assert!(refusal(&part, &cluster.data).contains("the server runs"));
    cluster.stop("fast");
    assert!(refusal(&part, &cluster.data).contains("an empty folder"));
    assert!(refusal(&base, &cluster.data).contains("the part is of base"));
    let other = Cluster::create(15);
    assert!(refusal(&part, &other.data).contains("the folder is of system"));
    let notes = PartNotes::parse(&part.ended).expect("notes");
    assert!(matches!(notes.place, Place::Tablespace { .. }));
    assert!(!cluster.data.join("backup_label").exists());
    assert!(!cluster.data.join("recovery.signal").exists());
}
