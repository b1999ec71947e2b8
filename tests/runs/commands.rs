//! The commands about runs from end to end, with the real binary.

use std::process::{Child, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::site::{NOW, Site, rows};

#[test]
fn backup_log_and_restore_to_just_before_a_transaction() {
    let site = Site::new();
    let run = format!("run --now {NOW}");
    let text = site.good(&run);
    assert!(text.contains("run "), "{text}");
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.sql("DELETE FROM t");
    site.good("run wal --now 2026-03-02T10:00:10Z");
    let listed = site.good("log list shop --last 1 --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
    let bad = listed["transactions"][0]["transaction"]
        .as_str()
        .expect("a transaction");
    site.good(&format!(
        "restore shop --to {} --at before:{bad} --yes",
        site.path("old.db").display()
    ));
    let found: Vec<String> = rows(&site.path("old.db"))
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(found, ["one", "two", "three", "four"]);
    site.good("restore shop --to new.db --yes");
    assert!(rows(&site.path("new.db")).is_empty());
    let text = site.good("restore docs --to papers --yes");
    let (steps, result) = (text.find("prepare-target"), text.find(": done in"));
    assert!(
        steps.is_some() && steps < result,
        "the steps come first: {text}"
    );
    assert!(text.contains("~2.9 KiB"), "with their estimate: {text}");
    let restored = std::fs::read_to_string(site.path("papers/a.txt")).expect("file");
    assert_eq!(restored.len(), 3_000);
    let text = site.good("restore docs --to quietly --yes --quiet");
    assert_eq!(text, "");
    let text = site.ends("restore docs --to papers --yes", 2);
    assert!(text.contains("not empty"), "{text}");
}

#[test]
fn a_run_with_nothing_due_does_nothing() {
    let site = Site::new();
    let run = format!("run --now {NOW}");
    site.good(&run);
    assert_eq!(site.good(&run), "nothing is due\n");
    let listed = site.good("list");
    assert!(
        listed.contains("shop/database/main") && listed.contains("disk, nas"),
        "{listed}"
    );
    site.good("verify");
    site.good(&format!("status --now {NOW}"));
}

#[test]
fn a_dry_run_prints_the_graph_and_changes_nothing() {
    let site = Site::new();
    let dry = site.good(&format!("run --dry-run --now {NOW}"));
    assert!(
        dry.contains("commit-part") || dry.contains("commit"),
        "{dry}"
    );
    assert!(site.good("list").contains("no copies"));
}

#[test]
fn a_device_that_is_not_claimed_or_not_there_is_refused() {
    let site = Site::new();
    std::fs::remove_dir_all(site.path("devices/nas")).expect("removed");
    let text = site.ends(&format!("run --now {NOW}"), 2);
    assert!(text.contains("nas") && text.contains("help:"), "{text}");
    std::fs::create_dir(site.path("devices/nas")).expect("created");
    let text = site.ends(&format!("run --now {NOW}"), 2);
    assert!(text.contains("planc device init"), "{text}");
    let empty = std::fs::read_dir(site.path("devices/nas"))
        .expect("list")
        .count();
    assert_eq!(empty, 0, "an unclaimed folder stays as it is");
}

#[test]
fn the_catalog_is_rebuilt_from_one_device_to_the_same_dump() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    // one device alone knows nothing of the other's copies
    let dump = site.good("catalog dump");
    site.good("catalog rebuild --from disk nas");
    assert_eq!(site.good("catalog dump"), dump);
    let before = std::fs::read(site.path("state/shop@test/catalog.sqlite")).expect("catalog");
    assert!(!before.is_empty());
}

#[test]
fn damage_is_found_named_and_healed_around() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let packs = walkdir(&site.path("devices/disk/packs"));
    for pack in &packs {
        let mut bytes = std::fs::read(pack).expect("pack");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let mut permissions = std::fs::metadata(pack).expect("stat").permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "a test breaks what is sealed"
        )]
        permissions.set_readonly(false);
        std::fs::set_permissions(pack, permissions).expect("mode");
        std::fs::write(pack, bytes).expect("write");
    }
    let text = site.ends("verify --device disk", 1);
    assert!(text.contains("damaged"), "{text}");
    site.good("verify --device nas");
    // the first range is read from the nearest device, and these files fill no more than that
    let text = site.good("restore docs --to papers --yes");
    assert!(site.path("papers/sub/b.txt").exists());
    assert!(text.contains("damaged on disk"), "{text}");
    site.good("repair");
    site.good("verify");
    let text = site.good("restore docs --to papers-again --yes");
    assert!(!text.contains("damaged"), "{text}");
}

