//! Owns archiving one file that the server offers (`archive_command`).
//!
//! Contract: success only after the file is durable on every device; repeating it is harmless;
//! other content under a taken name, another server, another file than the name says are
//! refused; on any doubt the server keeps its log and asks again. Nothing is ever dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;

use super::archived::{self, Claim};
use super::glance::{self, Glance};
use super::lsn::{Segment, SegmentSize, WalFile};
use super::records::Records;
use super::walfile::SegmentHeader;
use super::{FormatError, control, read};
use crate::engine::{LogRange, huge};
use crate::media::log::{self, LogSource};
use crate::media::{Device, DeviceError, Put};
use crate::resolve::plan::{Codec, EngineKind};

/// Longest file that is read: the largest segment there can be.
const LONGEST: u64 = 1 << 30;

/// What to archive and where to.
#[derive(Clone)]
pub struct PushRequest {
    /// The file, as the server's `%p` says.
    pub file: PathBuf,
    /// Service.
    pub service: String,
    /// Job.
    pub job: String,
    /// Devices that must hold it before success is told.
    pub devices: Vec<Arc<dyn Device>>,
    /// Compression.
    pub codec: Codec,
    /// Key that it is sealed with; none when it is not encrypted.
    pub key: Option<String>,
    /// The cluster, when the file does not lie in its data directory.
    pub cluster: Option<Claim>,
    /// How long to try.
    pub deadline: Duration,
}

/// Why a file was not archived. The server keeps it and asks again.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The file is not what its name says.
    #[error("{path} is refused: {cause}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// How it shows.
        cause: FormatError,
    },
    /// Nothing tells which cluster a file belongs to.
    #[error("{path} does not tell its cluster: {cause}")]
    Nameless {
        /// The file.
        path: PathBuf,
        /// Why the control file does not tell.
        cause: String,
    },
    /// Another server archives under this name, or this one with segments of another size.
    #[error(
        "device {device} holds the log of {claimed} under {service}, this is {found}: give it a \
         service of its own"
    )]
    OtherServer {
        /// The device.
        device: String,
        /// The service.
        service: String,
        /// Who archives there.
        claimed: Claim,
        /// Who wants to.
        found: Claim,
    },
    /// Two servers write the same history.
    #[error(
        "split brain suspected: device {device} holds another {name}; both are kept, this one \
         as {evidence}"
    )]
    SplitBrain {
        /// The device.
        device: String,
        /// The file's name.
        name: String,
        /// The object that keeps the new content.
        evidence: String,
    },
    /// A device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A device did not answer in time.
    #[error("device {device} did not acknowledge {name} within {seconds} s")]
    Late {
        /// The device.
        device: String,
        /// The file's name.
        name: String,
        /// The deadline.
        seconds: u64,
    },
    /// There is no device to write to.
    #[error("no device is required for the log of {service}: name one with `store on`")]
    NoDevice {
        /// The service.
        service: String,
    },
}

/// A file that was read and judged.
struct Offered {
    name: String,
    claim: Claim,
    content: Content,
    /// A segment, once a device wants it: the same for all that store it as it is.
    packed: OnceLock<Result<log::Packed, String>>,
}

enum Content {
    Segment(LogRange),
    /// Of a history, a label, or a segment that is not finished.
    Other(Bytes),
}

impl Offered {
    fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Segment(range) => &range.payload,
            Content::Other(bytes) => bytes,
        }
    }
}

/// Archives one file on all devices; [`Put::Same`] when all of them held it before.
///
/// # Errors
/// Then at least one device may not hold it, and it must be offered again.
pub fn push(request: &PushRequest) -> Result<Put, PushError> {
    if request.devices.is_empty() {
        let service = request.service.clone();
        return Err(PushError::NoDevice { service });
    }
    spread(request, offer(&request.file, request.cluster)?)
}

/// Stores a piece of a segment that is not finished on all devices.
///
/// # Errors
/// As [`push`].
pub fn push_tail(request: &PushRequest, claim: Claim, piece: LogRange) -> Result<Put, PushError> {
    let offered = Offered {
        name: format!("tail.{}-{}", piece.from.value, piece.until.value),
        claim,
        content: Content::Segment(piece),
        packed: OnceLock::new(),
    };
    spread(request, offered)
}

