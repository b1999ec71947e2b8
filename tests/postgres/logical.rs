//! Logical copies by the plan on real servers: groups of one database in one snapshot, brought back
//! with `pg_restore` beside the live tables, under their old names, and in drills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cluster::{Cluster, own, versions};
use super::scenarios::number;
use super::settings::survey;
use super::site::Site;

const MORE: &str = r#"
backup lookups of group core, group left, group right, group shard {
  logical every day at 05:45
  store on near
  copy to far within 1h
  retain daily 14
  encrypt none
}

backup dumps of service shop {
  logical every day at 05:45
  store on near
  retain daily 14
  encrypt none
}

recovery lost_group {
  for human error
  given g: group of shop
  restore $g from nearest
  probe orders "select count(*) from lines" >= 40
}

recovery beside {
  for human error
  restore group core to scratch from far
  extract group core into database orders as "before"
  probe orders "select count(*) from before.lines" >= 40
}

recovery lost_database {
  for human error
  restore service shop to scratch from nearest
  replay log to latest
  extract database stock into service shop as "stock_then"
}

drill one_moment every sun at 14:00 {
  restore group left, group right, group shard to scratch from any
  probe orders "select (select count(*) from a) = (select count(*) from b)" is true
  probe orders "select count(*) from b" > 0
  probe orders "select count(*) from late" = 1
}
"#;

fn plan(text: &str) -> String {
    let groups = "group core tables lines\n    group left tables a\n    group right tables matching b*\n    \
                  group shard tables late\n  }\n  \
                  database stock";
    text.replace("group core tables lines\n  }", groups) + MORE
}

fn orders(cluster: &Cluster) -> postgres::Client {
    cluster.client_of("postgres", "orders")
}

/// A site with two tables that always have as many rows.
pub(crate) fn site(version: u32) -> Site {
    let site = Site::with(version, plan);
    orders(&site.cluster)
        .batch_execute(
            "create table a (id int8 primary key); \
             create table b (id int8 primary key references a, odd text default 'it''s'); \
             create type mood as enum ('good', 'bad'); \
             create table logs (d int primary key) partition by list (d); \
             create table late partition of logs for values in (1); insert into logs values (1); \
             alter table b add feeling mood default 'good'",
        )
        .expect("tables");
    site.cluster.sql("create database stock");
    let mut stock = site.cluster.client_of("postgres", "stock");
    stock
        .batch_execute("create table items as select i from generate_series(1, 30) i")
        .expect("a table");
    site
}

/// A client that writes both tables in one transaction after the other.
pub(crate) struct Pairs {
    stop: Arc<AtomicBool>,
    writer: std::thread::JoinHandle<()>,
}

impl Pairs {
    pub(crate) fn start(site: &Site) -> Self {
        let mut client = orders(&site.cluster);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let writer = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) && pair(&mut client).is_ok() {}
        });
        Self { stop, writer }
    }

    /// Waits until it is cut off, or ends it.
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.writer.join().expect("the writer");
    }
}

fn pair(client: &mut postgres::Client) -> Result<(), postgres::Error> {
    let mut both = client.transaction()?;
    let next = "insert into a select coalesce(max(id) + 1, 0) from a returning id";
    let id: i64 = both.query_one(next, &[])?.get(0);
    both.execute("insert into b values ($1)", &[&id])?;
    both.commit()
}

