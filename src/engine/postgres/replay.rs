//! Owns running a server on a restored data directory until it has replayed its log to a target:
//! no network, no archiving, nothing preloaded, whatever the restored configuration says. The
//! target counts as reached by the history the server wrote, not by the server having started.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal};

use super::connect::refused;
use super::control::{self, ControlFile};
use super::files::cannot;
use super::lsn::{Lsn, Timeline};
use super::read;
use super::target::Target;
use crate::engine::EngineError;

const PAUSE: Duration = Duration::from_millis(20);
const LOG: &str = "server.log";

/// A recovery to be run.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Folder with the server's programs.
    pub programs: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Folder for the socket and the server's log; the server's user must be able to write it.
    pub scratch: PathBuf,
    /// `restore_command`.
    pub restore_command: String,
    /// Where to end.
    pub target: Target,
    /// Replay that ends before this position is no recovery.
    pub at_least: Lsn,
    /// How long it may take.
    pub patience: Duration,
    /// A superuser of the cluster.
    pub user: String,
}

/// How a recovery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The last position of the old timeline.
    pub ended: Lsn,
    /// The old timeline.
    pub timeline: Timeline,
    /// The timeline that the cluster goes on with.
    pub new_timeline: Timeline,
    /// The server's words.
    pub reason: String,
}

impl Replay {
    /// Runs the server, waits until it has opened, checks the target, asks `while_open`, stops it.
    ///
    /// # Errors
    /// [`EngineError::NotReached`] with the server's words when the target was not reached.
    pub fn run(
        &self,
        while_open: impl FnOnce(&mut Client) -> Result<(), EngineError>,
    ) -> Result<Replayed, EngineError> {
        let mut server = Running {
            child: self.start()?,
            replay: self,
        };
        let mut client = server.wait_open()?;
        let done = self.judge();
        let done = done.and_then(|replayed| while_open(&mut client).map(|()| replayed));
        drop(client);
        let stopped = server.stop();
        let done = done?;
        stopped.map(|()| done)
    }

    fn start(&self) -> Result<Child, EngineError> {
        let log = self.scratch.join(LOG);
        let file = File::create(&log).map_err(|error| cannot("create", &log, error))?;
        let errors = file.try_clone();
        let errors = errors.map_err(|error| cannot("open", &log, error))?;
        let program = self.programs.join("postgres");
        let mut command = Command::new(&program);
        command.arg("-D").arg(&self.data);
        for (name, value) in self.settings()? {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        command.current_dir(&self.data).env_remove("PGDATA");
        self.become_owner(&mut command)?;
        command
            .spawn()
            .map_err(|error| cannot("start", &program, error))
    }

    /// A server refuses to run as root: it runs as the owner of its files.
    fn become_owner(&self, command: &mut Command) -> Result<(), EngineError> {
        let about = std::fs::metadata(&self.data);
        let about = about.map_err(|error| cannot("look at", &self.data, error))?;
        if rustix::process::geteuid().is_root() {
            command.uid(about.uid()).gid(about.gid());
        }
        Ok(())
    }

    fn settings(&self) -> Result<Vec<(&'static str, String)>, EngineError> {
        let file = read::control_file(&self.data.join(control::PATH))?;
        let scratch = self.scratch.display().to_string();
        let hba = self.write("pg_hba.conf", "local all all trust\n")?;
        let config = self.write("postgresql.conf", "")?;
        let ident = self.write("pg_ident.conf", "")?;
        let fixed = [
            ("config_file", config),
            ("hba_file", hba),
            ("ident_file", ident),
            ("external_pid_file", String::new()),
            ("listen_addresses", String::new()),
            ("unix_socket_directories", scratch),
            ("unix_socket_permissions", "0700".to_owned()),
            ("port", "5432".to_owned()),
            ("ssl", "off".to_owned()),
            ("archive_mode", "off".to_owned()),
            ("primary_conninfo", String::new()),
            ("shared_preload_libraries", String::new()),
            ("session_preload_libraries", String::new()),
            ("local_preload_libraries", String::new()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
            // sessions during recovery are not needed, and the standby limits do not apply
            ("hot_standby", "off".to_owned()),
            ("autovacuum", "off".to_owned()),
            ("max_wal_senders", "0".to_owned()),
            ("restore_command", self.restore_command.clone()),
        ];
        let mut settings = Vec::from(fixed);
        settings.extend(limits(&file));
        settings.extend(self.target.settings());
        Ok(settings)
    }

    fn write(&self, name: &str, text: &str) -> Result<String, EngineError> {
        let path = self.scratch.join(name);
        std::fs::write(&path, text).map_err(|error| cannot("write", &path, error))?;
        Ok(path.display().to_string())
    }

    /// Reads how the recovery ended from the history of the new timeline.
    fn judge(&self) -> Result<Replayed, EngineError> {
        let new_timeline = self.newest_timeline()?;
        let path = self.data.join(format!("pg_wal/{new_timeline}.history"));
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| cannot("read", &path, error))?;
        let history = super::history::History::parse(new_timeline, &text);
        let history = history.map_err(|error| error.of(path.display()))?;
        let unreadable = || EngineError::Damaged {
            what: path.display().to_string(),
            detail: "it names no timeline before".to_owned(),
        };
        let (timeline, ended) = *history.before.last().ok_or_else(unreadable)?;
        let line = text.lines().rfind(|line| !line.trim().is_empty());
        let reason = line.and_then(|line| line.splitn(3, '\t').nth(2));
        let reason = reason.unwrap_or_default().to_owned();
        if ended < self.at_least {
            let least = self.at_least;
            let told = format!("replay ended at {ended}, before {least}, where the parts agree");
            return Err(EngineError::NotReached(told));
        }
        let judged = self.target.check(ended, &reason);
        judged.map_err(EngineError::NotReached)?;
        Ok(Replayed {
            ended,
            timeline,
            new_timeline,
            reason,
        })
    }

    /// The timeline that the server began when it opened: it is above all that it knew.
    fn newest_timeline(&self) -> Result<Timeline, EngineError> {
        let folder = self.data.join("pg_wal");
        let entries = std::fs::read_dir(&folder);
        let entries = entries.map_err(|error| cannot("list", &folder, error))?;
        let mut newest = None;
        for entry in entries {
            let entry = entry.map_err(|error| cannot("list", &folder, error))?;
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".history"));
            let timeline: Option<Timeline> = stem.and_then(|stem| stem.parse().ok());
            newest = newest.max(timeline);
        }
        let none = "the server opened without a new timeline";
        newest.ok_or_else(|| EngineError::NotReached(none.to_owned()))
    }

    /// The last lines of the server's log that matter.
    fn told(&self) -> String {
        let text = std::fs::read_to_string(self.scratch.join(LOG)).unwrap_or_default();
        // sessions that came too early are no cause
        let grave = |line: &&str| {
            (line.contains("FATAL:") || line.contains("PANIC:"))
                && !line.contains("the database system is")
        };
        let grave: Vec<&str> = text.lines().filter(grave).collect();
        match grave.last() {
            Some(line) => (*line).to_owned(),
            None => text.lines().last().unwrap_or("no word").to_owned(),
        }
    }
}

