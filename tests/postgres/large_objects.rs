//! Large objects, which belong to a database and to none of its tables, on real servers: a copy of a
//! database brings them back, and what leaves them behind says so.

use super::cluster::{Cluster, versions};
use super::logical::site;
use super::one_database::run;
use super::scenarios::blamed;

const SAYS: &str = "a.file may refer to large objects: they come with the whole database only";

/// The text of the only large object.
fn text(cluster: &Cluster, database: &str) -> String {
    let mut client = cluster.client_of("postgres", database);
    let query = "select convert_from(lo_get(oid), 'utf8') from pg_largeobject_metadata";
    client.query_one(query, &[]).expect(query).get(0)
}

#[test]
fn who_leaves_large_objects_behind_says_so() {
    for version in versions() {
        let site = site(version);
        site.cluster.sql("alter role keeper superuser");
        run(
            &site.cluster,
            "orders",
            "alter table a add file oid default 0; alter table lines add file oid",
        );
        let object = "select lo_from_bytea(0, 'a picture')";
        run(&site.cluster, "orders", object);
        run(&site.cluster, "stock", object);
        let told = site.good("run");
        assert!(told.contains(SAYS), "{told}");
        let bad = blamed(&site.cluster, "drop table lines cascade");
        run(&site.cluster, "stock", "drop table items");
        site.good("run wal");
        let told = site.good(&format!(
            "recover dropped_table victim=lines bad={bad} --yes"
        ));
        assert!(
            told.contains(&SAYS.replace("a.file", "lines.file")),
            "{told}"
        );
        site.good("recover lost_database --yes");
        assert_eq!(text(&site.cluster, "stock_then"), "a picture");
    }
}
