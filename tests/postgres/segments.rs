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
    let told = site.ends("run wal", 1);
    for words in [
        "in segments of 1 MiB, the server has segments of 64 MiB now",
        "a service of its own",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }

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

/// A transaction with many subtransactions, which are all named where it ends: in 12 kB.
const LONG: &str = "begin; do $$ begin for i in 1..3000 loop begin \
    insert into customers select max(id) + 1, 'spoilt' from customers; \
    exception when others then null; end; end loop; end $$";
const SEGMENT: i64 = 1 << 20;

fn number(client: &mut postgres::Client, query: &str) -> i64 {
    let row = client.query_one(&format!("select ({query})::int8"), &[]);
    row.expect(query).get(0)
}

/// Commits one that ends in two segments; its number, and the customers that there were.
fn spoil(orders: &mut postgres::Client) -> (String, i64) {
    let at = "pg_current_wal_insert_lsn() - '0/0'";
    let mut written = 0;
    for end in [
        "rollback", "rollback", "commit", "commit", "commit", "commit",
    ] {
        let now = number(orders, at);
        let room = (-now - written - 6_000).rem_euclid(SEGMENT);
        let fill = format!("pg_logical_emit_message(false, '', repeat('x', {room}))");
        let began = number(orders, &format!("{fill} - '0/0'"));
        let there = number(orders, "select count(*) from customers");
        orders.batch_execute(LONG).expect("rows");
        written = number(orders, at) - began;
        let own = orders.query_one("select pg_current_xact_id()::text", &[]);
        let last = number(orders, at);
        orders.batch_execute(end).expect(end);
        if end == "commit" && number(orders, at) / SEGMENT > last / SEGMENT {
            return (own.expect("a number").get(0), there);
        }
    }
    panic!("none ended in two segments");
}

#[test]
fn what_ends_in_two_segments_is_left_out_as_a_whole() {
    let site = Site::new(15);
    site.good("run");
    let mut orders = site.cluster.client_of("postgres", "orders");
    let (bad, there) = spoil(&mut orders);
    site.good("run wal");
    site.good(&format!("restore shop --to then --at before:{bad} --yes"));
    let copy = site.restored("then");
    let mut orders = copy.client_of("postgres", "orders");
    assert_eq!(number(&mut orders, "select count(*) from customers"), there);
}
