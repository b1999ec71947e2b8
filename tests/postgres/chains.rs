//! Incremental parts by the plan: runs of the real binary under a storm of definitions, restores of
//! chains, merged chains, chains that lost a part, and log that lost a segment.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::cluster::{Cluster, run, run_ok, versions};
use super::driven::kill_at;
use super::ledger::{self, Commit, Writer};
use super::site::Site;

/// Files come, go, shrink, grow and are rewritten, in both tablespaces.
const STORM: [&str; 12] = [
    "create table s1 as select i, repeat('s', 100) t from generate_series(1, 900) i",
    "create table s2 tablespace hot as select i, repeat('h', 100) t from generate_series(1, 900) i",
    "create unlogged table s3 as select generate_series(1, 500) i",
    "create index on s1 (t); create index on s2 (i) tablespace hot",
    "update s1 set t = 'changed' where i % 7 = 0; delete from s2 where i % 3 = 0",
    "vacuum full s1",
    "vacuum s2",
    "truncate s2",
    "insert into s2 select i, 'again' from generate_series(1, 2000) i",
    "alter table s1 add column more text default 'more'; alter table s2 set tablespace pg_default",
    "create database storm",
    "drop table s1, s2, s3; drop database storm",
];

/// Runs the storm in database `orders` until it is told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Storm {
    fn start(cluster: &Cluster) -> Self {
        let mut client = cluster.client_of("postgres", "orders");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for statements in STORM {
                    for statement in statements.split(';') {
                        client.batch_execute(statement).expect(statement);
                    }
                    // a storm that writes more log than can be archived starves every copy
                    std::thread::sleep(Duration::from_millis(250));
                }
            }
        });
        Self { stop, thread }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the storm");
    }
}

/// Until the next incremental is due.
pub(crate) fn a_second() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// Lines that stay, so that there is something to build on.
pub(crate) fn bulk(site: &Site) {
    site.cluster
        .sql("create table bulk as select i, repeat('b', 400) t from generate_series(1, 9000) i");
}

fn check(site: &Site, name: &str, cold: &[Commit], hot: &[Commit]) -> Cluster {
    let restored = site.restored(name);
    assert_eq!(ledger::read(&restored, "cold_ledger"), cold);
    assert_eq!(ledger::read(&restored, "hot_ledger"), hot);
    restored
}

/// Checks heaps and indexes of all databases, and the sums of all pages.
pub(crate) fn is_sound(cluster: &Cluster) {
    if cluster.version == 15 {
        // the other servers of the suite come without the extension
        let socket = cluster.folder.path().display().to_string();
        let words = [
            "-h",
            &socket,
            "-U",
            "postgres",
            "--all",
            "--install-missing",
        ];
        let done = run(cluster.version, "pg_amcheck", &words);
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{told}");
    }
    cluster.stop("fast");
    let data = cluster.data.display().to_string();
    run_ok(cluster.version, "pg_checksums", &["--check", "-D", &data]);
}

/// The content of a table, in one number.
pub(crate) fn sum(cluster: &Cluster) -> String {
    cluster.ask("select sum(hashtext(bulk::text)) from bulk")
}

#[test]
fn a_chain_made_in_a_storm_is_restored_merged_and_rebuilt() {
    for version in versions() {
        let site = Site::incremental(version);
        bulk(&site);
        let cold = Writer::start(&site.cluster, "cold_ledger", "pg_default");
        let hot = Writer::start(&site.cluster, "hot_ledger", "hot");
        let storm = Storm::start(&site.cluster);
        site.good("run");
        for _ in 0..2 {
            site.cluster
                .sql("update bulk set t = 'new' where i % 900 = 0");
            a_second();
            let told = site.good("run");
            assert!(told.contains("changed pages of"), "{told}");
            assert!(!told.contains("read in full, not"), "{told}");
        }
        storm.end();
        let (cold, hot) = (cold.finish(), hot.finish());
        site.cluster.sql("insert into bulk values (9001, 'last')");
        a_second();
        let dry = site.good("run --dry-run");
        assert!(dry.contains("incremental on part "), "{dry}");
        let yaml = site.good("show graph --format yaml");
        assert!(yaml.contains("base:"), "{yaml}");
        site.good("run");
        site.good("run wal");

        let dry = site.good("restore shop --to chain --dry-run");
        assert_eq!(dry.matches("fetch-part").count(), 8, "{dry}");
        let told = site.good("verify");
        assert!(told.contains("restor"), "{told}");
        site.good("restore shop --to chain --yes");
        let chain = check(&site, "chain", &cold, &hot);
        let rows = sum(&chain);
        assert_eq!(chain.ask("select count(*) from bulk where t = 'last'"), "1");
        is_sound(&chain);

        merged(&site, (&cold, &hot), &rows);
        // what builds on what is read back from any one device
        site.good("catalog rebuild --from far");
        let again = site.good("restore shop --to again --dry-run");
        assert_eq!(again.matches("fetch-part").count(), 4, "{again}");
    }
}

