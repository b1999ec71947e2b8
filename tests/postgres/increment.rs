//! Incremental parts: what the log says of changed pages is what `pg_waldump` says, and a chain put
//! together is, byte for byte, a full copy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use planc::engine::postgres::base::meant;
use planc::engine::postgres::history::History;
use planc::engine::postgres::increment::{self, Tally, Tracked};
use planc::engine::postgres::lsn::{Lsn, Segment, SegmentSize, Timeline};
use planc::engine::postgres::restore::ClusterRestore;
use planc::engine::postgres::stream::{Course, Stop, Stream};
use planc::engine::{BackupSession, BaseCopy, Entry, EntryKind};
use planc::facts::holdings::Position;

use super::cluster::{Cluster, run, run_ok, versions};
use super::ledger::{self, Writer};
use super::parts::{self, Part, copy, gather};
use super::restored::{self, Until};

fn size() -> SegmentSize {
    SegmentSize::new(1 << 20).expect("a size")
}

/// What an incremental part on top of this one builds on.
fn base_of(part: &Part) -> BaseCopy {
    let files = part.entries.iter().map(|entry| {
        let about = std::fs::metadata(part.folder.path().join(&entry.path));
        (entry.path.clone(), about.expect("metadata").len())
    });
    BaseCopy {
        part: "base".to_owned(),
        identity: part.ended.notes["system-identifier"].clone(),
        ended: part.ended.clone(),
        files: files.collect(),
        windows: std::collections::BTreeMap::new(),
    }
}

/// Segments of the archive folder of a cluster.
fn archived(cluster: &Cluster) -> impl FnMut(Segment) -> Option<Vec<u8>> + use<> {
    let folder = cluster.archive();
    move |segment| std::fs::read(folder.join(segment.name(size()))).ok()
}

fn copy_changed(
    cluster: &Cluster,
    base: &BaseCopy,
    mut archived: impl FnMut(Segment) -> Option<Vec<u8>>,
) -> (Part, Tally, Option<String>) {
    let spec = parts::spec(cluster, "postgres", &[]);
    let mut log = |at: &Position| {
        let (timeline, lsn) = Timeline::of(at).expect("a position");
        archived(Segment::holding(timeline, lsn, size()))
    };
    let session = increment::begin(&spec, "shop/base/base", base, &Tracked::default(), &mut log);
    let mut session = session.expect("a bracket");
    let doubt = session.doubt().map(str::to_owned);
    let (folder, entries) = gather(&mut session).expect("copied");
    let tally = session.tally.clone();
    let ended = Box::new(session).end().expect("ended");
    let part = Part {
        folder,
        entries,
        ended,
    };
    (part, tally, doubt)
}

/// The files that a chain of parts becomes when it is restored.
fn put_together(cluster: &Cluster, chain: &[&Part]) -> Part {
    let scratch = super::cluster::folder();
    let spec = parts::spec(cluster, "postgres", &[]);
    let session = ClusterRestore::new(spec, &scratch.path().join("staging"));
    let mut session = session.expect("a folder");
    for part in chain {
        restored::hand_over(&mut session, part).expect("they fit");
    }
    let folder = super::cluster::folder();
    std::fs::remove_dir(folder.path()).expect("removed");
    std::fs::rename(session.data_directory(), folder.path()).expect("moved");
    let newest = chain.last().expect("a part");
    let entries = newest.entries.iter().cloned().map(|mut entry| {
        entry.path = meant(&entry.path).0;
        entry
    });
    let entries: Vec<Entry> = entries.collect();
    let named: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    for found in walkdir::WalkDir::new(folder.path()).min_depth(1) {
        let found = found.expect("listed");
        let path = found.path().strip_prefix(folder.path()).expect("inside");
        let path = path.to_str().expect("a name");
        assert!(named.contains(path), "{path} was dropped and is there");
    }
    Part {
        ended: newest.ended.clone(),
        folder,
        entries,
    }
}

/// Relation files of a part with their content.
fn relations(part: &Part) -> BTreeMap<String, Vec<u8>> {
    let own = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or("");
        (path.starts_with("base/") || path.starts_with("global/"))
            && name.starts_with(|c: char| c.is_ascii_digit())
    };
    let files = part
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::File);
    let files = files.filter(|entry| own(&entry.path));
    files
        .map(|entry| {
            let bytes = std::fs::read(part.folder.path().join(&entry.path)).expect("read");
            (entry.path.clone(), bytes)
        })
        .collect()
}

