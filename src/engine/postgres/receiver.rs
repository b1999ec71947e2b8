//! Owns the program that receives a server's log, `pg_receivewal`: how it is started, found again
//! and ended, and what it says. Must not look at what it receives.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{PostgresSpec, connect, instance};
use crate::engine::EngineError;
use crate::media::keys::withhold;

const PROGRAM: &str = "pg_receivewal";
const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited for a receiver that was left behind to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A receiver that runs; ended with this value.
pub(super) struct Receiver {
    child: Child,
    folder: PathBuf,
    // read by the child
    _secret: Option<tempfile::NamedTempFile>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // one that ended already does not mind
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Receiver {
    /// Starts one that receives on a slot into a folder, from a server of this major version.
    ///
    /// # Errors
    /// When the program is missing or the password cannot be had.
    pub(super) fn start(
        spec: &PostgresSpec,
        major: u32,
        slot: &str,
        folder: &Path,
    ) -> Result<Self, EngineError> {
        let program = instance::programs(spec.programs.as_deref(), major)?.join(PROGRAM);
        let secret = passfile(spec)?;
        let mut command = ending_with_us(&program);
        // the slot of the stream keeps on the server what is lost here
        withhold(&mut command)
            .args(["--no-loop", "--no-password", "--no-sync", "--slot", slot])
            .arg("--directory")
            .arg(folder)
            .args(reach(&spec.connect))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(diary(folder)?);
        connect::encrypt(&spec.service, &spec.connect, &mut command)?;
        if let Some(secret) = &secret {
            command.env("PGPASSFILE", secret.path());
        }
        let child = command.spawn();
        Ok(Self {
            child: child.map_err(EngineError::io("start", &program))?,
            folder: folder.to_owned(),
            _secret: secret,
        })
    }

    /// What it said when it ended; none while it runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub(super) fn ended(&mut self) -> Result<Option<String>, EngineError> {
        let ended = self.child.try_wait();
        let ended = ended.map_err(EngineError::io("watch", PROGRAM))?;
        Ok(ended.map(|_| last_words(&self.folder)))
    }
}

/// Ends the receiver of a stream that was killed: it lives on and holds the slot. One that does not
/// end keeps the slot, which is told as trouble.
pub(super) fn end_left_behind(folder: &Path) {
    let since = Instant::now();
    loop {
        let left = receivers(folder);
        if left.is_empty() || since.elapsed() > PATIENCE {
            return;
        }
        for pid in left {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Processes that receive into a folder.
fn receivers(folder: &Path) -> Vec<rustix::process::Pid> {
    let folder = folder.as_os_str().as_bytes();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        let is_receiver = words.next()?.ends_with(PROGRAM.as_bytes());
        let mut words = words.skip_while(|word| *word != b"--directory");
        let into = words.nth(1).filter(|_| is_receiver)?;
        (into == folder).then(|| rustix::process::Pid::from_raw(pid))?
    });
    found.collect()
}

/// A program that is asked to end when planc dies, where the system has the tool for it; elsewhere
/// the next stream ends what was left behind.
fn ending_with_us(program: &Path) -> Command {
    let with = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program);
        command
    };
    let mut tried = with(Path::new("true"));
    let tried = withhold(&mut tried)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match tried.stderr(Stdio::null()).status() {
        Ok(status) if status.success() => with(program),
        _ => Command::new(program),
    }
}

/// Where the server is, as arguments; never a secret.
fn reach(connect: &connect::Connect) -> Vec<String> {
    let field = |name: &str| connect.get(name).cloned();
    let host = field("socket").or_else(|| field("host"));
    let host = host.unwrap_or_else(|| "/var/run/postgresql".to_owned());
    let user = field("user").unwrap_or_else(|| "postgres".to_owned());
    let mut words = vec!["--host".to_owned(), host, "--username".to_owned(), user];
    if let Some(port) = field("port") {
        words.extend(["--port".to_owned(), port]);
    }
    words
}

/// A file with the password that only this user may read.
fn passfile(spec: &PostgresSpec) -> Result<Option<tempfile::NamedTempFile>, EngineError> {
    let Some(secret) = connect::password(&spec.service, &spec.connect)? else {
        return Ok(None);
    };
    let failed = || EngineError::io("write", "a password file");
    let escaped = secret.replace('\\', "\\\\").replace(':', "\\:");
    let mut file = tempfile::NamedTempFile::new().map_err(failed())?;
    writeln!(file, "*:*:*:*:{escaped}").map_err(failed())?;
    Ok(Some(file))
}

fn diary_path(folder: &Path) -> PathBuf {
    folder.join("receiver.log")
}

fn diary(folder: &Path) -> Result<fs::File, EngineError> {
    let path = diary_path(folder);
    fs::File::create(&path).map_err(EngineError::io("write", path))
}

/// What the receiver said: the cause, and last that it is disconnected.
fn last_words(folder: &Path) -> String {
    let text = fs::read_to_string(diary_path(folder)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begin = lines.len().saturating_sub(3);
    let words = lines[begin..].join("; ");
    if words.is_empty() {
        return "the receiver ended without a word".to_owned();
    }
    words
}