/// Merges while the server is away; the merged part restores to the same, and carries the next one.
fn merged(site: &Site, (cold, hot): (&[Commit], &[Commit]), rows: &str) {
    site.cluster.stop("fast");
    let dry = site.good("merge --dry-run");
    assert_eq!(dry.matches("merge-stored").count(), 2, "{dry}");
    let told = site.good("merge nightly");
    assert!(told.contains("of 4 parts"), "{told}");
    let told = site.good("merge");
    assert!(told.contains("nothing to merge"), "{told}");
    let dry = site.good("restore shop --to merged --dry-run");
    assert_eq!(dry.matches("fetch-part").count(), 2, "{dry}");
    site.good("restore shop --to merged --yes");
    let merged = check(site, "merged", cold, hot);
    assert_eq!(sum(&merged), rows);
    is_sound(&merged);

    site.cluster.start();
    site.cluster.sql("insert into bulk values (9002, 'after')");
    a_second();
    let told = site.good("run");
    assert!(told.contains("changed pages of"), "{told}");
    let dry = site.good("restore shop --to after --dry-run");
    assert_eq!(dry.matches("fetch-part").count(), 4, "{dry}");
    site.good("restore shop --to after --yes");
    let after = check(site, "after", cold, hot);
    assert_eq!(
        after.ask("select count(*) from bulk where t = 'after'"),
        "1"
    );
    is_sound(&after);
    let told = site.ends("merge nighly", 2);
    assert!(told.contains("did you mean `nightly`?"), "{told}");
}

#[test]
fn an_incremental_that_is_killed_goes_on_and_leaves_a_whole_chain() {
    let site = Site::incremental(versions()[0]);
    bulk(&site);
    let cold = Writer::start(&site.cluster, "cold_ledger", "pg_default");
    let hot = Writer::start(&site.cluster, "hot_ledger", "hot");
    site.good("run");
    let mut killed = 0;
    for records in [2, 5, 8, 11] {
        a_second();
        let known = site.journal_records();
        let hit = kill_at(&site, "run nightly", known + records);
        killed += usize::from(hit);
        if hit {
            site.good("run --resume");
        }
    }
    let (cold, hot) = (cold.finish(), hot.finish());
    site.good("run wal");
    let dry = site.good("restore shop --to chain --dry-run");
    assert!(dry.matches("fetch-part").count() > 4, "{dry}");
    site.good("restore shop --to chain --yes");
    is_sound(&check(&site, "chain", &cold, &hot));
    assert!(killed >= 2, "only {killed} of 4 were killed");
}

