//! The log archive: records as `pg_waldump` reads them, and the contract of push and fetch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use planc::engine::postgres::fetch::{FetchError, FetchRequest, Fetched, fetch};
use planc::engine::postgres::push::{PushError, PushRequest, push};
use planc::engine::postgres::records::{Ending, Record, Records};
use planc::media::memory::MemoryDevice;
use planc::media::{Device, DeviceError, ObjectWriter, Put};
use planc::resolve::plan::Codec;

use super::ahead::until;
use super::cluster::{Cluster, run_ok, versions};
use super::parts;

fn segments(cluster: &Cluster) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cluster.archive()).expect("archive");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_none());
    paths.sort();
    paths
}

/// Position, transaction and length of each record that `pg_waldump` prints.
fn dumped(version: u32, path: &Path) -> Vec<(String, u32, u32)> {
    let told = run_ok(version, "pg_waldump", &[path.to_str().expect("path")]);
    let between = |line: &str, from: &str, to: &str| {
        let (_, rest) = line.split_once(from)?;
        Some(rest.split_once(to)?.0.trim().to_owned())
    };
    let record = |line: &str| {
        let length = between(line, "(rec/tot):", ",")?;
        let (_, length) = length.split_once('/')?;
        let lsn = between(line, "lsn: ", ",")?;
        // printed with leading zeros, unlike everywhere else
        let (high, low) = lsn.split_once('/')?;
        let lsn = format!("{high}/{:X}", u32::from_str_radix(low, 16).ok()?);
        let xid = between(line, "tx:", ",")?.parse().ok()?;
        Some((lsn, xid, length.trim().parse().ok()?))
    };
    told.lines().filter_map(record).collect()
}

#[test]
fn records_are_those_of_pg_waldump() {
    for version in versions() {
        let cluster = Cluster::archiving(version);
        cluster.sql("create table t (i int primary key, t text)");
        cluster.sql("insert into t select i, repeat('z', 300) from generate_series(1, 3000) i");
        cluster.sql("checkpoint");
        cluster.sql("update t set t = t || 'a' where i % 3 = 0");
        let before = jiff::Timestamp::now();
        cluster.sql("delete from t where i = 7");
        let after = jiff::Timestamp::now();
        cluster.sql("select pg_switch_wal()");
        cluster.stop("fast");
        let mut ended = 0;
        for path in segments(&cluster) {
            let bytes = std::fs::read(&path).expect("segment");
            let records: Vec<Record> = Records::new(&bytes).expect("records").collect();
            let ours: Vec<_> = records
                .iter()
                .map(|record| (record.lsn.to_string(), record.xid, record.length))
                .collect();
            let theirs = dumped(version, &path);
            // the last one crosses into the next segment, which the tool may find beside it
            assert!(
                theirs.len() - ours.len() <= 1,
                "{} {}",
                theirs.len(),
                ours.len()
            );
            assert_eq!(ours, theirs[..ours.len()], "{}", path.display());
            let endings = records.iter().filter_map(Record::ending);
            ended += endings
                .filter(|(ending, at)| *ending == Ending::Commit && (before..=after).contains(at))
                .count();
        }
        assert_eq!(ended, 1);
    }
}

/// Devices and a request to push.
fn request(file: &Path, devices: &[&MemoryDevice]) -> PushRequest {
    let shared = |device: &&MemoryDevice| Arc::new((*device).clone()) as Arc<dyn Device>;
    PushRequest {
        file: file.to_owned(),
        service: "shop".to_owned(),
        job: "log".to_owned(),
        devices: devices.iter().map(shared).collect(),
        codec: Codec::Lz4,
        key: None,
        cluster: None,
        deadline: Duration::from_secs(20),
    }
}

