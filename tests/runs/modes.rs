//! Copies in real time, at set times and both, and the memory that copying may take.

use super::site::{NOW, Site};

/// A site whose copies of the papers are made in this way.
fn site(mode: &str) -> Site {
    let site = Site::new();
    let path = site.path("shop.plan");
    let text = std::fs::read_to_string(&path).expect("plan");
    let (head, papers) = text.split_once("backup papers").expect("the block");
    let papers = papers.replacen("copy to nas within 1h", mode, 1);
    std::fs::write(&path, format!("{head}backup papers{papers}")).expect("plan");
    site
}

/// Where the newest copy of the papers lies.
fn holders(site: &Site) -> Vec<String> {
    let listed = site.good("list --component docs --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
    let newest = listed["parts"].as_array().expect("parts").last().cloned();
    let devices = newest.expect("a part")["devices"].clone();
    serde_json::from_value(devices).expect("names")
}

#[test]
fn copies_at_set_times_wait_for_them_and_come_from_a_stored_copy() {
    let site = site("copy to nas every day at 04:00");
    site.good(&format!("run --now {NOW}"));
    assert_eq!(holders(&site), ["disk"]);
    let text = site.good("run --now 2026-03-02T12:00:00Z");
    assert!(!text.contains("docs"), "{text}");
    let status = site.good("status --now 2026-03-02T12:00:00Z");
    assert!(
        status.contains("job papers: due 2026-03-03T02:00:00Z"),
        "{status}"
    );
    std::fs::remove_file(site.path("docs/a.txt")).expect("the source changes");
    let dry = site.good("run papers --dry-run --now 2026-03-03T04:00:00Z");
    assert!(dry.contains("copy-stored"), "{dry}");
    assert!(dry.contains("read once and written to disk"), "{dry}");
    site.good("run --now 2026-03-03T02:00:00Z");
    assert_eq!(holders(&site), ["disk"]);
    std::fs::write(site.path("docs/a.txt"), "another text").expect("the source changes");
    let text = site.good("run --now 2026-03-03T04:00:00Z");
    assert!(text.contains("copy stored docs/files/tree"), "{text}");
    assert_eq!(holders(&site), ["disk", "nas"]);
    site.good("restore docs --to papers --from nas --yes");
    assert!(!site.path("papers/a.txt").exists(), "as it was stored");
    assert!(site.path("papers/sub/b.txt").exists());
}

#[test]
fn copies_in_real_time_are_of_one_read_and_missed_ones_come_with_the_next_run() {
    let site = site("copy to nas stream");
    let dry = site.good(&format!("run papers --dry-run --now {NOW}"));
    let once = "read once and written to 2 devices at the same time";
    assert!(dry.contains(once) && !dry.contains("copy-stored"), "{dry}");
    site.good(&format!("run --now {NOW}"));
    assert_eq!(holders(&site), ["disk", "nas"]);
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    site.good("run papers --now 2026-03-03T02:00:00Z");
    assert_eq!(holders(&site), ["disk"]);
    std::fs::rename(&away, &nas).expect("plugged in");
    let text = site.good("run --now 2026-03-03T02:10:00Z");
    assert!(text.contains("copy stored docs/files/tree"), "{text}");
    assert_eq!(holders(&site), ["disk", "nas"]);
}

#[test]
fn copies_in_both_ways_are_written_at_once_and_caught_up_with_at_set_times() {
    let site = site("copy to nas stream every day at 04:00");
    site.good(&format!("run --now {NOW}"));
    assert_eq!(holders(&site), ["disk", "nas"]);
    let (nas, away) = (site.path("devices/nas"), site.path("devices/away"));
    std::fs::rename(&nas, &away).expect("unplugged");
    let text = site.good("run papers --now 2026-03-03T02:00:00Z");
    let until = "the promise of a copy on nas holds until 2026-03-05T02:00:00Z; it is on disk";
    assert!(text.contains(until), "{text}");
    std::fs::rename(&away, &nas).expect("plugged in");
    let early = site.good("run --dry-run --now 2026-03-03T03:00:00Z");
    assert!(!early.contains("copy-stored  docs"), "{early}");
    site.good("run --now 2026-03-03T04:00:00Z");
    assert_eq!(holders(&site), ["disk", "nas"]);
}

#[test]
fn the_memory_of_a_job_is_part_of_the_graph_and_has_a_least() {
    let site = site("copy to nas within 1h\n  memory 64 MiB");
    site.good("check shop.plan");
    let graph = site.good(&format!("show graph --format json --now {NOW}"));
    let graph: serde_json::Value = serde_json::from_str(&graph).expect("json");
    let steps = graph["steps"].as_array().expect("steps").iter();
    let memory = |step: &serde_json::Value| step["memory"].as_u64();
    let stated: Vec<u64> = steps.filter_map(memory).collect();
    assert_eq!(stated, [64 << 20]);
    site.good(&format!("run --now {NOW}"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (mode, word) in [
        ("copy to nas within 1h\n  memory 1 MiB", "48 MiB"),
        ("copy to nas every 64 MiB", "size"),
        ("copy to nas every 6h within 1h", "`every` says already"),
    ] {
        let text = site(mode).ends("check shop.plan", 1);
        assert!(text.contains("P0307") && text.contains(word), "{text}");
    }
}
