//! Log objects: one gapless range of one source's log, self-describing, written like everything
//! else by put-if-absent.

use std::sync::Arc;

use super::manifest::LogRecord;
use super::part::Replaced;
use super::{Device, DeviceError};
use crate::engine::LogRange;
use crate::resolve::plan::{Codec, EngineKind};

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// Service.
    pub service: String,
    /// Engine.
    pub engine: EngineKind,
    /// Job.
    pub job: String,
    /// Identity of the source.
    pub identity: String,
}

/// Stores a range on one device; repeating it is harmless.
///
/// # Errors
/// [`DeviceError::Different`] when the device holds another range that begins at the same place.
pub fn put(
    device: &dyn Device,
    source: &LogSource,
    range: &LogRange,
    codec: Codec,
) -> Result<LogRecord, DeviceError> {
    let _ = (device, source, range, codec);
    todo!()
}

/// Reads a range from the first holder that has it intact.
///
/// # Errors
/// When no holder has it intact.
pub fn get(
    log: &str,
    holders: &[Arc<dyn Device>],
) -> Result<(LogRecord, LogRange, Vec<Replaced>), DeviceError> {
    let _ = (log, holders);
    todo!()
}

/// Copies a stored range to another device; returns bytes written.
///
/// # Errors
/// As [`get`] and [`put`].
pub fn copy(
    log: &str,
    holders: &[Arc<dyn Device>],
    to: &dyn Device,
) -> Result<(u64, Vec<Replaced>), DeviceError> {
    let _ = (log, holders, to);
    todo!()
}

/// Reads a range back from one device and compares its hash; returns bytes read.
///
/// # Errors
/// What is damaged.
pub fn verify(log: &str, device: &dyn Device) -> Result<u64, DeviceError> {
    let _ = (log, device);
    todo!()
}
