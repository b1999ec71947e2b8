//! `planc log status` and `planc log inspect` on the log that a real server archived: the proof of
//! the chain in its states, and what a transaction did.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::cluster::{Cluster, own, versions};
use super::command::{command, site};
use super::parts;

struct Archiving {
    cluster: Cluster,
    _kept: tempfile::TempDir,
    site: PathBuf,
}

/// A server that archives to two devices by the plan, which knows how to reach it.
fn archiving(version: u32) -> Archiving {
    let (kept, site) = site(version);
    let cluster = Cluster::create(version);
    let inventory = site.join("shop.yaml");
    let text = std::fs::read_to_string(&inventory).expect("inventory");
    let socket = cluster.folder.path().display();
    let reach = format!("host: db, connect: {{socket: {socket}, user: postgres}}}}");
    std::fs::write(&inventory, text.replace("host: db}", &reach)).expect("inventory");
    own(&site);
    let push = command(
        &site,
        "push",
        &format!("--spool {}/spool %p", site.display()),
    );
    cluster.configure(&["archive_mode = on", &format!("archive_command = '{push}'")]);
    cluster.start();
    Archiving {
        cluster,
        _kept: kept,
        site,
    }
}

impl Archiving {
    /// Ends the segment and waits until it is acknowledged.
    fn switch(&self) {
        let spec = parts::spec(&self.cluster, "postgres", &[]);
        let patience = std::time::Duration::from_mins(1);
        let done = planc::engine::postgres::archive::switch(&spec, patience);
        done.expect("archived");
    }

    fn log(&self, words: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_planc"))
            .arg("log")
            .args(words)
            .arg("--plan")
            .arg(self.site.join("shop.plan"))
            .current_dir("/tmp")
            .output()
            .expect("planc starts");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let code = output.status.code().expect("an exit code");
        (code, told + &String::from_utf8_lossy(&output.stderr))
    }

    fn status(&self) -> (i32, Value) {
        let (code, told) = self.log(&["status", "--format", "json"]);
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
        (code, told["archives"][0].clone())
    }

    fn objects(&self, device: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = walkdir::WalkDir::new(self.site.join(device).join("logs"))
            .into_iter()
            .map(|entry| entry.expect("listed"))
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        found.sort();
        found
    }
}

fn states(archive: &Value) -> Vec<String> {
    let stretches = archive["timelines"][0]["stretches"]
        .as_array()
        .expect("stretches");
    let state = |one: &Value| one["state"].as_str().expect("a state").to_owned();
    stretches.iter().map(state).collect()
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("removed");
}

#[test]
fn the_chain_is_proven_in_four_states() {
    let began = std::time::Instant::now();
    let source = archiving(15);
    let (code, archive) = source.status();
    assert!(
        code == 0 && archive["timelines"] == serde_json::json!([]),
        "{archive}"
    );
    for _ in 0..4 {
        source
            .cluster
            .sql("create table t as select 1; drop table t");
        source.switch();
    }
    source
        .cluster
        .sql("create table work as select generate_series(1, 1000)");
    let (code, archive) = source.status();
    assert_eq!(
        (code, states(&archive)),
        (0, vec!["found".to_owned(), "in flight".to_owned()])
    );
    assert_eq!(archive["server"]["timeline"], 1);
    let window = &archive["window"];
    assert!(
        window["bytes_now"].as_u64().expect("bytes") > 10_000,
        "{window}"
    );
    // nothing waits longer than there is a server
    let most = began.elapsed().as_secs_f64();
    for name in ["worst_of_day_s", "now_s"] {
        let waited = window[name].as_f64().expect("measured");
        assert!((0.0..most).contains(&waited), "{name} {most}: {window}");
    }

    let (near, far) = (source.objects("near"), source.objects("far"));
    assert!(near.len() >= 4 && near.len() == far.len());
    remove(&near[1]);
    let (code, archive) = source.status();
    assert_eq!(code, 0);
    let stretches = &archive["timelines"][0]["stretches"];
    assert_eq!(states(&archive)[..3], ["found", "late", "found"]);
    assert_eq!(stretches[1]["missing_on"], serde_json::json!(["near"]));
    remove(&far[1]);
    let (code, archive) = source.status();
    assert_eq!(
        (code, states(&archive)[..3].join(" ")),
        (1, "found lost found".to_owned())
    );
    let (_, told) = source.log(&["status"]);
    assert!(
        told.contains("lost") && told.contains("window of vulnerability"),
        "{told}"
    );

    source.cluster.stop("fast");
    let (code, told) = source.log(&["status"]);
    assert!(code == 1 && told.contains("cannot be asked"), "{told}");
}

/// Transactions of one server, by what they are to the bad one.
struct Acts {
    before: u32,
    bad: u32,
    after: u32,
    undone: u32,
    other: u32,
}

