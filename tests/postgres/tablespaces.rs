//! Tablespaces that are not as usual, on real servers: one that lies in the data directory, one that
//! was made after the last copy.

use super::cluster::{Cluster, own, versions};
use super::site::Site;

fn counts(cluster: &Cluster) -> (String, String) {
    let count = |table: &str| cluster.ask(&format!("select count(*) from {table}"));
    (count("inner_rows"), count("young"))
}

/// One inside with rows in the copy and rows after it, one that only the log knows.
fn fill(site: &Site) {
    let mut client = site.cluster.client();
    for statement in [
        "set allow_in_place_tablespaces = on",
        "create tablespace inside location ''",
        "create table inner_rows tablespace inside as select generate_series(1, 1000)",
    ] {
        client.batch_execute(statement).expect(statement);
    }
    site.good("run");
    let place = site.path("late");
    std::fs::create_dir(&place).expect("folder");
    own(&place);
    let place = place.display();
    for statement in [
        "insert into inner_rows select generate_series(1, 1000)".to_owned(),
        format!("create tablespace late location '{place}'"),
        "create table young tablespace late as select generate_series(1, 300)".to_owned(),
        "select pg_create_restore_point('noon')".to_owned(),
        "insert into young select generate_series(1, 50)".to_owned(),
    ] {
        client.batch_execute(&statement).expect(&statement);
    }
    site.good("run wal");
}

#[test]
fn tablespaces_inside_and_those_that_only_the_log_knows_come_back() {
    for version in versions() {
        let site = Site::new(version);
        fill(&site);
        site.good("restore shop --to new --yes");
        let copy = site.restored("new");
        assert_eq!(counts(&copy), ("2000".to_owned(), "350".to_owned()));
        copy.sql("truncate young");
        copy.stop("fast");

        site.cluster.stop("immediate");
        std::fs::remove_file(site.cluster.data.join("base/1/1259")).expect("damaged");
        for (at, young) in [("latest", "350"), ("point:noon", "300")] {
            site.good(&format!("restore shop --delta --at {at} --yes"));
            site.cluster.start();
            assert_eq!(counts(&site.cluster), ("2000".to_owned(), young.to_owned()));
            let place = "select pg_tablespace_location(oid) from pg_tablespace \
                         where spcname = 'late'";
            let late = site.path("late").display().to_string();
            assert_eq!(site.cluster.ask(place), late);
            site.cluster.stop("fast");
        }
    }
}
