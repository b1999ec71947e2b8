//! Owns loading dumps into a scratch cluster of their own: a fresh cluster, the roles, each
//! database with its definitions, then the rows and what belongs to them.
//!
//! Layout of the staging folder: `parts/N` (files of the dumps, gone when they are loaded),
//! `cluster/data` (the result) and `scratch`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::client::{self, Client};
use super::notes::{DumpNotes, OUTSIDE};
use super::{DATA, DATABASE, ROLES, SCHEMA, program, roles};
use crate::engine::postgres::files::cannot;
use crate::engine::postgres::instance::{self, Instance, InstanceSpec};
use crate::engine::postgres::tables::{Link, Table};
use crate::engine::postgres::write::Writer;
use crate::engine::postgres::{PostgresSpec, sound};
use crate::engine::{EndedBackup, EngineError, Entry, GoOn, LogRange, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// How long a fresh server may take to open.
const PATIENCE: Duration = Duration::from_mins(10);

/// A scratch cluster that is being filled from dumps.
pub struct DumpRestore {
    spec: PostgresSpec,
    root: PathBuf,
    parts: Vec<(PathBuf, DumpNotes)>,
    writer: Writer,
    /// Owner of the cluster, when this runs as root.
    owner: Option<(u32, u32)>,
    loaded: bool,
    warnings: Vec<String>,
}

impl DumpRestore {
    /// Begins in an empty folder.
    ///
    /// # Errors
    /// When the folder refuses, or nobody can own the cluster.
    pub fn new(spec: PostgresSpec, staging: &Path) -> Result<Self, EngineError> {
        let root = std::path::absolute(staging);
        let root = root.map_err(|error| cannot("find", staging, error))?;
        let owner = owner(&spec)?;
        let restore = Self {
            spec,
            root,
            parts: Vec::new(),
            writer: Writer::new(),
            owner,
            loaded: false,
            warnings: Vec::new(),
        };
        for folder in ["cluster/data", "parts", "scratch"] {
            restore.make(&restore.root.join(folder))?;
        }
        for folder in ["", "cluster"] {
            restore.own(&restore.root.join(folder))?;
        }
        Ok(restore)
    }

    fn make(&self, folder: &Path) -> Result<(), EngineError> {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| cannot("create", folder, error))?;
        self.own(folder)
    }

    fn own(&self, path: &Path) -> Result<(), EngineError> {
        let Some((uid, gid)) = self.owner else {
            return Ok(());
        };
        let done = std::os::unix::fs::chown(path, Some(uid), Some(gid));
        done.map_err(|error| cannot("change the owner of", path, error))
    }

    fn data_directory(&self) -> PathBuf {
        self.root.join("cluster/data")
    }

    /// Makes the cluster and loads every part.
    fn load(&mut self) -> Result<(), EngineError> {
        let Some((_, newest)) = self.parts.first() else {
            return Err(EngineError::refused("load the dumps", "there are none"));
        };
        let least = self.parts.iter().map(|(_, notes)| notes.client).max();
        let given = self.spec.programs.as_deref();
        let client = client::find(given, "pg_restore", least.unwrap_or(0))?;
        let server = instance::programs(given, newest.server / 10_000)?;
        let bootstrap = newest.bootstrap.clone();
        self.init(&server, &bootstrap)?;
        let mut instance = self.start(server, &bootstrap)?;
        instance.wait_open(PATIENCE, &GoOn::default())?;
        instance.using(|instance| {
            self.roles(instance, &bootstrap)?;
            self.fill(instance, &client)?;
            self.link(instance)?;
            sound::check(instance, &self.data_directory(), &BTreeMap::new())
        })?;
        let parts = self.root.join("parts");
        std::fs::remove_dir_all(&parts).map_err(|error| cannot("remove", &parts, error))?;
        self.loaded = true;
        Ok(())
    }

    fn init(&self, programs: &Path, bootstrap: &str) -> Result<(), EngineError> {
        let data = self.data_directory();
        let private = Permissions::from_mode(0o700);
        let done = std::fs::set_permissions(&data, private);
        done.map_err(|error| cannot("change", &data, error))?;
        let mut command = Command::new(programs.join("initdb"));
        command.arg("-D").arg(&data).args(["--username", bootstrap]);
        // the databases bring encodings and locales of their own
        command.args([
            "--encoding=UTF8",
            "--locale=C",
            "--auth=trust",
            "--data-checksums",
        ]);
        command.env("LC_ALL", "C").current_dir(&self.root);
        crate::media::keys::withhold(&mut command);
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        program::run(&mut command)
    }

    fn start(&self, programs: PathBuf, bootstrap: &str) -> Result<Instance, EngineError> {
        Instance::start(InstanceSpec {
            programs,
            data: self.data_directory(),
            user: bootstrap.to_owned(),
            log: Some(self.root.join("scratch/server.log")),
            settings: vec![("synchronous_commit", "off".to_owned())],
        })
    }

    /// Makes the roles; what the server does not take is told.
    fn roles(&mut self, instance: &Instance, bootstrap: &str) -> Result<(), EngineError> {
        let Some((folder, notes)) = self.parts.last() else {
            return Ok(());
        };
        let path = folder.join(ROLES);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| cannot("read", &path, error))?;
        let passwords = notes.passwords;
        let mut client = instance.home()?;
        for statement in roles::statements(&text, bootstrap) {
            if let Err(error) = client.batch_execute(&statement) {
                let words: Vec<&str> = statement.split_whitespace().take(3).collect();
                self.warnings.push(format!("{}: {error}", words.join(" ")));
            }
        }
        if !passwords {
            let told = "roles came without passwords: the role that copied may not read them";
            self.warnings.push(told.to_owned());
        }
        Ok(())
    }

    /// Loads the parts, database by database.
    fn fill(&mut self, instance: &Instance, client: &Client) -> Result<(), EngineError> {
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        for (folder, notes) in &self.parts {
            let loading = Loading {
                instance,
                client,
                folder,
                notes,
            };
            let before = made.insert(notes.database.clone(), notes.snapshot.clone());
            match before {
                None => loading.create()?,
                Some(other) if other != notes.snapshot => self.warnings.push(format!(
                    "the copies of database {} are of different moments",
                    notes.database
                )),
                Some(_) => {}
            }
            if !notes.tables.is_empty() {
                loading.rows()?;
            }
        }
        Ok(())
    }

    /// Makes the foreign keys between parts; those that lead to tables without rows here are
    /// remembered for who takes the tables elsewhere.
    fn link(&self, instance: &Instance) -> Result<(), EngineError> {
        let mut outside = Vec::new();
        let mut known = BTreeSet::new();
        for (_, notes) in &self.parts {
            let mut client = instance.client(&notes.database)?;
            for link in &notes.links {
                if !known.insert((&notes.database, &link.from, &link.name)) {
                    continue;
                }
                if client.batch_execute(&link.sql()).is_err() {
                    outside.push(link);
                }
            }
        }
        let path = self.root.join("cluster").join(OUTSIDE);
        let text = serde_json::to_vec(&outside).unwrap_or_default();
        std::fs::write(&path, text).map_err(|error| cannot("write", &path, error))?;
        self.own(&path)
    }
}

