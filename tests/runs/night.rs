//! What works at night: a plan against which errors stand keeps nobody from what is stored, and the
//! commands that look say what is so.

use std::fs;

use super::site::{NOW, Site, rows};

/// Adds an allowance that ended long ago: an error by the calendar alone.
fn expire(site: &Site) {
    let text = fs::read_to_string(site.path("shop.plan")).expect("read");
    let ended = "allow P0612 until 2020-01-01 because \"objectives come later\"\n";
    fs::write(site.path("shop.plan"), text + ended).expect("write");
}

#[test]
fn an_allowance_that_ended_keeps_nobody_from_what_is_stored() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    expire(&site);
    let refused = site.ends("run nightly", 2);
    assert!(refused.contains("nothing was started"), "{refused}");
    site.good("list");
    site.good("log status");
    site.good("verify");
    site.good("device list");
    let told = site.good("restore shop --to back.db --yes");
    assert!(
        told.contains("shop.plan has 1 error: `planc run` refuses"),
        "{told}"
    );
    assert_eq!(rows(&site.path("back.db")).len(), 3);
    let status = site.ends(&format!("status --format json --now {NOW}"), 1);
    assert!(status.contains("\"plan_errors\": 1"), "{status}");
}

#[test]
fn notice_is_given_two_weeks_before_an_allowance_ends() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let text = fs::read_to_string(site.path("shop.plan")).expect("read");
    let ending = "allow P0612 until 2026-03-16 because \"objectives come later\"\n";
    fs::write(site.path("shop.plan"), text + ending).expect("write");
    let told = site.good(&format!("status --now {NOW}"));
    let notice = "PLAN: the allowance of P0612 ends in 14 days, on 2026-03-16";
    assert!(told.contains(notice), "{told}");
    let day_before = "2026-03-01T10:00:00Z";
    let told = site.good(&format!("status --now {day_before}"));
    assert!(!told.contains("PLAN"), "{told}");
}

#[test]
fn a_server_archives_under_a_plan_whose_allowance_ended() {
    let site = Site::new();
    expire(&site);
    let text = site.ends("log push pg_wal/none --service shop --deadline 0", 1);
    assert!(text.contains("pg_wal/none"), "{text}");
    assert!(!text.contains("nothing was started"), "{text}");
}

#[test]
fn a_recovery_that_would_do_harm_is_refused_all_the_same() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let text = fs::read_to_string(site.path("shop.plan")).expect("read");
    let spoiled = text.replace("\"select count(*) from t\"", "\"delete from t\"");
    fs::write(site.path("shop.plan"), spoiled).expect("write");
    let text = site.ends("recover oops victim=t bad=1 --dry-run", 2);
    assert!(
        text.contains("P0911") && text.contains("nothing was started"),
        "{text}"
    );
}

#[test]
fn a_service_under_another_name_is_told_what_copies_there_are() {
    let site = Site::new();
    site.good(&format!("run papers --now {NOW}"));
    for file in ["shop.plan", "inventory.yaml"] {
        let text = fs::read_to_string(site.path(file)).expect("read");
        let text = text.replace("service docs", "service files");
        let text = text.replace("docs: {engine", "files: {engine");
        fs::write(site.path(file), text).expect("write");
    }
    let text = site.ends("restore files --to back --yes", 2);
    assert!(
        text.contains("there are copies of docs/files/tree"),
        "{text}"
    );
}

#[test]
fn a_run_that_works_is_not_told_as_one_that_ended() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    site.remove_newest_journal();
    let status = format!("status --now {NOW}");
    let text = site.good(&status);
    assert!(text.contains("did not end: `planc run --resume`"), "{text}");
    // the lock names the run that took it: here one that lives as long as this test
    let lock = site.path("state/shop@test/lock");
    let owner = fs::read_to_string(&lock).expect("a lock");
    let mut owner: serde_json::Value = serde_json::from_str(&owner).expect("json");
    owner["process"] = std::process::id().into();
    fs::write(&lock, owner.to_string()).expect("write");
    let text = site.good(&status);
    assert!(text.contains("at work: `planc run"), "{text}");
    assert!(text.contains("has not ended yet"), "{text}");
    assert!(!text.contains("--resume"), "{text}");
}

#[test]
fn a_name_that_nothing_has_is_no_answer() {
    let site = Site::new();
    assert_eq!(site.good("list --component shop"), "no copies\n");
    site.good(&format!("run --now {NOW}"));
    let text = site.ends("list --component main", 2);
    assert!(text.contains("called `main`"), "{text}");
    assert!(
        text.contains("shop/database/main"),
        "names the real ones: {text}"
    );
    let listed = site.good("list --component shop/database/main");
    assert!(
        listed.contains("KIND") && listed.contains("  full  "),
        "{listed}"
    );
}

#[test]
fn a_plan_under_another_name_is_told_whose_the_copies_are() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let text = fs::read_to_string(site.path("shop.plan")).expect("read");
    fs::write(
        site.path("shop.plan"),
        text.replace("plan shop", "plan rescue"),
    )
    .expect("write");
    let told = site.ends("catalog rebuild --from disk", 1);
    assert!(told.contains("rebuilt: 0 parts"), "{told}");
    assert!(
        told.contains("2 parts of plan `shop` in environment `test`"),
        "{told}"
    );
    let told = site.ends("restore shop --to back.db --yes", 2);
    assert!(told.contains("catalog rebuild --from DEVICE"), "{told}");
}

#[test]
fn who_may_not_write_the_state_is_not_told_to_throw_the_catalog_away() {
    let site = Site::new();
    site.good(&format!("run --now {NOW}"));
    let state = site.path("state/shop@test");
    for path in [state.join("catalog.sqlite"), state.clone()] {
        let mut mode = fs::metadata(&path).expect("there").permissions();
        mode.set_readonly(true);
        fs::set_permissions(&path, mode).expect("changed");
    }
    let output = site.as_a_user("list").output().expect("planc starts");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&state, mode).expect("changed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("as the user who owns the state folder"),
        "{told}"
    );
}
