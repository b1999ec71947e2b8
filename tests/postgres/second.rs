//! A device that gets log by `copy to` alone: what it holds comes back without the first device, to
//! where a dropped database is whole.

use super::cluster::own;
use super::site::Site;

/// Log is copied on to the second device, never shipped there.
fn copied_on(plan: &str) -> String {
    let shipped = "  ship every 1min to far\n";
    assert!(plan.contains(shipped));
    plan.replace(shipped, "  copy to far within 1h\n")
}

/// Ends the server's timeline and begins the next.
fn begin_timeline(site: &Site) {
    let cluster = &site.cluster;
    cluster.stop("fast");
    let signal = cluster.data.join("recovery.signal");
    std::fs::write(&signal, "").expect("signal");
    own(&signal);
    cluster.configure(&["restore_command = 'false'"]);
    cluster.start();
    cluster.wait_open();
}

#[test]
fn the_second_device_alone_gives_back_what_a_later_timeline_holds() {
    let site = Site::with(15, copied_on);
    site.good("run nightly");
    begin_timeline(&site);
    let mut orders = site.cluster.client_of("postgres", "orders");
    orders
        .batch_execute("create table late as select 7 as seven")
        .expect("a table");
    drop(orders);
    site.cluster.sql("drop database orders with (force)");
    site.good("run wal");
    // what was archived by the first call is copied on by the second at the latest
    site.good("run wal");
    site.cluster.stop("fast");
    std::fs::rename(site.path("near"), site.path("lost")).expect("lost");
    std::fs::remove_dir_all(site.path("state")).expect("lost");
    site.good("catalog rebuild --from far");
    let listed = site.good("log list shop --last 5");
    let (_, whole) = listed.split_once("whole with `--at ").expect("the drop");
    let (position, _) = whole.split_once('`').expect("a position");
    site.good(&format!("restore shop --to back --at {position} --yes"));
    let restored = site.restored("back");
    let mut orders = restored.client_of("postgres", "orders");
    let row = orders.query_one("select seven from late", &[]);
    assert_eq!(row.expect("the row").get::<_, i32>(0), 7);
}
