//! `planc survey` against real servers: the facts file says what the servers say, the checks on it
//! speak, and what stands in the way is named.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use planc::diagnostic::Diagnostics;
use planc::facts::facts_file::{self, MeasuredFacts};
use planc::media::directory::DirectoryDevice;
use planc::source::FileId;

use super::cluster::{Cluster, own, versions};

const PLAN: &str = r#"planc 1
plan shop
timezone UTC
environment prod inventory "shop.yaml"
device near is directory at a
site a
service shop is postgresql {
  tablespace hot
  database orders {
    group core tables orders, order_lines
  }
}
service notes is sqlite
backup all of base of shop, tablespace hot, service notes {
  physical full every day at 03:00
  store on near
  retain window 7d
  encrypt none
}
archive wal of shop {
  ship every 1min or 16 MiB to near
  retain window 7d
  encrypt none
}
"#;

/// A folder with plan, inventory, a device and a SQLite file.
fn site(cluster: &Cluster, connect: &str) -> tempfile::TempDir {
    let folder = super::cluster::folder();
    let path = folder.path();
    std::fs::create_dir(path.join("near")).expect("a folder");
    DirectoryDevice::init("near", &path.join("near")).expect("a device");
    let notes = rusqlite::Connection::open(path.join("notes.db")).expect("a database");
    let fill = "pragma journal_mode = wal; create table n (i); insert into n values (1)";
    notes.execute_batch(fill).expect("filled");
    let inventory = format!(
        "inventory: 1\nsites: {{a: {{}}}}\nhosts: {{db: {{site: a}}}}\n\
         services:\n  shop: {{engine: postgresql, host: db, connect: {{socket: {0}, {connect}}}}}\n\
         \x20 notes: {{engine: sqlite, host: db, path: notes.db}}\n\
         devices:\n  near: {{site: a, path: near}}\nfacts: shop.facts.yaml\n",
        cluster.folder.path().display()
    );
    std::fs::write(path.join("shop.yaml"), inventory).expect("inventory");
    std::fs::write(path.join("shop.plan"), PLAN).expect("plan");
    own(path);
    folder
}