/// Objects of a device below a folder, by name.
pub(crate) fn objects(site: &Site, folder: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(site.path(folder)).sort_by_file_name();
    let files = files.into_iter().filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn a_gap_in_the_log_means_that_everything_is_read_and_said() {
    let site = Site::incremental(15);
    bulk(&site);
    site.good("run");
    for number in 0..70 {
        site.cluster.sql(&format!(
            "insert into bulk values ({number}, 'gap'); select pg_switch_wal()"
        ));
    }
    site.good("run wal");
    // what is archived is recycled
    site.cluster.sql("checkpoint");
    site.cluster.sql("checkpoint");
    for device in ["near", "far"] {
        let logs = objects(&site, &format!("{device}/logs"));
        // somewhere behind the full's own log, and gone from the server too
        let one = &logs[logs.len() / 2];
        std::fs::remove_file(one).expect("removed");
    }
    a_second();
    let told = site.good("run nightly");
    assert!(told.contains("everything was read in full"), "{told}");
    assert!(told.contains("is not there"), "{told}");
    let list = site.good("list");
    assert!(
        !list.contains(" on "),
        "what holds everything is a full: {list}"
    );
    let dry = site.good("restore shop --to copy --dry-run");
    assert_eq!(dry.matches("fetch-part").count(), 2, "{dry}");
    // from here on there is something to build on again
    site.cluster.sql("update bulk set t = 'x' where i = 7");
    a_second();
    let told = site.good("run nightly");
    assert!(told.contains("changed pages of"), "{told}");
}

#[test]
fn the_newest_copies_without_their_log_leave_the_state_that_the_log_reaches() {
    let site = Site::with(15, |plan| {
        plan.replace("physical full every day at 02:00", "physical full every 1s")
    });
    site.good("run");
    site.cluster.sql("create table early as select 1");
    site.good("run wal");
    let known = objects(&site, "near/logs");
    a_second();
    site.good("run nightly");
    // on what is left of the devices the log of the newest copies is not there
    for device in ["near", "far"] {
        for log in objects(&site, &format!("{device}/logs")) {
            let inside = log.strip_prefix(site.path(device)).expect("inside");
            if !known.contains(&site.path("near").join(inside)) {
                std::fs::remove_file(log).expect("removed");
            }
        }
    }
    site.ends("verify", 1);
    let told = site.good("restore shop --to latest --yes");
    assert!(told.contains("NOT THE NEWEST COPIES"), "{told}");
    assert!(told.contains("the stored log of `shop` ends at"), "{told}");
    let restored = site.restored("latest");
    assert_eq!(restored.ask("select count(*) from early"), "1");
    // what is rehearsed must be the newest
    let told = site.ends("drill weekly --yes", 2);
    assert!(told.contains("is needed"), "{told}");
}

#[test]
fn a_chain_without_its_middle_leaves_the_older_way_back() {
    let site = Site::incremental(18);
    bulk(&site);
    let known = || objects(&site, "near/parts");
    site.good("run");
    let full = known();
    site.cluster.sql("insert into bulk values (9001, 'middle')");
    a_second();
    site.good("run");
    let middle: Vec<PathBuf> = known()
        .into_iter()
        .filter(|one| !full.contains(one))
        .collect();
    assert_eq!(middle.len(), 2, "{middle:?}");
    site.cluster.sql("insert into bulk values (9002, 'newest')");
    a_second();
    site.good("run");
    site.good("run wal");
    for part in &middle {
        let name = part.strip_prefix(site.path("near")).expect("inside");
        std::fs::remove_file(part).expect("removed");
        std::fs::remove_file(site.path("far").join(name)).expect("removed");
    }
    // the catalog still believes in it: the restore fails, and changes nothing
    let told = site.ends("restore shop --to early --yes", 1);
    assert!(told.contains("planc verify"), "{told}");
    site.ends("verify", 1);
    let told = site.ends("restore shop --to backup --at backup --yes", 2);
    assert!(told.contains("cannot be put together"), "{told}");
    assert!(
        told.contains("the way back that is left begins with part"),
        "{told}"
    );
    let dry = site.good("restore shop --to latest --dry-run");
    assert!(dry.contains("not the newest"), "{dry}");
    assert_eq!(dry.matches("fetch-part").count(), 2, "{dry}");
    site.good("restore shop --to latest --yes");
    let restored = site.restored("latest");
    assert_eq!(
        restored.ask("select count(*) from bulk where t = 'newest'"),
        "1"
    );
    is_sound(&restored);
    // the next one builds on what is whole
    a_second();
    let dry = site.good("run --dry-run");
    assert!(
        dry.contains("because it is the newest copy that is whole"),
        "{dry}"
    );
}

#[test]
fn a_merge_that_is_killed_goes_on() {
    let site = Site::incremental(versions()[0]);
    bulk(&site);
    site.good("run");
    let mut killed = 0;
    for records in [2, 3, 4] {
        site.cluster
            .sql("update bulk set t = t || '.' where i % 900 = 0");
        a_second();
        site.good("run nightly");
        let known = site.journal_records();
        if kill_at(&site, "merge nightly", known + records) {
            killed += 1;
            site.good("run --resume");
        }
        // what was half merged is no part, and the whole chain stays a way back
        let dry = site.good("restore shop --to merged --dry-run");
        assert_eq!(dry.matches("fetch-part").count(), 2, "{dry}");
    }
    assert!(killed >= 1, "none of 3 was killed");
    site.good("run wal");
    let rows = sum(&site.cluster);
    site.good("restore shop --to merged --yes");
    let merged = site.restored("merged");
    assert_eq!(sum(&merged), rows);
    is_sound(&merged);
}
