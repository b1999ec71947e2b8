//! Clusters that are set up in unusual ways, on real servers: what their copies hold survives the
//! server that replays, which runs with settings of its own.

use super::cluster::{Cluster, own, versions};
use super::scenarios::orders;
use super::site::Site;

/// Commits that the cluster remembers the time of.
fn stamped(cluster: &Cluster) -> String {
    cluster.ask("select count(pg_xact_commit_timestamp(xmin)) from stamped")
}

fn set(site: &Site, settings: &[&str]) {
    site.cluster.stop("fast");
    site.cluster.configure(settings);
    site.cluster.start();
}

/// Settings of a copy that is not running.
fn set_copy(site: &Site, name: &str, setting: &str) {
    let path = site.path(name).join("data/postgresql.conf");
    let text = std::fs::read_to_string(&path).expect("settings");
    std::fs::write(&path, format!("{text}{setting}\n")).expect("settings");
}

#[test]
fn slots_commit_times_and_prepared_transactions_survive() {
    for version in versions() {
        let site = Site::new(version);
        set(
            &site,
            &["track_commit_timestamp = on", "max_replication_slots = 20"],
        );
        let cluster = &site.cluster;
        cluster.sql("create table stamped (i int)");
        cluster.sql("insert into stamped values (1)");
        cluster.sql(
            "select pg_create_physical_replication_slot('slot' || i) from generate_series(1, 12) i",
        );
        site.good("run");
        // the copy does not know that there may be any
        set(&site, &["max_prepared_transactions = 5"]);
        cluster.sql("begin; insert into stamped values (2); prepare transaction 'open'");
        cluster.sql("insert into stamped values (3)");
        site.good("run wal");

        let told = site.good("restore shop --to new --yes");
        assert!(told.contains("'open' in database postgres"), "{told}");
        set_copy(&site, "new", "max_prepared_transactions = 5");
        let copy = site.restored("new");
        copy.sql("commit prepared 'open'");
        assert_eq!(stamped(&copy), "3");

        cluster.stop("immediate");
        let hot = site.path("hot");
        std::fs::remove_dir_all(&hot).expect("lost");
        std::fs::create_dir(&hot).expect("a new disk");
        own(&hot);
        site.good("recover lost_tablespace ts=hot --yes");
        cluster.start();
        assert_eq!(
            cluster.ask("select count(*) from pg_replication_slots"),
            "12"
        );
        cluster.sql("commit prepared 'open'");
        assert_eq!(stamped(cluster), "3");
    }
}

/// The role and the database of the inventory.
fn connect_as(site: &Site, role: &str, database: &str) {
    let path = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&path).expect("inventory");
    let as_now = format!("user: {role}, database: {database}");
    std::fs::write(&path, text.replace("user: keeper", &as_now)).expect("inventory");
}

/// What a survey tells.
pub(crate) fn survey(site: &Site) -> String {
    let path = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&path).expect("inventory");
    std::fs::write(&path, text + "facts: shop.facts.yaml\n").expect("inventory");
    site.good("survey --service shop --sample 0")
}

#[test]
fn a_copy_is_opened_by_a_role_and_in_a_database_that_it_has() {
    let site = Site::new(15);
    let cluster = &site.cluster;
    let latin = "encoding 'LATIN1' locale 'C' template template0";
    cluster.sql(&format!("create database west {latin}"));
    // a name that is no text in the other databases
    let mut west = cluster.client_of("postgres", "west");
    let made = west.batch_execute(&format!("create database \"caf\u{e9}\" {latin}"));
    made.expect("a database");
    drop(west);
    let told = survey(&site);
    assert!(
        told.contains("a database is left out, since its name is no text in UTF-8: caf%E9"),
        "{told}"
    );
    site.good("run");
    cluster.sql("select pg_create_restore_point('noon')");
    cluster.sql("create role late superuser login");
    orders(cluster, "drop database postgres");
    connect_as(&site, "late", "orders");
    site.good("run wal");

    site.good("restore shop --to then --at point:noon --yes");
    assert_eq!(
        site.restored("then")
            .ask("select count(*) from pg_database"),
        "6"
    );
    site.good("restore shop --to now --yes");
    let copy = site.restored("now");
    let mut inside = copy.client_of("late", "orders");
    let row = inside.query_one("select count(*) from pg_database", &[]);
    assert_eq!(row.expect("a count").get::<_, i64>(0), 5);
}

/// A database in which nobody may define anything, not even where triggers are switched off.
#[test]
fn event_triggers_forbid_nothing_in_a_copy_and_are_named_where_they_do() {
    for version in versions() {
        let site = Site::new(version);
        site.cluster.sql("alter role keeper superuser");
        orders(
            &site.cluster,
            "create function refuse() returns event_trigger language plpgsql as \
             'begin raise exception ''not now''; end'; \
             create event trigger no_changes on ddl_command_start execute function refuse(); \
             alter event trigger no_changes enable always",
        );
        site.good("run");
        let lost = "insert into lines (customer, note) values (1, 'lost')";
        orders(&site.cluster, lost);
        let newest = "(select xmin::text from lines order by id desc limit 1)";
        let mut inside = site.cluster.client_of("postgres", "orders");
        let row = inside.query_one(newest, &[]);
        let transaction: String = row.expect("a number").get(0);
        site.good("run wal");
        site.good("drill weekly --yes");

        let line = format!("recover dropped_table victim=lines bad={transaction} --yes");
        let told = site.ends(&line, 1);
        assert!(
            told.contains("not now (PL/pgSQL function public.refuse()"),
            "{told}"
        );
        orders(&site.cluster, "alter event trigger no_changes disable");
        let told = site.good("recover --resume --yes");
        assert!(told.contains("recovered.lines (40 rows)"), "{told}");
    }
}
