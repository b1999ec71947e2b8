//! What a recovery is expected to take, before it runs: a drill teaches how fast log is replayed, an
//! extraction how fast tables come back, and the report states the estimate beside what it took.

use super::scenarios::blamed;
use super::site::Site;

fn replay_line(dry: &str) -> &str {
    let line = dry.lines().find(|line| line.contains("  replay-log "));
    line.expect("log is replayed")
}

#[test]
fn a_drill_teaches_what_a_recovery_will_take() {
    let site = Site::new(15);
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    std::fs::write(&inventory, text + "facts: shop.facts.yaml\n").expect("inventory");
    site.cluster.sql("alter role keeper superuser");
    site.cluster.sql("create database aside");
    site.good("survey --service shop --sample 0.1");
    site.good("run");
    let mut orders = site.cluster.client_of("postgres", "orders");
    let log = "insert into lines (customer, note) select 1 + i % 50, repeat('n', 400) \
               from generate_series(1, 40000) i";
    orders.batch_execute(log).expect("rows");
    site.good("run wal");
    let bad = blamed(&site.cluster, "drop table lines cascade");
    site.good("run wal");
    let line = format!("recover dropped_table victim=lines bad={bad}");
    let dry = site.good(&format!("{line} --dry-run"));
    assert!(dry.contains("what is extracted from shop"), "{dry}");
    let left_out = "content of orders only (left out: database aside)";
    assert!(dry.contains(left_out), "{dry}");
    site.good(&format!("{line} --yes"));
    let back = "alter table recovered.lines set schema public; drop schema recovered";
    orders.batch_execute(back).expect("room for another");
    site.good("run wal");

    // a server that only replays to be taken from syncs nothing: it tells nothing of another
    let dry = site.good("restore shop --to later --dry-run");
    assert!(!dry.contains(" steps, about "), "{dry}");
    assert!(dry.contains("how fast log of shop is replayed"), "{dry}");
    let dry = site.good(&format!("{line} --dry-run"));
    assert!(replay_line(&dry).contains("  ~"), "{dry}");
    site.good("drill weekly --yes");
    let dry = site.good("restore shop --to later --dry-run");
    assert!(replay_line(&dry).contains("  ~"), "{dry}");
    assert!(!dry.contains("how fast log of shop"), "{dry}");

    let dry = site.good(&format!("{line} --dry-run"));
    assert!(dry.contains(" steps, about "), "{dry}");
    assert!(!dry.contains("not known"), "{dry}");
    let told = site.good(&format!("{line} --yes"));
    let ended = told
        .lines()
        .find(|line| line.contains(" of shop: done in "));
    assert!(
        ended.is_some_and(|line| line.contains("(estimate ")),
        "{told}"
    );
}
