//! Crashes of the server during what only reads it: a survey, logical copies, the streamed log.
//! Nothing half is written, what to do is told, and what was acknowledged is kept.

use std::path::Path;
use std::time::Duration;

use super::cluster::Cluster;
use super::crash::{CAUSES, at_work, kill_server, live_struck, strike, up_again};
use super::logical::{self, Pairs};
use super::pair::Client;
use super::scenarios::orders;
use super::site::Site;
use super::stream::{self, Streaming, log_status, until};

/// Kills the server so many times 40 ms within a survey; every other time it is up again at once.
fn surveys(steps: impl IntoIterator<Item = u64>) -> usize {
    let site = Site::new(15);
    let inventory = site.path("inventory.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    std::fs::write(&inventory, text + "facts: shop.facts.yaml\n").expect("written");
    let line = "survey --service shop --sample 0.3";
    site.good(line);
    let facts = || std::fs::read_to_string(site.path("shop.facts.yaml")).expect("facts");
    let mut hits = 0;
    for step in steps {
        let before = facts();
        let kill = || {
            let killed = kill_server(&site.cluster.data);
            if killed && step % 2 == 1 {
                up_again(&site.cluster);
            }
            killed
        };
        let struck = strike(&site, line, || true, Duration::from_millis(40 * step), kill);
        if step % 2 == 0 {
            kill_server(&site.cluster.data);
            up_again(&site.cluster);
        }
        let Some(struck) = struck else { continue };
        hits += 1;
        assert_eq!(at_work(&site), Vec::<String>::new(), "{step}");
        let told = &struck.told;
        if struck.failed() {
            assert_eq!(struck.code, Some(1), "{step}: {told}");
            assert_eq!(facts(), before, "a survey is whole or it is not written");
            assert!(
                told.contains("service shop") && told.contains("help: "),
                "{step}: {told}"
            );
            assert!(
                CAUSES.iter().any(|cause| told.contains(cause)),
                "{step}: {told}"
            );
        }
        site.good(line);
    }
    hits
}

/// Kills the server behind records of the journal of a logical copy, and a while after them.
fn dumps(version: u32, moments: impl IntoIterator<Item = (usize, u64)>) -> usize {
    let site = logical::site(version);
    orders(
        &site.cluster,
        "insert into lines (customer, note) \
         select 1 + i % 50, repeat('n', 200) from generate_series(1, 60000) i",
    );
    let mut hits = 0;
    for (number, moment) in moments.into_iter().enumerate() {
        let pairs = Pairs::start(&site);
        let struck = live_struck(&site, "run lookups", moment, number % 3 == 2);
        pairs.end();
        hits += usize::from(struck.is_some());
        if struck.is_some_and(|struck| struck.failed()) {
            site.good(["run --resume", "run lookups"][number % 2]);
        }
        site.good("verify --device near");
        site.good("drill one_moment --yes");
    }
    hits
}

/// Kills the server while its log is streamed and a client writes. The stream goes on by itself,
/// and what it stored is what the server wrote, to the last row that was acknowledged.
fn streams(version: u32, steps: impl IntoIterator<Item = u64>) {
    let cluster = Cluster::create(version);
    cluster.configure(&["wal_keep_size = '1GB'"]);
    cluster.start();
    cluster.sql("create table noise (t text)");
    let folder = stream::site(&cluster);
    let site = folder.path();
    let stream = Streaming::start(site);
    let active =
        "select count(*) from pg_replication_slots where slot_name = 'mine_receiver' and active";
    for step in steps {
        until(site, "the slot is used", || cluster.ask(active) == "1");
        let client = Client::start(&cluster);
        let mut session = cluster.client();
        let writer = std::thread::spawn(move || {
            let work = "insert into noise select repeat('n', 500) from generate_series(1, 900)";
            while session.batch_execute(work).is_ok() {}
        });
        std::thread::sleep(Duration::from_millis(20 * step));
        kill_server(&cluster.data);
        writer.join().expect("the writer");
        let written = client.ended();
        up_again(&cluster);
        written.is_in(&cluster);
    }
    until(site, "the slot is used", || cluster.ask(active) == "1");
    let last = cluster.ask("pg_walfile_name(pg_switch_wal())");
    let found = || log_status(site)["archives"][0]["timelines"][0]["stretches"][0].clone();
    until(site, "the last segment is stored", || {
        found()["last"] == *last
    });
    let stretch = found();
    assert_eq!(stretch["state"], "found", "{stretch}");
    assert_eq!(
        stretch["segments"],
        stream::objects(site).len(),
        "{stretch}"
    );
    assert_eq!(stream.end(), 0);
    let first = stretch["first"].as_str().expect("a segment");
    as_the_server_wrote(&cluster, site, first, &last);
}

/// Every segment from the first to the last one comes back as it lies on the server.
fn as_the_server_wrote(cluster: &Cluster, site: &Path, first: &str, last: &str) {
    let there = std::fs::read_dir(cluster.data.join("pg_wal"))
        .expect("log")
        .flatten();
    let names = there.filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names
        .filter(|name| (first..=last).contains(&name.as_str()))
        .collect();
    assert!(
        names.iter().any(|name| name == first),
        "{names:?} are kept from {first} on"
    );
    for name in names {
        let got = stream::fetched(site, &name);
        let own = std::fs::read(cluster.data.join("pg_wal").join(&name)).expect("a segment");
        assert!(got == own, "{name} is not what the server wrote");
    }
}

#[test]
fn a_survey_whose_server_crashes_writes_nothing_half() {
    assert!(surveys([2, 5]) > 0, "no server was hit");
}

#[test]
fn a_logical_copy_whose_server_crashes_is_made_again() {
    assert!(dumps(15, [(4, 0), (7, 0)]) > 0, "no server was hit");
}

#[test]
fn a_stream_whose_server_crashes_goes_on_and_loses_nothing() {
    streams(15, [3, 11]);
}

#[test]
#[ignore = "takes minutes: many moments of each"]
fn a_survey_whose_server_crashes_anywhere_writes_nothing_half() {
    assert!(surveys(0..30) > 8);
}

#[test]
#[ignore = "takes minutes: every record, and many moments within the copy"]
fn a_logical_copy_whose_server_crashes_anywhere_is_made_again() {
    for version in [15, 18] {
        let moments = (1..12).map(|records| (records, 0));
        let within = (0..16).map(|step| (4, 30 * step));
        let hits = dumps(version, moments.chain(within));
        assert!(hits > 8, "{hits}");
    }
}

#[test]
#[ignore = "takes minutes: many moments"]
fn a_stream_whose_server_crashes_anywhere_goes_on_and_loses_nothing() {
    for version in [15, 16, 18] {
        streams(version, 1..20);
    }
}