fn assert_equal(chain: &Part, full: &Part) {
    let (ours, theirs) = (relations(chain), relations(full));
    let names = |of: &BTreeMap<String, Vec<u8>>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&ours), names(&theirs));
    for (path, bytes) in &ours {
        let other = &theirs[path];
        assert_eq!(bytes.len(), other.len(), "{path}");
        let pages = bytes.chunks(8192).zip(other.chunks(8192));
        let differing: Vec<usize> = pages
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .map(|(block, _)| block)
            .collect();
        assert_eq!(differing, Vec::<usize>::new(), "pages of {path}");
    }
}

const FILL: &str = "
    create table big (i int primary key, t text);
    insert into big select i, repeat('x', 200) from generate_series(1, 40000) i;
    create table cut (i int); insert into cut select generate_series(1, 20000);
    create table gone (i int); insert into gone select 1;
    create table whole (i int, t text);
    insert into whole select i, 'a' from generate_series(1, 9000) i;
    create table hinted (i int); insert into hinted select generate_series(1, 5000);
    create sequence s; create database other";

const CHANGE: &str = "
    update big set t = 'changed' where i in (7, 20000, 39999);
    insert into big select i, repeat('y', 300) from generate_series(40001, 42000) i;
    truncate cut; insert into cut select generate_series(1, 50);
    drop table gone; create table fresh as select generate_series(1, 3000) i;
    delete from whole where i % 2 = 0;
    create index on big (t); select nextval('s');
    drop database other; create database another";

const MORE: &str = "
    vacuum full whole; vacuum big;
    delete from hinted where i > 10; vacuum hinted;
    insert into hinted select generate_series(1, 99);
    update big set t = 'again' where i = 20001; alter table fresh add column more text default 'z'";

const INDEXES: &str = "
    create table arr as select array[i, i % 7] a, point(i, i) p from generate_series(1, 3000) i;
    create index on arr using gin (a); create index on arr using gist (p);
    create index on big using brin (i); create index on big using hash (i);
    create index on big using spgist (t); insert into arr select array[i], point(1, i)
    from generate_series(1, 500) i";

fn each(cluster: &Cluster, statements: &str) {
    for statement in statements.split(';').map(str::trim) {
        cluster.sql(statement);
    }
}

#[test]
fn a_chain_is_byte_equal_to_a_full_copy_and_recovers() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        each(&cluster, FILL);
        let engine = parts::engine(&cluster, &[]);
        let writer = Writer::start(&cluster, "ledger", "pg_default");
        let full = copy(&engine, "shop/base/base").expect("a full part");
        each(&cluster, CHANGE);
        // readers set hints, which are in the log as images of pages
        cluster.sql("checkpoint");
        cluster.sql("select count(*) from hinted");
        Writer::rest();
        let (one, tally, doubt) = copy_changed(&cluster, &base_of(&full), archived(&cluster));
        assert_eq!(doubt, None);
        assert!(tally.patched.0 > 100, "{tally:?}");
        let whole: u64 = full
            .entries
            .iter()
            .map(|entry| {
                std::fs::metadata(full.folder.path().join(&entry.path))
                    .expect("there")
                    .len()
            })
            .sum();
        // what is new besides (an index, a database) is no matter of changed pages
        let read = tally.patched.1 * 8192;
        assert!(read < whole / 10, "{read} of {whole}");

        each(&cluster, MORE);
        let acknowledged = writer.finish();
        let (two, tally, doubt) = copy_changed(&cluster, &base_of(&one), archived(&cluster));
        assert_eq!(doubt, None);
        assert!(
            tally
                .full
                .contains_key("its length does not follow from the base's"),
            "{tally:?}"
        );
        let parts = [&full, &one, &two];
        let chain = put_together(&cluster, &parts);
        // nobody writes any more: a full copy taken now must hold the very same pages
        let now = copy(&engine, "shop/base/base").expect("a full part");
        assert_equal(&chain, &now);

        let spec = parts::spec(&cluster, "postgres", &[]);
        let folder = super::cluster::folder();
        let mut session = ClusterRestore::new(spec, folder.path()).expect("a folder");
        restored::hand_over(&mut session, &full).expect("the base");
        let error = restored::hand_over(&mut session, &two).expect_err("the middle is missing");
        assert!(error.to_string().contains("builds on the part"), "{error}");

        cluster.sql("select pg_switch_wal()");
        cluster.stop("fast");
        let log = restored::log(&cluster);
        let until = Until::Graph(planc::graph::step::RecoveryTarget::Latest);
        let (copy, _) = restored::running(&cluster, &parts, &log, &until);
        assert_eq!(ledger::read(&copy, "ledger"), acknowledged);
        assert_eq!(copy.ask("select count(*) from big"), "42000");
        assert_eq!(copy.ask("select count(*) from cut"), "50");
        assert_eq!(copy.ask("select count(*) from hinted"), "109");
        scans(&copy);
        if version == 15 {
            // the other servers of the suite come without the extension
            amcheck(&copy);
        }
        copy.stop("fast");
        let data = copy.data.display().to_string();
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);
    }
}