#[test]
fn groups_of_one_database_show_one_moment_and_come_back() {
    for version in versions() {
        let site = site(version);
        let pairs = Pairs::start(&site);
        let dry = site.good("run lookups --dry-run");
        assert!(dry.contains("all copies of orders have begun"), "{dry}");
        std::thread::sleep(Duration::from_millis(100));
        site.good("run lookups dumps");
        let list = site.good("list");
        for words in ["shop/database/stock", "shop/database/orders"] {
            assert!(list.contains(words), "a service is its databases: {list}");
        }
        pairs.end();
        let told = site.good("drill one_moment --yes");
        assert!(told.contains("probe"), "{told}");

        site.cluster.sql("alter role keeper superuser");
        let told = site.good("recover beside --yes");
        assert!(told.contains("before.lines (40 rows)"), "{told}");
        assert!(
            told.contains("not made for a copy under another name"),
            "{told}"
        );
        let told = site.ends("recover lost_group g=core --yes", 2);
        assert!(told.contains("has a table of this name"), "{told}");
        orders(&site.cluster)
            .batch_execute("drop table lines cascade")
            .expect("dropped");
        let told = site.ends("recover lost_group g=cor --yes", 2);
        assert!(told.contains("did you mean `core`"), "{told}");
        let told = site.good("recover lost_group g=core --yes");
        assert!(told.contains("public.lines (40 rows)"), "{told}");
        let keys = "select count(*) from pg_constraint where contype = 'f' and convalidated \
                    and 'lines'::regclass in (conrelid, confrelid)";
        assert_eq!(
            number(&site.cluster, keys),
            2,
            "its own key and the one to it"
        );
        let next = "insert into lines (customer, note) values (3, 'next') returning id::int8";
        assert_eq!(number(&site.cluster, next), 41, "the sequence came too");
        assert_eq!(
            site.left_behind(),
            0,
            "nothing stays of what was only on the way"
        );
    }
}

#[test]
fn what_cannot_be_dumped_is_named_before_anything_is_written() {
    let site = site(18);
    let refused = |words: &str| {
        let told = site.ends("run lookups", 2);
        assert!(told.contains(words), "{words}: {told}");
    };
    let inventory = site.path("inventory.yaml");
    let good = std::fs::read_to_string(&inventory).expect("inventory");
    std::fs::create_dir(site.path("old")).expect("a folder");
    let program = site.path("old/pg_dump");
    std::fs::write(&program, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.1'\n").expect("written");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, open).expect("changed");
    own(&site.path("old"));
    let programs = super::cluster::tools(18).display().to_string();
    let old = site.path("old").display().to_string();
    std::fs::write(&inventory, good.replace(&programs, &old)).expect("inventory");
    refused("older than the server");
    std::fs::write(&inventory, &good).expect("inventory");

    site.cluster.sql("revoke pg_read_all_data from keeper");
    refused("grant pg_read_all_data");
    site.cluster.sql("grant pg_read_all_data to keeper");
    orders(&site.cluster)
        .batch_execute("alter table lines enable row level security")
        .expect("changed");
    refused("BYPASSRLS");
    orders(&site.cluster)
        .batch_execute("alter table lines disable row level security; drop table a cascade")
        .expect("changed");
    // the group that is whole is copied, the other one is told
    let told = site.ends("run lookups", 1);
    assert!(told.contains("find table a in shop"), "{told}");
    let list = site.good("list");
    assert!(list.contains("shop/group/orders.core"), "{list}");
    assert!(!list.contains("shop/group/orders.left"), "{list}");
}

const PAIR: &str = r#"
backup lookups of group core {
  logical every day at 05:45
  store on near
  retain daily 14
  encrypt none
}

recovery group_now {
  for human error
  restore service shop to scratch from nearest
  replay log to latest
  extract group core into database orders as "core_now"
}
"#;

#[test]
fn one_table_of_a_group_that_is_gone_stops_nothing_else() {
    let site = Site::with(15, |plan| {
        plan.replace("tables lines", "tables lines, notes") + PAIR
    });
    site.cluster.sql("alter role keeper superuser");
    survey(&site);
    let told = site.good("run");
    assert!(!told.contains("GONE"), "{told}");
    let drop = |table: &str| {
        orders(&site.cluster)
            .batch_execute(&format!("drop table {table}"))
            .expect("dropped");
    };
    drop("notes");
    site.good("survey --service shop --sample 0");
    let told = site.ends("check shop.plan", 1);
    assert!(told.contains("no table `notes`"), "{told}");
    let told = site.good("run lookups nightly wal");
    for words in [
        "all else is",
        "table notes is GONE and in no copy from here on",
        "commit shop/group/orders.core",
        "commit shop/base/base",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    site.ends("status", 1);
    let told = site.good("recover group_now --yes");
    for words in ["table notes did not come", "core_now.lines (40 rows)"] {
        assert!(told.contains(words), "{words}: {told}");
    }

    // what came back beside is not what a bare name means
    let told = site.good("run lookups");
    assert!(told.contains("commit shop/group/orders.core"), "{told}");
    drop("core_now.lines, public.lines");
    let told = site.ends("run lookups nightly", 1);
    for words in ["has none; correct the plan", "commit shop/base/base"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
