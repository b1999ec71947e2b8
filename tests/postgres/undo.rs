//! One transaction taken back on real servers: what is unchanged since is as before, what was
//! changed since is told and left alone, and nothing else moves.

use super::cluster::{Cluster, versions};
use super::site::Site;

fn orders(cluster: &Cluster) -> postgres::Client {
    cluster.client_of("postgres", "orders")
}

fn run(cluster: &Cluster, statements: &str) -> u32 {
    let mut client = orders(cluster);
    let mut work = client.transaction().expect("a transaction");
    work.batch_execute(statements).expect(statements);
    let row = work.query_one("select pg_current_xact_id()::text", &[]);
    let number: String = row.expect("a number").get(0);
    work.commit().expect("a commit");
    number.parse().expect("a number")
}

/// All rows of a table as text.
fn rows(cluster: &Cluster, table: &str) -> Vec<String> {
    let query = format!("select one::text from {table} one order by 1");
    let rows = orders(cluster).query(&query, &[]).expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

const TABLES: &str = "create table accounts (id int primary key, money numeric(12, 2), \
     at timestamptz default now(), raw bytea, doubled numeric generated always as (money * 2) \
     stored, pad text, counted int generated always as identity); \
     create table owners (owner int primary key); \
     create table deals (a int, b text, owner int references owners on delete cascade, \
     primary key (a, b)); \
     create table bare (n int); \
     insert into accounts (id, money, raw, pad) \
     select i, i * 1.5, '\\x00ff', repeat('p', 400) from generate_series(1, 400) i; \
     insert into owners select generate_series(1, 20); \
     insert into deals select i, 'deal ''' || i || '''', i from generate_series(1, 20) i";

/// Every row but those that others changed is as before, and none is more.
fn same_but_three(before: &[String], after: &[String]) {
    let untouched = |row: &&String| {
        let other = ["(5,", "(201,", "(300,"];
        !other.iter().any(|key| row.starts_with(key))
    };
    let wanted: Vec<&String> = before.iter().filter(untouched).collect();
    let found: Vec<&String> = after.iter().filter(untouched).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_bad_transaction_is_taken_back_as_far_as_nobody_came_after() {
    for version in versions() {
        let site = Site::new(version);
        orders(&site.cluster).batch_execute(TABLES).expect("tables");
        site.good("run");
        let before = rows(&site.cluster, "accounts");
        let deals = rows(&site.cluster, "deals");
        let bad = run(
            &site.cluster,
            "update accounts set money = 0, at = 'epoch' where id between 1 and 40; \
             savepoint s; delete from accounts where id between 200 and 220; release s; \
             insert into accounts (id, money) values (1000, 7), (1001, 8); \
             insert into owners values (99); delete from owners where owner in (3, 4)",
        );
        // who came after: one row changed, one key used again, one new row refers to an inserted
        // one
        run(
            &site.cluster,
            "update accounts set pad = 'mine' where id = 5; \
             insert into accounts (id, money) values (201, 1); \
             update accounts set money = 9 where id = 300; \
             insert into deals values (50, 'new', 99)",
        );
        site.good("run wal");
        let line = format!("undo shop {bad} --yes");
        let told = site.ends(&line, 1);
        assert!(told.contains("permission denied"), "{told}");
        assert_eq!(rows(&site.cluster, "owners").len(), 19, "nothing moved");
        site.cluster.sql("alter role keeper superuser");
        let dry = site.good(&format!("undo shop {bad} --dry-run"));
        for words in ["before", "compare", "undo", "transaction"] {
            assert!(dry.contains(words), "{words}: {dry}");
        }
        let told = site.good(&line);
        for words in [
            "conflict: public.accounts (5)",
            "conflict: public.accounts (201)",
            "conflict: public.owners (99)",
            "conflicts: 3",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let after = rows(&site.cluster, "accounts");
        same_but_three(&before, &after);
        let query = "select pad || money from accounts where id = 5";
        let mine: String = orders(&site.cluster)
            .query_one(query, &[])
            .expect("a row")
            .get(0);
        assert_eq!(mine, "mine0.00", "what was changed since stays");
        let mut owned = rows(&site.cluster, "deals");
        owned.retain(|row| !row.starts_with("(50,"));
        assert_eq!(
            owned, deals,
            "rows that went with others are back, and none followed"
        );
        // once more: nothing is left to do
        let told = site.good(&line);
        assert!(told.contains("rows unchanged since: none"), "{told}");
        assert_eq!(rows(&site.cluster, "accounts"), after);
        // also when the database has another name since
        site.cluster.sql("alter database orders rename to renamed");
        let told = site.good(&line);
        assert!(told.contains("rows unchanged since: none"), "{told}");
        assert_eq!(site.left_behind(), 0, "nothing stays of the copies");
    }
}

#[test]
fn a_transaction_that_was_prepared_is_taken_back_past_its_own_locks() {
    let site = Site::new(15);
    site.cluster.stop("fast");
    site.cluster.configure(&["max_prepared_transactions = 4"]);
    site.cluster.start();
    site.cluster.sql("alter role keeper superuser");
    let mut client = orders(&site.cluster);
    client.batch_execute(TABLES).expect("tables");
    site.good("run");
    let before = rows(&site.cluster, "accounts");
    // just before it ended it was prepared, and held its locks
    client
        .batch_execute(
            "begin; lock table accounts in access exclusive mode; \
             update accounts set money = 0 where id < 30",
        )
        .expect("begun");
    let row = client.query_one("select pg_current_xact_id()::text", &[]);
    let bad: String = row.expect("a number").get(0);
    for statement in ["prepare transaction 'waits'", "commit prepared 'waits'"] {
        client.batch_execute(statement).expect(statement);
    }
    site.good("run wal");
    assert_ne!(rows(&site.cluster, "accounts"), before);
    site.good(&format!("undo shop {bad} --yes"));
    assert_eq!(rows(&site.cluster, "accounts"), before);
}

#[test]
fn what_cannot_be_taken_back_is_told() {
    let site = Site::new(15);
    site.cluster.sql("alter role keeper superuser");
    orders(&site.cluster).batch_execute(TABLES).expect("tables");
    site.good("run");
    let bare = run(&site.cluster, "insert into bare values (1)");
    let empty = run(
        &site.cluster,
        "truncate accounts; drop table notes; create table made as select 1",
    );
    let mut client = orders(&site.cluster);
    let mut work = client.transaction().expect("a transaction");
    let row = work.query_one("select pg_current_xact_id()::text", &[]);
    let rolled: String = row.expect("a number").get(0);
    work.batch_execute("insert into owners values (77)")
        .expect("inserted");
    work.rollback().expect("rolled back");
    site.good("run wal");
    let told = site.ends(&format!("undo shop {bare} --yes"), 1);
    assert!(told.contains("no primary key"), "{told}");
    let told = site.ends(&format!("undo shop {rolled} --yes"), 2);
    assert!(told.contains("was rolled back"), "{told}");
    let told = site.ends("undo shop 4000000 --yes", 1);
    assert!(told.contains("not in the stored log"), "{told}");
    let told = site.good(&format!("undo shop {empty} --yes"));
    assert!(told.contains("400 of public.accounts"), "{told}");
    assert!(
        told.contains("public.notes: the transaction dropped it"),
        "{told}"
    );
    assert!(
        told.contains("public.made was made by it and stays"),
        "{told}"
    );
    assert_eq!(rows(&site.cluster, "accounts").len(), 400);
}
