//! What earlier runs left behind is found, named or cleaned; what cannot fit is refused before
//! anything changes.

use super::site::{NOW, Site};

/// Makes the newest restore look as if its process had been killed: its journal ends early and its
/// staging folder is still there.
fn killed(site: &Site, target: &str) -> std::path::PathBuf {
    let runs = std::fs::read_dir(site.path("state/shop@test/runs")).expect("runs");
    let folders = runs.map(|entry| entry.expect("entry").path());
    let newest = folders.max_by_key(|folder| {
        let graph = std::fs::metadata(folder.join("graph.json"));
        graph.and_then(|data| data.modified()).expect("time")
    });
    let folder = newest.expect("a run");
    std::fs::remove_file(folder.join("journal")).expect("removed");
    let graph = std::fs::read_to_string(folder.join("graph.json")).expect("graph");
    let graph: serde_json::Value = serde_json::from_str(&graph).expect("JSON");
    let run = graph["run"].as_str().expect("a run");
    let staging = site.path(&format!(".{target}.planc-staging-{run}"));
    std::fs::create_dir(&staging).expect("made");
    std::fs::write(staging.join("half"), "half").expect("written");
    staging
}

#[test]
fn staging_of_a_killed_restore_is_named_and_then_cleaned() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.good("restore docs --to papers --yes");
    std::fs::remove_dir_all(site.path("papers")).expect("removed");
    let staging = killed(&site, "papers");

    let text = site.good(&format!("run wal --now {NOW}"));
    assert!(text.contains(&staging.display().to_string()), "{text}");
    assert!(text.contains("planc restore --resume"), "{text}");
    assert!(staging.exists(), "it can still be resumed");

    let text = site.good("restore docs --to elsewhere --yes");
    assert!(text.contains("removed") && !staging.exists(), "{text}");
    let text = site.good(&format!("run wal --now {NOW}"));
    assert!(!text.contains("staging"), "{text}");
}

#[test]
fn only_the_newest_run_folders_stay() {
    let site = Site::new();
    for minute in 0..9 {
        site.good(&format!("run wal --now 2026-03-02T10:{minute:02}:00Z"));
    }
    assert_eq!(site.runs(), 5);
    site.good(&format!("run --now {NOW}"));
    site.good("restore docs --to papers --yes");
    assert_eq!(site.runs(), 6, "a restore does not make backups forgotten");
}

#[test]
fn log_ranges_are_folded_and_can_be_shown_one_by_one() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    for second in 1..6 {
        site.sql("INSERT INTO t (x) VALUES ('more')");
        site.good(&format!("run wal --now 2026-03-02T10:01:0{second}Z"));
    }
    let lines = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("shop "))
            .count()
    };
    let folded = site.good("list");
    assert_eq!(lines(&folded), 1, "{folded}");
    assert!(
        !folded.contains(".0Z") && folded.contains("2026-03-02T10:00:00Z"),
        "{folded}"
    );
    let all = site.good("list --all");
    assert!(lines(&all) >= 5, "{all}");
}

#[test]
fn a_dump_with_devices_says_who_holds_what() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let (plain, full) = (
        site.good("catalog dump"),
        site.good("catalog dump --devices"),
    );
    assert!(
        !plain.contains("device ") && !plain.contains("\"nas\""),
        "{plain}"
    );
    let devices = full
        .lines()
        .filter(|line| line.starts_with("device "))
        .count();
    assert_eq!(devices, 2, "{full}");
    assert!(full.contains("[\"disk\",\"nas\"]"), "{full}");
    site.good("catalog rebuild --from disk nas");
    assert_eq!(site.good("catalog dump --devices"), full);
    site.good("catalog rebuild --from nas");
    assert_eq!(site.good("catalog dump"), plain);
}

#[test]
fn what_cannot_fit_is_refused_before_anything_changes() {
    let site = Site::new();
    // sparse, so that it takes no place here; a copy of it at its plain size would
    let huge = std::fs::File::create(site.path("docs/huge")).expect("file");
    huge.set_len(15 << 40).expect("length");
    let text = site.ends(&format!("run papers --now {NOW}"), 2);
    assert!(
        text.contains("device disk") && text.contains("are free"),
        "{text}"
    );
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(site.runs(), 0, "no run began");
    assert!(site.good("list").contains("no copies"));
}
