//! Owns streaming a server's log: `pg_receivewal` on a slot of its own, supervised and restarted,
//! and every finished segment stored on the devices before it leaves the receiver's folder.
//!
//! The slot keeps the log on the server until the receiver has written it durably; the receiver's
//! folder keeps it until every required device holds it. So at no moment a segment is in one place
//! that may forget it.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;

use super::archived::Claim;
use super::connect::{self, refused};
use super::lsn::{SegmentSize, WalFile};
use super::push::{self, PushRequest};
use super::server::ServerFacts;
use super::{PostgresSpec, instance, lag};
use crate::engine::{EngineError, Retry};
use crate::media::keys::withhold;

const PROGRAM: &str = "pg_receivewal";
const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited after the receiver ended by itself.
const REST: Duration = Duration::from_secs(2);
/// How long finished segments are stored until the lag is measured and told again: after a device
/// was away they are many.
const TURN: Duration = Duration::from_secs(1);
/// How long is waited for a receiver that was left behind to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a receiver needs.
pub struct ReceiveRequest {
    /// The server.
    pub spec: PostgresSpec,
    /// Everything of a push but the file.
    pub push: PushRequest,
    /// The same with devices that are opened anew: one that was away may have come back as another
    /// folder. None while one of them cannot be opened.
    pub anew: Box<dyn Fn() -> Option<PushRequest>>,
    /// The folder for what is not on the devices yet.
    pub folder: PathBuf,
    /// The slot on the server; made when it is not there.
    pub slot: String,
}

/// What a receiver tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lag {
    /// Bytes that the server has written durably and the receiver has not.
    pub bytes: u64,
    /// The most there were since it began.
    pub worst: u64,
    /// How often the receiver had to be started again.
    pub restarts: u64,
    /// Segments that were stored on the devices.
    pub stored: u64,
    /// What keeps it from working now.
    pub trouble: Option<String>,
}

/// Receives until `ended` says so; `tell` hears of the lag all the time.
///
/// # Errors
/// What trying again cannot help: a role that may not replicate, another server, missing programs.
pub fn receive(
    request: &ReceiveRequest,
    ended: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&Lag),
) -> Result<Lag, EngineError> {
    let made = fs::create_dir_all(&request.folder);
    made.map_err(EngineError::io("create", &request.folder))?;
    let private = fs::set_permissions(&request.folder, fs::Permissions::from_mode(0o700));
    private.map_err(EngineError::io("change", &request.folder))?;
    let _alone = alone(&request.folder)?;
    let mut lag = Lag::default();
    while !ended() {
        end_left_behind(&request.folder);
        match Receiver::start(request) {
            Ok(mut receiver) => receiver.watch(request, ended, tell, &mut lag)?,
            Err(error) if error.retry() == Retry::Later => lag.trouble = Some(error.to_string()),
            Err(error) => return Err(error),
        }
        tell(&lag);
        let until = Instant::now() + REST;
        while !ended() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        lag.restarts += 1;
    }
    lag.restarts = lag.restarts.saturating_sub(1);
    Ok(lag)
}

/// Holds the folder of a stream: two of them would end each other's receivers.
fn alone(folder: &Path) -> Result<fs::File, EngineError> {
    let path = folder.join("lock");
    let file = fs::File::create(&path).map_err(EngineError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(EngineError::refused(
            format!("stream into {}", folder.display()),
            "another `planc log stream` works there; name another slot and folder for a second one",
        )),
        Err(fs::TryLockError::Error(error)) => Err(EngineError::io("lock", &path)(error)),
    }
}

