//! PostgreSQL's own formats, compared with what the version's own tools say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use planc::engine::postgres::control::{self, ControlFile};
use planc::engine::postgres::history::History;
use planc::engine::postgres::label::{BackupLabel, parse_map};
use planc::engine::postgres::lsn::{Lsn, Segment, Timeline, WalFile};
use planc::engine::postgres::page::{self, PAGE_BYTES, PageState};
use planc::engine::postgres::walfile::SegmentHeader;

use super::cluster::{Cluster, run, run_ok, versions};

fn control_of(cluster: &Cluster) -> ControlFile {
    let bytes = std::fs::read(cluster.data.join(control::PATH)).expect("control file");
    ControlFile::parse(&bytes).expect("a control file")
}

/// `pg_controldata` as a table.
fn controldata(cluster: &Cluster) -> BTreeMap<String, String> {
    let data = cluster.data.display().to_string();
    let text = run_ok(cluster.version, "pg_controldata", &[&data]);
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn assert_same_control(cluster: &Cluster) {
    let (file, told) = (control_of(cluster), controldata(cluster));
    for (name, value) in positions(&file).into_iter().chain(settings(&file)) {
        assert_eq!(told.get(name), Some(&value), "{name}");
    }
    let segment = Segment::holding(file.timeline, file.redo, file.wal_segment_size);
    assert_eq!(
        told["Latest checkpoint's REDO WAL file"],
        segment.name(file.wal_segment_size)
    );
}

/// What the file says of versions and positions, as the server's own tool names it.
fn positions(file: &ControlFile) -> Vec<(&'static str, String)> {
    let next = format!("{}:{}", file.next_xid >> 32, file.next_xid & 0xFFFF_FFFF);
    let (minimum, minimum_timeline) = match file.min_recovery {
        Some((lsn, timeline)) => (lsn, timeline.number()),
        None => (Lsn(0), 0),
    };
    let word = |yes: bool, on: &str, off: &str| (if yes { on } else { off }).to_owned();
    vec![
        (
            "pg_control version number",
            file.version.control_version.to_string(),
        ),
        (
            "Catalog version number",
            file.version.catalog_version.to_string(),
        ),
        (
            "Database system identifier",
            file.system_identifier.to_string(),
        ),
        ("Database cluster state", file.state.words().to_owned()),
        ("Latest checkpoint location", file.checkpoint.to_string()),
        ("Latest checkpoint's REDO location", file.redo.to_string()),
        (
            "Latest checkpoint's TimeLineID",
            file.timeline.number().to_string(),
        ),
        (
            "Latest checkpoint's PrevTimeLineID",
            file.previous_timeline.number().to_string(),
        ),
        (
            "Latest checkpoint's full_page_writes",
            word(file.full_page_writes, "on", "off"),
        ),
        ("Latest checkpoint's NextXID", next),
        ("Latest checkpoint's NextOID", file.next_oid.to_string()),
        ("Minimum recovery ending location", minimum.to_string()),
        (
            "Min recovery ending loc's timeline",
            minimum_timeline.to_string(),
        ),
        ("Backup start location", file.backup_start.to_string()),
        ("Backup end location", file.backup_end.to_string()),
        (
            "End-of-backup record required",
            word(file.backup_end_required, "yes", "no"),
        ),
    ]
}

/// What the file says of settings and sizes.
fn settings(file: &ControlFile) -> Vec<(&'static str, String)> {
    let wal_level = ["minimal", "replica", "logical"][file.wal_level as usize];
    vec![
        ("wal_level setting", wal_level.to_owned()),
        ("max_connections setting", file.limits[0].to_string()),
        ("max_worker_processes setting", file.limits[1].to_string()),
        ("max_prepared_xacts setting", file.limits[2].to_string()),
        ("max_locks_per_xact setting", file.limits[3].to_string()),
        ("Database block size", file.block_size.to_string()),
        (
            "Blocks per segment of large relation",
            file.segment_blocks.to_string(),
        ),
        ("WAL block size", file.wal_block_size.to_string()),
        (
            "Bytes per WAL segment",
            file.wal_segment_size.bytes().to_string(),
        ),
        (
            "Data page checksum version",
            u32::from(file.checksums).to_string(),
        ),
    ]
}

#[test]
fn the_control_file_is_read_as_pg_controldata_reads_it() {
    for version in versions() {
        let cluster = Cluster::create(version);
        assert_same_control(&cluster);
        cluster.start();
        cluster.sql("create table t as select generate_series(1, 10); checkpoint");
        assert_same_control(&cluster);
        assert_eq!(
            cluster.ask("select system_identifier from pg_control_system()"),
            control_of(&cluster).system_identifier.to_string()
        );
        cluster.stop("immediate");
        assert_same_control(&cluster);
    }
}

#[test]
fn a_raised_minimum_recovery_point_is_accepted_by_the_tools() {
    for version in versions() {
        let cluster = Cluster::create(version);
        let mut file = control_of(&cluster);
        let three = Timeline::new(3).expect("three");
        file.raise_min_recovery(Lsn(0x1_2345_6789), three)
            .expect("raised");
        std::fs::write(cluster.data.join(control::PATH), file.bytes()).expect("written");
        let told = controldata(&cluster);
        assert_eq!(told["Minimum recovery ending location"], "1/23456789");
        assert_eq!(told["Min recovery ending loc's timeline"], "3");
        assert!(!told.contains_key("WARNING"), "{told:?}");
    }
}

/// All relation files of a stopped cluster with a damaged page, as `path block`.
fn damaged_pages(data: &Path, segment_blocks: u32) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["global", "base/1", "base/5"] {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(data.join(folder))
            .expect("folder")
            .map(|entry| entry.expect("entry").path())
            .collect();
        paths.sort();
        for path in paths {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("name");
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                let part = name
                    .split_once('.')
                    .map_or(0, |(_, part)| part.parse().expect("part"));
                let bytes = std::fs::read(&path).expect("relation");
                for (block, bytes) in (part * segment_blocks..).zip(bytes.chunks_exact(PAGE_BYTES))
                {
                    let bytes = bytes.try_into().expect("a page");
                    if matches!(page::judge(bytes, block), PageState::Damaged { .. }) {
                        found.push(format!("{folder}/{name} {block}"));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn page_sums_agree_with_pg_checksums() {
    for version in versions() {
        let cluster = Cluster::create(version);
        cluster.start();
        cluster.sql(
            "create table t as select i, repeat('x', 100) from generate_series(1, 5000) i; \
                     create index on t (i)",
        );
        let file = cluster.ask("select pg_relation_filepath('t')");
        cluster.stop("fast");
        let data = cluster.data.display().to_string();
        let blocks = control_of(&cluster).segment_blocks;
        assert_eq!(damaged_pages(&cluster.data, blocks), Vec::<String>::new());
        run_ok(version, "pg_checksums", &["--check", "-D", &data]);

        let path = cluster.data.join(&file);
        let mut bytes = std::fs::read(&path).expect("table");
        bytes[3 * PAGE_BYTES + 5000] ^= 1;
        // two good pages that changed places
        for at in 0..PAGE_BYTES {
            bytes.swap(5 * PAGE_BYTES + at, 6 * PAGE_BYTES + at);
        }
        std::fs::write(&path, bytes).expect("table");
        let expected = [3, 5, 6].map(|block| format!("{file} {block}"));
        assert_eq!(damaged_pages(&cluster.data, blocks), expected);
        let told = run(version, "pg_checksums", &["--check", "-D", &data]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("Bad checksums:  3"), "{told}");
    }
}

/// Checks every whole segment in a folder against its name and `pg_waldump`; how many there were.
fn check_segments(cluster: &Cluster, folder: &Path, control: &ControlFile) -> usize {
    let size = control.wal_segment_size;
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("name");
        let Ok(WalFile::Segment(segment)) = WalFile::parse(name, size) else {
            continue;
        };
        let bytes = std::fs::read(&path).expect("segment");
        let header = SegmentHeader::parse(&bytes).expect("a header");
        let length = bytes.len() as u64;
        header
            .check(segment, control.system_identifier, length)
            .expect("the right file");
        assert_eq!(header.version.major, cluster.version);
        let told = run_ok(
            cluster.version,
            "pg_waldump",
            &["-n", "1", path.to_str().expect("path")],
        );
        let (_, rest) = told.split_once("lsn: ").expect("a record");
        let (lsn, _) = rest.split_once(',').expect("a position");
        let first: Lsn = lsn.parse().expect("a position");
        assert_eq!(Segment::holding(segment.timeline, first, size), segment);
        checked += 1;
    }
    checked
}

#[test]
fn segments_are_what_pg_waldump_finds_in_them() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        for _ in 0..3 {
            cluster.sql("create table t (i int); drop table t; select pg_switch_wal()");
        }
        let last = cluster.ask("select pg_walfile_name(pg_current_wal_insert_lsn())");
        cluster.stop("fast");
        let control = control_of(&cluster);
        assert!(check_segments(&cluster, &cluster.archive(), &control) >= 3);
        assert!(WalFile::parse(&last, control.wal_segment_size).is_ok());
    }
}

#[test]
fn labels_maps_and_histories_of_a_server_are_read() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        let place = cluster.folder.path().join("fast disk");
        std::fs::create_dir(&place).expect("tablespace folder");
        super::cluster::own(&place);
        cluster.sql(&format!(
            "create tablespace hot location '{}'",
            place.display()
        ));
        let mut client = cluster.client();
        let start = client.query_one("select pg_backup_start('a label', true)::text", &[]);
        let start: String = start.expect("start").get(0);
        let stop = "select labelfile, spcmapfile from pg_backup_stop(false)";
        let stop = client.query_one(stop, &[]).expect("stop");
        let label = BackupLabel::parse(stop.get(0)).expect("a label");
        assert_eq!(label.start.to_string(), start);
        assert_eq!(label.label, "a label");
        let map = parse_map(stop.get(1)).expect("a map");
        assert_eq!(map.len(), 1);
        assert_eq!(map[0].path, place.display().to_string());
        let oid = cluster.ask("select oid from pg_tablespace where spcname = 'hot'");
        assert_eq!(map[0].oid.to_string(), oid);

        drop(client);
        promote(&cluster);
        promote(&cluster);
        let three = Timeline::new(3).expect("three");
        let path = cluster.data.join("pg_wal/00000003.history");
        let text = std::fs::read_to_string(path).expect("history");
        let history = History::parse(three, &text).expect("a history");
        let numbers: Vec<u32> = history
            .before
            .iter()
            .map(|(past, _)| past.number())
            .collect();
        assert_eq!(numbers, [1, 2]);
        assert_eq!(control_of(&cluster).timeline, three);
        // the archive command copies in place: only a stopped server has whole files there
        cluster.stop("fast");
        let control = control_of(&cluster);
        assert!(check_segments(&cluster, &cluster.archive(), &control) > 0);
    }
}

/// Makes a cluster begin a new timeline.
fn promote(cluster: &Cluster) {
    cluster.stop("fast");
    std::fs::write(cluster.data.join("recovery.signal"), "").expect("signal");
    super::cluster::own(&cluster.data.join("recovery.signal"));
    cluster.configure(&["restore_command = 'false'"]);
    cluster.start();
    cluster.wait_open();
    cluster.sql("checkpoint; select pg_switch_wal()");
}