/// Stores what is offered on all devices at once.
fn spread(request: &PushRequest, offered: Offered) -> Result<Put, PushError> {
    let deadline = Instant::now() + request.deadline;
    let offered = Arc::new(offered);
    let (answers, answered) = mpsc::channel();
    for device in &request.devices {
        let (device, offered) = (Arc::clone(device), Arc::clone(&offered));
        let (request, answers) = (request.clone(), answers.clone());
        // a device that hangs must not keep the others or the deadline waiting, so the thread is
        // left behind; the process ends with the answer
        std::thread::spawn(move || {
            let done = store(device.as_ref(), &request, &offered);
            // nobody listens after the deadline
            let _ = answers.send((device.name().to_owned(), done));
        });
    }
    drop(answers);
    gather(request, &offered, &answered, deadline)
}

fn gather(
    request: &PushRequest,
    offered: &Offered,
    answered: &mpsc::Receiver<(String, Result<Put, PushError>)>,
    deadline: Instant,
) -> Result<Put, PushError> {
    let mut waiting: Vec<&str> = request.devices.iter().map(|one| one.name()).collect();
    let mut all = Put::Same;
    let mut failed = None;
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((device, done)) = answered.recv_timeout(left) else {
            let late = PushError::Late {
                device: waiting.join(", "),
                name: offered.name.clone(),
                seconds: request.deadline.as_secs(),
            };
            return Err(failed.unwrap_or(late));
        };
        waiting.retain(|name| *name != device);
        match done {
            Ok(Put::Same) => {}
            Ok(Put::Created) => all = Put::Created,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(all), Err)
}

/// Reads the file and judges that it is what its name says.
fn offer(path: &Path, cluster: Option<Claim>) -> Result<Offered, PushError> {
    let refused = |cause| PushError::Refused {
        path: path.to_owned(),
        cause,
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| refused(FormatError::text("a name of a log file", "")))?;
    let (bytes, modified) = read_file(path)?;
    let cluster = cluster.map_or_else(|| cluster_of(path), Ok);
    let length = bytes.len() as u64;
    let is_segment = !name.ends_with(".history") && !name.ends_with(".backup");
    let claim = if is_segment {
        let header = SegmentHeader::parse(&bytes).map_err(refused)?;
        let size = header.segment_size;
        let system = cluster.map_or(header.system_identifier, |claim| claim.system_identifier);
        let segment = segment_of(name, size).map_err(refused)?;
        header.check(segment, system, length).map_err(refused)?;
        Claim {
            system_identifier: system,
            segment_size: size,
        }
    } else {
        cluster.map_err(|cause| PushError::Nameless {
            path: path.to_owned(),
            cause,
        })?
    };
    let file = WalFile::parse(name, claim.segment_size).map_err(refused)?;
    let content = match file {
        WalFile::Segment(segment) => {
            let glance = glance::at(Records::new(&bytes).map_err(refused)?);
            let place = (segment, claim.segment_size);
            Content::Segment(range(place, glance, modified, bytes))
        }
        _ => Content::Other(bytes),
    };
    Ok(Offered {
        name: name.to_owned(),
        claim,
        content,
        packed: OnceLock::new(),
    })
}

fn range(
    (segment, size): (Segment, SegmentSize),
    glance: Glance,
    modified: Timestamp,
    payload: Bytes,
) -> LogRange {
    let end = segment.end(size).unwrap_or(super::lsn::Lsn(u64::MAX));
    let end = glance.leads_until.unwrap_or(end);
    let (first_at, last_at) = glance.times.unwrap_or((modified, modified));
    LogRange {
        from: segment.timeline.at(segment.start(size)),
        until: segment.timeline.at(end),
        tail: false,
        first_at,
        last_at,
        points: glance.points,
        payload,
    }
}