/// Who owns a cluster that this process makes: its own user, or the owner of the live one.
fn owner(spec: &PostgresSpec) -> Result<Option<(u32, u32)>, EngineError> {
    use std::os::unix::fs::MetadataExt;
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let live = spec.data_directory.as_deref();
    let about = live.and_then(|path| std::fs::metadata(path).ok());
    match about.filter(|about| about.uid() != 0) {
        Some(about) => Ok(Some((about.uid(), about.gid()))),
        None => Err(EngineError::refused(
            format!("make a scratch cluster for {}", spec.service),
            "a server does not run as root, and no data directory tells who should own it: run \
             planc as the server's user",
        )),
    }
}

/// One part on its way into the server.
struct Loading<'a> {
    instance: &'a Instance,
    client: &'a Client,
    folder: &'a Path,
    notes: &'a DumpNotes,
}

impl Loading<'_> {
    fn tool(&self) -> Command {
        let mut command = self.instance.client_tool(&self.client.folder, "pg_restore");
        command.args(["--exit-on-error", "--no-password", "--no-tablespaces"]);
        command
    }

    /// Makes the database with its definitions, or with all of it.
    fn create(&self) -> Result<(), EngineError> {
        let whole = self.notes.tables.is_empty();
        let mut command = self.tool();
        if self.notes.database == "postgres" {
            // every fresh cluster has an empty one
            command.args(["--clean", "--if-exists"]);
        }
        command.args(["--create", "--dbname=template1"]);
        command.arg(self.folder.join(if whole { DATABASE } else { SCHEMA }));
        program::run(&mut command)
    }

    /// Loads the rows, then indexes and keys, but no foreign key to a table that has no rows here.
    fn rows(&self) -> Result<(), EngineError> {
        let dump = self.folder.join(DATA);
        let text = program::output(self.tool().arg("--list").arg(&dump))?;
        let path = self.folder.join("wanted.list");
        let wanted = wanted(&text, self.notes);
        std::fs::write(&path, wanted).map_err(|error| cannot("write", &path, error))?;
        let mut command = self.tool();
        command.args(["--section=data", "--section=post-data", "--use-list"]);
        command.arg(&path).arg("--dbname").arg(&self.notes.database);
        program::run(command.arg(&dump))
    }
}

