//! Owns rotation: objects that wrap the secrets of many sets for other recipients. They are added
//! beside the sets they open; nothing is edited.
//!
//! # Layout
//! The object `keys/<64 hex digits>.age` is a binary age file, named by the BLAKE3 of its bytes.
//! Its plaintext begins with the line `for` with the public halves it was made for, divided by
//! spaces, and then has one block a set: a line `envelope` with the BLAKE3 of the set's envelope in
//! hex digits, then the three lines of that envelope ([`super`]).

use std::collections::{BTreeMap, BTreeSet};

use age::secrecy::{ExposeSecret, SecretString};
use age::x25519::Identity;
use serde::Deserialize;

use super::seal::{Seal, unwrap, wrap};
use super::{Key, KeyError};
use crate::media::{Device, DeviceError, name, sealed};

/// Folder of rewrapped secrets.
const FOLDER: &str = "keys/";

/// Ends their names.
const END: &str = ".age";

/// Most sets in one object, so that a reader's memory is bounded.
const MOST: usize = 10_000;

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

/// Whether any secret was rewrapped on a device, for whomever.
///
/// # Errors
/// When the device fails.
pub fn has_any(device: &dyn Device) -> Result<bool, DeviceError> {
    Ok(!device.list(FOLDER)?.is_empty())
}

/// Reads every rewrapped secret on a device that a key at hand opens.
fn learn(device: &dyn Device) -> Result<(), DeviceError> {
    let ring = device.keys();
    for text in texts(device, &ring.identities())? {
        for (id, seal) in sets(&text) {
            ring.remember(id, seal);
        }
    }
    Ok(())
}

/// The texts of all rewrapped secrets that the identities open.
fn texts(device: &dyn Device, identities: &[Identity]) -> Result<Vec<SecretString>, DeviceError> {
    let mut texts = Vec::new();
    if identities.is_empty() {
        return Ok(texts);
    }
    for (object, length) in device.list(FOLDER)? {
        if !object.ends_with(END) || length > 2 * LONGEST {
            continue;
        }
        let bytes = device.get(&object, None)?;
        // one that others can open, or that is damaged, opens nothing here
        if let Ok(text) = unwrap(&bytes, identities, LONGEST) {
            let text = std::str::from_utf8(text.expose_secret()).unwrap_or_default();
            texts.push(SecretString::from(text));
        }
    }
    Ok(texts)
}

/// The sets of a text by the ids of their envelopes.
fn sets(text: &SecretString) -> Vec<([u8; 32], Seal)> {
    let lines: Vec<&str> = text.expose_secret().lines().skip(1).collect();
    let mut found = Vec::new();
    for block in lines.chunks_exact(4) {
        let hex = block[0].strip_prefix("envelope ").unwrap_or_default();
        let id = blake3::Hash::from_hex(hex).map(|hash| *hash.as_bytes());
        let seal = SecretString::from(block[1..].join("\n"));
        let seal = Seal::from_text(seal.expose_secret().as_bytes(), &[]);
        if let (Ok(id), Ok(seal)) = (id, seal) {
            found.push((id, seal));
        }
    }
    found
}

/// What a rewrapping did on one device.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// Sets that can be opened by all recipients of the key now.
    pub added: usize,
    /// Sets that could be before.
    pub known: usize,
    /// Objects of sets that the key does not open.
    pub closed: Vec<String>,
    /// How damage shows in others.
    pub damaged: Vec<String>,
}

/// Wraps the secrets of all sets on a device that a key opens for its recipients, where that was
/// not done before.
///
/// # Errors
/// When the device fails.
pub fn rewrap(device: &dyn Device, key: &Key) -> Result<Rewrapped, DeviceError> {
    let wanted = key.recipients();
    let mut covered = BTreeSet::new();
    let mut seals = BTreeMap::new();
    for text in texts(device, key.identities())? {
        let first = text.expose_secret().lines().next().unwrap_or_default();
        let whole = wanted
            .iter()
            .all(|half| first.split(' ').any(|word| word == half));
        for (id, seal) in sets(&text) {
            if whole {
                covered.insert(id);
            }
            seals.insert(id, seal);
        }
    }
    let mut done = Rewrapped::default();
    let mut open = Vec::new();
    let (found, damaged) = envelopes(device)?;
    done.damaged = damaged;
    for found in found {
        let id = id_of(&found.envelope);
        if covered.contains(&id) || wanted.iter().all(|half| found.keys.contains(half)) {
            done.known += 1;
            continue;
        }
        let opened = match Seal::open(&found.envelope, key.identities()) {
            Err(KeyError::NoMatch(_)) => seals.get(&id).cloned(),
            Err(cause) => {
                let cause = error(device, &found.object, cause);
                done.damaged.push(cause.to_string());
                continue;
            }
            Ok(seal) => Some(seal),
        };
        match opened {
            Some(seal) => open.push((id, seal)),
            None => done.closed.push(found.object),
        }
    }
    for sets in open.chunks(MOST) {
        add(device, key, sets)?;
    }
    done.added = open.len();
    Ok(done)
}