fn segment_of(name: &str, size: SegmentSize) -> Result<Segment, FormatError> {
    match WalFile::parse(name, size)? {
        WalFile::Segment(segment) | WalFile::Partial(segment) => Ok(segment),
        _ => Err(FormatError::text("a name of a log segment", name)),
    }
}

fn read_file(path: &Path) -> Result<(Bytes, Timestamp), PushError> {
    let failed = |cause| PushError::Read {
        path: path.to_owned(),
        cause,
    };
    let mut file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.len() > LONGEST {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    // at most LONGEST
    let length = usize::try_from(about.len()).unwrap_or(0);
    let bytes = huge::read(&mut file, length).map_err(failed)?;
    let modified = about.modified().ok();
    let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
    Ok((bytes, modified.unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// The cluster whose `pg_wal` holds the file.
pub(super) fn cluster_of(path: &Path) -> Result<Claim, String> {
    let data = path.parent().and_then(Path::parent);
    let data = data.ok_or("the file lies in no data directory")?;
    let file = read::control_file(&data.join(control::PATH));
    let file = file.map_err(|error| error.to_string())?;
    Ok(Claim {
        system_identifier: file.system_identifier,
        segment_size: file.wal_segment_size,
    })
}

fn store(device: &dyn Device, request: &PushRequest, offered: &Offered) -> Result<Put, PushError> {
    claim(device, &request.service, offered.claim)?;
    let stored = match &offered.content {
        Content::Segment(range) => store_segment(device, request, offered, range),
        Content::Other(bytes) => {
            let object = archived::file_name(&request.service, &offered.name);
            archived::put(device, &object, bytes, request.key.as_deref())
        }
    };
    match stored {
        Err(DeviceError::Different { .. }) => Err(quarantine(device, request, offered)?),
        other => Ok(other?),
    }
}

/// Claims the service's name for this server, once.
fn claim(device: &dyn Device, service: &str, claim: Claim) -> Result<(), PushError> {
    let there = match archived::claim(device, service) {
        Err(DeviceError::NotFound { .. }) => {
            let object = archived::identity_name(service);
            match device.put_if_absent(&object, &archived::print_claim(claim)) {
                Ok(_) => claim,
                // somebody was faster; who it was is read again
                Err(DeviceError::Different { .. }) => archived::claim(device, service)?,
                Err(error) => return Err(error.into()),
            }
        }
        other => other?,
    };
    if there == claim {
        return Ok(());
    }
    Err(PushError::OtherServer {
        device: device.name().to_owned(),
        service: service.to_owned(),
        claimed: there,
        found: claim,
    })
}

fn store_segment(
    device: &dyn Device,
    request: &PushRequest,
    offered: &Offered,
    range: &LogRange,
) -> Result<Put, DeviceError> {
    let source = LogSource {
        service: request.service.clone(),
        engine: EngineKind::Postgresql,
        job: request.job.clone(),
        identity: offered.claim.system_identifier.to_string(),
    };
    let object = log::object(&source, range);
    let was_there = match device.size(&object) {
        Ok(_) => true,
        Err(DeviceError::NotFound { .. }) => false,
        Err(error) => return Err(error),
    };
    match &request.key {
        None => {
            let packed = || log::Packed::new(&source, range, request.codec);
            let packed = offered.packed.get_or_init(packed);
            let failed = |detail: &String| DeviceError::Damaged {
                device: device.name().to_owned(),
                object,
                detail: detail.clone(),
            };
            packed.as_ref().map_err(failed)?.put(device)?
        }
        Some(key) => log::put_sealed(device, &source, range, request.codec, key)?,
    };
    Ok(if was_there { Put::Same } else { Put::Created })
}

/// Keeps the differing content as evidence.
fn quarantine(
    device: &dyn Device,
    request: &PushRequest,
    offered: &Offered,
) -> Result<PushError, DeviceError> {
    let (service, name) = (&request.service, &offered.name);
    let evidence = archived::quarantine_name(service, name, offered.bytes());
    archived::put(device, &evidence, offered.bytes(), request.key.as_deref())?;
    Ok(PushError::SplitBrain {
        device: device.name().to_owned(),
        name: name.clone(),
        evidence,
    })
}
