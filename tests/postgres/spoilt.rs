//! Pages that are damaged at the source when it is copied: the copy remembers them, every command
//! tells, and a copy from before the damage mends them.

use super::damaged::{Damaged, spoil};
use super::scenarios::orders;
use super::site::Site;

/// Damages the second page of a table in the base and in the tablespace, where no server looks.
fn damage(site: &Site) -> (String, String) {
    let cluster = &site.cluster;
    cluster.sql("create table kept as select i, repeat('k', 900) from generate_series(1, 40) i");
    let (cold, hot) = (Damaged::file(site, "kept"), filler(site));
    cluster.stop("fast");
    site.cluster.start();
    site.good("run");
    cluster.stop("fast");
    for file in [&cold, &hot] {
        spoil(&cluster.data.join(file), 1);
    }
    cluster.start();
    let inside: Vec<&str> = hot.splitn(3, '/').collect();
    let hot = format!("hot/{}", inside[2]);
    (cold, hot)
}

fn filler(site: &Site) -> String {
    let mut orders = site.cluster.client_of("postgres", "orders");
    let row = orders.query_one("select pg_relation_filepath('filler')", &[]);
    row.expect("a file").get(0)
}

#[test]
fn a_page_that_was_damaged_when_it_was_copied_is_told_until_it_is_mended() {
    let site = Site::with(18, |plan| {
        plan.replace("physical full every day at 02:00", "physical full every 1s")
    });
    let (cold, hot) = damage(&site);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let told = site.good("run");
    assert!(
        told.contains(&format!("damaged page: {cold} block 1")),
        "{told}"
    );

    let told = site.ends("status", 1);
    for file in [&cold, &hot] {
        let next = format!("planc recover damaged_file bad={file}:1");
        assert!(told.contains(&next), "{next}: {told}");
    }
    let told = site.good("list --device far");
    assert!(
        told.contains(&format!("at the source: {cold}:1; the copy of")),
        "{told}"
    );
    let told = site.good("verify");
    assert!(
        told.contains(&format!("at the source: {hot}:1; `planc list`")),
        "{told}"
    );
    // what the catalog knows of it, the devices know
    let before = site.good("list --format json");
    std::fs::remove_dir_all(site.path("state/shop@test")).expect("lost");
    site.good("catalog rebuild --from near --from far");
    assert_eq!(site.good("list --format json"), before);

    let told = site.good("restore shop --to beside --yes");
    assert!(told.contains(&format!("damaged as they were at the source when it was copied, and the log does not write them anew: {cold}:1")), "{told}");
    let told = site.ends("drill weekly --yes", 1);
    assert!(
        told.contains("damaged as they were at the source"),
        "{told}"
    );

    site.cluster.stop("fast");
    for file in [&cold, &hot] {
        site.good(&format!("recover damaged_file bad={file}:1 --yes"));
    }
    site.cluster.start();
    assert_eq!(site.cluster.ask("select count(*) from kept"), "40");
    orders(&site.cluster, "select count(*) from filler");
    site.good("run");
    // a drill that failed is told until it passes
    site.good("drill weekly --yes");
    let told = site.good("status");
    assert!(!told.contains("DAMAGED"), "{told}");
}

#[test]
fn an_incremental_copy_looks_again_at_what_its_base_holds_damaged() {
    let site = Site::incremental(15);
    site.cluster
        .sql("create table kept as select i, repeat('k', 900) from generate_series(1, 40) i");
    let cold = Damaged::file(&site, "kept");
    site.cluster.stop("fast");
    let path = site.cluster.data.join(&cold);
    let good = std::fs::read(&path).expect("bytes");
    spoil(&path, 1);
    site.cluster.start();
    let rest = || std::thread::sleep(std::time::Duration::from_millis(1100));
    site.good("run");
    rest();
    let told = site.good("run");
    assert!(
        told.contains(&format!("damaged page: {cold} block 1")),
        "{told}"
    );
    let told = site.ends("status", 1);
    assert!(
        told.contains("no older copy that is stored holds them good"),
        "{told}"
    );
    // mended by other means, of which no log tells
    site.cluster.stop("fast");
    std::fs::write(&path, good).expect("mended");
    site.cluster.start();
    rest();
    site.good("run");
    site.good("status");
    site.good("restore shop --to new --yes");
    let copy = site.restored("new");
    assert_eq!(copy.ask("select count(*) from kept"), "40");
}
