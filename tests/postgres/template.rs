//! Owns the empty clusters that the tests begin with: `initdb` makes one of each version, kept in
//! the build folder, and every test gets a copy with an identity of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use planc::engine::postgres::control::{self, ControlFile};

use super::cluster::{folder, run_ok};

/// Page checksums and small log segments.
const OPTIONS: [&str; 8] = [
    "-U",
    "postgres",
    "-k",
    "-N",
    "--wal-segsize=1",
    "--auth=trust",
    "--locale=C.UTF-8",
    "--encoding=UTF8",
];

/// Where the header of a log segment names the cluster.
const SEGMENT_IDENTITY: std::ops::Range<usize> = 24..32;

/// A new cluster in a folder that is not there yet; not started.
pub(crate) fn copy(version: u32, data: &Path) {
    cp(&of(version), data);
    rename(data);
}

/// Copies a folder with all that is told of its files.
pub(super) fn cp(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.expect("cp starts").success(), "{}", to.display());
}

/// The cluster of a version that is copied.
fn of(version: u32) -> PathBuf {
    static MADE: Mutex<BTreeMap<u32, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("no test panics here");
    made.entry(version).or_insert_with(|| make(version)).clone()
}

fn make(version: u32) -> PathBuf {
    let release = run_ok(version, "pg_resetwal", &["--version"]) + &OPTIONS.join(" ");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // another user may not read what belongs to this one
    let user = std::fs::metadata("/proc/self").expect("a process").uid();
    let sum = crc32c::crc32c(release.as_bytes());
    let name = format!("postgres-{version}-{user}-{sum:08x}");
    let template = kept.join(&name);
    if !template.exists() {
        let folder = folder();
        let data = folder.path().join("data");
        let path = data.to_str().expect("a plain path");
        run_ok(version, "initdb", &[&["-D", path], &OPTIONS[..]].concat());
        // the log begins with the copy, not with what `initdb` wrote at some other time
        run_ok(version, "pg_resetwal", &["-D", path]);
        let own = kept.join(format!("{name}.{}", std::process::id()));
        cp(&data, &own);
        // another process may have been faster
        if std::fs::rename(&own, &template).is_err() {
            std::fs::remove_dir_all(&own).expect("removed");
        }
    }
    template
}

/// Gives a cluster that is a copy an identity of its own.
fn rename(data: &Path) {
    let identity = identity().to_le_bytes();
    let path = data.join(control::PATH);
    let mut bytes = std::fs::read(&path).expect("a control file");
    let checksum = ControlFile::parse(&bytes)
        .expect("whole")
        .version
        .crc_offset;
    bytes[..8].copy_from_slice(&identity);
    let sum = crc32c::crc32c(&bytes[..checksum]).to_le_bytes();
    bytes[checksum..checksum + 4].copy_from_slice(&sum);
    std::fs::write(&path, bytes).expect("a control file");
    for entry in std::fs::read_dir(data.join("pg_wal")).expect("log") {
        let path = entry.expect("entry").path();
        if path.is_file() {
            let mut bytes = std::fs::read(&path).expect("a segment");
            bytes[SEGMENT_IDENTITY].copy_from_slice(&identity);
            std::fs::write(&path, bytes).expect("a segment");
        }
    }
}

/// As a server makes one: the time, and what tells apart those made at once.
fn identity() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    (now.as_secs() << 32) | (u64::from(now.subsec_micros()) << 12) | (number & 0xFFF)
}
