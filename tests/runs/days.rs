//! Days that are over, from the journals of all their runs.

use planc::catalog::Catalog;

use super::site::Site;

#[test]
fn the_days_behind_show_what_was_planned_beside_what_was_done() {
    let site = Site::new();
    for day in 1..=9 {
        site.sql("INSERT INTO t (x) VALUES ('more')");
        if day != 5 {
            site.good(&format!("run --now 2026-03-0{day}T03:00:00Z"));
        }
        // runs that only ship log are cleared away and take no copy with them
        site.good(&format!("run wal --now 2026-03-0{day}T04:00:00Z"));
    }
    assert_eq!(site.runs(), 5, "the newest stay where they can be resumed");
    let shown = |form: &str| {
        site.good(&format!(
            "show timeline --past 9 --now 2026-03-10T00:00:00Z --format {form}"
        ))
    };
    let text = shown("text");
    assert!(text.starts_with("shop [test]: the last 9 days"), "{text}");
    let lines = |band: &str, label: &str| {
        let mut lines: Vec<&str> = text.lines().filter(|line| line.contains(band)).collect();
        lines.retain(|line| line.contains(label));
        lines.len()
    };
    // on the fifth day nothing was copied
    assert_eq!(
        lines("device disk measured", "nightly physical full"),
        8,
        "{text}"
    );
    assert_eq!(
        lines("device disk planned", "nightly physical full"),
        9,
        "{text}"
    );
    assert_eq!(
        lines("device nas measured", "papers physical full"),
        8,
        "{text}"
    );
    assert!(text.contains("at risk shop measured"), "{text}");
    assert!(shown("svg").contains("at risk docs measured"));
    assert!(shown("html").contains("device nas planned"));
    // a run that was put aside can be looked at by its id as well
    let past = std::fs::read_dir(site.path("state/shop@test/past")).expect("listed");
    let mut past: Vec<_> = past.map(|run| run.expect("listed").file_name()).collect();
    past.sort();
    assert!(past.len() > 3, "{past:?}");
    let id = past[0].to_string_lossy().into_owned();
    let one = site.good(&format!("show timeline --run {id}"));
    assert!(one.contains(&format!("run {id} of shop")), "{one}");
}

#[test]
fn a_job_is_remembered_by_what_it_read_not_by_what_it_stored() {
    let site = Site::new();
    // compresses to next to nothing
    std::fs::write(site.path("docs/a.txt"), "a".repeat(400_000)).expect("file");
    site.good("run papers --now 2026-03-01T03:00:00Z");
    let catalog = Catalog::open(&site.path("state/shop@test/catalog.sqlite")).expect("open");
    let jobs = catalog.holdings().expect("read").jobs;
    let papers = jobs.iter().find(|job| job.job == "papers");
    let bytes = papers.expect("remembered").bytes;
    assert!((400_000..500_000).contains(&bytes), "{bytes}");
}