/// The lines of a dump's list without foreign keys that lead out and parts of indexes that it lacks.
fn wanted(list: &str, notes: &DumpNotes) -> String {
    let key = |link: &Link| {
        let (schema, table) = (&link.from.schema, &link.from.name);
        format!(" FK CONSTRAINT {schema} {table} {} ", link.name)
    };
    let part = |index: &Table| format!(" INDEX ATTACH {} {} ", index.schema, index.name);
    let others = notes.links.iter().map(key);
    let others: Vec<String> = others.chain(notes.hanging.iter().map(part)).collect();
    let stays = |line: &&str| !others.iter().any(|other| line.contains(other.as_str()));
    let lines = list.lines().filter(stays);
    lines.flat_map(|line| [line, "\n"]).collect()
}

impl RestoreSession for DumpRestore {
    fn begin_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let notes = DumpNotes::parse(ended)?;
        // missing programs are told before anything is read
        let given = self.spec.programs.as_deref();
        client::find(given, "pg_restore", notes.client)?;
        instance::programs(given, notes.server / 10_000)?;
        let folder = self.root.join(format!("parts/{}", self.parts.len()));
        self.make(&folder)?;
        self.writer = Writer::new();
        self.writer.map("", &folder);
        self.parts.push((folder, notes));
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        self.writer.entry(entry)
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        self.writer.data(offset, bytes)
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        self.writer.close(length)
    }

    fn finish_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
        self.writer.settle()
    }

    fn apply(&mut self, _range: &LogRange, _until: &RecoveryTarget) -> Result<bool, EngineError> {
        Err(EngineError::refused(
            "replay log onto a logical copy",
            "its rows have no place in the log",
        ))
    }

    fn position(&self) -> Option<Position> {
        None
    }

    fn check(&mut self) -> Result<(), EngineError> {
        if self.loaded {
            return Ok(());
        }
        self.load()
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn result(&self) -> PathBuf {
        self.root.join("cluster")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table {
            schema: "public".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn what_leads_out_is_left_out() {
        let list = "; head\n1; 2606 1 FK CONSTRAINT public lines lines_a_fkey postgres\n\
                    2; 2606 2 FK CONSTRAINT public lines lines_b_fkey postgres\n\
                    3; 0 0 TABLE DATA public lines postgres\n\
                    4; 0 0 INDEX ATTACH public late_pkey postgres\n\
                    5; 0 0 INDEX ATTACH public late_2 postgres\n";
        let link = Link {
            from: table("lines"),
            name: "lines_a_fkey".to_owned(),
            definition: String::new(),
            own: true,
        };
        let notes = DumpNotes {
            database: String::new(),
            tables: vec![table("lines"), table("late")],
            links: vec![link],
            hanging: vec![table("late_pkey")],
            snapshot: String::new(),
            position: String::new(),
            server: 150_000,
            client: 15,
            bootstrap: String::new(),
            passwords: false,
        };
        let wanted = wanted(list, &notes);
        for gone in ["lines_a_fkey", "late_pkey"] {
            assert!(!wanted.contains(gone), "{wanted}");
        }
        for kept in ["lines_b_fkey", "TABLE DATA", "late_2"] {
            assert!(wanted.contains(kept), "{wanted}");
        }
    }
}
