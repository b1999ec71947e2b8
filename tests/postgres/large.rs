//! A relation of more than one file: PostgreSQL cuts them at 1 GiB.

use super::chains::{a_second, bulk, is_sound};
use super::site::Site;

/// Bytes at which PostgreSQL begins another file.
const FILE: u64 = 1 << 30;

#[test]
#[ignore = "moves gigabytes: cargo test --test main a_relation_of_several_files -- --ignored"]
fn a_relation_of_several_files_comes_back_from_a_chain() {
    let site = Site::incremental(15);
    bulk(&site);
    let cluster = &site.cluster;
    cluster.sql("create table wide with (autovacuum_enabled = off) as select * from bulk");
    let file = cluster.ask("select pg_relation_filepath('wide')");
    let file = cluster.data.join(file);
    // pages that were never used fill up the first file
    cluster.stop("fast");
    let opened = std::fs::File::options().write(true).open(&file);
    opened.and_then(|file| file.set_len(FILE)).expect("longer");
    cluster.start();
    cluster.sql("insert into wide select i + 10000, t from bulk; checkpoint");
    let second = file.with_extension("1");
    assert!(second.metadata().expect("a second file").len() > 0);
    site.good("run");
    cluster.sql("update wide set t = 'changed' where i % 900 = 0");
    a_second();
    let told = site.good("run");
    assert!(told.contains("changed pages of"), "{told}");
    site.good("run wal");

    let hot = site.path("wide-hot").display().to_string();
    site.good(&format!(
        "restore shop --to wide --relocate hot={hot} --yes"
    ));
    let restored = site.restored("wide");
    let rows = "select concat(count(*), ' ', sum(hashtext(wide::text))) from wide";
    assert_eq!(restored.ask(rows), cluster.ask(rows));
    is_sound(&restored);
}
