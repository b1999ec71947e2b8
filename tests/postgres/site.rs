//! Owns a PostgreSQL service with a plan, an inventory and two devices, driven by the real binary
//! as the server's user.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::cluster::{Cluster, own, tools};

const PLAN: &str = r#"planc 1
plan shop "A shop"
timezone UTC
environment test inventory "inventory.yaml"

service shop is postgresql {
  tablespace hot
  database orders {
    group core tables lines
  }
}

backup nightly of base, tablespace hot {
  physical full every day at 02:00
  store on near
  copy to far within 1h
  retain window 7d
  encrypt none
}

archive wal of shop {
  ship every 1min to near
  ship every 1min to far
  retain window 8d
  encrypt none
}

drill weekly every sun at 12:00 {
  restore service shop to scratch from any
  replay log to latest
  probe orders "select count(*) from lines" >= 40
  probe shop "select pg_is_in_recovery()" is false
}

drill hopeless every sun at 13:00 {
  restore service shop to scratch from any
  replay log to latest
  probe orders "select count(*) from lines" >= 4000
}

recovery lost_tablespace {
  for loss of disk
  given ts: tablespace of shop
  restore $ts from nearest
  replay log to latest
}

recovery damaged_file {
  for loss of disk
  given bad: files of shop
  restore $bad from nearest
  replay log to latest
}

recovery moved_tablespace {
  for loss of disk
  given ts: tablespace of shop
  restore $ts from nearest
  relocate $ts to spare
  replay log to latest
}

recovery dropped_table {
  for human error
  given victim: table, bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract table $victim into database orders as "recovered"
  probe orders "select count(*) from recovered.lines" >= 3
}

recovery dropped_for_good {
  for human error
  given victim: table, bad: transaction
  restore service shop to scratch from nearest
  replay log until before $bad
  extract table $victim into database orders
  probe orders "select count(*) from lines" >= 3
}
"#;

/// A full now and then, and what changed between.
pub(crate) fn incremental(plan: &str) -> String {
    let full = "  physical full every day at 02:00\n";
    let both = "  physical full every 30d\n  physical incremental every 1s\n";
    assert!(plan.contains(full));
    let plan = plan.replace(full, both).replace("window 7d", "window 40d");
    plan.replace("window 8d", "window 41d")
}

/// A running service; everything is removed at the end.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
}

impl Site {
    /// A cluster that archives by `planc log push`, claimed devices, a tablespace and a database.
    /// The role that copies is no superuser and has a password.
    pub(crate) fn new(version: u32) -> Self {
        Self::with(version, str::to_owned)
    }

    /// As [`Site::new`], with a full now and then and what changed between.
    pub(crate) fn incremental(version: u32) -> Self {
        Self::with(version, incremental)
    }

    /// As [`Site::new`], with a plan that is changed.
    pub(crate) fn with(version: u32, change: impl FnOnce(&str) -> String) -> Self {
        let cluster = Cluster::create(version);
        let site = Self { cluster };
        for name in ["near", "far", "hot", "spare"] {
            std::fs::create_dir(site.path(name)).expect("folder");
        }
        std::fs::write(site.path("shop.plan"), change(PLAN)).expect("plan");
        std::fs::write(site.path("inventory.yaml"), site.inventory(version)).expect("inventory");
        std::fs::write(site.path("secret"), "open sesame\n").expect("secret");
        own(site.cluster.folder.path());
        site.good("device init --all");
        let push = format!(
            "{} log push --plan {} --service shop %p",
            env!("CARGO_BIN_EXE_planc"),
            site.path("shop.plan").display()
        );
        site.cluster
            .configure(&["archive_mode = on", &format!("archive_command = '{push}'")]);
        site.protect();
        site.cluster.start();
        site.fill();
        site
    }

    fn inventory(&self, version: u32) -> String {
        format!(
            "inventory: 1\nsites: {{fra: {{}}, dub: {{}}}}\n\
             hosts:\n  till: {{site: fra, disks: {{spare: {{path: spare}}}}}}\n\
             \x20 scratch: {{site: fra}}\n\
             services:\n  shop:\n    engine: postgresql\n    version: \"{version}\"\n    host: till\n\
             \x20   path: {0}\n    programs: {1}\n\
             \x20   connect: {{socket: {2}, user: keeper, password: {{file: {2}/secret}}}}\n\
             devices:\n  near: {{site: fra, path: near}}\n  far: {{site: dub, path: far}}\n\
             contacts: {{ops: {{pager: one}}, night: {{pager: two}}}}\nstate: state\n",
            self.cluster.data.display(),
            tools(version).display(),
            self.cluster.folder.path().display(),
        )
        .replace("path: spare", &format!("path: {}", self.path("spare").display()))
    }

    /// Who copies must know the password.
    fn protect(&self) {
        let path = self.cluster.data.join("pg_hba.conf");
        let open = std::fs::read_to_string(&path).expect("rules");
        let strict = format!("local all keeper scram-sha-256\n{open}");
        std::fs::write(&path, strict).expect("rules");
    }