/// Adds an object that wraps these secrets for the recipients of a key.
fn add(device: &dyn Device, key: &Key, sets: &[([u8; 32], Seal)]) -> Result<(), DeviceError> {
    let mut text = format!("for {}\n", key.recipients().join(" "));
    for (id, seal) in sets {
        let id = blake3::Hash::from_bytes(*id).to_hex();
        text.extend(["envelope ", &id, "\n", seal.text().expose_secret()]);
    }
    let text = SecretString::from(text);
    let file = wrap(text.expose_secret().as_bytes(), key.halves());
    let file = file.map_err(|cause| error(device, FOLDER, cause))?;
    device.put_if_absent(&object_name(&file), &file).map(drop)
}

/// Brings the rewrapped secrets of a holder along to a device that stored copies go to, which could
/// not be opened alone without them. One that is damaged opens nothing, and stays.
///
/// # Errors
/// When a device fails.
pub fn carry(holder: &dyn Device, to: &dyn Device) -> Result<(), DeviceError> {
    let known: BTreeSet<(String, u64)> = to.list(FOLDER)?.into_iter().collect();
    for (object, length) in holder.list(FOLDER)? {
        if length > 2 * LONGEST || known.contains(&(object.clone(), length)) {
            continue;
        }
        let bytes = holder.get(&object, None)?;
        if object == object_name(&bytes) {
            to.put_if_absent(&object, &bytes)?;
        }
    }
    Ok(())
}

/// The name of an object of rewrapped secrets.
fn object_name(file: &[u8]) -> String {
    format!("{FOLDER}{}{END}", blake3::hash(file).to_hex())
}

/// A sealed manifest or log object.
pub struct Found {
    /// Its name.
    pub object: String,
    /// Its envelope.
    pub envelope: Vec<u8>,
    /// Public halves that it was sealed for, as its header says.
    pub keys: Vec<String>,
}

/// The part of headers that names keys.
#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    keys: Vec<String>,
}

/// The envelopes of all sealed manifests and log objects on a device, and how damage shows in
/// others. Only their beginnings are read.
///
/// # Errors
/// When the device fails.
pub fn envelopes(device: &dyn Device) -> Result<(Vec<Found>, Vec<String>), DeviceError> {
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for folder in [name::PARTS, name::LOGS] {
        for (object, length) in device.list(folder)? {
            match envelope(device, &object, length) {
                Ok(one) => found.extend(one),
                Err(cause @ DeviceError::Damaged { .. }) => damaged.push(cause.to_string()),
                // deleted since it was listed
                Err(DeviceError::NotFound { .. }) => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok((found, damaged))
}

/// The envelope of a manifest or log object of this length; none when it is not sealed.
///
/// # Errors
/// When the device fails or the object is damaged.
pub fn envelope(
    device: &dyn Device,
    object: &str,
    length: u64,
) -> Result<Option<Found>, DeviceError> {
    let head = sealed::PREFIX as u64;
    let prefix = device.get(object, Some(0..head.min(length)))?;
    let damaged = |detail| error(device, object, KeyError::Damaged(detail));
    let Some((header, envelope)) = sealed::lengths(&prefix).map_err(damaged)? else {
        return Ok(None);
    };
    let bytes = device.get(object, Some(head..head + header + envelope))?;
    // at most the length of what was read
    let (header, envelope) = bytes.split_at(usize::try_from(header).unwrap_or(0));
    let keys: Keys = serde_json::from_slice(header)
        .map_err(|_| damaged("its header cannot be read".to_owned()))?;
    Ok(Some(Found {
        object: object.to_owned(),
        envelope: envelope.to_vec(),
        keys: keys.keys,
    }))
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
            cause: Box::new(cause),
        },
    }
}
