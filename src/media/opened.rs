//! Owns opening a manifest or log object that was read from a device: the seal is found by the
//! keys at hand and by rewrapped secrets on the device. Must not know what objects mean.

use super::keys::{Seal, rewrap};
use super::sealed::{Kind, Opened, Whole};
use super::{Device, DeviceError};

/// Opens an object and checks all of it; gives its seal when it has one.
///
/// # Errors
/// [`DeviceError::Damaged`], and [`DeviceError::Sealed`] when no key at hand opens it.
pub(crate) fn open(
    device: &dyn Device,
    object: &str,
    kind: Kind,
    bytes: &[u8],
) -> Result<(Opened, Option<Seal>), DeviceError> {
    let damaged = |detail| DeviceError::Damaged {
        device: device.name().to_owned(),
        object: object.to_owned(),
        detail,
    };
    let whole = Whole::of(kind, bytes).map_err(damaged)?;
    let seal = match whole.envelope() {
        Some(envelope) => Some(rewrap::open(device, object, envelope)?),
        None => None,
    };
    let opened = whole.open(seal.as_ref()).map_err(damaged)?;
    Ok((opened, seal))
}
