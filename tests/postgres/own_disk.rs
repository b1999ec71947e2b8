//! Log on a disk of its own, as a link in the data directory, on real servers: copies, restores onto
//! the damaged folder and recoveries in place leave it where it is.

use std::path::{Path, PathBuf};

use super::cluster::{own, versions};
use super::site::Site;

/// Moves the log to another disk, where this machine has one.
fn move_log(site: &Site) -> (tempfile::TempDir, PathBuf) {
    let disk = tempfile::Builder::new().prefix("planc-disk-").tempdir();
    let disk = disk.expect("a folder");
    let log = disk.path().join("log");
    let inside = site.cluster.data.join("pg_wal");
    site.cluster.stop("fast");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&inside, &log])
        .status();
    assert!(copied.is_ok_and(|status| status.success()));
    std::fs::remove_dir_all(&inside).expect("removed");
    std::os::unix::fs::symlink(&log, &inside).expect("a link");
    own(disk.path());
    own(&inside);
    site.cluster.start();
    (disk, log)
}

fn segments(log: &Path) -> usize {
    std::fs::read_dir(log).expect("the log").count()
}

#[test]
fn log_on_a_disk_of_its_own_stays_there() {
    for version in versions() {
        let site = Site::new(version);
        let (_disk, log) = move_log(&site);
        site.cluster.sql("create table kept as select 1 i");
        site.good("run");
        site.cluster.sql("insert into kept values (2)");
        site.cluster.sql("select pg_create_restore_point('noon')");
        site.cluster.sql("insert into kept values (3)");
        site.good("run wal");
        let kept = "select string_agg(i::text, ' ' order by i) from kept";

        site.good("restore shop --to new --yes");
        let copy = site.restored("new");
        assert_eq!(copy.ask(kept), "1 2 3");
        assert!(!copy.data.join("pg_wal").is_symlink());

        for (at, found) in [("latest", "1 2 3"), ("point:noon", "1 2")] {
            site.cluster.stop("immediate");
            std::fs::remove_dir_all(site.cluster.data.join("base/1")).expect("damaged");
            site.good(&format!("restore shop --delta --at {at} --yes"));
            assert!(site.cluster.data.join("pg_wal").is_symlink(), "{at}");
            assert!(segments(&log) > 2, "{at}");
            site.cluster.start();
            assert_eq!(site.cluster.ask(kept), found, "{at}");
        }
    }
}
