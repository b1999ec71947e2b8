//! Owns streaming a server's log: `pg_receivewal`, supervised and restarted, every finished segment
//! stored on the devices, and the one that is not finished piece by piece.
//!
//! The slot of the stream keeps the log on the server until every required device holds it (see
//! [`super::slots`]). What lies in the receiver's folder may be lost at any time: it is never made
//! durable, and a new receiver begins with an empty folder where the slot stands.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;

use super::archived::Claim;
use super::connect;
use super::lsn::{Lsn, Segment, SegmentSize, WalFile};
use super::push::{self, PushError, PushRequest};
use super::server::ServerFacts;
use super::tail::{self, Tail};
use super::{PostgresSpec, instance, slots};
use crate::engine::{EngineError, Retry};
use crate::media::keys::withhold;

const PROGRAM: &str = "pg_receivewal";
const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited after the receiver ended by itself.
const REST: Duration = Duration::from_secs(2);
/// How long finished segments are stored until the lag is measured and told again: after a device
/// was away they are many.
const TURN: Duration = Duration::from_secs(1);
/// Segments that are stored at once: each takes a core, and twice its length in memory.
const AT_ONCE: usize = 2;
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
    /// Names of the devices that take pieces of the segment that is not finished.
    pub tails: BTreeSet<String>,
    /// The folder for what is not on the devices yet.
    pub folder: PathBuf,
    /// The slot on the server; made when it is not there, and a second one for the receiver.
    pub slot: String,
}

/// What a receiver tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lag {
    /// Bytes that the server has durably and the devices do not hold.
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
    slot: String,
    /// Up to where the devices hold all log.
    held: Lsn,
    tail: Tail,
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
        // what is left is taken away by the next one
        let _ = slots::drop_receivers(&mut self.client, &self.slot);
    }
}