/// Limits that must not be lower than they were when the log was written.
fn limits(file: &ControlFile) -> Vec<(&'static str, String)> {
    let [connections, workers, prepared, locks] = file.limits;
    vec![
        ("max_connections", connections.max(10).to_string()),
        ("max_worker_processes", workers.to_string()),
        ("max_prepared_transactions", prepared.to_string()),
        ("max_locks_per_transaction", locks.max(64).to_string()),
    ]
}

/// A server that is stopped when it is dropped.
struct Running<'a> {
    child: Child,
    replay: &'a Replay,
}

impl Running<'_> {
    fn wait_open(&mut self) -> Result<Client, EngineError> {
        let deadline = Instant::now() + self.replay.patience;
        let mut config = Config::new();
        config
            .host_path(&self.replay.scratch)
            .user(&self.replay.user);
        config.dbname("postgres").application_name("planc");
        loop {
            if self.ended()? {
                return Err(EngineError::NotReached(self.replay.told()));
            }
            match config.connect(NoTls) {
                Ok(mut client) => {
                    if is_open(&mut client)? {
                        return Ok(client);
                    }
                }
                Err(error) if error.as_db_error().is_some_and(is_other_user) => {
                    return Err(refused("ask the recovered server", &error));
                }
                // it is still replaying
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                let seconds = self.replay.patience.as_secs();
                let told = self.replay.told();
                let message = format!("not within {seconds} s; the server says: {told}");
                return Err(EngineError::NotReached(message));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn ended(&mut self) -> Result<bool, EngineError> {
        let program = self.replay.programs.join("postgres");
        let ended = self.child.try_wait();
        let ended = ended.map_err(|error| cannot("wait for", &program, error))?;
        Ok(ended.is_some())
    }

    /// Stops it as an operator does, with a checkpoint.
    fn stop(&mut self) -> Result<(), EngineError> {
        self.signal(Signal::INT);
        let program = self.replay.programs.join("postgres");
        let status = self.child.wait();
        let status = status.map_err(|error| cannot("wait for", &program, error))?;
        if status.success() {
            return Ok(());
        }
        Err(EngineError::Refused {
            what: "stop the recovered server".to_owned(),
            cause: self.replay.told(),
        })
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // one that has ended already needs no signal
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::QUIT);
            // it was asked to go; its exit says nothing more
            let _ = self.child.wait();
        }
    }
}

fn is_open(client: &mut Client) -> Result<bool, EngineError> {
    let row = client.query_one("select not pg_is_in_recovery()", &[]);
    let row = row.map_err(|error| refused("ask the recovered server", &error))?;
    Ok(row.get(0))
}

fn is_other_user(error: &postgres::error::DbError) -> bool {
    let refused = postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    *error.code() == refused
}

/// Finds the programs of a major version: the folder given, or where packages put them.
///
/// # Errors
/// Names the places that were looked at.
pub fn programs(given: Option<&Path>, major: u32) -> Result<PathBuf, EngineError> {
    let mut places: Vec<PathBuf> = given.map(Path::to_owned).into_iter().collect();
    if given.is_none() {
        places.push(format!("/usr/lib/postgresql/{major}/bin").into());
        places.push(format!("/usr/pgsql-{major}/bin").into());
        places.push(format!("/opt/postgresql/{major}/bin").into());
    }
    let found = places.iter().find(|place| place.join("postgres").is_file());
    found.cloned().ok_or_else(|| {
        let places: Vec<String> = places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        EngineError::Refused {
            what: format!("find the server programs of PostgreSQL {major}"),
            cause: format!("looked in {}; install them on this host", places.join(", ")),
        }
    })
}
