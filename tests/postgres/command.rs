//! The commands that a server calls: a cluster archives through `planc log push`, another one
//! recovers through `planc log fetch`, by the plan alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use planc::engine::RestoreSession;
use planc::engine::postgres::restore::ClusterRestore;
use planc::media::directory::DirectoryDevice;

use super::cluster::{Cluster, own, versions};
use super::ledger::{self, Writer};
use super::parts::{self, copy};
use super::restored::hand_over;

const PLAN: &str = r#"planc 1
plan shop
timezone UTC
environment prod inventory "shop.yaml"
device near is directory at a
device far is directory at b
site a, b
service shop is postgresql
backup all of service shop {
  physical full every day at 03:00
  store on near
  copy to far within 1h
  retain window 7d
  encrypt none
}
archive wal of shop {
  ship every 1min or 16 MiB to near
  ship every 1min or 16 MiB to far
  retain window 7d
  encrypt none
}
recovery all_of_it {
  for loss of host
  restore service shop to target
}
"#;

/// A plan with two devices in a folder that the server's user may enter and write.
pub(crate) fn site(version: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = super::cluster::folder();
    let path = folder.path().to_owned();
    for name in ["near", "far"] {
        std::fs::create_dir(path.join(name)).expect("a folder");
        DirectoryDevice::init(name, &path.join(name)).expect("a device");
    }
    let inventory = format!(
        "inventory: 1\nsites: {{a: {{}}, b: {{}}}}\n\
         hosts:\n  db: {{site: a}}\n  target: {{site: b}}\n\
         services:\n  shop: {{engine: postgresql, version: \"{version}\", host: db}}\n\
         devices:\n  near: {{site: a, path: {0}/near}}\n  far: {{site: b, path: {0}/far}}\n",
        path.display()
    );
    std::fs::write(path.join("shop.yaml"), inventory).expect("inventory");
    std::fs::write(path.join("shop.plan"), PLAN).expect("plan");
    own(&path);
    (folder, path)
}

/// The command line that a server runs.
pub(crate) fn command(site: &Path, verb: &str, files: &str) -> String {
    let planc = env!("CARGO_BIN_EXE_planc");
    let plan = site.join("shop.plan");
    format!(
        "{planc} log {verb} --plan {} --service shop {files}",
        plan.display()
    )
}

fn exit_of(line: &str) -> i32 {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir("/tmp")
        .output();
    let output = output.expect("the shell");
    output.status.code().expect("an exit code")
}

#[test]
fn a_server_archives_and_recovers_through_the_commands() {
    for version in versions() {
        let (_kept, site) = site(version);
        let source = Cluster::create(version);
        // one version archives call by call, the others ahead of the calls
        let spool = match version {
            15 => String::new(),
            _ => format!("--spool {}/spool ", site.display()),
        };
        let push = command(&site, "push", &format!("{spool}%p"));
        source.configure(&["archive_mode = on", &format!("archive_command = '{push}'")]);
        source.start();
        let writer = Writer::start(&source, "ledger", "pg_default");
        let engine = parts::engine(&source, &[]);
        let base = copy(&engine, "shop/base/base").expect("a part");
        Writer::rest();
        let acknowledged = writer.finish();
        // ends the segment and waits for the server's word that both devices hold it
        let patience = std::time::Duration::from_mins(2);
        let spec = parts::spec(&source, "postgres", &[]);
        let archived = planc::engine::postgres::archive::switch(&spec, patience);
        assert!(archived.expect("archived").position.is_some());
        source.stop("immediate");

        std::fs::remove_dir_all(site.join("near/logs")).expect("one device loses all");
        let folder = super::cluster::folder();
        let staging = folder.path().join("staging");
        let mut session = ClusterRestore::new(spec, &staging).expect("a session");
        session.fetch_by(&command(&site, "fetch", &format!("{spool}%f %p")));
        hand_over(&mut session, &base).expect("the part");
        session.check().expect("recovered");
        let data = session.result().join("data");
        let restored = Cluster::adopt(version, folder, data);
        let sockets = restored.folder.path().display().to_string();
        restored.configure(&[&format!("unix_socket_directories = '{sockets}'")]);
        restored.start();
        assert_eq!(ledger::read(&restored, "ledger"), acknowledged);
        // its next history is its own: it goes on above every timeline that is archived
        assert_eq!(
            session.replayed().expect("a replay").new_timeline.number(),
            2
        );
    }
}

#[test]
fn the_exit_codes_are_those_a_server_understands() {
    let (_kept, site) = site(15);
    let source = Cluster::archiving(15);
    source.sql("create table t (i int); select pg_switch_wal()");
    source.stop("fast");
    let mut files: Vec<PathBuf> = std::fs::read_dir(source.archive())
        .expect("archive")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    let (file, to) = (
        files[0].display().to_string(),
        site.join("got").display().to_string(),
    );
    let name = files[0]
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let fetch = |name: &str| {
        exit_of(&command(
            &site,
            "fetch --deadline 0",
            &format!("{name} {to}"),
        ))
    };

    assert_eq!(fetch(name), 126, "nobody archived here yet");
    assert_eq!(exit_of(&command(&site, "push", &file)), 0);
    assert_eq!(exit_of(&command(&site, "push", &file)), 0);
    assert_eq!(exit_of(&command(&site, "push", "/no/such/file")), 1);
    assert_eq!(fetch(name), 0);
    assert_eq!(
        std::fs::read(&to).expect("bytes"),
        std::fs::read(&files[0]).expect("bytes")
    );
    assert_eq!(fetch("0000000100000000000000FF"), 1);
    assert_eq!(fetch("00000002.history"), 1);
    assert_eq!(fetch("no-such-name"), 126);
    assert_eq!(
        exit_of(&command(&site, "fetch --no-such-option", "a b")),
        126
    );

    std::fs::rename(site.join("far"), site.join("gone")).expect("away");
    assert_eq!(
        exit_of(&command(&site, "push", &file)),
        1,
        "a required device is away"
    );
    assert_eq!(fetch(name), 0, "the other one holds it");
    assert_eq!(
        fetch("0000000100000000000000FF"),
        126,
        "the one that is away may hold it"
    );
    std::fs::write(site.join("shop.plan"), "planc 1\nplan").expect("plan");
    assert_eq!(fetch(name), 126);
}