fn fetching(name: &str, to: &Path, devices: &[&MemoryDevice]) -> FetchRequest {
    FetchRequest {
        name: name.to_owned(),
        to: to.to_owned(),
        service: "shop".to_owned(),
        devices: request(to, devices).devices,
        deadline: Duration::from_millis(300),
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

/// A stopped cluster with at least four archived segments.
fn with_log(version: u32) -> Cluster {
    let cluster = Cluster::archiving(version);
    for _ in 0..4 {
        cluster.sql("create table t (i int); drop table t; select pg_switch_wal()");
    }
    cluster.stop("fast");
    assert!(segments(&cluster).len() >= 4);
    cluster
}

#[test]
fn what_was_pushed_is_fetched_and_repeating_is_harmless() {
    for version in versions() {
        let cluster = with_log(version);
        let (near, far) = (MemoryDevice::new("near"), MemoryDevice::new("far"));
        let folder = tempfile::tempdir().expect("folder");
        let to = folder.path().join("RECOVERYXLOG");
        for path in segments(&cluster) {
            assert_eq!(
                push(&request(&path, &[&near, &far])).expect("stored"),
                Put::Created
            );
            assert_eq!(
                push(&request(&path, &[&near, &far])).expect("stored"),
                Put::Same
            );
            for device in [&near, &far] {
                let found = fetch(&fetching(name_of(&path), &to, &[device])).expect("an answer");
                assert_eq!(found, Fetched::Found);
                let (got, wanted) = (std::fs::read(&to), std::fs::read(&path));
                assert_eq!(got.expect("bytes"), wanted.expect("bytes"));
            }
        }
        let later = "000000010000000000001000";
        let later = fetch(&fetching(later, &to, &[&near, &far]));
        let size = later.expect_err("no such name with segments of 1 MiB");
        assert!(
            matches!(size, FetchError::Name(_) | FetchError::Device(_)),
            "{size}"
        );
        let later = fetch(&fetching("000000010000000100000001", &to, &[&near, &far]));
        assert_eq!(later.expect("an answer"), Fetched::Absent);
        let later = fetch(&fetching("00000002.history", &to, &[&near, &far]));
        assert_eq!(later.expect("an answer"), Fetched::Absent);
    }
}

#[test]
fn the_first_segment_that_is_missing_is_no_end_of_the_log() {
    let cluster = with_log(15);
    let device = MemoryDevice::new("near");
    let paths = segments(&cluster);
    for path in &paths[1..] {
        push(&request(path, &[&device])).expect("stored");
    }
    let folder = tempfile::tempdir().expect("folder");
    let asked = fetching(
        name_of(&paths[0]),
        &folder.path().join("RECOVERYXLOG"),
        &[&device],
    );
    let hole = fetch(&asked).expect_err("the server would open too early");
    assert!(matches!(hole, FetchError::Hole { .. }), "{hole}");
    std::fs::copy(&paths[0], folder.path().join(name_of(&paths[0]))).expect("the server's own");
    assert_eq!(fetch(&asked).expect("an answer"), Fetched::Absent);
}

#[test]
fn a_file_that_is_not_what_it_says_is_refused() {
    let cluster = with_log(15);
    let device = MemoryDevice::new("near");
    let paths = segments(&cluster);
    let bytes = std::fs::read(&paths[0]).expect("segment");
    let folder = tempfile::tempdir().expect("folder");
    let attempt = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("file");
        push(&request(&path, &[&device])).expect_err("refused")
    };
    let refused = |error: PushError| assert!(matches!(error, PushError::Refused { .. }), "{error}");
    refused(attempt(name_of(&paths[1]), &bytes));
    refused(attempt(name_of(&paths[0]), &bytes[..bytes.len() / 2]));
    refused(attempt(name_of(&paths[0]), b""));
    refused(attempt("some-file", &bytes));
    let nameless = attempt("00000002.history", b"1\t0/3000000\tno reason\n");
    assert!(matches!(nameless, PushError::Nameless { .. }), "{nameless}");
    let gone = push(&request(&folder.path().join("none"), &[&device])).expect_err("gone");
    assert!(matches!(gone, PushError::Read { .. }), "{gone}");
    let nowhere = push(&request(&paths[0], &[])).expect_err("no device");
    assert!(matches!(nowhere, PushError::NoDevice { .. }), "{nowhere}");
    assert_eq!(device.list("").expect("a list"), []);
}

#[test]
fn a_second_server_and_other_content_are_refused_and_kept_as_evidence() {
    let (one, two) = (with_log(15), with_log(15));
    let device = MemoryDevice::new("near");
    let path = &segments(&one)[0];
    push(&request(path, &[&device])).expect("stored");
    let other = push(&request(&segments(&two)[0], &[&device])).expect_err("another server");
    assert!(matches!(other, PushError::OtherServer { .. }), "{other}");

    // the same cluster copied and started twice writes one name with two contents
    let mut bytes = std::fs::read(path).expect("segment");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let folder = tempfile::tempdir().expect("folder");
    let twin = folder.path().join(name_of(path));
    std::fs::write(&twin, &bytes).expect("file");
    let split = push(&request(&twin, &[&device])).expect_err("split brain");
    let PushError::SplitBrain { evidence, .. } = split else {
        panic!("{split}");
    };
    assert!(device.size(&evidence).expect("the evidence") > 0);
    assert_eq!(
        push(&request(path, &[&device])).expect("still there"),
        Put::Same
    );
}

#[test]
fn a_history_is_claimed_once() {
    let cluster = with_log(15);
    let device = MemoryDevice::new("near");
    let path = cluster.data.join("pg_wal/0000000A.history");
    std::fs::write(&path, "9\t0/3000000\tno reason\n").expect("history");
    assert_eq!(
        push(&request(&path, &[&device])).expect("stored"),
        Put::Created
    );
    assert_eq!(
        push(&request(&path, &[&device])).expect("stored"),
        Put::Same
    );
    std::fs::write(&path, "9\t0/3000001\tanother promotion\n").expect("history");
    let split = push(&request(&path, &[&device])).expect_err("claimed");
    assert!(matches!(split, PushError::SplitBrain { .. }), "{split}");
    let folder = tempfile::tempdir().expect("folder");
    let to = folder.path().join("x");
    let found = fetch(&fetching("0000000A.history", &to, &[&device]));
    assert_eq!(found.expect("an answer"), Fetched::Found);
    assert_eq!(
        std::fs::read(&to).expect("text"),
        b"9\t0/3000000\tno reason\n"
    );
}

#[test]
fn a_hole_damage_and_a_failing_device_are_errors_not_the_end() {
    let cluster = with_log(15);
    let (near, far) = (MemoryDevice::new("near"), MemoryDevice::new("far"));
    let paths = segments(&cluster);
    for path in &paths {
        push(&request(path, &[&near, &far])).expect("stored");
    }
    let folder = tempfile::tempdir().expect("folder");
    let to = folder.path().join("x");
    let objects = near.list("logs/").expect("objects");
    let middle = objects[1].0.clone();
    let name = name_of(&paths[1]);
    let other = near.get(&objects[0].0, None).expect("another segment");
    // the second shows only when all of it was written
    for damage in [b"rubbish".to_vec(), other] {
        near.damage(&middle, damage);
        let damaged = fetch(&fetching(name, &to, &[&near])).expect_err("damaged");
        assert!(
            matches!(damaged, FetchError::Device(DeviceError::Damaged { .. })),
            "{damaged}"
        );
        let left = std::fs::read_dir(folder.path()).expect("folder").count();
        assert_eq!(left, 0, "no half of a file");
    }
    let found = fetch(&fetching(name, &to, &[&near, &far]));
    assert_eq!(found.expect("the other copy"), Fetched::Found);
    near.lose(&middle);
    let hole = fetch(&fetching(name, &to, &[&near])).expect_err("a hole");
    assert!(matches!(hole, FetchError::Hole { .. }), "{hole}");
    let found = fetch(&fetching(name, &to, &[&near, &far]));
    assert_eq!(found.expect("the other copy"), Fetched::Found);
    let unknown = MemoryDevice::new("empty");
    let unknown = fetch(&fetching(name, &to, &[&unknown])).expect_err("no log at all");
    assert!(matches!(unknown, FetchError::Unknown { .. }), "{unknown}");
}

/// A device that never answers a write.
struct Hanging;

impl Device for Hanging {
    fn name(&self) -> &'static str {
        "hanging"
    }
    fn identity(&self) -> Result<String, DeviceError> {
        Ok("id".to_owned())
    }
    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        Err(DeviceError::Cancelled)
    }
    fn put_if_absent(&self, _name: &str, _bytes: &[u8]) -> Result<Put, DeviceError> {
        std::thread::sleep(Duration::from_mins(10));
        Err(DeviceError::Cancelled)
    }
    fn get(
        &self,
        name: &str,
        _range: Option<std::ops::Range<u64>>,
    ) -> Result<Vec<u8>, DeviceError> {
        let (device, object) = ("hanging".to_owned(), name.to_owned());
        Err(DeviceError::NotFound { device, object })
    }
    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.get(name, None).map(|_| 0)
    }
    fn list(&self, _prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        Ok(Vec::new())
    }

    fn delete(&self, _name: &str) -> Result<bool, DeviceError> {
        Ok(false)
    }
}