impl Receiver {
    fn start(request: &ReceiveRequest) -> Result<Self, EngineError> {
        let spec = &request.spec;
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let facts = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
        slots::make(&mut client, &request.slot)?;
        let held = slots::renew(&mut client, &request.slot)?;
        clear(&request.folder, facts.segment_size)?;
        let programs = instance::programs(spec.programs.as_deref(), facts.version.major)?;
        let program = programs.join(PROGRAM);
        let secret = passfile(request)?;
        let mut command = ending_with_us(&program);
        withhold(&mut command)
            .args(["--no-loop", "--no-password", "--no-sync", "--slot"])
            .arg(slots::of_receiver(&request.slot))
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
            slot: request.slot.clone(),
            held,
            tail: Tail::new(),
            _secret: secret,
        })
    }

    /// Stores what is received and measures until the receiver ends or is to end.
    fn watch(
        &mut self,
        request: &ReceiveRequest,
        ended: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(&Lag),
        lag: &mut Lag,
    ) -> Result<(), EngineError> {
        while !ended() {
            lag.trouble = None;
            let more = self.store(request, ended, lag)?;
            if let Err(error) = self.settle(request, lag) {
                lag.trouble = Some(error.to_string());
                return Ok(());
            }
            lag.worst = lag.worst.max(lag.bytes);
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

    /// Stores the next piece of the tail when it is time, lets the server forget what the devices
    /// hold, and measures what they do not.
    fn settle(&mut self, request: &ReceiveRequest, lag: &mut Lag) -> Result<(), EngineError> {
        if self.tail.is_due()
            && lag.trouble.is_none()
            && let Err(error) = self.store_tail(request)?
        {
            lag.trouble = Some(error.to_string());
            self.reopen(request);
        }
        slots::advance(&mut self.client, &self.slot, self.held)?;
        let found = slots::ask(&mut self.client, &request.spec.service, &self.slot)?;
        lag.bytes = found.and_then(|slot| slot.bytes).unwrap_or(0);
        Ok(())
    }

    /// The inner error is that of a device.
    fn store_tail(
        &mut self,
        request: &ReceiveRequest,
    ) -> Result<Result<(), PushError>, EngineError> {
        let unfinished = unfinished(&request.folder, self.claim)?;
        let size = self.claim.segment_size;
        let next = unfinished.filter(|(segment, _)| segment.start(size) <= self.held);
        let Some((segment, path)) = next else {
            return Ok(Ok(()));
        };
        let devices = self.push.devices.iter();
        let push = PushRequest {
            devices: devices
                .filter(|device| request.tails.contains(device.name()))
                .cloned()
                .collect(),
            ..self.push.clone()
        };
        if push.devices.is_empty() {
            return Ok(Ok(()));
        }
        let stored = self.tail.store((segment, &path), &push, self.claim);
        Ok(stored.map(|held| self.held = self.held.max(held)))
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
        let finished = self.in_order(finished(&request.folder, self.claim)?);
        for paths in finished.chunks(AT_ONCE) {
            if ended() || Instant::now() >= until {
                return Ok(true);
            }
            for (path, pushed) in paths.iter().zip(self.push_all(paths)) {
                match pushed {
                    Ok(()) => self.let_go(path, request, lag)?,
                    Err(error @ PushError::OtherServer { .. }) => {
                        let what = format!("stream the log of {}", request.spec.service);
                        return Err(EngineError::refused(what, error.to_string()));
                    }
                    Err(error) => {
                        lag.trouble = Some(error.to_string());
                        self.reopen(request);
                        return Ok(false);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Files up to the first segment that does not follow: a folder that changes while it is listed
    /// may not show the one before.
    fn in_order(&self, mut files: Vec<PathBuf>) -> Vec<PathBuf> {
        let size = self.claim.segment_size;
        let mut reached = self.held;
        let gap = files.iter().position(|path| match file_of(path, size) {
            Some(WalFile::Segment(segment)) => {
                let follows = segment.start(size) <= reached;
                reached = segment.end(size).map_or(reached, |end| reached.max(end));
                !follows
            }
            _ => false,
        });
        files.truncate(gap.unwrap_or(files.len()));
        files
    }

    /// Stores files at once; what became of each.
    fn push_all(&self, paths: &[PathBuf]) -> Vec<Result<(), PushError>> {
        let requests = paths.iter().map(|path| PushRequest {
            file: path.clone(),
            cluster: Some(self.claim),
            ..self.push.clone()
        });
        let requests: Vec<PushRequest> = requests.collect();
        std::thread::scope(|scope| {
            let pushes = requests.iter();
            let pushes = pushes.map(|request| scope.spawn(|| push::push(request).map(drop)));
            let pushes: Vec<_> = pushes.collect();
            let ends = pushes.into_iter().map(|push| {
                let ended = push.join();
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            ends.collect()
        })
    }

    /// What the devices hold is needed nowhere else.
    fn let_go(
        &mut self,
        path: &Path,
        request: &ReceiveRequest,
        lag: &mut Lag,
    ) -> Result<(), EngineError> {
        lag.stored += 1;
        fs::remove_file(path).map_err(EngineError::io("remove", path))?;
        let Some(WalFile::Segment(segment)) = file_of(path, self.claim.segment_size) else {
            return Ok(());
        };
        let end = segment.end(self.claim.segment_size);
        self.held = end.map_or(self.held, |end| self.held.max(end));
        for device in &self.push.devices {
            if request.tails.contains(device.name()) {
                tail::forget(device.as_ref(), &self.push.service, self.claim, segment);
            }
        }
        Ok(())
    }

    /// A device that was away may have come back as another folder.
    fn reopen(&mut self, request: &ReceiveRequest) {
        if let Some(anew) = (request.anew)() {
            self.push = anew;
        }
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

/// Removes what an earlier receiver left: the slot still keeps it on the server, and it was never
/// made durable here.
fn clear(folder: &Path, size: SegmentSize) -> Result<(), EngineError> {
    for path in files(folder)? {
        if file_of(&path, size).is_some() {
            fs::remove_file(&path).map_err(EngineError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// What a file of the log is by its name; none when it is none.
fn file_of(path: &Path, size: SegmentSize) -> Option<WalFile> {
    let name = path.file_name()?.to_str()?;
    WalFile::parse(name, size).ok()
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
    let mut found = files(folder)?;
    found.retain(|path| {
        let file = file_of(path, claim.segment_size);
        matches!(file, Some(WalFile::Segment(_) | WalFile::History(_)))
    });
    found.sort_by_key(|path| (path.extension().is_none(), path.clone()));
    Ok(found)
}

/// The segment that is being received, and its file.
fn unfinished(folder: &Path, claim: Claim) -> Result<Option<(Segment, PathBuf)>, EngineError> {
    let files = files(folder)?.into_iter();
    let partial = files.filter_map(|path| match file_of(&path, claim.segment_size)? {
        WalFile::Partial(segment) => Some((segment, path)),
        _ => None,
    });
    // where a timeline ended, its last segment stays behind
    Ok(partial.max())
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
