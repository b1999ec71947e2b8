//! Broken chains, lost journals, two runs at once and tables taken back, with the real binary.

use std::process::Stdio;
use std::time::Duration;

use super::crash::kill_at;
use super::site::{NOW, Site, rows, settle};

fn texts(site: &Site, file: &str) -> Vec<String> {
    rows(&site.path(file))
        .into_iter()
        .map(|row| row.1)
        .collect()
}

#[test]
fn a_log_that_somebody_took_away_is_told_and_a_fresh_full_makes_up_for_it() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    site.sql("INSERT INTO t (x) VALUES ('five')");
    let text = site.ends("run --now 2026-03-02T10:01:00Z", 0);
    assert!(text.contains("log chain of shop is broken"), "{text}");
    assert!(text.contains("taking a fresh full: nightly"), "{text}");
    site.sql("INSERT INTO t (x) VALUES ('six')");
    let text = site.good("run --now 2026-03-02T10:02:00Z");
    assert!(!text.contains("broken"), "whole again: {text}");
    site.good("restore shop --to new.db --yes");
    assert_eq!(
        texts(&site, "new.db"),
        ["one", "two", "three", "four", "five", "six"]
    );
}

#[test]
fn the_fresh_full_is_tried_again_until_there_is_one() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four'); PRAGMA wal_checkpoint(TRUNCATE);");
    site.sql("INSERT INTO t (x) VALUES ('five')");
    // dies when the break was told and before the full is stored
    let line = "run wal --now 2026-03-02T10:01:00Z";
    assert!(
        kill_at(&site, line, site.journal_records() + 4),
        "too late to kill"
    );
    let before = site.good("list --format json");
    let text = site.good("run --now 2026-03-02T10:02:00Z");
    let fulls = |text: &str| {
        let list: serde_json::Value = serde_json::from_str(text).expect("json");
        let parts = list["parts"].as_array().expect("parts").iter();
        parts
            .filter(|part| part["component"] == "shop/database/main")
            .count()
    };
    let after = site.good("list --format json");
    assert!(fulls(&after) > fulls(&before), "a full came: {text}");
    site.good("restore shop --to new.db --yes");
    assert_eq!(
        texts(&site, "new.db"),
        ["one", "two", "three", "four", "five"]
    );
}

#[test]
fn a_lost_journal_changes_nothing() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    settle();
    let kept = site.keep();
    let line = "run nightly papers --now 2026-03-03T10:00:00Z";
    site.good(line);
    let dump = site.good("catalog dump");
    let mut hits = 0;
    for record in [2, 5, 8, 10] {
        for again in [
            "run --resume --now 2026-03-03T10:00:00Z",
            "run --now 2026-03-03T10:00:00Z",
        ] {
            site.put_back(&kept);
            let known = site.journal_records();
            if !kill_at(&site, line, known + record) {
                continue;
            }
            hits += 1;
            site.remove_newest_journal();
            site.good(again);
            let found = site.good("catalog dump");
            if again.contains("--resume") {
                assert_eq!(found, dump, "killed at {record}");
            }
            site.good("catalog rebuild --from disk nas");
            assert_eq!(
                site.good("catalog dump"),
                found,
                "killed at {record}: {again}"
            );
            let back = format!("back{hits}.db");
            site.good(&format!("restore shop --to {back} --yes"));
            assert_eq!(
                texts(&site, &back),
                ["one", "two", "three", "four"],
                "{again}"
            );
        }
    }
    assert!(hits >= 3, "only {hits} kills hit the run");
}

#[test]
fn a_run_that_waits_goes_on_when_the_other_has_ended() {
    let site = Site::new();
    let state = site.path("state/shop@test");
    let lock = planc::run::Lock::take(&state, "planc run --watch").expect("free");
    for line in [RESTORE, "verify", "recover oops victim=t bad=1 --yes"] {
        let text = site.ends(line, 2);
        assert!(text.contains("`planc run --watch`, process"), "{text}");
        assert!(text.contains("--wait"), "{text}");
    }
    let mut waiting = site.command(&format!("run --wait --now {NOW}"));
    let waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut waiting = waiting.expect("planc starts");
    std::thread::sleep(Duration::from_millis(700));
    assert!(waiting.try_wait().expect("wait").is_none(), "it waits");
    drop(lock);
    let ended = waiting.wait_with_output().expect("wait");
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{text}");
    assert!(text.contains("waiting for"), "{text}");
}

const RESTORE: &str = "restore shop --to back.db --yes";

#[test]
fn a_table_is_taken_back_into_the_live_database() {
    let site = Site::new();
    site.sql("CREATE INDEX by_x ON t (x)");
    site.good(&format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.sql("DELETE FROM t");
    site.good("run wal --now 2026-03-02T10:00:10Z");
    let listed = site.good("log list shop --last 1 --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
    let bad = listed["transactions"][0]["transaction"].as_str();
    let bad = bad.expect("a transaction");
    let recover = format!("recover oops victim=t bad={bad} --to old.db --yes");
    let text = site.good(&recover);
    assert!(
        text.contains("found_t (4 rows, index found_by_x)"),
        "{text}"
    );
    let live = rusqlite::Connection::open(site.path("data/shop.db")).expect("open");
    let sql = "SELECT group_concat(x, ' ') FROM (SELECT x FROM found_t ORDER BY id)";
    let found: String = live.query_row(sql, [], |row| row.get(0)).expect("row");
    assert_eq!(found, "one two three four");
    let sql = "SELECT sql FROM sqlite_schema WHERE name = 'found_t'";
    let made: String = live.query_row(sql, [], |row| row.get(0)).expect("row");
    assert!(made.contains("id INTEGER PRIMARY KEY, x TEXT"), "{made}");
    // the log goes on: planc's own connection took nothing away
    let text = site.good("run wal --now 2026-03-02T10:01:00Z");
    assert!(!text.contains("broken"), "{text}");
    let text = site.ends(&recover, 2);
    assert!(text.contains("old.db"), "{text}");
}
