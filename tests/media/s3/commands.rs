//! Sealed copies in a bucket from end to end, with the real binary: backup, log, verify, loss of
//! everything local, rebuild and restore. The secrets are seen nowhere.

use std::path::Path;

use super::proxy::{self, Spoil};
use super::server::{ID, SECRET, Server};
use crate::runs::site::{NOW, Site, rows};

fn site(server: &Server) -> Site {
    site_at(server.port)
}

/// The site's plan with one more copy in a bucket, everything sealed with `k`.
fn site_at(port: u16) -> Site {
    let site = Site::new();
    site.good("key new shop.key --public shop.pub");
    let plan = std::fs::read_to_string(site.path("shop.plan")).unwrap();
    let plan = plan
        .replace("encrypt none", "encrypt with k")
        .replace("copy to nas", "copy to bucket")
        .replace(
            "backup nightly",
            "key k from file \"shop.key\" escrow at dub\n\nbackup nightly",
        );
    std::fs::write(site.path("shop.plan"), plan).unwrap();
    let inventory = std::fs::read_to_string(site.path("inventory.yaml")).unwrap();
    let bucket = format!(
        "  bucket: {{site: dub, s3: {{endpoint: 'http://127.0.0.1:{port}', bucket: one, prefix: p, \
         access_key: {ID}, secret_key: {{env: BUCKET_SECRET}}}}}}\nstate:"
    );
    let inventory = inventory.replace("state:", &bucket);
    std::fs::write(site.path("inventory.yaml"), inventory).unwrap();
    site
}

/// Runs a command that knows the secret of the bucket; returns what it said.
fn good(site: &Site, line: &str) -> String {
    let output = site
        .command(line)
        .env("BUCKET_SECRET", SECRET)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{line}: {said}");
    assert!(
        !said.contains(SECRET) && !said.contains("AGE-SECRET"),
        "{line}: {said}"
    );
    said
}

/// Refuses a folder in which a file other than the key holds one of the words.
fn clean(folder: &Path, words: &[&str]) {
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if !entry.file_type().is_file() || entry.file_name() == "shop.key" {
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        for word in words {
            let found = bytes
                .windows(word.len())
                .any(|piece| piece == word.as_bytes());
            assert!(!found, "{} holds {word}", entry.path().display());
        }
    }
}

#[test]
fn a_bucket_and_an_offline_key_are_enough_to_get_everything_back() {
    let server = Server::start();
    let site = site(&server);
    good(&site, "device init bucket");
    good(&site, &format!("run --now {NOW}"));
    site.sql("INSERT INTO t (x) VALUES ('four')");
    good(&site, "run wal --now 2026-03-02T10:00:10Z");
    let said = good(&site, "verify");
    assert!(said.contains("done"), "{said}");
    let said = good(&site, "key check");
    assert!(said.contains("sealed sets can be opened"), "{said}");
    good(&site, "key list");
    good(&site, "device list");
    let dump = good(&site, "catalog dump");

    let key = std::fs::read_to_string(site.path("shop.key")).unwrap();
    let secret = key
        .lines()
        .find(|line| line.starts_with("AGE-SECRET"))
        .unwrap();
    for folder in [site.folder.path(), server.folder.path()] {
        clean(folder, &[secret, SECRET]);
    }

    std::fs::remove_dir_all(site.path("state")).unwrap();
    std::fs::remove_dir_all(site.path("devices/disk")).unwrap();
    std::fs::rename(site.path("shop.key"), site.path("away.key")).unwrap();
    let refused = site.command("catalog rebuild --from bucket");
    let mut refused = refused;
    let refused = refused.env("BUCKET_SECRET", SECRET).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("shop.key") && said.contains("help"), "{said}");
    std::fs::rename(site.path("away.key"), site.path("shop.key")).unwrap();

    good(&site, "catalog rebuild --from bucket");
    let again = good(&site, "catalog dump");
    let parts = |dump: &str| dump.lines().filter(|line| line.contains("part")).count();
    assert_eq!(parts(&dump), parts(&again), "{again}");
    good(&site, "restore shop --to back.db --yes");
    let found: Vec<String> = rows(&site.path("back.db"))
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(found, ["one", "two", "three", "four"]);
    good(&site, "restore docs --to papers --yes");
    let text = std::fs::read_to_string(site.path("papers/a.txt")).unwrap();
    assert_eq!(text, "a".repeat(3_000));
}

