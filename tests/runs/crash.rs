//! SIGKILL at every record of the journal: after `--resume` the catalog is that of an unbroken
//! run, and what is restored is exact.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::site::{NOW, Site, rows, settle};

/// Kills a command when the journals below the state folder have this many records; true when it
/// was killed before it ended.
pub(super) fn kill_at(site: &Site, line: &str, records: usize) -> bool {
    let mut child = site
        .command(line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("planc starts");
    let began = Instant::now();
    let killed = loop {
        if child.try_wait().expect("wait").is_some() {
            break false;
        }
        if site.journal_records() >= records {
            child.kill().expect("kill");
            break true;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{line} hangs");
        std::hint::spin_loop();
    };
    child.wait().expect("wait");
    killed
}

/// Kills the command at every record in turn, resumes, and judges; returns how often it was hit.
fn sweep(
    site: &Site,
    resume: &str,
    line: impl Fn(usize) -> String,
    mut before: impl FnMut(usize),
    mut judge: impl FnMut(usize),
) -> usize {
    for record in 1..200 {
        before(record);
        let known = site.journal_records();
        let killed = kill_at(site, &line(record), known + record);
        if killed {
            site.good(resume);
        }
        judge(record);
        if !killed {
            return record - 1;
        }
    }
    panic!("the run never ends");
}

#[test]
fn a_backup_killed_anywhere_resumes_to_the_same_catalog() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    std::fs::write(site.path("docs/c.txt"), "c").expect("file");
    settle();
    let kept = site.keep();
    let line = "run nightly papers --now 2026-03-03T10:00:00Z";
    site.good(line);
    let dump = site.good("catalog dump");
    let before = |_| site.put_back(&kept);
    let kills = sweep(
        &site,
        "run --resume --now 2026-03-03T10:00:00Z",
        |_| line.to_owned(),
        before,
        |record| {
            let found = site.good("catalog dump");
            assert_eq!(found, dump, "killed at record {record}");
            site.good(&format!("restore docs --to papers{record} --yes"));
            let text = std::fs::read_to_string(site.path(&format!("papers{record}/a.txt")));
            assert_eq!(text.expect("file"), "a".repeat(3_000));
            site.good(&format!(
                "restore shop --to shop{record}.db --at backup --yes"
            ));
            assert_eq!(rows(&site.path(&format!("shop{record}.db"))).len(), 4);
        },
    );
    assert!(kills >= 3, "only {kills} kills hit the run");
}

#[test]
fn an_archive_killed_anywhere_loses_nothing() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let kills = sweep(
        &site,
        "run --resume --now 2026-03-03T10:00:00Z",
        |record| format!("run wal --now 2026-03-02T11:{:02}:00Z", record % 60),
        |_| site.sql("INSERT INTO t (x) VALUES ('more')"),
        |record| {
            let back = format!("back{record}.db");
            site.good(&format!("restore shop --to {back} --yes"));
            let found = rows(&site.path(&back)).len();
            assert_eq!(found, 3 + record, "killed at {record}");
            let dump = site.good("catalog dump");
            site.good("catalog rebuild --from disk nas");
            assert_eq!(site.good("catalog dump"), dump, "killed at {record}");
        },
    );
    assert!(kills >= 1, "no kill hit the run");
}

#[test]
fn a_restore_killed_anywhere_is_finished_and_leaves_nothing_behind() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let kills = sweep(
        &site,
        "restore --resume --now 2026-03-03T10:00:00Z",
        |record| format!("restore shop --to back{record}.db --yes"),
        |_| {},
        |record| {
            let found = rows(&site.path(&format!("back{record}.db")));
            assert_eq!(found.len(), 3, "killed at {record}");
            let names = std::fs::read_dir(site.folder.path()).expect("list");
            let staging = names.filter(|entry| {
                let name = entry.as_ref().expect("entry").file_name();
                name.to_string_lossy().contains("planc-staging")
            });
            assert_eq!(staging.count(), 0, "killed at {record}");
        },
    );
    assert!(kills >= 1, "no kill hit the run");
}
