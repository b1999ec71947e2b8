//! What a plan says of time and change holds when it runs: `when changed`, `finish within`,
//! `notify`.

use super::site::Site;

/// The site with lines put at the beginning of a block's clauses.
fn with(block: &str, lines: &str) -> Site {
    let site = Site::new();
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let (head, rest) = plan.split_once(&format!("{block} ")).expect("the block");
    let rest = rest.replacen("{\n", &format!("{{\n{lines}\n"), 1);
    std::fs::write(site.path("shop.plan"), format!("{head}{block} {rest}")).expect("plan");
    let inventory = std::fs::read_to_string(site.path("inventory.yaml")).expect("inventory");
    let contacts = "contacts: {owner: {mail: owner@example.org}, night: {pager: '1'}}\n";
    std::fs::write(site.path("inventory.yaml"), inventory + contacts).expect("inventory");
    site
}

/// How many copies of a component are stored.
fn copies(site: &Site, component: &str) -> usize {
    let listed = site.good("list --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let parts = listed["parts"].as_array().expect("parts");
    parts
        .iter()
        .filter(|part| part["component"] == component)
        .count()
}

fn when_changed(job: &str) -> Site {
    let site = with(job, "");
    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let plan = plan.replace("every day at 02:00", "every day at 02:00 when changed");
    std::fs::write(site.path("shop.plan"), plan).expect("plan");
    site
}

#[test]
fn a_database_is_copied_again_only_when_it_changed() {
    let site = when_changed("backup nightly");
    let day = |day: u32| site.good(&format!("run nightly --now 2026-03-{day:02}T03:00:00Z"));
    day(1);
    let quiet = day(2);
    assert!(quiet.contains("nothing changed since part"), "{quiet}");
    assert_eq!(copies(&site, "shop/database/main"), 1);
    assert!(
        !day(2).contains("nothing changed"),
        "it is not due, but asked for by name"
    );
    assert_eq!(copies(&site, "shop/database/main"), 2);
    site.sql("INSERT INTO t (x) VALUES ('four')");
    assert!(!day(3).contains("nothing changed"));
    assert_eq!(copies(&site, "shop/database/main"), 3);
    assert!(day(4).contains("nothing changed"));
    std::fs::remove_file(site.path("state/shop@test/changes.json")).expect("removed");
    assert!(
        !day(5).contains("nothing changed"),
        "what nobody remembers is copied"
    );
    site.good("restore shop --to again.db --yes");
}

#[test]
fn a_tree_is_copied_again_only_when_it_changed() {
    let site = when_changed("backup papers");
    let day = |day: u32| {
        // what was written a moment ago may change once more without a trace
        std::thread::sleep(std::time::Duration::from_millis(2_200));
        site.good(&format!("run papers --now 2026-03-{day:02}T03:00:00Z"))
    };
    day(1);
    assert!(day(2).contains("nothing changed since part"));
    assert_eq!(copies(&site, "docs/files/tree"), 1);
    std::fs::write(site.path("docs/sub/b.txt"), "c").expect("file");
    assert!(!day(3).contains("nothing changed"));
    assert_eq!(copies(&site, "docs/files/tree"), 2);
}

#[test]
fn a_time_limit_that_passes_is_told_and_the_run_does_not_end_well() {
    let site = with("recovery oops", "  finish within 1ms");
    site.good("run --now 2026-03-02T10:00:00Z");
    site.sql("UPDATE t SET x = 'bad'");
    site.good("run wal --now 2026-03-02T10:00:10Z");
    let listed = site.good("log list shop --last 1 --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let bad = listed["transactions"][0]["transaction"]
        .as_str()
        .expect("one");
    let late = site.ends(&format!("recover oops victim=t bad={bad} --yes"), 1);
    assert!(late.contains("late: the whole run took"), "{late}");
    assert!(
        late.contains("LATE: the run took"),
        "also while it runs: {late}"
    );
    assert!(
        late.contains("found_t (3 rows"),
        "its work is done all the same: {late}"
    );

    let plan = std::fs::read_to_string(site.path("shop.plan")).expect("plan");
    let plan = plan
        .replace("finish within 1ms", "finish within 1h")
        .replace("\"found\"", "\"more\"");
    std::fs::write(site.path("shop.plan"), plan).expect("plan");
    let good = site.good(&format!("recover oops victim=t bad={bad} --yes"));
    assert!(good.contains("in time: the whole run took"), "{good}");
}

#[test]
fn a_job_has_its_own_time_limit_and_its_own_contacts() {
    let lines = "  finish within 1ms\n  notify owner on always\n  notify night on failure";
    let site = with("backup papers", lines);
    let text = site.ends("run --now 2026-03-02T10:00:00Z", 1);
    assert!(text.contains("late: papers took"), "{text}");
    assert!(!text.contains("late: nightly"), "{text}");
    assert!(text.contains("tell owner: shop ended as above"), "{text}");
    assert!(!text.contains("tell night"), "nothing failed: {text}");

    std::fs::remove_dir_all(site.path("docs")).expect("removed");
    let text = site.ends("run --now 2026-03-03T10:00:00Z", 1);
    assert!(text.contains("tell night"), "{text}");
    assert!(text.contains("tell owner"), "{text}");
}
