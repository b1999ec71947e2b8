//! The law of order over a cluster of PostgreSQL: its log is pushed, it is copied, restored aside
//! and where it stands.

use std::path::Path;

use super::holds;
use super::law::Spared;
use super::trace::{Call, in_order};
use crate::postgres::cluster::own;
use crate::postgres::damaged::{Damaged, spoil};
use crate::postgres::site::Site;

const LOG: Spared = Spared::all("/log/", "log on its way to a server that replays it");

fn hold(site: &Site, line: &str) -> Vec<Call> {
    holds(&site.command(line), &site.path(""), &[LOG])
}

#[test]
fn a_cluster_is_copied_and_restored_aside() {
    let site = Site::incremental(15);
    hold(&site, "run nightly --quiet");
    site.cluster
        .sql("create table more as select generate_series(1, 9) i");
    hold(&site, "run nightly --quiet");
    let segment = site
        .cluster
        .ask("select pg_walfile_name(pg_current_wal_lsn())");
    site.cluster.sql("select pg_switch_wal()");
    hold(&site, "run wal --quiet");
    let later = site.path("later");
    std::fs::create_dir(&later).expect("a folder");
    own(&later);
    let make = format!("create tablespace later location '{}'", later.display());
    site.cluster.sql(&make);
    site.cluster
        .sql("create table last tablespace later as select 1 i");
    hold(&site, "run wal --quiet");
    // who pushed it first may not have made it durable before its end
    let path = site.cluster.data.join("pg_wal").join(segment);
    let calls = hold(
        &site,
        &format!("log push --service shop {}", path.display()),
    );
    let synced = calls
        .iter()
        .filter(|call| call.ours && call.name == "fsync");
    let synced = synced.flat_map(|call| &call.handles);
    let synced = synced.filter(|path| path.contains("/logs/") && Path::new(path).is_file());
    assert_eq!(synced.count(), 2, "one on each device");
    hold(&site, "restore shop --to copy --yes");
}

#[test]
fn a_cluster_is_put_right_where_it_stands() {
    let story = Damaged::new(15, "fast");
    let site = &story.site;
    site.cluster.start();
    let file = Damaged::file(site, "cold_ledger");
    site.cluster
        .sql("create table young as select generate_series(1, 900) i");
    let young = Damaged::file(site, "young");
    site.cluster.sql("select pg_create_restore_point('noon')");
    site.cluster.sql("create table late as select 1");
    site.good("run wal");
    site.cluster.stop("fast");
    spoil(&site.cluster.data.join(&file), 0);
    let calls = hold(site, &format!("recover damaged_file bad={file}:0 --yes"));
    // no server starts on half of a recovery
    in_order(
        &calls,
        &[
            ("rename", "/pg_control.planc-kept"),
            ("fsync", "/data/global"),
            ("fsync", "/data"),
            ("pwrite", &file),
            ("fsync", &file),
            ("rename", "/global/pg_control"),
        ],
    );
    // one that the copy lacks, too, is durable before a server may start
    let calls = hold(site, &format!("recover damaged_file bad={young}:0 --yes"));
    in_order(
        &calls,
        &[
            ("pwrite", &young),
            ("fsync", &young),
            ("rename", "/global/pg_control"),
        ],
    );
    std::fs::remove_file(site.cluster.data.join(&file)).expect("lost");
    hold(site, &format!("recover damaged_file bad={file} --yes"));
    let hot = site.path("hot");
    std::fs::remove_dir_all(&hot).expect("lost");
    std::fs::create_dir(&hot).expect("a new disk");
    own(&hot);
    let calls = hold(site, "recover lost_tablespace ts=hot --yes");
    // what a try left behind is told from what others have
    in_order(
        &calls,
        &[
            ("open", "/hot/.planc-restoring"),
            ("fsync", "/hot"),
            ("mkdir", "/hot/PG_15_"),
        ],
    );
    hold(site, "recover moved_tablespace ts=hot --yes");
    std::fs::remove_dir_all(site.cluster.data.join("global")).expect("lost");
    hold(site, "restore shop --delta --at point:noon --yes");
}
