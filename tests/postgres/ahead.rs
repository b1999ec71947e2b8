//! Push and fetch that work ahead of the server's calls: what a spool says counts for one file
//! under one plan, only after the devices hold it, and never as "absent".

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use planc::engine::postgres::ahead::offered;
use planc::engine::postgres::spool::Spool;

use super::cluster::Cluster;
use super::command::site;
use super::template;

/// A stopped cluster whose finished segments wait to be archived, with a site for them.
struct Waiting {
    cluster: Cluster,
    _kept: tempfile::TempDir,
    site: PathBuf,
}

fn waiting(version: u32) -> Waiting {
    let cluster = Cluster::create(version);
    cluster.configure(&["archive_mode = on", "archive_command = 'false'"]);
    cluster.start();
    for _ in 0..6 {
        cluster.sql("create table t (i int); drop table t; select pg_switch_wal()");
    }
    cluster.stop("fast");
    let (kept, site) = site(version);
    assert!(offered(&cluster.data.join("pg_wal")).expect("a list").len() >= 6);
    Waiting {
        cluster,
        _kept: kept,
        site,
    }
}

impl Waiting {
    fn wal(&self) -> PathBuf {
        self.cluster.data.join("pg_wal")
    }

    fn segments(&self) -> Vec<String> {
        offered(&self.wal()).expect("a list")
    }

    fn spool(&self) -> Spool {
        let plan = self.site.join("shop.plan");
        let plan = plan.to_str().expect("a plain path");
        Spool::new(&self.site.join("spool"), [plan, "", "shop"])
    }

    /// Runs `planc log VERB` in the data directory, as a server does.
    fn call(&self, verb: &str, words: &[&str]) -> (i32, String) {
        self.call_idle("1", verb, words)
    }

