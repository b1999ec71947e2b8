//! Owns a server that runs on a restored data directory for a while: no network, no archiving,
//! nothing preloaded, whatever the restored configuration says. It ends when it is dropped.
//!
//! Its socket lies in a folder of its own below the system's temporary folder, because names of
//! sockets must be short.

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::connect::refused;
use super::control::{self, ControlFile};
use super::files::cannot;
use super::lsn::SegmentSize;
use super::{ended, read};
use crate::engine::{EngineError, GoOn};
use crate::media::keys::withhold;

const PAUSE: Duration = Duration::from_millis(20);
const LOG: &str = "server.log";
/// Begins the name of the folder with the socket.
const SOCKETS: &str = "planc-server-";
/// The line of `postmaster.pid` that tells the server's state, counted from the one after the first.
const STATE: usize = 6;
/// Databases for a session that wants none in particular; some clusters lack the first.
const HOMES: [&str; 2] = ["postgres", "template1"];
/// The role that most clusters have, whatever they have named in the inventory since.
const USUAL_USER: &str = "postgres";
/// Replication slots and origins that a server finds in its folder are no reason not to start.
const MANY_SLOTS: &str = "1000";
/// Prepared transactions that may be open at once in the log: the setting of the copy may have been
/// raised since. More would cost memory that is filled at the start.
const MANY_PREPARED: u32 = 200;
/// Looks at whether a server has ended of which a session says so.
const LOOKS: u32 = 25;
/// How long a server that was asked to stop at once is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a database or a role of the copy may say of its sessions, and must not: libraries that this
/// host has not, limits, another role, triggers on what is asked of the copy. No setting of the
/// server wins over those, what a session asks for itself does.
const CALM: &str = "-c session_preload_libraries= -c local_preload_libraries= -c role=none \
     -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 \
     -c default_transaction_read_only=off -c session_replication_role=replica";

/// What a server runs on.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    /// Folder with the server's programs.
    pub programs: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// A role of the cluster; the usual one is tried, too.
    pub user: String,
    /// The server's log; none for one that goes with the server.
    pub log: Option<PathBuf>,
    /// Settings that win over all others.
    pub settings: Vec<(&'static str, String)>,
}

/// A server at work.
pub struct Instance {
    child: Child,
    spec: InstanceSpec,
    scratch: TempDir,
    log: PathBuf,
    /// The database of sessions that want none in particular.
    home: &'static str,
}

