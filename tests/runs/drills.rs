//! What a drill leaves: evidence on the devices that outlives the host, and an alarm until one
//! passes.

use super::site::{NOW, Site};

const LATER: &str = "2026-03-02T11:00:00Z";

const DRILL: &str = r#"
drill weekly every sun at 12:00 {
  restore service shop to scratch
  replay log to latest
  probe shop "select count(*) from t" >= 4
}
"#;

fn site() -> Site {
    let site = Site::new();
    let plan = site.path("shop.plan");
    let text = std::fs::read_to_string(&plan).expect("plan");
    std::fs::write(plan, text + DRILL).expect("plan");
    site.good(&format!("run --now {NOW}"));
    site
}

fn drills(site: &Site) -> serde_json::Value {
    let text = site.good("list --drills --format json");
    let mut list: serde_json::Value = serde_json::from_str(&text).expect("json");
    list["drills"].take()
}

#[test]
fn a_drill_that_failed_shows_until_one_passes_even_on_another_host() {
    let site = site();
    let text = site.good(&format!("status --now {NOW}"));
    assert!(text.contains("drill weekly: NEVER DONE; due now"), "{text}");
    site.ends(&format!("drill weekly --yes --now {NOW}"), 1);
    std::fs::remove_dir_all(site.path("state")).expect("the host is gone");
    site.good("catalog rebuild --from nas");
    let text = site.ends(&format!("status --now {LATER}"), 1);
    let failed = "DRILL FAILED: weekly, 1h ago: probe shop";
    assert!(text.contains(failed), "{text}");
    assert!(text.contains("never passed; due now"), "{text}");
    site.sql("INSERT INTO t (x) VALUES ('four')");
    site.good(&format!("run nightly wal --now {LATER}"));
    site.good(&format!("drill weekly --yes --now {LATER}"));
    let text = site.good(&format!("status --now {LATER}"));
    assert!(text.contains("drill weekly: passed"), "{text}");
    assert!(text.contains("due 2026-03-08T12:00:00Z"), "{text}");
    let table = site.good("list --drills");
    assert_eq!(table.matches("FAILED").count(), 1, "{table}");
}

#[test]
fn the_evidence_names_what_was_read_and_asked_and_holds_no_answers() {
    let site = site();
    site.ends(&format!("drill weekly --yes --now {NOW}"), 1);
    let drills = drills(&site);
    let one = &drills[0];
    assert_eq!(one["passed"], false, "{drills}");
    let part = one["restored"][0].as_str().expect("a part");
    assert!(site.good("list").contains(part), "{drills}");
    let asked = "probe shop: select count(*) from t >= 4";
    assert_eq!(one["failed"][0], asked, "{drills}");
    let by = one["by"].as_str().expect("a name");
    assert!(by.contains("uid "), "{drills}");
    assert!(!drills.to_string().contains("answered"), "{drills}");
}

#[test]
fn a_drill_that_is_only_looked_at_leaves_nothing() {
    let site = site();
    site.good(&format!("drill weekly --dry-run --now {NOW}"));
    assert_eq!(drills(&site), serde_json::json!([]));
}
