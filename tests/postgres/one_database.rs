//! Some databases of a cluster restored on real servers: theirs is all there, of the others the
//! names only, which the server refuses and drops.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use super::cluster::{Cluster, versions};
use super::driven::{check_pages, kill_at};
use super::extracts::bytes;
use super::ledger::{self, Commit, Writer};
use super::site::Site;

/// A cluster with two databases that share a tablespace, copied in full and once more.
struct Story {
    site: Site,
    /// Committed before `moment`, in `mine`.
    ledger: Vec<Commit>,
    moment: Timestamp,
}

const BIG: &str = "as select i, repeat('b', 900) from generate_series(1, 1500) i";

pub(crate) fn run(cluster: &Cluster, database: &str, statements: &str) {
    let done = cluster
        .client_of("postgres", database)
        .batch_execute(statements);
    done.expect(statements);
}

/// The database that is wanted has another name in the full copy; the log makes `made` of the files
/// of `other`, which is left out.
fn story(version: u32) -> Story {
    let site = Site::incremental(version);
    let cold = site.path("cold");
    std::fs::create_dir(&cold).expect("folder");
    super::cluster::own(&cold);
    site.cluster.sql(&format!(
        "create tablespace cold location '{}'",
        cold.display()
    ));
    for name in ["early", "other"] {
        site.cluster.sql(&format!("create database {name}"));
        run(
            &site.cluster,
            name,
            &format!("create table big {BIG}; create table warm tablespace hot {BIG}"),
        );
    }
    let frozen = format!("create table frozen tablespace cold {BIG}");
    run(&site.cluster, "other", &frozen);
    site.good("run");
    site.cluster.sql("alter database early rename to mine");
    let writer = Writer::start_in(&site.cluster, "mine", "ledger", "hot");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.good("run");
    let ledger = writer.finish();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let moment = Timestamp::now();
    std::thread::sleep(std::time::Duration::from_millis(20));
    run(&site.cluster, "mine", "create table later (i int)");
    let copy = "create database made template other strategy file_copy";
    site.cluster.sql(copy);
    site.good("run wal");
    Story {
        site,
        ledger,
        moment,
    }
}

impl Story {
    /// The restored copy has all of `mine`.
    fn has_mine(&self, copy: &Cluster, later: bool) {
        assert_eq!(ledger::read_in(copy, "mine", "ledger"), self.ledger);
        let mut client = copy.client_of("postgres", "mine");
        let query = "select count(*), sum(length(b.repeat) + length(w.repeat)), \
                     to_regclass('later') is not null from big b join warm w using (i)";
        let row = client.query_one(query, &[]).expect("both tables");
        let found: (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(found, (1500, 1500 * 1800, later));
    }
}

/// Why the server refuses a session.
fn refusal(copy: &Cluster, database: &str) -> String {
    let mut config = postgres::Config::new();
    config.host_path(copy.folder.path()).user("postgres");
    let refused = config.dbname(database).connect(postgres::NoTls);
    let error = refused.err().expect(database);
    error.as_db_error().expect("its words").message().to_owned()
}

/// Length of the files of a database below a folder, and what the disk gives them.
fn files_of(folder: &Path, database: &str) -> (u64, u64) {
    let (mut length, mut held) = (0, 0);
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        let about = entry.metadata().expect("a file");
        let inside = entry.path().parent().and_then(Path::file_name);
        if about.is_file() && inside.is_some_and(|name| name == database) {
            length += about.len();
            held += about.blocks() * 512;
        }
    }
    (length, held)
}

#[test]
fn one_database_comes_back_and_the_others_can_be_dropped() {
    for version in versions() {
        let story = story(version);
        let site = &story.site;
        let oid = "select oid from pg_database where datname = 'other'";
        let oid = site.cluster.ask(oid);
        let dry = site.good("restore shop --to one --database mine --dry-run");
        assert!(dry.contains("content of mine only"), "{dry}");

        let told = site.good("restore shop --to one --database mine --yes");
        let (restored, whole) = bytes(&told);
        assert!(restored + 15_000_000 < whole, "{told}");
        for words in [
            "the content of mine was wanted; left out",
            "database orders with its files in tablespace hot",
            "database other with its files in tablespace hot",
            "database made",
            "tablespace cold",
            "drop database \"other\"; drop database \"made\"; drop tablespace \"cold\"",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let (length, held) = files_of(&site.path("one"), &oid);
        assert!(length > 10_000_000, "{length}");
        assert!(held < length / 4, "{held} of {length}");

        let copy = site.restored("one");
        story.has_mine(&copy, true);
        for name in ["orders", "other", "made"] {
            let told = refusal(&copy, name);
            assert!(told.contains("invalid database"), "{told}");
            copy.sql(&format!("drop database {name}"));
        }
        copy.sql("drop tablespace cold");
        let left = "select count(*) from pg_database";
        assert_eq!(copy.ask(left), "4");
        check_pages(&copy);
        assert_eq!(files_of(&site.path("one"), &oid), (0, 0));
        copy.start();
        story.has_mine(&copy, true);

        let then = story.moment;
        let line = format!("restore shop --to then --at {then} --database mine --yes");
        let told = site.good(&line);
        assert!(!told.contains("database made"), "{told}");
        let copy = site.restored("then");
        story.has_mine(&copy, false);
        copy.sql("drop database other");
    }
}

#[test]
fn a_choice_that_cannot_be_is_refused_before_anything_is_written() {
    let site = Site::new(15);
    site.good("run");
    let before = (site.everything(), site.journal_records());
    for (line, words) in [
        (
            "--to new --database orders --database order --yes",
            "restore only database order: the copy has no such database; it has ",
        ),
        ("--delta --database orders --yes", "would destroy"),
    ] {
        let told = site.ends(&format!("restore shop {line}"), 2);
        assert!(told.contains(words), "{line}: {told}");
    }
    let told = site.ends("restore shop --to new --database order --yes", 2);
    for words in ["orders", "postgres", "name databases that the copy has"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!((site.everything(), site.journal_records()), before);

    let told = site.good("restore shop --to new --database postgres --yes");
    let left_out = "unusable in the copy: database orders, tablespace hot";
    assert!(told.contains(left_out), "{told}");
    let told = site.good("restore shop --to all --database orders --yes");
    assert!(!told.contains("unusable"), "{told}");
    assert_eq!(
        site.restored("all").ask("select count(*) from pg_database"),
        "4"
    );
}

#[test]
fn a_restore_that_goes_on_keeps_its_choice() {
    let site = Site::new(15);
    site.cluster.sql("create database other");
    run(&site.cluster, "other", "create table t as select 1 i");
    site.good("run");
    let known = site.journal_records();
    let line = "restore shop --to one --database orders --yes";
    assert!(kill_at(&site, line, known + 5), "it ended too early");
    let told = site.ends("restore --resume --database other", 2);
    assert!(told.contains("--database"), "{told}");
    let told = site.good("restore --resume");
    assert!(
        told.contains("unusable in the copy: database other"),
        "{told}"
    );
    let copy = site.restored("one");
    let mut orders = copy.client_of("postgres", "orders");
    let rows = orders.query_one("select count(*) from lines", &[]);
    assert_eq!(rows.expect("rows").get::<_, i64>(0), 40);
    copy.sql("drop database other");
}
