//! Owns rotation: objects that wrap the secrets of many sets for other recipients. They are added
//! beside the sets they open; nothing is edited.
//!
//! # Layout
//! The object `keys/<64 hex digits>.age` is a binary age file, named by the BLAKE3 of its bytes.
//! Its plaintext has one block a set: a line `envelope` with the BLAKE3 of the set's envelope in
//! hex digits, then the three lines of that envelope ([`super`]).

use age::secrecy::{ExposeSecret, SecretString};

use super::keyring::Keyring;
use super::seal::{Seal, unwrap, wrap};
use super::{Key, KeyError};
use crate::media::{Device, DeviceError};

/// Folder of rewrapped secrets.
pub const FOLDER: &str = "keys/";

/// Ends their names.
const END: &str = ".age";

/// Most sets in one object, so that a reader's memory is bounded.
pub const MOST: usize = 10_000;

/// Longest plaintext of an object: every line of every set at its longest.
const LONGEST: u64 = 16 << 20;

/// What stands for an envelope.
#[must_use]
pub fn id_of(envelope: &[u8]) -> [u8; 32] {
    *blake3::hash(envelope).as_bytes()
}

/// Opens the envelope of a set: with a secret half that it was made for, or by a rewrapped secret
/// that lies on the same device.
///
/// # Errors
/// [`DeviceError::Sealed`] when no key at hand opens it, [`DeviceError::Damaged`].
pub fn open(device: &dyn Device, object: &str, envelope: &[u8]) -> Result<Seal, DeviceError> {
    let cause = match device.keys().open(envelope) {
        Ok(seal) => return Ok(seal),
        Err(cause @ KeyError::NoMatch(_)) => cause,
        Err(cause) => return Err(error(device, object, cause)),
    };
    learn(device)?;
    let known = device.keys().remembered(&id_of(envelope));
    let known = known.map(|seal| seal.with_envelope(envelope));
    known.ok_or_else(|| error(device, object, cause))
}

/// Reads every rewrapped secret on a device that a key at hand opens.
fn learn(device: &dyn Device) -> Result<(), DeviceError> {
    let ring = device.keys();
    let identities = ring.identities();
    if identities.is_empty() {
        return Ok(());
    }
    for (object, length) in device.list(FOLDER)? {
        if !object.ends_with(END) || length > 2 * LONGEST {
            continue;
        }
        let bytes = device.get(&object, None)?;
        // one that others can open, or that is damaged, opens nothing here
        if let Ok(text) = unwrap(&bytes, &identities, LONGEST) {
            let text = std::str::from_utf8(text.expose_secret()).unwrap_or_default();
            take(ring, text);
        }
    }
    Ok(())
}

fn take(ring: &Keyring, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for block in lines.chunks_exact(4) {
        let hex = block[0].strip_prefix("envelope ").unwrap_or_default();
        let id = blake3::Hash::from_hex(hex).map(|hash| *hash.as_bytes());
        let text = block[1..].join("\n");
        if let (Ok(id), Ok(seal)) = (id, Seal::from_text(text.as_bytes(), &[])) {
            ring.remember(id, seal);
        }
    }
}

/// Adds an object that wraps the secrets of these sets for the recipients of a key; returns its
/// name.
///
/// # Errors
/// When wrapping or the device fails.
pub fn add(
    device: &dyn Device,
    key: &Key,
    sets: &[(Vec<u8>, Seal)],
) -> Result<String, DeviceError> {
    let mut text = String::new();
    for (envelope, seal) in sets {
        let id = blake3::Hash::from_bytes(id_of(envelope)).to_hex();
        text += &format!("envelope {id}\n{}", seal.text().expose_secret());
    }
    let text = SecretString::from(text);
    let file = wrap(text.expose_secret().as_bytes(), key.halves());
    let file = file.map_err(|cause| error(device, FOLDER, cause))?;
    let name = format!("{FOLDER}{}{END}", blake3::hash(&file).to_hex());
    device.put_if_absent(&name, &file)?;
    Ok(name)
}

/// The device's error of a key's.
pub(in crate::media) fn error(device: &dyn Device, object: &str, cause: KeyError) -> DeviceError {
    let (device, object) = (device.name().to_owned(), object.to_owned());
    match cause {
        KeyError::Damaged(detail) => DeviceError::Damaged {
            device,
            object,
            detail,
        },
        cause => DeviceError::Sealed {
            device,
            object,
            cause,
        },
    }
}