fn act(cluster: &Cluster) -> Acts {
    cluster.sql("create table accounts (id int primary key, money int, pad text)");
    let fill = "select i, 100, repeat('p', 500) from generate_series(1, 600) i";
    cluster.sql(&format!("insert into accounts {fill}"));
    cluster.sql("create table elsewhere (i int); checkpoint");
    let run = |statements: &str, end: &str| -> u32 {
        let mut client = cluster.client();
        let begun = client.batch_execute(&format!("begin; {statements}"));
        begun.expect("done");
        let row = client.query_one("select pg_current_xact_id()::text", &[]);
        client.batch_execute(end).expect("ended");
        let number = row.expect("a number").get::<_, String>(0);
        number.parse().expect("a number")
    };
    Acts {
        before: run("update accounts set money = 1 where id = 5", "commit"),
        bad: run(
            "update accounts set money = 0 where id between 1 and 30; savepoint s; \
             delete from accounts where id between 400 and 420; release s",
            "commit",
        ),
        after: run("update accounts set money = 7 where id = 20", "commit"),
        undone: run("update accounts set money = 9 where id = 12", "rollback"),
        other: run("insert into elsewhere values (1)", "commit"),
    }
}

/// `planc log list`: by time, by size, and by what was removed.
fn the_list_leads_to_it(source: &Archiving, acts: &Acts, blocks: usize) {
    let (code, told) = source.log(&["list", "--format", "json", "shop"]);
    assert_eq!(code, 0, "{told}");
    let told: Value = serde_json::from_str(&told).expect("an object");
    let listed = told["transactions"].as_array().expect("a list");
    let one = |xid: u32| {
        let number = xid.to_string();
        let mut listed = listed.iter();
        listed.find(|one| one["transaction"].as_str() == Some(&number))
    };
    assert!(
        one(acts.undone).is_none(),
        "what was rolled back did nothing"
    );
    let harm = one(acts.bad).expect("listed");
    let pages = harm["pages"].as_u64().expect("a number");
    assert!(pages >= blocks as u64, "{harm}");
    assert_eq!(harm["most"], "postgres.public.accounts");
    assert_eq!(harm["removed_files"], 0);
    source.cluster.sql("drop table elsewhere");
    source.cluster.sql("create database short");
    source.cluster.sql("drop database short");
    source.switch();
    let (code, told) = source.log(&["list", "--last", "4", "shop"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("removes 1 file"), "{told}");
    assert!(told.contains("drops database "), "{told}");
    let (_, told) = source.log(&["list", "--largest", "1", "shop"]);
    assert_eq!(told.matches(" pages").count(), 1, "{told}");
    let (_, told) = source.log(&["list", "--since", "2999-01-01T00:00:00Z", "shop"]);
    assert_eq!(told.matches(" pages").count(), 0, "{told}");
}

#[test]
fn a_transaction_is_told_with_those_who_came_after() {
    for version in versions() {
        let source = archiving(version);
        let acts = act(&source.cluster);
        source.switch();
        let bad = acts.bad.to_string();
        let (code, told) = source.log(&["inspect", "--format", "json", "shop", &bad]);
        assert_eq!(code, 0, "{told}");
        let told: Value = serde_json::from_str(&told).expect("an object");
        assert_eq!(told["ended"]["state"], "committed");
        assert_eq!(told["subtransactions"].as_array().expect("a list").len(), 1);
        let touched = told["touched"].as_array().expect("a list");
        let accounts = touched
            .iter()
            .find(|one| one["relation"] == "postgres.public.accounts");
        let blocks = accounts.expect("the table")["blocks"]
            .as_array()
            .expect("a list");
        // about 14 rows a page: 30 rows in front, 21 behind, and the new versions of 30
        assert!((5..=12).contains(&blocks.len()), "{blocks:?}");
        let later = told["later"].as_object().expect("a map");
        let state = |xid: u32| {
            let one = later.get(&xid.to_string())?;
            Some(one["ended"]["state"].clone())
        };
        assert_eq!(state(acts.undone), Some("rolled back".into()), "{later:?}");
        assert_eq!(state(acts.after), Some("committed".into()), "{later:?}");
        assert!(state(acts.before).is_none(), "{later:?}");
        assert!(state(acts.other).is_none(), "{later:?}");

        let (code, told) = source.log(&["inspect", "shop", &bad]);
        assert!(
            code == 0 && told.contains("postgres.public.accounts"),
            "{told}"
        );
        the_list_leads_to_it(&source, &acts, blocks.len());

        let (code, told) = source.log(&["inspect", "shop", "4000000"]);
        assert!(
            code == 1 && told.contains("not in the stored log"),
            "{told}"
        );
        let (code, told) = source.log(&["inspect", "nobody", "1"]);
        assert!(code == 2 && told.contains("shop"), "{told}");
    }
}
