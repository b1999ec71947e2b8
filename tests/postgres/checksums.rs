//! Page checksums that are switched on between copies, on real servers: no log tells of it, and all
//! pages change.

use super::cluster::{Cluster, run_ok, versions};
use super::driven::check_pages;
use super::scenarios::orders;
use super::site::Site;

/// Changes the checksums of a running cluster.
fn checksums(cluster: &Cluster, how: &str) {
    cluster.stop("fast");
    let data = cluster.data.display().to_string();
    run_ok(cluster.version, "pg_checksums", &[how, "-D", &data]);
    cluster.start();
}

fn filler(cluster: &Cluster) -> i64 {
    let mut orders = cluster.client_of("postgres", "orders");
    let rows = orders.query_one("select count(*) from filler", &[]);
    rows.expect("every page").get(0)
}

/// The tablespace has a job of its own.
fn apart(plan: &str) -> String {
    let both = "backup nightly of base, tablespace hot {";
    let plan = plan.replace(both, "backup nightly of base {");
    let (_, job) = plan.split_once("backup nightly of base {").expect("a job");
    let (body, _) = job.split_once("\n}\n").expect("its end");
    format!("{plan}\nbackup other of tablespace hot {{{body}\n}}\n")
}

#[test]
fn parts_without_checksums_make_a_whole_without_them() {
    for version in versions() {
        let site = Site::with(version, apart);
        checksums(&site.cluster, "--disable");
        site.good("run other");
        checksums(&site.cluster, "--enable");
        site.good("run nightly");
        let words = "because tablespace hot was copied before it had any";
        let told = site.good("restore shop --to new --yes");
        assert!(told.contains(words), "{told}");
        let copy = site.restored("new");
        assert_eq!(filler(&copy), 2000);
        assert_eq!(copy.ask("current_setting('data_checksums')"), "off");

        site.cluster.stop("fast");
        let hot = site.path("hot");
        std::fs::remove_dir_all(&hot).expect("lost");
        std::fs::create_dir(&hot).expect("a new disk");
        super::cluster::own(&hot);
        let told = site.good("recover lost_tablespace ts=hot --yes");
        assert!(told.contains(words), "{told}");
        site.cluster.start();
        assert_eq!(filler(&site.cluster), 2000);
    }
}

#[test]
fn what_builds_on_a_copy_without_checksums_is_a_full_one() {
    let site = Site::incremental(15);
    checksums(&site.cluster, "--disable");
    site.good("run");
    checksums(&site.cluster, "--enable");
    orders(&site.cluster, "insert into customers values (99, 'late')");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let told = site.good("run");
    let words = "as a full: page checksums were enabled since the base was copied";
    assert!(told.contains(words), "{told}");
    site.good("restore shop --to new --yes");
    let copy = site.restored("new");
    assert_eq!(copy.ask("current_setting('data_checksums')"), "on");
    assert_eq!(filler(&copy), 2000);
    check_pages(&copy);
}
