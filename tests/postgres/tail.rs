//! The segment that is not finished: what a stream stored of it comes back after the server is gone,
//! beside a shipment of the same log.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::cluster;
use super::sealed::new_key;
use super::site::Site;

/// One device is streamed to, the other is shipped to; all is sealed with the key in a file.
fn streamed(plan: &str, key: &Path) -> String {
    let shipped = "  ship every 1min to near\n";
    assert!(plan.contains(shipped));
    let plan = plan.replace(shipped, "  stream to near lag <= 16 MiB\n");
    let key = format!(
        "key k from file \"{}\" escrow at dub\n\nservice shop",
        key.display()
    );
    let plan = plan.replace("encrypt none", "encrypt with k");
    plan.replacen("service shop", &key, 1)
}

fn stream(site: &Site) -> Child {
    let told = std::fs::File::create(site.path("told")).expect("a file");
    let mut command = site.command("log stream shop --every 1");
    let child = command.stdout(Stdio::null()).stderr(told).spawn();
    child.expect("planc starts")
}

/// Bytes that would be lost with the server now.
fn behind(site: &Site) -> Option<u64> {
    let text = site.planc("log status --format json").stdout;
    let told: serde_json::Value = serde_json::from_slice(&text).expect("an object");
    told["streams"][0]["behind"].as_u64()
}

fn until(site: &Site, what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        let told = std::fs::read_to_string(site.path("told")).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_mins(1), "{what}: {told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tails(site: &Site, device: &str) -> usize {
    let all = walkdir::WalkDir::new(site.path(device).join("tails")).into_iter();
    let files = all.flatten().filter(|entry| entry.file_type().is_file());
    files.count()
}

fn rows(site: &Site, folder: &str) -> String {
    let restored = site.restored(folder);
    restored.ask("(select string_agg(note, ' ' order by note) from late)")
}

#[test]
fn what_was_streamed_of_an_unfinished_segment_comes_back_without_the_server() {
    let keys = cluster::folder();
    let key = keys.path().join("k.key");
    new_key(&key);
    cluster::own(keys.path());
    let site = Site::with(18, |plan| streamed(plan, &key));
    site.cluster.sql("alter role keeper replication");
    let mut streaming = stream(&site);
    site.good("run nightly");
    let slots = "(select count(*) from pg_replication_slots where slot_name ~ '^planc_shop' and restart_lsn is not null)";
    until(&site, "it receives", || site.cluster.ask(slots) == "2");
    until(&site, "all is stored", || behind(&site) == Some(0));
    site.cluster
        .sql("create table late (note text); insert into late values ('one')");
    until(&site, "a first piece is stored", || {
        behind(&site) == Some(0)
    });
    let between = site.cluster.ask("now()");
    std::thread::sleep(Duration::from_millis(5));
    site.cluster.sql("insert into late values ('two')");
    until(&site, "a second piece is stored", || {
        behind(&site) == Some(0)
    });
    assert!(tails(&site, "near") >= 2 && tails(&site, "far") == 0);

    site.cluster.stop("immediate");
    std::fs::rename(&site.cluster.data, site.path("lost")).expect("lost");
    assert!(Site::ask_to_end(&streaming));
    streaming.wait().expect("it ends");
    std::fs::remove_dir_all(site.path("state")).expect("lost");
    site.good("catalog rebuild --from near");
    site.good("restore shop --to back --yes");
    assert_eq!(rows(&site, "back"), "one two");
    // the moment is in the tail, too
    let between = between.replace(' ', "T");
    site.good(&format!("restore shop --to earlier --at {between} --yes"));
    assert_eq!(rows(&site, "earlier"), "one");
    // who still has the server goes on, and a finished segment needs no tail
    std::fs::rename(site.path("lost"), &site.cluster.data).expect("found");
    site.cluster.start();
    let mut streaming = stream(&site);
    site.cluster.sql("insert into late values ('three')");
    site.cluster.sql("select pg_switch_wal()");
    until(&site, "the segment is stored", || tails(&site, "near") <= 1);
    assert!(Site::ask_to_end(&streaming));
    assert_eq!(streaming.wait().expect("it ends").code(), Some(0));
    let left = "(select string_agg(slot_name, ' ') from pg_replication_slots)";
    assert_eq!(site.cluster.ask(left), "planc_shop");
}