fn walkdir(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(walkdir(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_second_run_says_who_works_and_refuses() {
    let site = Site::new();
    let state = site.path("state/shop@test");
    let lock = planc::run::Lock::take(&state, "planc run --watch").expect("free");
    let text = site.ends(&format!("run --now {NOW}"), 2);
    assert!(text.contains("`planc run --watch`, process"), "{text}");
    drop(lock);
    site.good(&format!("run --wait --now {NOW}"));
}

#[test]
fn a_new_catalog_is_opened_by_many_commands_at_once() {
    let site = Site::new();
    let state = site.path("state/shop@test");
    for _ in 0..25 {
        for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
            // the last two are only there while it is open
            let _ = std::fs::remove_file(state.join(name));
        }
        let lines = ["list", "status", "list", "status", "list", "status"];
        let start = |line| {
            let mut command = site.command(line);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().expect("planc starts")
        };
        let commands: Vec<Child> = lines.into_iter().map(start).collect();
        for command in commands {
            let told = command.wait_with_output().expect("it ends").stderr;
            let told = String::from_utf8_lossy(&told);
            assert!(!told.contains("locked"), "{told}");
        }
    }
}

/// Waits for what a watch does in the background.
fn comes(what: &str, done: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed().as_secs() < 300, "{what} did not come");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// Whether so many transactions of the shop are stored.
fn stored(site: &Site, count: usize) -> bool {
    let listed = site.good("log list shop --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
    listed["transactions"].as_array().map_or(0, Vec::len) >= count
}

/// A watch that no failed test leaves behind.
struct Watch(Child);

impl Watch {
    fn start(site: &Site) -> Self {
        Self(site.command("run --watch").spawn().expect("planc starts"))
    }

    fn told_to_stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("signal");
        self.0.wait().expect("wait")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // one that has ended already needs nothing
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_watch_ships_the_log_and_ends_on_a_signal() {
    let site = Site::new();
    let watch = Watch::start(&site);
    comes("a backup", || !site.good("list").contains("no copies"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    comes("the log", || stored(&site, 1));
    let status = watch.told_to_stop();
    assert!(status.success(), "{status}");
}

#[test]
fn a_watch_ships_the_log_while_a_long_copy_goes_on() {
    let site = Site::new();
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let (before, papers) = plan.split_once("backup papers").expect("the job");
    let slow = papers.replacen("  store on disk", "  throttle 64 KiB/s\n  store on disk", 1);
    std::fs::write(
        site.path("shop.plan"),
        format!("{before}backup papers{slow}"),
    )
    .expect("plan");
    // a quarter of an hour at that rate
    std::fs::write(site.path("docs/noise"), vec![7; 64 << 20]).expect("file");
    let watch = Watch::start(&site);
    let listed = |part: &str| site.good("list").contains(part);
    for count in 1..4 {
        comes("the log", || {
            site.sql("INSERT INTO t (x) VALUES ('more')");
            stored(&site, count)
        });
    }
    assert!(!listed("docs/files"), "the long copy is not over");
    let status = watch.told_to_stop();
    assert_eq!(status.code(), Some(3), "the copy can be gone on with");
    let hint = site.ends("status", 1);
    assert!(hint.contains("planc run --resume"), "{hint}");
}