    /// As [`Waiting::call`], with a worker that ends after so many seconds without a file.
    fn call_idle(&self, idle: &str, verb: &str, words: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_planc"))
            .args(["log", verb, "--service", "shop", "--idle", idle, "--spool"])
            .arg(self.site.join("spool"))
            .arg("--plan")
            .arg(self.site.join("shop.plan"))
            .args(words)
            .current_dir(&self.cluster.data)
            .output()
            .expect("planc starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("an exit code"), told)
    }

    fn away(&self, device: &str, is_away: bool) {
        let (there, gone) = (self.site.join(device), self.site.join("gone"));
        let (from, to) = if is_away {
            (there, gone)
        } else {
            (gone, there)
        };
        std::fs::rename(from, to).expect("moved");
    }
}

pub(super) fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(5), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn in_wal(name: &str) -> String {
    format!("pg_wal/{name}")
}

#[test]
fn what_the_worker_stored_needs_no_device_and_another_plan_asks_again() {
    let source = waiting(15);
    let segments = source.segments();
    let (code, told) = source.call("push", &[&in_wal(&segments[0])]);
    assert_eq!(code, 0, "{told}");
    let spool = source.spool();
    let last = segments.last().expect("a segment");
    until("the worker goes ahead", || {
        let mut files = segments.iter().map(|name| source.wal().join(name));
        files.all(|file| spool.is_acknowledged(&file))
    });
    for device in ["near", "far"] {
        let logs = walkdir::WalkDir::new(source.site.join(device).join("logs"));
        let objects = logs.into_iter().filter(|entry| {
            entry
                .as_ref()
                .is_ok_and(|entry| entry.file_type().is_file())
        });
        assert_eq!(
            objects.count(),
            segments.len(),
            "acknowledged means durable on {device}"
        );
    }
    source.away("far", true);
    let (code, told) = source.call("push", &[&in_wal(last)]);
    assert_eq!(code, 0, "acknowledged: {told}");
    let plan = source.site.join("shop.plan");
    let text = std::fs::read_to_string(&plan).expect("plan");
    std::fs::write(&plan, format!("{text}# another plan\n")).expect("plan");
    let (code, told) = source.call("push", &[&in_wal(last)]);
    assert_eq!(code, 1, "a required device is away: {told}");
    source.away("far", false);
    let (code, told) = source.call("push", &[&in_wal(last)]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_device_that_comes_back_as_another_folder_is_opened_anew() {
    let source = waiting(15);
    let spool = source.spool();
    let segments = source.segments();
    let (code, told) = source.call_idle("60", "push", &[&in_wal(&segments[0])]);
    assert_eq!(code, 0, "{told}");
    until("the worker goes ahead", || {
        let mut files = segments.iter().map(|name| source.wal().join(name));
        files.all(|file| spool.is_acknowledged(&file))
    });
    // as a file system that was mounted again
    source.away("far", true);
    template::cp(&source.site.join("gone"), &source.site.join("far"));
    source.cluster.start();
    source.cluster.sql("select pg_switch_wal()");
    source.cluster.stop("fast");
    let last = source.segments().pop().expect("a segment");
    let mut calls = (0..3).map(|_| source.call_idle("60", "push", &[&in_wal(&last)]));
    assert!(calls.any(|(code, _)| code == 0), "it stays away");
}

#[test]
fn a_changed_file_is_no_acknowledged_file() {
    let source = waiting(15);
    let segments = source.segments();
    let first = source.wal().join(&segments[0]);
    let (code, told) = source.call("push", &["--workers", "4", &in_wal(&segments[0])]);
    assert_eq!(code, 0, "{told}");
    let mut bytes = std::fs::read(&first).expect("a segment");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&first, bytes).expect("changed");
    let (code, told) = source.call("push", &[&in_wal(&segments[0])]);
    assert!(code == 1 && told.contains("split brain"), "{code} {told}");
}

#[test]
fn a_call_never_succeeds_by_waiting() {
    let source = waiting(15);
    let segment = in_wal(&source.segments()[0]);
    let spool = source.spool();
    let folder = source.site.join("spool");
    std::fs::create_dir_all(&folder).expect("a folder");
    spool
        .prepare(&[source.site.join("shop.plan")])
        .expect("prepared");
    let right = spool.lock("push").expect("asked").expect("free");
    let (code, told) = source.call("push", &["--deadline", "1", &segment]);
    assert!(code == 1 && told.contains("within 1 s"), "{code} {told}");
    drop(right);
    assert_eq!(source.call("push", &[&segment]).0, 0);
    // a folder that cannot be a spool is named, and nothing is acknowledged
    let blocked = source.site.join("blocked");
    std::fs::write(&blocked, "").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_planc"))
        .args(["log", "push", "--service", "shop", "--spool"])
        .args([
            &blocked,
            Path::new("--plan"),
            &source.site.join("shop.plan"),
        ])
        .arg(source.wal().join(&source.segments()[1]))
        .output()
        .expect("planc starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--spool"));
}

#[test]
fn read_ahead_makes_found_faster_and_never_says_absent() {
    let source = waiting(15);
    let segments = source.segments();
    assert_eq!(source.call("push", &[&in_wal(&segments[0])]).0, 0);
    let last = segments.last().expect("a segment");
    let spool = source.spool();
    until("all are stored", || {
        spool.is_acknowledged(&source.wal().join(last))
    });
    let wanted = |name: &str| std::fs::read(source.wal().join(name)).expect("a segment");
    let got = source.wal().join("RECOVERYXLOG");
    let fetch =
        |name: &str| source.call("fetch", &["--deadline", "0", name, "pg_wal/RECOVERYXLOG"]);

    assert_eq!(fetch(&segments[0]).0, 0);
    assert_eq!(std::fs::read(&got).expect("bytes"), wanted(&segments[0]));
    let system = planc::engine::postgres::control::ControlFile::parse(
        &std::fs::read(source.cluster.data.join("global/pg_control")).expect("read"),
    );
    let ready = spool.fetched(system.expect("a control file").system_identifier);
    let ready = ready.expect("a folder");
    until("the next lies ready", || ready.join(&segments[1]).exists());
    until("the last lies ready", || ready.join(last).exists());
    source.away("near", true);
    std::fs::rename(source.site.join("far"), source.site.join("far-gone")).expect("away");
    assert_eq!(fetch(&segments[1]).0, 0, "it lies ready");
    assert_eq!(std::fs::read(&got).expect("bytes"), wanted(&segments[1]));
    assert!(!ready.join(&segments[1]).exists());
    assert_eq!(fetch("0000000100000000000000FF").0, 126, "nobody can say");
    assert_eq!(fetch("00000002.history").0, 126, "nobody can say");
    source.away("near", false);
    std::fs::rename(source.site.join("far-gone"), source.site.join("far")).expect("back");
    assert_eq!(fetch("0000000100000000000000FF").0, 1);
    assert_eq!(fetch("00000002.history").0, 1);
}