#[test]
fn a_device_that_hangs_does_not_hang_the_server() {
    let cluster = with_log(15);
    let near = MemoryDevice::new("near");
    let mut request = request(&segments(&cluster)[0], &[&near]);
    request.devices.push(Arc::new(Hanging));
    request.deadline = Duration::from_secs(3);
    let began = std::time::Instant::now();
    let late = push(&request).expect_err("late");
    assert!(
        matches!(&late, PushError::Late { device, .. } if device == "hanging"),
        "{late}"
    );
    assert!(began.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_file_of_a_copy_that_is_archived_last_is_not_waited_out() {
    let cluster = Cluster::create(15);
    cluster.configure(&["archive_mode = on", "archive_command = '/bin/true'"]);
    cluster.start();
    let spec = parts::spec(&cluster, "postgres", &[]);
    let switch = || {
        let archived = planc::engine::postgres::archive::switch(&spec, Duration::from_secs(20));
        archived.expect("archived").position
    };
    cluster.sql("select pg_backup_start('x', true); select pg_backup_stop(false)");
    assert!(switch().is_some());
    // the server archives the file that tells of the copy once more, after a newer segment
    let status = cluster.data.join("pg_wal/archive_status");
    let done = || {
        let names = std::fs::read_dir(&status).expect("statuses");
        let mut names = names.map(|entry| entry.expect("listed").path());
        names.find(|path| path.to_string_lossy().ends_with(".backup.done"))
    };
    until("the file of the copy is archived", || done().is_some());
    let done = done().expect("it was there");
    std::fs::rename(&done, done.with_extension("ready")).expect("renamed");
    until("it is archived again", || {
        cluster.sql("select pg_reload_conf()");
        let last = cluster.ask("select last_archived_wal from pg_stat_archiver");
        last.ends_with(".backup")
    });
    assert!(switch().is_some());
}
