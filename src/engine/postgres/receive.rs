//! Owns streaming a server's log: `pg_receivewal`, supervised and restarted, every finished segment
//! stored on the devices, and the one that is not finished piece by piece.
//!
//! The slot of the stream keeps the log on the server until every required device holds it (see
//! [`super::slots`]). What lies in the receiver's folder may be lost at any time: it is never made
//! durable, and a new receiver begins with an empty folder where the slot stands.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postgres::Client;

use super::archived::Claim;
use super::landing::Landing;
use super::lsn::{Lsn, WalFile};
use super::push::{self, PushError, PushRequest};
use super::receiver::{self, Receiver};
use super::server::ServerFacts;
use super::tail::{self, Tail};
use super::{PostgresSpec, connect, slots};
use crate::engine::{EngineError, Retry};

const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited after the receiver ended by itself.
const REST: Duration = Duration::from_secs(2);
/// How long finished segments are stored until the lag is measured and told again: after a device
/// was away they are many.
const TURN: Duration = Duration::from_secs(1);
/// Segments that are stored at once: each takes a core, and twice its length in memory.
const AT_ONCE: usize = 2;

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
        receiver::end_left_behind(&request.folder);
        match Inflow::start(request) {
            Ok(mut inflow) => inflow.watch(request, ended, tell, &mut lag)?,
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

/// A stream that works: a receiver with a session that measures it.
struct Inflow {
    // ended before its slot is taken away
    receiver: Option<Receiver>,
    landing: Landing,
    client: Client,
    claim: Claim,
    push: PushRequest,
    slot: String,
    /// Up to where the devices hold all log.
    held: Lsn,
    tail: Tail,
}

impl Drop for Inflow {
    fn drop(&mut self) {
        drop(self.receiver.take());
        // what is left is taken away by the next one
        let _ = slots::drop_receivers(&mut self.client, &self.slot);
    }
}

impl Inflow {
    fn start(request: &ReceiveRequest) -> Result<Self, EngineError> {
        let (spec, slot) = (&request.spec, &request.slot);
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let facts = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
        slots::make(&mut client, slot)?;
        let held = slots::renew(&mut client, slot)?;
        let landing = Landing::empty(&request.folder, facts.segment_size)?;
        let own = slots::of_receiver(slot);
        let receiver = Receiver::start(spec, facts.version.major, &own, &request.folder)?;
        Ok(Self {
            receiver: Some(receiver),
            landing,
            client,
            claim: Claim {
                system_identifier: facts.system_identifier,
                segment_size: facts.segment_size,
            },
            push: request.push.clone(),
            slot: slot.clone(),
            held,
            tail: Tail::new(),
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
            let stored = self.store(request, ended, lag)?;
            // while segments are finished all the time, none is worth storing in pieces
            let tail = !stored && lag.trouble.is_none() && self.tail.is_due();
            if let Err(error) = self.settle(request, lag, tail) {
                lag.trouble = Some(error.to_string());
                return Ok(());
            }
            lag.worst = lag.worst.max(lag.bytes);
            tell(lag);
            let ended = self.receiver.as_mut().map(Receiver::ended).transpose()?;
            if let Some(words) = ended.flatten() {
                lag.trouble = Some(words);
                return Ok(());
            }
            if !stored {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Stores the next piece of the tail when it is wanted, lets the server forget what the devices
    /// hold, and measures what they do not.
    fn settle(
        &mut self,
        request: &ReceiveRequest,
        lag: &mut Lag,
        tail: bool,
    ) -> Result<(), EngineError> {
        if tail && let Err(error) = self.store_tail(request)? {
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
        let unfinished = self.landing.unfinished()?;
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

    /// Stores what is finished and lets go of it, for one turn; true when it stored anything: more
    /// has come meanwhile. A device that fails keeps it here.
    fn store(
        &mut self,
        request: &ReceiveRequest,
        ended: &dyn Fn() -> bool,
        lag: &mut Lag,
    ) -> Result<bool, EngineError> {
        let until = Instant::now() + TURN;
        let mut stored = false;
        for files in self.landing.finished(self.held)?.chunks(AT_ONCE) {
            if ended() || Instant::now() >= until {
                break;
            }
            for (file, pushed) in files.iter().zip(self.push_all(files)) {
                match pushed {
                    Ok(()) => self.let_go(file, request, lag)?,
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
            stored = true;
        }
        Ok(stored)
    }

    /// Stores files at once; what became of each.
    fn push_all(&self, files: &[(WalFile, PathBuf)]) -> Vec<Result<(), PushError>> {
        let requests = files.iter().map(|(_, path)| PushRequest {
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
        (file, path): &(WalFile, PathBuf),
        request: &ReceiveRequest,
        lag: &mut Lag,
    ) -> Result<(), EngineError> {
        lag.stored += 1;
        fs::remove_file(path).map_err(EngineError::io("remove", path))?;
        let WalFile::Segment(segment) = *file else {
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