fn planc(site: &Path, words: &[&str]) -> Output {
    let planc = Command::new(env!("CARGO_BIN_EXE_planc"))
        .args(words)
        .current_dir(site)
        .env_remove("ORDERS_PASSWORD")
        .output();
    planc.expect("planc starts")
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

fn facts(site: &Path) -> MeasuredFacts {
    let text = std::fs::read_to_string(site.join("shop.facts.yaml")).expect("facts");
    let mut found = Diagnostics::new();
    let facts = facts_file::read(FileId(0), &text, &mut found);
    assert!(found.is_empty(), "{text}");
    facts
}

/// A server with a tablespace, a database, foreign keys and an UNLOGGED table.
fn server(version: u32) -> (Cluster, PathBuf) {
    let cluster = Cluster::archiving(version);
    let hot = cluster.folder.path().join("hot space");
    std::fs::create_dir(&hot).expect("a folder");
    own(&hot);
    cluster.sql(&format!(
        "create tablespace hot location '{}'",
        hot.display()
    ));
    cluster.sql("create database orders");
    let mut client = cluster.client_of("postgres", "orders");
    let filled = client.batch_execute(
        "create table customers (id int primary key);
         create table orders (id int primary key, c int references customers) tablespace hot;
         create table order_lines (o int references orders, parent int, n int primary key,
                                   foreign key (parent) references order_lines (n));
         create unlogged table sessions (i int);
         create schema sales; create table sales.\"Odd name\" (i int);
         insert into customers select generate_series(1, 500);
         insert into orders select i, i from generate_series(1, 500) i;",
    );
    filled.expect("filled");
    (cluster, hot)
}

#[test]
fn the_facts_are_those_of_the_servers_and_the_checks_read_them() {
    for version in versions() {
        let (cluster, hot) = server(version);
        let site = site(&cluster, "user: postgres");
        let done = planc(site.path(), &["survey", "--sample", "0.4"]);
        assert!(done.status.success(), "{}", text(&done));
        let facts = facts(site.path());
        let shop = &facts.instances["shop"];
        assert_eq!(shop.major(), Some(version));
        let identity = cluster.ask("select system_identifier from pg_control_system()");
        assert_eq!(shop.identity.as_ref(), Some(&identity));
        assert_eq!(shop.setting("archive_mode"), Some("on"));
        assert_eq!(shop.setting("archive_command"), Some("other"));
        assert_eq!(shop.setting("data_checksums"), Some("on"));
        assert_eq!(shop.setting("summarize_wal").is_some(), version >= 17);
        let space = &shop.tablespaces["hot"];
        assert_eq!(space.path.as_deref(), hot.to_str());
        let size: u64 = cluster
            .ask("select pg_tablespace_size('hot')")
            .parse()
            .expect("a size");
        let told = space.size.expect("measured").0;
        assert!(told >= size && told <= size + size / 20, "{told} {size}");
        let tables = &shop.databases["orders"].tables;
        assert_eq!(tables.len(), 5, "{tables:?}");
        assert!(tables["public.sessions"].unlogged && tables.contains_key("sales.Odd name"));
        let refers: Vec<&String> = tables["public.order_lines"].refers.iter().collect();
        assert_eq!(
            refers,
            ["public.orders"],
            "a table does not refer to itself"
        );
        assert_eq!(tables["public.orders"].tablespace.as_deref(), Some("hot"));
        assert!(facts.components["shop/tablespace/hot"].0.is_some());
        assert!(facts.components["shop/group/orders.core"].0.is_some());
        assert!(facts.components["notes/database/main"].0.is_some());
        let near = facts.devices["near"];
        assert!(near.0.is_some() && near.1.is_some());
        assert!(
            site.path()
                .join("near/tmp")
                .read_dir()
                .expect("tmp")
                .next()
                .is_none()
        );

        let checked = planc(site.path(), &["check", "--format", "short"]);
        let told = text(&checked);
        for (code, name) in [
            ("P0507", "orders.public.sessions"),
            ("P0506", "`customers`"),
        ] {
            let line = told.lines().find(|line| line.contains(code));
            assert!(
                line.is_some_and(|line| line.contains(name)),
                "{code}: {told}"
            );
        }
    }
}

#[test]
fn a_survey_repeated_differs_only_by_what_changed() {
    let (cluster, _) = server(15);
    let site = site(&cluster, "user: postgres");
    let survey = |more: &[&str]| {
        let words = ["survey", "--sample", "0.2", "--service", "shop"];
        planc(site.path(), &[&words[..], more].concat())
    };
    assert_eq!(
        survey(&["--diff"]).status.code(),
        Some(1),
        "there is no file yet"
    );
    assert!(!site.path().join("shop.facts.yaml").exists());
    assert!(survey(&[]).status.success());
    let before = facts(site.path());
    assert!(!before.instances.contains_key("notes") && before.devices.is_empty());
    let mut client = cluster.client_of("postgres", "orders");
    client
        .batch_execute("create table fresh (i int)")
        .expect("made");
    let diff = survey(&["--diff"]);
    assert_eq!(diff.status.code(), Some(1));
    let told = text(&diff);
    assert!(told.contains("+          public.fresh: {"), "{told}");
    assert_eq!(facts(site.path()), before, "--diff writes nothing");

    // a plan that the old facts contradict can be surveyed: that is what the help says
    let plan = PLAN.replace("order_lines", "fresh");
    std::fs::write(site.path().join("shop.plan"), plan).expect("plan");
    let checked = planc(site.path(), &["check", "--format", "short"]);
    assert!(text(&checked).contains("P0205"), "{}", text(&checked));
    assert!(survey(&[]).status.success());
    let checked = planc(site.path(), &["check", "--format", "short"]);
    assert!(!text(&checked).contains("P0205"), "{}", text(&checked));
}

#[test]
fn the_log_rate_is_that_of_the_writer() {
    let (cluster, _) = server(15);
    let site = site(&cluster, "user: postgres");
    let mut client = cluster.client();
    client
        .batch_execute("create table w (t text)")
        .expect("made");
    let begun = cluster.ask("select pg_current_wal_insert_lsn() - '0/0'");
    let since = std::time::Instant::now();
    let writer = std::thread::spawn(move || {
        while since.elapsed() < std::time::Duration::from_secs(4) {
            let line = "insert into w select repeat('x', 1000) from generate_series(1, 100)";
            client.batch_execute(line).expect("written");
        }
        since.elapsed().as_secs_f64()
    });
    let done = planc(
        site.path(),
        &["survey", "--sample", "1", "--service", "shop"],
    );
    assert!(done.status.success(), "{}", text(&done));
    let seconds = writer.join().expect("the writer");
    let ended = cluster.ask("select pg_current_wal_insert_lsn() - '0/0'");
    let grown: f64 = ended.parse::<f64>().expect("bytes") - begun.parse::<f64>().expect("bytes");
    let (mean, peak) = facts(site.path()).services["shop"];
    let (mean, peak) = (mean.expect("a mean").0, peak.expect("a peak").0);
    let truth = grown / seconds;
    assert!(mean > truth / 4.0 && mean < truth * 4.0, "{mean} {truth}");
    assert!(peak >= mean * 0.99);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_written() {
    let (cluster, _) = server(15);
    cluster.sql("create role planc login password 'kestrel'");
    let hba = "local all planc scram-sha-256\nlocal all postgres trust\n";
    std::fs::write(cluster.data.join("pg_hba.conf"), hba).expect("rules");
    cluster.sql("select pg_reload_conf()");
    let secret = super::cluster::folder();
    let file = secret.path().join("secret");
    std::fs::write(&file, "wrong\n").expect("a secret");
    let password = format!("user: planc, password: {{file: {}}}", file.display());
    let site = site(&cluster, &password);
    let refused = |needed: &[&str]| {
        let done = planc(site.path(), &["survey", "--sample", "0.1"]);
        let told = text(&done);
        assert_eq!(done.status.code(), Some(1), "{told}");
        for word in needed {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!told.contains("kestrel") && !site.path().join("shop.facts.yaml").exists());
    };
    refused(&[
        "service shop",
        "password authentication failed",
        "pg_hba.conf",
    ]);
    std::fs::write(&file, "kestrel\n").expect("a secret");
    // a role without any grant still surveys, and is told what it may not see
    let done = planc(site.path(), &["survey", "--sample", "0.1", "--no-devices"]);
    let told = text(&done);
    assert!(done.status.success(), "{told}");
    assert!(told.contains("grant pg_read_all_stats"), "{told}");
    std::fs::remove_file(site.path().join("shop.facts.yaml")).expect("removed");
    cluster.stop("fast");
    refused(&["connect to shop", "wait until"]);
}