    fn fill(&self) {
        let hot = self.path("hot").display().to_string();
        self.cluster
            .sql(&format!("create tablespace hot location '{hot}'"));
        self.cluster.sql("create database orders");
        self.cluster.sql(
            "create role keeper login password 'open sesame'; grant pg_read_all_settings to keeper; \
             grant execute on function pg_backup_start, pg_backup_stop, pg_switch_wal to keeper",
        );
        let mut orders = self.cluster.client_of("postgres", "orders");
        orders
            .batch_execute(
                "create table customers (id int8 primary key, name text); \
                 create table lines (id serial primary key, customer int8 references customers, \
                 note text); \
                 create table notes (line int8 references lines, text text); \
                 insert into customers select i, 'c' || i from generate_series(1, 50) i; \
                 insert into lines (customer, note) \
                 select i, 'n' || i from generate_series(1, 40) i; \
                 insert into notes select i, 't' from generate_series(1, 20) i; \
                 create table filler tablespace hot as select i, repeat('f', 500) from \
                 generate_series(1, 2000) i; \
                 grant pg_read_all_data to keeper",
            )
            .expect("tables");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.cluster.folder.path().join(name)
    }

    /// The command as the server's user.
    pub(crate) fn command(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').collect();
        self.wrapped(env!("CARGO_BIN_EXE_planc"), &words)
    }

    /// A program as the server's user, in the folder of the site.
    pub(crate) fn wrapped(&self, program: &str, words: &[&str]) -> Command {
        let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let mut command = if root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command
            .args(words)
            .current_dir(self.cluster.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn planc(&self, line: &str) -> Output {
        self.command(line).output().expect("planc starts")
    }

    /// Runs a command that must succeed; returns both outputs.
    pub(crate) fn good(&self, line: &str) -> String {
        self.ends(line, 0)
    }

    /// Runs a command that must end with this code; returns both outputs.
    pub(crate) fn ends(&self, line: &str, code: i32) -> String {
        let output = self.planc(line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let log = self.cluster.log();
        let log: Vec<&str> = log.lines().rev().take(30).collect();
        assert_eq!(
            output.status.code(),
            Some(code),
            "planc {line}: {text}\nserver: {log:#?}"
        );
        text
    }

    /// Kills planc at once; as root it is the child of the program that changed the user.
    pub(crate) fn kill_planc(&self, child: &std::process::Child) {
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let text = std::fs::read_to_string(children).unwrap_or_default();
        let inner = text.split_whitespace().next();
        let id = inner.map_or_else(|| child.id().to_string(), str::to_owned);
        let killed = Command::new("kill").args(["-9", &id]).status();
        assert!(killed.expect("kill starts").success() || self.path("state").exists());
    }

    /// Asks planc to end, as an operator does; true when it was still there.
    pub(crate) fn ask_to_end(child: &std::process::Child) -> bool {
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let text = std::fs::read_to_string(children).unwrap_or_default();
        let under_runuser = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let inner = text.split_whitespace().next().filter(|_| under_runuser);
        let id = inner.map_or_else(|| child.id().to_string(), str::to_owned);
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        asked.expect("kill starts").success()
    }

    /// Folders of recoveries that hold anything.
    pub(crate) fn left_behind(&self) -> usize {
        let folders = std::fs::read_dir(self.path("state/restored"));
        let entries = folders.into_iter().flatten().flatten();
        let holds = |folder: std::path::PathBuf| {
            walkdir::WalkDir::new(folder)
                .into_iter()
                .flatten()
                .any(|entry| entry.file_type().is_file())
        };
        entries.filter(|entry| holds(entry.path())).count()
    }

    /// Names of everything in the folder, with the lengths of files, but for the state of planc
    /// itself, what the running server writes, and the devices that its log goes to.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, u64> {
        let own = ["state", "data", "log", "near", "far"].map(|name| self.path(name));
        let all = walkdir::WalkDir::new(self.cluster.folder.path()).into_iter();
        let all = all.filter_entry(|entry| !own.iter().any(|own| own == entry.path()));
        all.flatten()
            .map(|entry| {
                (
                    entry.path().to_owned(),
                    entry.metadata().map_or(0, |meta| meta.len()),
                )
            })
            .collect()
    }

    /// Records of all journals.
    pub(crate) fn journal_records(&self) -> usize {
        let runs = std::fs::read_dir(self.path("state/shop@test/runs"));
        let entries = runs.into_iter().flatten();
        let journals = entries.filter_map(|entry| {
            let text = std::fs::read(entry.ok()?.path().join("journal")).ok()?;
            Some(text.split(|byte| *byte == b'\n').count() - 1)
        });
        journals.sum()
    }

    /// The restored cluster in a folder of the site, running on sockets of its own.
    pub(crate) fn restored(&self, name: &str) -> Cluster {
        let folder = super::cluster::folder();
        let data = self.path(name).join("data");
        let restored = Cluster::adopt(self.cluster.version, folder, data);
        let sockets = restored.folder.path().display().to_string();
        restored.configure(&[&format!("unix_socket_directories = '{sockets}'")]);
        restored.start();
        restored
    }
}