impl Instance {
    /// Starts a server; it may be replaying when this returns.
    ///
    /// # Errors
    /// When the data directory or the programs cannot be used.
    pub fn start(spec: InstanceSpec) -> Result<Self, EngineError> {
        let about = std::fs::metadata(&spec.data);
        let about = about.map_err(|error| cannot("look at", &spec.data, error))?;
        let scratch = scratch(&about)?;
        let log = spec.log.clone();
        let log = log.unwrap_or_else(|| scratch.path().join(LOG));
        let file = File::create(&log).map_err(|error| cannot("create", &log, error))?;
        let errors = file.try_clone();
        let errors = errors.map_err(|error| cannot("open", &log, error))?;
        let program = spec.programs.join("postgres");
        let mut command = Command::new(&program);
        withhold(&mut command).arg("-D").arg(&spec.data);
        for (name, value) in settings(&spec, scratch.path(), &about)? {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        command.current_dir(&spec.data).env_remove("PGDATA");
        become_owner(&mut command, &about);
        let child = command
            .spawn()
            .map_err(|error| cannot("start", &program, error))?;
        Ok(Self {
            child,
            spec,
            scratch,
            log,
            home: HOMES[0],
        })
    }

    /// Waits until it takes writes.
    ///
    /// # Errors
    /// As [`Instance::is_open`] when it ends, [`EngineError::NotReached`] when it does not open in
    /// time; [`EngineError::Busy`] when it is not to go on.
    pub fn wait_open(&mut self, patience: Duration, go_on: &GoOn) -> Result<(), EngineError> {
        match self.opened(patience, go_on) {
            Err(error) if go_on.yes() => Err(self.ended().unwrap_or(error)),
            opened => opened,
        }
    }

    fn opened(&mut self, patience: Duration, go_on: &GoOn) -> Result<(), EngineError> {
        let deadline = Instant::now() + patience;
        let mut client = self.first_session(deadline, go_on)?;
        self.spec.user = superuser(&mut client)?;
        Ok(())
    }

    fn first_session(&mut self, deadline: Instant, go_on: &GoOn) -> Result<Client, EngineError> {
        loop {
            check_wanted(go_on)?;
            if self.is_open()?
                && let Some(client) = self.enter()?
            {
                return Ok(client);
            }
            if Instant::now() >= deadline {
                let told = ended::told(&self.log);
                let message = format!("not in time; the server says: {told}");
                return Err(EngineError::NotReached(message));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The first session, by a role and in a database that the cluster has at the target; none when
    /// the server said a little early that it is open.
    fn enter(&mut self) -> Result<Option<Client>, EngineError> {
        let roles = [self.spec.user.clone(), USUAL_USER.to_owned()];
        let mut first = None;
        for role in roles {
            self.spec.user = role;
            for home in HOMES {
                let error = match self.session(home) {
                    Ok(client) => {
                        self.home = home;
                        return Ok(Some(client));
                    }
                    Err(error) => error,
                };
                if error
                    .code()
                    .is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW)
                {
                    return Ok(None);
                }
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(None), |error| {
            Err(refused("ask the recovered server", &error))
        })
    }

    /// A session where it does not matter in which database.
    ///
    /// # Errors
    /// What the server says.
    pub fn home(&self) -> Result<Client, EngineError> {
        self.client(self.home)
    }

    /// A session in a database.
    ///
    /// # Errors
    /// What the server says.
    pub fn client(&self, database: &str) -> Result<Client, EngineError> {
        let client = self.session(database);
        client.map_err(|error| refused(format!("open database {database}"), &error))
    }

    fn session(&self, database: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config.host_path(self.scratch.path()).user(&self.spec.user);
        config.dbname(database).application_name("planc");
        let client = config.clone().options(CALM).connect(NoTls);
        client.or_else(|error| match error.code() {
            // some of it is for superusers
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => config.connect(NoTls),
            _ => Err(error),
        })
    }

    /// A client program of the server's version that connects to it as its superuser.
    #[must_use]
    pub fn tool(&self, name: &str) -> Command {
        self.client_tool(&self.spec.programs, name)
    }

    /// As [`Instance::tool`], of another folder.
    #[must_use]
    pub fn client_tool(&self, folder: &Path, name: &str) -> Command {
        let mut command = Command::new(folder.join(name));
        withhold(&mut command)
            .env("PGHOST", self.scratch.path())
            .env("PGPORT", "5432")
            .env("PGUSER", &self.spec.user)
            .env_remove("PGPASSWORD")
            .env_remove("PGSERVICE")
            .env("PGOPTIONS", CALM)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    /// Whether it takes sessions; a server whose `hot_standby` is off does so when it has replayed.
    /// Every question by a session would make the server start a process.
    ///
    /// # Errors
    /// When it has ended: [`EngineError::NotReached`] with its words, unless it was killed.
    pub fn is_open(&mut self) -> Result<bool, EngineError> {
        let program = self.spec.programs.join("postgres");
        let ended = self.child.try_wait();
        let ended = ended.map_err(|error| cannot("wait for", &program, error))?;
        if let Some(status) = ended {
            return Err(ended::error(status, &self.log));
        }
        let told = std::fs::read_to_string(self.spec.data.join("postmaster.pid"));
        let told = told.unwrap_or_default();
        let mut lines = told.lines();
        let own = lines.next() == Some(&*self.child.id().to_string());
        Ok(own
            && lines
                .nth(STATE)
                .is_some_and(|state| state.trim() == "ready"))
    }

    /// Stops it as an operator does, with a checkpoint.
    ///
    /// # Errors
    /// When the server says that it did not stop in order.
    pub fn stop(mut self) -> Result<(), EngineError> {
        self.signal(Signal::INT);
        let program = self.spec.programs.join("postgres");
        let status = self.child.wait();
        let status = status.map_err(|error| cannot("wait for", &program, error))?;
        if status.success() {
            return Ok(());
        }
        Err(match ended::error(status, &self.log) {
            EngineError::NotReached(told) => {
                EngineError::refused("stop the recovered server", told)
            }
            killed => killed,
        })
    }

    /// Does some work with it and stops it. Where the work fails because the server has ended, that
    /// is the error.
    ///
    /// # Errors
    /// Those of the work, and of [`Instance::stop`].
    pub fn using<T>(
        mut self,
        work: impl FnOnce(&Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match work(&self) {
            Ok(done) => self.stop().map(|()| done),
            Err(error) => Err(self.ended().unwrap_or(error)),
        }
    }

    /// Why it has ended. A session may see the end a little before the system tells it.
    fn ended(&mut self) -> Option<EngineError> {
        for _ in 0..LOOKS {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(ended::error(status, &self.log));
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // one that has ended already needs no signal
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// How long it replayed log when it started, as its log tells; none when there was none.
    #[must_use]
    pub fn redo(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(&self.log).ok()?;
        redo(&text)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let runs = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if !runs(&mut self.child) {
            return;
        }
        self.signal(Signal::QUIT);
        let deadline = Instant::now() + PATIENCE;
        while runs(&mut self.child) && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        // what does not listen is ended all the same; its exit says nothing more
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a server that replays is still wanted.
///
/// # Errors
/// [`EngineError::Busy`] when it was asked to end.
pub(super) fn check_wanted(go_on: &GoOn) -> Result<(), EngineError> {
    if go_on.yes() {
        return Ok(());
    }
    Err(EngineError::Busy {
        what: "the recovered server".to_owned(),
        cause: "it replays, and was asked to end".to_owned(),
    })
}

/// `redo done at 0/5000110 system usage: CPU: user: …, system: …, elapsed: 25.71 s`.
fn redo(log: &str) -> Option<Duration> {
    let line = log.lines().rfind(|line| line.contains("redo done at "))?;
    let elapsed = line.rsplit_once("elapsed: ")?.1.strip_suffix(" s")?;
    Duration::try_from_secs_f64(elapsed.parse().ok()?).ok()
}

/// A role that may see everything: the one that the inventory names may be a humble one.
fn superuser(client: &mut Client) -> Result<String, EngineError> {
    let query = "select rolname::text from pg_roles where rolsuper and rolcanlogin \
                 order by rolname <> current_user, oid limit 1";
    let row = client.query_opt(query, &[]);
    let row = row.map_err(|error| refused("ask the recovered server", &error))?;
    let row = row.ok_or_else(|| {
        EngineError::refused(
            "look into the recovered server",
            "it has no superuser that may log in",
        )
    })?;
    Ok(row.get(0))
}

/// A folder that only the owner of the data directory may enter.
fn scratch(about: &std::fs::Metadata) -> Result<TempDir, EngineError> {
    let base = std::env::temp_dir();
    let made = tempfile::Builder::new().prefix(SOCKETS).tempdir();
    let folder = made.map_err(|error| cannot("create a folder in", &base, error))?;
    give(folder.path(), about)?;
    Ok(folder)
}

/// Gives a path to the owner of the data directory, for nobody else to read.
fn give(path: &Path, about: &std::fs::Metadata) -> Result<(), EngineError> {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    let done = std::fs::set_permissions(path, Permissions::from_mode(mode));
    done.map_err(|error| cannot("change", path, error))?;
    if rustix::process::geteuid().is_root() {
        let done = std::os::unix::fs::chown(path, Some(about.uid()), Some(about.gid()));
        done.map_err(|error| cannot("change the owner of", path, error))?;
    }
    Ok(())
}

/// A server refuses to run as root: it runs as the owner of its files.
pub(super) fn become_owner(command: &mut Command, about: &std::fs::Metadata) {
    if rustix::process::geteuid().is_root() {
        command.uid(about.uid()).gid(about.gid());
    }
}

fn settings(
    spec: &InstanceSpec,
    scratch: &Path,
    about: &std::fs::Metadata,
) -> Result<Vec<(&'static str, String)>, EngineError> {
    let file = read::control_file(&spec.data.join(control::PATH))?;
    let write = |name: &str, text: &str| -> Result<String, EngineError> {
        let path = scratch.join(name);
        std::fs::write(&path, text).map_err(|error| cannot("write", &path, error))?;
        give(&path, about)?;
        Ok(path.display().to_string())
    };
    let fixed = [
        ("config_file", write("postgresql.conf", "")?),
        ("hba_file", write("pg_hba.conf", "local all all trust\n")?),
        ("ident_file", write("pg_ident.conf", "")?),
        ("external_pid_file", String::new()),
        ("listen_addresses", String::new()),
        ("unix_socket_directories", scratch.display().to_string()),
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
        ("event_triggers", "off".to_owned()),
        // sessions during recovery are not needed, and the standby limits do not apply
        ("hot_standby", "off".to_owned()),
        ("autovacuum", "off".to_owned()),
        ("max_wal_senders", "0".to_owned()),
        // it is filled at the start, and a server that replays writes hardly any log
        ("wal_buffers", "1MB".to_owned()),
        // slots of the live folder stay as they are
        ("wal_level", "logical".to_owned()),
        ("max_replication_slots", MANY_SLOTS.to_owned()),
        // without it the server would remove what was recorded
        ("track_commit_timestamp", "on".to_owned()),
        ("max_pred_locks_per_transaction", "10".to_owned()),
        // those that are there are no fault
        ("allow_in_place_tablespaces", "on".to_owned()),
    ];
    let tamed = TAMED.map(|(name, value)| (name, value.to_owned()));
    let mut settings = Vec::from(fixed);
    settings.extend(tamed);
    let major = spec_major(spec);
    if major < 17 {
        settings.retain(|(name, _)| *name != "event_triggers" && *name != "transaction_timeout");
    }
    if major >= 18 {
        // another method may need what this host has not
        settings.push(("io_method", "worker".to_owned()));
        settings.push(("max_active_replication_origins", MANY_SLOTS.to_owned()));
    }
    settings.push(("shared_buffers", buffers(None)));
    settings.extend(limits(&file));
    settings.extend(log_room(file.wal_segment_size));
    settings.extend(spec.settings.iter().cloned());
    Ok(settings)
}

/// What `ALTER SYSTEM` may have left in the copy and must not do its work here: commands of the
/// live server, targets of an older recovery, limits of sessions, switches that hide damage, memory
/// that this host may not have.
const TAMED: [(&str, &str); 27] = [
    // its words are read
    ("lc_messages", "C"),
    ("recovery_end_command", ""),
    ("archive_cleanup_command", ""),
    ("archive_command", ""),
    ("archive_library", ""),
    ("recovery_min_apply_delay", "0"),
    ("recovery_target", ""),
    ("recovery_target_name", ""),
    ("recovery_target_time", ""),
    ("recovery_target_xid", ""),
    ("recovery_target_lsn", ""),
    ("recovery_target_inclusive", "on"),
    ("unix_socket_group", ""),
    ("synchronous_standby_names", ""),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("default_transaction_read_only", "off"),
    ("zero_damaged_pages", "off"),
    ("ignore_checksum_failure", "off"),
    ("ignore_system_indexes", "off"),
    ("huge_pages", "try"),
    ("restore_command", ""),
    // subscriptions would take changes that their publisher then keeps no longer
    ("max_logical_replication_workers", "0"),
    // what was restored is durable before the server starts: to open each file for that takes long
    ("recovery_init_sync_method", "syncfs"),
];

/// The major version of the data directory; 0 when it does not tell.
fn spec_major(spec: &InstanceSpec) -> u32 {
    let text = std::fs::read_to_string(spec.data.join("PG_VERSION"));
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// `shared_buffers`: an eighth of what is available, and no more than so much log can fill, where
/// that is known. A server that replays writes out what does not fit, and reads it again.
///
/// A page is changed first by a record that brings it whole, less what is free in it.
pub(super) fn buffers(log: Option<u64>) -> String {
    let about = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = about
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = available.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let available = (kib.unwrap_or(0) >> 10) / 8;
    let filled = log.map_or(u64::MAX, |log| log >> 20);
    format!("{}MB", available.clamp(128, 512).min(filled.max(16)))
}

/// Limits that must not be lower than they were when the log was written.
fn limits(file: &ControlFile) -> Vec<(&'static str, String)> {
    let [connections, workers, prepared, locks] = file.limits;
    vec![
        ("max_connections", connections.max(10).to_string()),
        ("max_worker_processes", workers.to_string()),
        (
            "max_prepared_transactions",
            prepared.max(MANY_PREPARED).to_string(),
        ),
        ("max_locks_per_transaction", locks.max(64).to_string()),
    ]
}

/// The server's defaults for the log it keeps, and no less than the two segments it insists on.
fn log_room(segment: SegmentSize) -> [(&'static str, String); 2] {
    let two = (2 * segment.bytes()) >> 20;
    [("min_wal_size", 80), ("max_wal_size", 1024)]
        .map(|(name, default)| (name, format!("{}MB", two.max(default))))
}

/// Stops the server that an earlier process left on a data directory which is about to be removed.
pub fn abandon(data: &Path) {
    let path = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return;
    };
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    let same = lines.next().map(Path::new) == Some(data);
    let Some(pid) = pid.and_then(Pid::from_raw).filter(|_| same) else {
        return;
    };
    if !is_server(pid, data) {
        return;
    }
    let _ = rustix::process::kill_process(pid, Signal::QUIT);
    let deadline = Instant::now() + PATIENCE;
    while rustix::process::test_kill_process(pid).is_ok() && Instant::now() < deadline {
        std::thread::sleep(PAUSE);
    }
}

/// Whether a process is the server of a data directory: what a killed one left may name a number
/// that is another program's by now. One that may not be looked at is taken for it.
fn is_server(pid: Pid, data: &Path) -> bool {
    let about = PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
    let name = std::fs::read_to_string(about.join("comm"));
    let place = std::fs::read_link(about.join("cwd"));
    let place = match place {
        Ok(place) => data.canonicalize().is_ok_and(|data| data == place),
        // one that has ended has none, though the system may still know its number
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    place && name.is_ok_and(|name| name.trim() == "postgres")
}

/// A server that runs must be stopped by its operator.
///
/// # Errors
/// When one runs on the data directory.
pub(super) fn check_stopped(data: &Path) -> Result<(), EngineError> {
    match running(data)? {
        None => Ok(()),
        Some(_) => Err(EngineError::refused(
            format!("work in {}", data.display()),
            "the server runs: stop it first",
        )),
    }
}

/// The server that runs on a data directory.
///
/// # Errors
/// When the folder refuses to tell.
pub(super) fn running(data: &Path) -> Result<Option<Pid>, EngineError> {
    let path = data.join("postmaster.pid");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", &path, error)),
    };
    let pid = text.lines().next();
    let pid = pid.and_then(|line| line.trim().parse().ok());
    let alive = |pid: &Pid| is_server(*pid, data);
    Ok(pid.and_then(Pid::from_raw).filter(alive))
}

/// Stops the server that an earlier process of planc left on a data directory that stays; one that
/// others started runs on.
pub(super) fn abandon_own(data: &Path) {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    // the fifth line names the folder of its socket
    let socket = text.lines().nth(4).map(Path::new);
    let name = socket
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    if name.is_some_and(|name| name.starts_with(SOCKETS)) {
        abandon(data);
    }
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
            cause: format!(
                "looked in {}; install them on this host, or name their folder as `programs` of \
                 the service in the inventory",
                places.join(", ")
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_tells_how_long_it_replayed() {
        let log = "LOG:  redo starts at 0/4000028\n\
            LOG:  redo done at 0/5000110 system usage: CPU: user: 0.03 s, system: 0.02 s, \
            elapsed: 25.71 s\nLOG:  archive recovery complete\n";
        assert_eq!(redo(log), Some(Duration::from_millis(25_710)));
        assert_eq!(redo("LOG:  redo is not required\n"), None);
        assert_eq!(redo("LOG:  redo done at 0/5000110\n"), None);
    }
}
