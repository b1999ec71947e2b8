//! Owns small files that are sealed whole, as one age file for the recipients of a key.

use age::secrecy::ExposeSecret;

use super::rewrap::error;
use super::seal::{unwrap, wrap};
use crate::media::{Device, DeviceError};

/// How every age file begins.
const AGE: &[u8] = b"age-encryption.org/";

/// Longest content.
const LONGEST: u64 = 1 << 30;

/// Seals a file for the recipients of a key.
///
/// # Errors
/// When the key cannot be had.
pub fn seal(
    device: &dyn Device,
    object: &str,
    key: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, DeviceError> {
    let sealed = device
        .keys()
        .key(key)
        .and_then(|key| wrap(bytes, key.halves()));
    sealed.map_err(|cause| error(device, object, cause))
}

/// The content of a file that may be sealed; one that is not stays as it is.
///
/// # Errors
/// [`DeviceError::Sealed`] when no key at hand opens it.
pub fn open(device: &dyn Device, object: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DeviceError> {
    if !bytes.starts_with(AGE) {
        return Ok(bytes);
    }
    let opened = unwrap(&bytes, &device.keys().identities(), LONGEST);
    let opened = opened.map_err(|cause| error(device, object, cause))?;
    Ok(opened.expose_secret().clone())
}
