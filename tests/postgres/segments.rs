//! Clusters whose log segments are not as small as those of the other tests, or not as large as
//! they were.

use super::ahead::until;
use super::chains::bulk;
use super::cluster::{own, run_ok};
use super::site::Site;

/// Segments of 64 MiB from now on.
fn enlarge(site: &Site) {
    let cluster = &site.cluster;
    cluster.stop("fast");
    let data = cluster.data.display().to_string();
    run_ok(15, "pg_resetwal", &["--wal-segsize=64", "-D", &data]);
    cluster.configure(&["min_wal_size = 128MB", "max_wal_size = 256MB"]);
    cluster.start();
}

/// Empty devices, of which nobody knows anything.
fn begin_anew(site: &Site) {
    std::fs::remove_dir_all(site.path("state")).expect("removed");
    for name in ["near", "far"] {
        let folder = site.path(name);
        std::fs::remove_dir_all(&folder).expect("removed");
        std::fs::create_dir(&folder).expect("folder");
        own(&folder);
    }
    site.good("device init --all");
}

#[test]
fn segments_of_another_size_need_an_archive_of_their_own_and_are_replayed() {
    let site = Site::incremental(15);
    bulk(&site);
    site.good("run");
    enlarge(&site);
    site.cluster.sql("select pg_switch_wal()");
    let sizes = ["in segments of 1 MiB under shop", "in segments of 64 MiB"];
    until("it is refused", || {
        sizes.iter().all(|size| site.cluster.log().contains(size))
    });
    let told = site.good("log status");
    assert!(told.contains(sizes[1]), "{told}");

    begin_anew(&site);
    site.good("run");
    site.cluster.sql("update bulk set t = 'new' where i = 7");
    super::chains::a_second();
    let told = site.good("run");
    assert!(told.contains("changed pages of"), "{told}");
    site.good("restore shop --to new --yes");
    let copy = site.restored("new");
    assert_eq!(copy.ask("select count(*) from bulk where t = 'new'"), "1");
}