/// Ends the receiver of a stream that was killed: it lives on and holds the slot. One that does not
/// end keeps the slot, which is told as trouble.
fn end_left_behind(folder: &Path) {
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

/// A running `pg_receivewal` with a session that measures it.
struct Receiver {
    child: Child,
    client: Client,
    claim: Claim,
    push: PushRequest,
    // read by the child; gone with this value
    _secret: Option<tempfile::NamedTempFile>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // it flushes what it has when it is asked kindly; one that ended already does not mind
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Receiver {
    fn start(request: &ReceiveRequest) -> Result<Self, EngineError> {
        let spec = &request.spec;
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let facts = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
        make_slot(&mut client, request)?;
        drop_unfilled(&request.folder, facts.segment_size)?;
        let programs = instance::programs(spec.programs.as_deref(), facts.version.major)?;
        let program = programs.join(PROGRAM);
        let secret = passfile(request)?;
        let mut command = ending_with_us(&program);
        withhold(&mut command)
            .args(["--no-loop", "--no-password", "--synchronous", "--slot"])
            .arg(&request.slot)
            .arg("--directory")
            .arg(&request.folder)
            .args(reach(&spec.connect))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(diary(&request.folder)?);
        connect::encrypt(&spec.service, &spec.connect, &mut command)?;
        if let Some(secret) = &secret {
            command.env("PGPASSFILE", secret.path());
        }
        let child = command
            .spawn()
            .map_err(EngineError::io("start", &program))?;
        Ok(Self {
            child,
            client,
            claim: Claim {
                system_identifier: facts.system_identifier,
                segment_size: facts.segment_size,
            },
            push: request.push.clone(),
            _secret: secret,
        })
    }

    /// Stores finished segments and measures until the receiver ends or is to end.
    fn watch(
        &mut self,
        request: &ReceiveRequest,
        ended: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(&Lag),
        lag: &mut Lag,
    ) -> Result<(), EngineError> {
        while !ended() {
            lag.trouble = None;
            match self.measure(request) {
                Ok(bytes) => lag.bytes = bytes,
                Err(error) => {
                    lag.trouble = Some(error.to_string());
                    return Ok(());
                }
            }
            lag.worst = lag.worst.max(lag.bytes);
            let more = self.store(request, ended, lag)?;
            tell(lag);
            if self
                .child
                .try_wait()
                .map_err(EngineError::io("watch", PROGRAM))?
                .is_some()
            {
                lag.trouble = Some(last_words(&request.folder));
                return Ok(());
            }
            if !more {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Bytes that the server has durably and the receiver has not reported as durable.
    fn measure(&mut self, request: &ReceiveRequest) -> Result<u64, EngineError> {
        let found = lag::ask(&mut self.client, &request.spec.service, &request.slot)?;
        Ok(found.and_then(|slot| slot.bytes).unwrap_or(0))
    }

    /// Stores what is finished and lets go of it, for one turn; true when more is left for the next.
    /// A device that fails keeps it here.
    fn store(
        &mut self,
        request: &ReceiveRequest,
        ended: &dyn Fn() -> bool,
        lag: &mut Lag,
    ) -> Result<bool, EngineError> {
        let until = Instant::now() + TURN;
        for path in finished(&request.folder, self.claim)? {
            if ended() || Instant::now() >= until {
                return Ok(true);
            }
            let push = PushRequest {
                file: path.clone(),
                cluster: Some(self.claim),
                ..self.push.clone()
            };
            match push::push(&push) {
                Ok(_) => {
                    lag.stored += 1;
                    fs::remove_file(&path).map_err(EngineError::io("remove", &path))?;
                }
                Err(error @ push::PushError::OtherServer { .. }) => {
                    let what = format!("stream the log of {}", request.spec.service);
                    return Err(EngineError::refused(what, error.to_string()));
                }
                Err(error) => {
                    lag.trouble = Some(error.to_string());
                    if let Some(anew) = (request.anew)() {
                        self.push = anew;
                    }
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }
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

/// Removes a segment that was begun and not yet filled with zeros when its receiver was killed: the
/// program refuses it for ever, and it holds no log.
fn drop_unfilled(folder: &Path, size: SegmentSize) -> Result<(), EngineError> {
    for path in files(folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let file = name.map(|name| WalFile::parse(name, size));
        if !matches!(file, Some(Ok(WalFile::Partial(_)))) {
            continue;
        }
        let about = fs::metadata(&path).map_err(EngineError::io("examine", &path))?;
        if about.len() != size.bytes() {
            fs::remove_file(&path).map_err(EngineError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let list = || {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    let listed: std::io::Result<_> = list();
    listed.map_err(EngineError::io("list", folder))
}

/// Finished files in the order of the log, histories first.
fn finished(folder: &Path, claim: Claim) -> Result<Vec<PathBuf>, EngineError> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let file = WalFile::parse(name, claim.segment_size);
        if matches!(file, Ok(WalFile::Segment(_) | WalFile::History(_))) {
            found.push(path);
        }
    }
    found.sort_by_key(|path| (path.extension().is_none(), path.clone()));
    Ok(found)
}

fn make_slot(client: &mut Client, request: &ReceiveRequest) -> Result<(), EngineError> {
    let what = || format!("make the slot {} on {}", request.slot, request.spec.service);
    let there = "select 1 from pg_replication_slots where slot_name = $1";
    let there = client.query_opt(there, &[&request.slot]);
    if there.map_err(|error| refused(what(), &error))?.is_some() {
        return Ok(());
    }
    // from now on the server keeps its log for it
    let slot = "select pg_create_physical_replication_slot($1, true)";
    let made = client.execute(slot, &[&request.slot]);
    made.map(drop).map_err(|error| refused(what(), &error))
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
fn passfile(request: &ReceiveRequest) -> Result<Option<tempfile::NamedTempFile>, EngineError> {
    let Some(secret) = connect::password(&request.spec.service, &request.spec.connect)? else {
        return Ok(None);
    };
    let failed = || EngineError::io("write", request.folder.join("a password file"));
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
