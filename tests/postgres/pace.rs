//! A server that ends its segments by itself (`archive_timeout`) at least as often as the plan
//! ships them: planc ends none, and says so.

use super::site::Site;

#[test]
fn a_server_that_ends_its_segments_by_itself_is_not_told_to() {
    let site = Site::new(15);
    let facts = "facts: shop.facts.yaml\n";
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    std::fs::write(&inventory, text + facts).expect("inventory");
    site.good("run");
    site.cluster
        .sql("create table work as select 1; select pg_switch_wal()");
    site.cluster.sql("alter system set log_statement = 'all'");
    let told_to = || {
        site.cluster
            .log()
            .matches("select pg_switch_wal()::text")
            .count()
    };
    let now = jiff::Timestamp::now();
    // each is due when it comes; who asks for it by name wants it at once
    for (number, (timeout, due, told)) in [
        ("0", true, 1),
        ("61s", true, 1),
        ("60s", true, 0),
        ("30s", true, 0),
        ("30s", false, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let later = i64::try_from(number + 1).expect("few") * 70;
        let later = now + jiff::SignedDuration::from_secs(later);
        let job = if due { "run" } else { "run wal" };
        let line = format!("{job} --now {later:.0}");
        let set = format!("alter system set archive_timeout = '{timeout}'");
        site.cluster.sql(&set);
        site.cluster.sql("select pg_reload_conf()");
        let same = format!("current_setting('archive_timeout')::interval = '{timeout}'");
        while site.cluster.ask(&same) != "true" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let before = told_to();
        site.good(&line);
        assert_eq!(told_to() - before, told, "{timeout} {line}");
    }
    let told = site.good("log status");
    let words = "it ends a segment by itself after 30s (archive_timeout)";
    assert!(told.contains(words), "{told}");
    // the plan knows it from the survey
    let told = site.good("status");
    assert!(!told.contains("by itself"), "{told}");
    site.good("survey --service shop --sample 0.1");
    let told = site.good("status");
    let words = "the server ends a segment by itself after 30s (archive_timeout)";
    assert!(told.contains(words), "{told}");
}