/// Reads tables by their pages and by their indexes: both must give the same rows.
fn scans(cluster: &Cluster) {
    let sums = "select count(*), sum(hashtext(i || t)) from big where";
    for by in ["i > 0", "t > ''"] {
        let read = |off: &str| {
            let mut client = cluster.client();
            client
                .batch_execute(&format!("set {off} = off; set enable_bitmapscan = off"))
                .expect("set");
            let row = client
                .query_one(&format!("{sums} {by}"), &[])
                .expect("read");
            (row.get::<_, i64>(0), row.get::<_, Option<i64>>(1))
        };
        assert_eq!(read("enable_seqscan"), read("enable_indexscan"), "{by}");
    }
}

/// Checks every heap and index of a running cluster.
fn amcheck(cluster: &Cluster) {
    let socket = cluster.folder.path().display().to_string();
    let words = [
        "-h",
        &socket,
        "-U",
        "postgres",
        "-d",
        "postgres",
        "--install-missing",
    ];
    let done = run(cluster.version, "pg_amcheck", &words);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn every_doubt_means_a_full_read() {
    let cluster = Cluster::archiving(15);
    each(&cluster, FILL);
    let engine = parts::engine(&cluster, &[]);
    let full = copy(&engine, "shop/base/base").expect("a full part");
    let base = base_of(&full);
    each(&cluster, CHANGE);
    for _ in 0..80 {
        cluster.sql("insert into big select max(i) + 1, 'n' from big; select pg_switch_wal()");
    }
    cluster.sql("checkpoint");
    cluster.sql("checkpoint");
    let from = full.ended.from.as_ref().expect("a start");
    let (timeline, start) = Timeline::of(from).expect("a position");
    let last = Segment::holding(timeline, start, size());
    assert!(
        !cluster.data.join("pg_wal").join(last.name(size())).exists(),
        "recycled"
    );

    let (part, tally, doubt) = copy_changed(&cluster, &base, |_| None);
    assert!(
        doubt.is_some_and(|why| why.contains("is not there")),
        "{tally:?}"
    );
    assert_eq!(tally.patched, (0, 0));
    assert!(part.entries.iter().all(|entry| !meant(&entry.path).1));
    let mut damaged = archived(&cluster);
    let one_bit = |segment: Segment| {
        let mut bytes = damaged(segment)?;
        if segment.number == last.number + 1 {
            bytes[9000] ^= 1;
        }
        Some(bytes)
    };
    let (_, tally, doubt) = copy_changed(&cluster, &base, one_bit);
    assert!(
        doubt.is_some() && tally.patched == (0, 0),
        "{doubt:?} {tally:?}"
    );
    let mut foreign = base.clone();
    let system = "system-identifier".to_owned();
    foreign.ended.notes.insert(system, "7".to_owned());
    let (_, tally, doubt) = copy_changed(&cluster, &foreign, archived(&cluster));
    assert!(doubt.is_some() && tally.patched == (0, 0));
    // with all of the archive there is none
    let (part, tally, doubt) = copy_changed(&cluster, &base, archived(&cluster));
    assert_eq!(doubt, None);
    assert!(tally.patched.0 > 100);
    let chain = put_together(&cluster, &[&full, &part]);
    assert_equal(
        &chain,
        &copy(&engine, "shop/base/base").expect("a full part"),
    );
}

#[test]
fn summaries_of_the_server_stand_in_for_a_log_that_is_gone() {
    let cluster = Cluster::create(18);
    cluster.configure(&[
        "summarize_wal = on",
        "archive_mode = on",
        "archive_command = 'true'",
    ]);
    cluster.start();
    each(&cluster, FILL);
    let engine = parts::engine(&cluster, &[]);
    let full = copy(&engine, "shop/base/base").expect("a full part");
    let base = base_of(&full);
    each(&cluster, CHANGE);
    for _ in 0..80 {
        cluster.sql("insert into big select max(i) + 1, 'n' from big; select pg_switch_wal()");
    }
    cluster.sql("checkpoint");
    cluster.sql("checkpoint");
    let (part, tally, doubt) = copy_changed(&cluster, &base, |_| None);
    assert_eq!(doubt, None);
    assert!(tally.patched.0 > 100, "{tally:?}");
    let chain = put_together(&cluster, &[&full, &part]);
    assert_equal(
        &chain,
        &copy(&engine, "shop/base/base").expect("a full part"),
    );
}

/// Position, relation, fork and block of each reference that `pg_waldump` prints.
fn references(version: u32, folder: &Path, from: Lsn, last: &str) -> BTreeSet<String> {
    let folder = folder.display().to_string();
    let from = from.to_string();
    let first = Segment::holding(
        Timeline::new(1).expect("valid"),
        from.parse().expect("lsn"),
        size(),
    );
    let words = ["-p", &folder, "-s", &from, &first.name(size()), last];
    // it ends with an error when the last record goes on in a segment that is not there
    let told = run(version, "pg_waldump", &words);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut found = BTreeSet::new();
    for line in told.lines() {
        let Some((_, rest)) = line.split_once("lsn: ") else {
            continue;
        };
        let (lsn, rest) = rest.split_once(',').expect("a position");
        let (high, low) = lsn.split_once('/').expect("a position");
        let low = u32::from_str_radix(low, 16).expect("hexadecimal");
        for reference in rest.split("blkref #").skip(1) {
            let words: Vec<&str> = reference.split_ascii_whitespace().collect();
            let relation = words[2];
            let (fork, block) = match words[3] {
                "fork" => (words[4], words[6]),
                _ => ("main", words[4]),
            };
            let block = block.trim_matches([',', ';']);
            found.insert(format!("{high}/{low:X} {relation} {fork} {block}"));
        }
    }
    found
}

#[test]
fn references_through_all_segments_are_those_of_pg_waldump() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        cluster.configure(&["wal_compression = on", "full_page_writes = on"]);
        cluster.sql("select pg_reload_conf()");
        let from: Lsn = {
            cluster.sql("checkpoint");
            cluster
                .ask("select redo_lsn from pg_control_checkpoint()")
                .parse()
                .expect("lsn")
        };
        each(&cluster, FILL);
        each(&cluster, INDEXES);
        each(&cluster, CHANGE);
        each(&cluster, MORE);
        cluster.sql("select pg_switch_wal()");
        cluster.stop("fast");
        let mut segments: Vec<PathBuf> = std::fs::read_dir(cluster.archive())
            .expect("archive")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.extension().is_none())
            .collect();
        segments.sort();
        let last = segments
            .last()
            .and_then(|path| path.file_name())
            .and_then(|name| name.to_str());
        let theirs = references(version, &cluster.archive(), from, last.expect("a segment"));
        let control = std::fs::read(cluster.data.join("global/pg_control")).expect("read");
        let control = planc::engine::postgres::control::ControlFile::parse(&control);
        let course = Course {
            history: History::first(Timeline::new(1).expect("valid")),
            size: size(),
            system_identifier: control.expect("a control file").system_identifier,
        };
        let mut stream = Stream::new(course, from, archived(&cluster));
        let mut ours = BTreeSet::new();
        let stop = loop {
            match stream.read() {
                Ok(record) => {
                    for block in &record.blocks {
                        let fork = ["main", "fsm", "vm", "init"][usize::from(block.fork)];
                        let relation = (block.tablespace, block.database, block.relation);
                        let relation = format!("{}/{}/{}", relation.0, relation.1, relation.2);
                        ours.insert(format!("{} {relation} {fork} {}", record.lsn, block.block));
                    }
                }
                Err(stop) => break stop,
            }
        };
        assert!(
            matches!(&stop, Stop::Missing(_)),
            "only the end of the archive ends it: {stop}"
        );
        assert!(ours.len() > 5000 && segments.len() > 5, "{}", ours.len());
        assert_eq!(ours.difference(&theirs).next(), None);
        assert_eq!(theirs.difference(&ours).next(), None);
    }
}
