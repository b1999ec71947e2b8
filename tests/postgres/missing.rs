//! Segments that no device holds: the proof names them, what lies before them is reached, what lies
//! beyond them is refused, and only a fresh full leads further.

use super::chains::objects;
use super::cluster::own;
use super::site::Site;

#[test]
fn what_lies_before_a_lost_segment_is_reached_and_what_lies_beyond_is_refused() {
    let site = Site::new(15);
    site.good("run");
    let mark = |name: &str| {
        // each a transaction of its own: the commit lies in the segment that is ended
        site.cluster
            .sql(&format!("create table {name} as select 1"));
        site.cluster
            .sql(&format!("select pg_create_restore_point('{name}')"));
        site.cluster.sql("select pg_switch_wal()");
    };
    mark("before");
    let number = "pg_walfile_name_offset(pg_current_wal_insert_lsn())";
    let lost = site.cluster.ask(&format!("select file_name from {number}"));
    let begins =
        "pg_current_wal_insert_lsn() - '0/0' - (pg_current_wal_insert_lsn() - '0/0') % (1 << 20)";
    let begins = site.cluster.ask(&format!("select ({begins})::int8"));
    mark("within");
    mark("beyond");
    site.good("run wal");
    for device in ["near", "far"] {
        let logs = objects(&site, &format!("{device}/logs"));
        let at = logs
            .iter()
            .position(|path| path.to_string_lossy().ends_with(&begins));
        let at = at.unwrap_or_else(|| panic!("{lost} is not in {logs:?}"));
        std::fs::remove_file(&logs[at]).expect("removed");
    }
    // and from the server too
    site.cluster.sql("checkpoint; select pg_switch_wal()");
    site.cluster.sql("checkpoint");
    let told = site.ends("log status", 1);
    let line = told
        .lines()
        .find(|line| line.trim_start().starts_with("lost"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(
        line.contains(&lost) && line.contains("1 segments"),
        "{told}"
    );
    // the catalog still believes in it: the restore fails, and changes nothing
    let beyond = "restore shop --to new --at point:beyond --yes";
    let told = site.ends(beyond, 1);
    assert!(
        told.contains(&begins) && told.contains("planc verify"),
        "{told}"
    );
    site.ends("verify", 1);
    let told = site.ends(beyond, 2);
    assert!(told.contains("gap"), "{told}");
    assert!(!site.path("new").exists());
    // the newest state that is left says what it lacks
    let hot = site.path("new-hot").display().to_string();
    let told = site.good(&format!("restore shop --to new --relocate hot={hot} --yes"));
    assert!(told.contains("what came behind it is not shown"), "{told}");
    let names = "(select string_agg(relname, ' ') from pg_class \
                 where relname in ('before', 'within', 'beyond'))";
    assert_eq!(site.restored("new").ask(names), "before");
}

/// Archiving was switched off for a while, and on again: nothing that runs since notices by itself.
#[test]
fn a_fresh_full_is_due_at_once_behind_a_hole_in_the_log() {
    let site = Site::new(18);
    site.good("run");
    site.good("status");
    let archive = |mode: &str| {
        site.cluster.stop("fast");
        site.cluster.configure(&[&format!("archive_mode = {mode}")]);
        site.cluster.start();
    };
    archive("off");
    for name in ["unseen", "unseen_too"] {
        site.cluster
            .sql(&format!("create table {name} as select 1"));
        site.cluster.sql("select pg_switch_wal()");
        // what the server still has it would archive later
        site.cluster.sql("checkpoint");
    }
    archive("on");
    site.cluster.sql("create table beyond as select 1");
    site.good("run wal");
    let told = site.ends("status", 1);
    for component in ["shop/base/base", "shop/tablespace/hot"] {
        let words = format!("{component} cannot be recovered to what came behind");
        assert!(told.contains("LOG LOST") && told.contains(&words), "{told}");
    }
    let dry = site.good("run --dry-run");
    assert!(dry.contains("the stored log has a hole from"), "{dry}");
    loses_a_tablespace(&site);

    site.good("run");
    site.good("status");
    let dry = site.good("run --dry-run");
    assert!(!dry.contains("has a hole"), "{dry}");
    let hot = site.path("new-hot").display().to_string();
    site.good(&format!("restore shop --to new --relocate hot={hot} --yes"));
    let names = "(select count(*) from pg_class where relname in ('unseen', 'beyond'))";
    assert_eq!(site.restored("new").ask(names), "2");
}

/// What is put back alone could not be led to where the other files are: that is told before the
/// cluster is touched.
fn loses_a_tablespace(site: &Site) {
    let (hot, away) = (site.path("hot"), site.path("away"));
    site.cluster.stop("fast");
    std::fs::rename(&hot, &away).expect("lost");
    std::fs::create_dir(&hot).expect("a new disk");
    own(&hot);
    let told = site.ends("recover lost_tablespace ts=hot --yes", 1);
    for words in ["the stored log leads from the copy to", "pg_wal lacks it"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(site.cluster.data.join("global/pg_control").is_file());
    std::fs::remove_dir(&hot).expect("nothing was written");
    std::fs::rename(&away, &hot).expect("found");
    site.cluster.start();
}
