//! Owns giving an archived file back to a server that recovers (`restore_command`).
//!
//! "Absent" is told only when every device answered and none holds the file, and no later segment
//! of the same timeline exists: then the log ends here. A failing device or a hole in the log is an
//! error, never an end, because the server would open too early (R7).

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::FormatError;
use super::archived::{self, Claim};
use super::lsn::{Segment, WalFile};
use super::push::cluster_of;
use crate::media::{Device, DeviceError, log, name};

const PAUSE: Duration = Duration::from_millis(200);

/// What to fetch and where from.
#[derive(Clone)]
pub struct FetchRequest {
    /// The file's name, as the server's `%f` says.
    pub name: String,
    /// Where to write it, as the server's `%p` says.
    pub to: PathBuf,
    /// Service.
    pub service: String,
    /// Every device that may hold it.
    pub devices: Vec<Arc<dyn Device>>,
    /// How long a failing device is asked again.
    pub deadline: Duration,
}

/// What the archive says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The file is there now.
    Found,
    /// Every device says for sure that there is no such file, and none is missing.
    Absent,
}

/// Why the archive cannot say. The server must stop, not open.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name is none.
    #[error("cannot fetch: {0}")]
    Name(#[from] FormatError),
    /// No device was given.
    #[error("no device holds the log of {service}: see `planc list`")]
    NoDevice {
        /// The service.
        service: String,
    },
    /// A device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No device knows the service.
    #[error("no device holds any log of {service}: check the service's name and the devices")]
    Unknown {
        /// The service.
        service: String,
    },
    /// The log has a hole.
    #[error(
        "the log of {service} has a hole: {name} is on no device, but later segments are; \
         look for another copy, or recover to a point before it (with `recovery_prefetch = off`, \
         because the server looks ahead of its target)"
    )]
    Hole {
        /// The service.
        service: String,
        /// The file that is missing.
        name: String,
    },
    /// The log is another cluster's.
    #[error("device {device} holds the log of system {found}, this cluster is system {expected}")]
    OtherServer {
        /// The device.
        device: String,
        /// Whose log it holds.
        found: u64,
        /// Who asks.
        expected: u64,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
}

/// Fetches one file.
///
/// # Errors
/// When it cannot be told for sure whether the file exists, or it cannot be written.
pub fn fetch(request: &FetchRequest) -> Result<Fetched, FetchError> {
    if request.devices.is_empty() {
        let service = request.service.clone();
        return Err(FetchError::NoDevice { service });
    }
    let deadline = Instant::now() + request.deadline;
    loop {
        let tried = attempt(request);
        let retry = match &tried {
            Err(FetchError::Device(error)) => error.retry() == crate::engine::Retry::Later,
            _ => false,
        };
        if !retry || Instant::now() >= deadline {
            return tried;
        }
        std::thread::sleep(PAUSE);
    }
}

fn attempt(request: &FetchRequest) -> Result<Fetched, FetchError> {
    let mut failed = None;
    for device in &request.devices {
        match fetch_from(device.as_ref(), request) {
            Ok(()) => return Ok(Fetched::Found),
            Err(FetchError::Device(DeviceError::NotFound { .. })) => {}
            Err(error @ (FetchError::OtherServer { .. } | FetchError::Write { .. })) => {
                return Err(error);
            }
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let mut known = false;
    for device in &request.devices {
        known |= refuse_hole(device.as_ref(), request)?;
    }
    if known {
        return Ok(Fetched::Absent);
    }
    let service = request.service.clone();
    Err(FetchError::Unknown { service })
}

/// Writes beside the target and renames: the server never sees half a file. It makes what it keeps
/// of it durable itself (`KeepFileRestoredFromArchive`), and asks again after a crash.
fn fetch_from(device: &dyn Device, request: &FetchRequest) -> Result<(), FetchError> {
    let claim = archived::claim(device, &request.service)?;
    check_cluster(device, request, claim)?;
    let file = WalFile::parse(&request.name, claim.segment_size)?;
    let to = &request.to;
    let failed = |cause| FetchError::Write {
        path: to.clone(),
        cause,
    };
    let mut beside = to.as_os_str().to_owned();
    beside.push(".planc");
    if let WalFile::Segment(segment) = file {
        let object = segment_object(&request.service, claim, segment);
        let written = log::write_payload(device, &object, || File::create(&beside));
        if !matches!(written, Ok(Ok(()))) {
            // half of a segment is of no use; it may never have been begun
            let _ = std::fs::remove_file(&beside);
        }
        written?.map_err(failed)?;
    } else {
        let object = archived::file_name(&request.service, &request.name);
        let bytes = archived::read(device, &object)?;
        std::fs::write(&beside, bytes).map_err(failed)?;
    }
    std::fs::rename(&beside, to).map_err(failed)
}

fn segment_object(service: &str, claim: Claim, segment: Segment) -> String {
    let from = segment.timeline.at(segment.start(claim.segment_size));
    name::log(service, &claim.system_identifier.to_string(), &from)
}

/// A server asks from its data directory; its control file must be of the same cluster.
fn check_cluster(
    device: &dyn Device,
    request: &FetchRequest,
    claim: Claim,
) -> Result<(), FetchError> {
    match cluster_of(&request.to) {
        Ok(asking) if asking.system_identifier != claim.system_identifier => {
            Err(FetchError::OtherServer {
                device: device.name().to_owned(),
                found: claim.system_identifier,
                expected: asking.system_identifier,
            })
        }
        _ => Ok(()),
    }
}

/// A segment before one that exists is missing, not absent, unless the server has it itself: it looks
/// into its own folder when it learns that the archive has none. True when the device knows the
/// service.
fn refuse_hole(device: &dyn Device, request: &FetchRequest) -> Result<bool, FetchError> {
    let claim = match archived::claim(device, &request.service) {
        Err(DeviceError::NotFound { .. }) => return Ok(false),
        other => other?,
    };
    let Ok(WalFile::Segment(segment)) = WalFile::parse(&request.name, claim.segment_size) else {
        return Ok(true);
    };
    let object = segment_object(&request.service, claim, segment);
    let folder = object.rsplit_once('/').map_or("", |(folder, _)| folder);
    let there = device.list(&format!("{folder}/"))?;
    let later = there.iter().any(|(name, _)| *name > object);
    if later && !request.to.with_file_name(&request.name).exists() {
        return Err(FetchError::Hole {
            service: request.service.clone(),
            name: request.name.clone(),
        });
    }
    Ok(true)
}