#[test]
fn without_its_credentials_a_bucket_is_refused_by_name() {
    let server = Server::start();
    let site = site(&server);
    let said = site.ends("device init bucket", 2);
    assert!(
        said.contains("BUCKET_SECRET") && said.contains("not set"),
        "{said}"
    );
}

#[test]
fn a_host_with_the_public_half_only_backs_up_and_cannot_read() {
    let server = Server::start();
    let site = site(&server);
    good(&site, "device init bucket");
    std::fs::rename(site.path("shop.key"), site.path("away")).unwrap();
    std::fs::rename(site.path("shop.pub"), site.path("shop.key")).unwrap();
    let plan = std::fs::read_to_string(site.path("shop.plan")).unwrap();
    let kept = plan.lines().filter(|line| !line.contains("copy to bucket"));
    let kept: Vec<&str> = kept.collect();
    std::fs::write(site.path("shop.plan"), kept.join("\n")).unwrap();
    good(&site, &format!("run --now {NOW}"));
    let said = site.ends("restore shop --to back.db --yes", 2);
    assert!(said.contains("public half of `k`"), "{said}");
    std::fs::rename(site.path("away"), site.path("shop.key")).unwrap();
    good(&site, "restore shop --to back.db --yes");
}

#[test]
fn a_bucket_is_certified_and_the_facts_say_so() {
    let server = Server::start();
    let site = site(&server);
    let inventory = std::fs::read_to_string(site.path("inventory.yaml")).unwrap();
    let inventory = format!("{inventory}\nfacts: facts.yaml\n");
    std::fs::write(site.path("inventory.yaml"), inventory).unwrap();
    good(&site, "device init bucket");
    let said = good(&site, "device certify disk");
    assert!(said.contains("proved  put-if-absent"), "{said}");
    // this server looks and then writes, so that writers at the same moment may both win: the
    // trial finds it or is lucky, and the facts say which
    let mut certify = site.command("device certify bucket");
    let output = certify.env("BUCKET_SECRET", SECRET).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("proved  clock"), "{said}");
    let lucky = output.status.success();
    assert_eq!(said.contains("failed  put-if-absent"), !lucky, "{said}");
    let facts = std::fs::read_to_string(site.path("facts.yaml")).unwrap();
    let verdict = if lucky { "proved" } else { "failed" };
    let line = facts.lines().find(|line| line.contains("/one/p")).unwrap();
    assert!(
        line.contains(&format!("put-if-absent: {verdict}")),
        "{facts}"
    );
    assert!(facts.contains("  disk: {"), "what was known stays: {facts}");
    good(&site, "check shop.plan");
    let probes = server.folder.path().join("one/p/probe");
    let files = walkdir::WalkDir::new(probes).into_iter().flatten();
    assert_eq!(files.filter(|entry| entry.file_type().is_file()).count(), 0);
}

#[test]
fn a_store_without_conditional_put_is_told_and_takes_one_writer() {
    let server = Server::start();
    let site = site_at(proxy::start(server.port, Spoil::NoConditionalPut));
    let inventory = std::fs::read_to_string(site.path("inventory.yaml")).unwrap();
    let inventory = format!("{inventory}\nfacts: facts.yaml\n");
    std::fs::write(site.path("inventory.yaml"), inventory).unwrap();
    good(&site, "device init bucket");
    // writers at the same moment may each be lucky: it has failed then, or is unknown
    let mut certify = site.command("device certify bucket");
    let output = certify.env("BUCKET_SECRET", SECRET).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = said.lines().find(|line| line.contains("put-if-absent"));
    assert!(told.unwrap().contains("one host"), "{said}");
    assert!(!said.contains("proved  put-if-absent"), "{said}");
    good(&site, &format!("run --now {NOW}"));
    good(&site, "verify");
}
