//! Clusters that did not go straight on: one that went through `pg_resetwal`, with a timeline that
//! nobody promoted and transactions of a later round of their numbers, and one that was put back.

use super::ahead::until;
use super::chains::{a_second, bulk};
use super::cluster::run_ok;
use super::site::Site;
use super::template::cp;

/// A transaction whose number differs by a round is another one, and in no log.
fn of_another_round(site: &Site, number: &str) {
    let other = number.parse::<u64>().expect("a number") - (1 << 32);
    for (line, code) in [
        (
            format!("recover dropped_table victim=public.notes bad={other} --dry-run"),
            2,
        ),
        (
            format!("restore shop --to any --at before:{other} --dry-run"),
            2,
        ),
        (format!("undo shop {other} --dry-run"), 1),
        (format!("log inspect shop {other}"), 1),
    ] {
        let told = site.ends(&line, code);
        assert!(told.contains(&format!("transaction {other}")), "{told}");
    }
}

#[test]
fn a_timeline_without_a_history_and_long_transaction_numbers_are_recovered() {
    let site = Site::incremental(15);
    let cluster = &site.cluster;
    bulk(&site);
    site.good("run");
    cluster.stop("fast");
    let data = cluster.data.display().to_string();
    let words = ["-e", "7", "-l", "000000140000000000000040", "-D", &data];
    run_ok(15, "pg_resetwal", &words);
    cluster.start();
    let told = site.good("run");
    assert!(told.contains("the base is of another history"), "{told}");
    cluster.sql("update bulk set t = 'new' where i = 7");
    a_second();
    let told = site.good("run");
    assert!(told.contains("changed pages of"), "{told}");
    let mut orders = cluster.client_of("postgres", "orders");
    let mut bad = orders.transaction().expect("a transaction");
    bad.execute("delete from notes", &[]).expect("rows");
    let number = bad.query_one("select pg_current_xact_id()::text", &[]);
    let number: String = number.expect("a number").get(0);
    bad.commit().expect("committed");
    assert!(number.parse::<u64>().expect("a number") > 7 << 32);
    site.good("run wal");

    let told = site.good("log status");
    assert!(told.contains("found      0000001400000000"), "{told}");
    let told = site.good(&format!("log inspect shop {number}"));
    assert!(told.contains("orders.public.notes"), "{told}");
    let told = site.ends("restore shop --to any --dry-run", 2);
    assert!(
        told.contains("more than one history: 00000001, 00000014"),
        "{told}"
    );
    let lost = "recover lost_tablespace ts=hot --dry-run";
    let told = site.ends(lost, 2);
    assert!(
        told.contains("say which is meant: `--timeline N`"),
        "{told}"
    );
    assert!(
        site.good(&format!("{lost} --timeline 20"))
            .contains("of history 00000014")
    );
    assert!(
        site.good("drill weekly --dry-run --timeline 20")
            .contains("of history 00000014")
    );
    let undo = site.good(&format!("undo shop {number} --dry-run"));
    assert!(undo.contains("of history 00000014"), "{undo}");
    let of_number = format!("recover dropped_table victim=public.notes bad={number} --dry-run");
    assert!(site.good(&of_number).contains("of history 00000014"));
    let told = site.ends(&of_number.replace(&number, "4711"), 2);
    assert!(told.contains("holds transaction 4711"), "{told}");
    of_another_round(&site, &number);
    for (name, words, notes) in [
        ("before", format!("--at before:{number}"), 20),
        ("now", "--timeline 20".to_owned(), 0),
    ] {
        site.good(&format!("restore shop --to {name} {words} --yes"));
        let copy = site.restored(name);
        let mut orders = copy.client_of("postgres", "orders");
        let count = orders.query_one("select count(*) from notes", &[]);
        assert_eq!(count.expect("a count").get::<_, i64>(0), notes);
        assert_eq!(copy.ask("select count(*) from bulk where t = 'new'"), "1");
    }
}

#[test]
fn a_server_that_was_put_back_on_its_timeline_is_told() {
    let site = Site::new(15);
    let cluster = &site.cluster;
    let earlier = site.path("earlier");
    cluster.stop("fast");
    cp(&cluster.data, &earlier);
    cluster.start();
    for name in ["one", "two", "three"] {
        cluster.sql(&format!("create table {name} as select 1 i"));
        site.good("run wal");
    }
    cluster.stop("immediate");
    std::fs::remove_dir_all(&cluster.data).expect("removed");
    cp(&earlier, &cluster.data);
    cluster.start();
    cluster.sql("create table four as select 1 i");
    cluster.sql("select pg_switch_wal()");
    until("it is refused", || {
        cluster.ask("select failed_count > 0 from pg_stat_archiver") == "true"
    });
    assert!(cluster.log().contains("split brain suspected"));
    let told = site.ends("log status", 1);
    assert!(told.contains("its archive command fails for"), "{told}");
    assert!(told.contains("window of vulnerability: unknown"), "{told}");
}
