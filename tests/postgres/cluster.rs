//! Owns throwaway PostgreSQL clusters: finding the servers, starting and stopping clusters in a
//! temporary folder as an ordinary user, and asking them questions.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The versions of the suite; with `PLANC_PG_ALL` set, every version that is supported.
pub(crate) fn versions() -> Vec<u32> {
    if std::env::var_os("PLANC_PG_ALL").is_some() {
        return vec![15, 16, 18];
    }
    vec![15, 18]
}

/// A folder that the server's user owns and everyone may enter.
pub(crate) fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("planc-pg-");
    let folder = match memory() {
        Some(memory) => builder.tempdir_in(memory),
        None => builder.tempdir(),
    };
    let folder = folder.expect("temporary folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("permissions");
    own(folder.path());
    folder
}

/// A file system in memory with room for all clusters at once: the tests restore thousands of
/// files, each of them synced.
fn memory() -> Option<&'static Path> {
    const ROOM: u64 = 2 << 30;
    let path = Path::new("/dev/shm");
    let about = rustix::fs::statvfs(path).ok()?;
    (about.f_bavail * about.f_frsize > ROOM).then_some(path)
}

/// Gives a path to the server's user, when the tests run as root.
pub(crate) fn own(path: &Path) {
    if !is_root() {
        return;
    }
    let done = Command::new("chown")
        .arg("-Rh")
        .arg("postgres:")
        .arg(path)
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "chown {}",
        path.display()
    );
}

/// Command lines that say this, of all processes.
pub(crate) fn command_lines(text: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let lines = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(text)).collect()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// The folder with the tools of a version.
pub(crate) fn tools(version: u32) -> PathBuf {
    let home = std::env::var("PLANC_PG_HOME").unwrap_or_else(|_| "/opt/planc-test/pg".to_owned());
    let bin = match version {
        15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
        _ => PathBuf::from(home).join(version.to_string()).join("bin"),
    };
    assert!(
        bin.join("postgres").is_file(),
        "PostgreSQL {version} is not in {}: run tests/install-postgres",
        bin.display()
    );
    bin
}

/// Runs a tool as the server's user.
pub(crate) fn run(version: u32, tool: &str, arguments: &[&str]) -> Output {
    let tool = tools(version).join(tool);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(tool);
        command
    } else {
        Command::new(tool)
    };
    let output = command
        .args(arguments)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/tmp");
    output.output().expect("the tool starts")
}

/// Runs a tool that must succeed; its standard output.
pub(crate) fn run_ok(version: u32, tool: &str, arguments: &[&str]) -> String {
    let output = run(version, tool, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{tool} {arguments:?}: {out}{err}");
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One cluster; stopped and removed when dropped.
pub(crate) struct Cluster {
    pub(crate) version: u32,
    pub(crate) folder: TempDir,
    pub(crate) data: PathBuf,
}

impl Cluster {
    /// A new cluster with page checksums and small log segments; not started.
    pub(crate) fn create(version: u32) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        super::template::copy(version, &data);
        let cluster = Self {
            version,
            folder,
            data,
        };
        cluster.configure(&[
            "listen_addresses = ''",
            "fsync = off",
            "shared_buffers = 8MB",
            "max_wal_size = 64MB",
            "min_wal_size = 2MB",
            "autovacuum = off",
            "log_min_messages = info",
            "timezone = 'UTC'",
        ]);
        let sockets = cluster.folder.path().display().to_string();
        cluster.configure(&[&format!("unix_socket_directories = '{sockets}'")]);
        cluster
    }

    /// A cluster around a data directory that `fill` makes; not started.
    pub(crate) fn around(version: u32, fill: impl FnOnce(&Path)) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("data folder");
        fill(&data);
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&data, private).expect("permissions");
        own(&data);
        Self {
            version,
            folder,
            data,
        }
    }

    /// A cluster that lies in a folder already.
    pub(crate) fn adopt(version: u32, folder: TempDir, data: PathBuf) -> Self {
        Self {
            version,
            folder,
            data,
        }
    }

    /// Waits until recovery is over and the cluster takes writes.
    pub(crate) fn wait_open(&self) {
        for _ in 0..12_000 {
            if self.ask("select pg_is_in_recovery()") == "false" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("still in recovery:\n{}", self.log());
    }

    /// A running cluster that keeps its log in a folder.
    pub(crate) fn archiving(version: u32) -> Self {
        let cluster = Self::create(version);
        std::fs::create_dir(cluster.archive()).expect("archive folder");
        own(&cluster.archive());
        let archive = cluster.archive().display().to_string();
        let copy = format!("archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'");
        cluster.configure(&["archive_mode = on", &copy]);
        cluster.start();
        cluster
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// Adds lines to the configuration.
    pub(crate) fn configure(&self, lines: &[&str]) {
        let path = self.data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path).expect("configuration");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(&path, text).expect("configuration");
    }

    pub(crate) fn start(&self) {
        let log = self.folder.path().join("log");
        let (data, log) = (self.data.display().to_string(), log.display().to_string());
        run_ok(
            self.version,
            "pg_ctl",
            &["-s", "-w", "-D", &data, "-l", &log, "start"],
        );
    }

    /// Starts it after it died; one that is coming back by itself is stopped before.
    pub(crate) fn start_again(&self) {
        let data = self.data.display().to_string();
        let stop = ["-s", "-w", "-D", &data, "-m", "immediate", "stop"];
        run(self.version, "pg_ctl", &stop);
        self.start();
    }

    pub(crate) fn stop(&self, mode: &str) {
        let data = self.data.display().to_string();
        run_ok(
            self.version,
            "pg_ctl",
            &["-s", "-w", "-D", &data, "-m", mode, "stop"],
        );
    }

    /// The server's log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A session of the superuser.
    pub(crate) fn client(&self) -> postgres::Client {
        self.client_of("postgres", "postgres")
    }

    pub(crate) fn client_of(&self, user: &str, database: &str) -> postgres::Client {
        let mut config = postgres::Config::new();
        config
            .host_path(self.folder.path())
            .user(user)
            .dbname(database);
        let client = config.connect(postgres::NoTls);
        client.unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Runs statements in a session of their own.
    pub(crate) fn sql(&self, statements: &str) {
        let done = self.client().batch_execute(statements);
        done.unwrap_or_else(|error| panic!("{statements}: {error}\n{}", self.log()));
    }

    /// One value as text.
    pub(crate) fn ask(&self, query: &str) -> String {
        let answer = self
            .client()
            .query_one(&format!("select ({query})::text"), &[]);
        answer
            .unwrap_or_else(|error| panic!("{query}: {error:?}\n{}", self.log()))
            .get(0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data.display().to_string();
        run(
            self.version,
            "pg_ctl",
            &["-s", "-w", "-D", &data, "-m", "immediate", "stop"],
        );
    }
}
