//! Owns where the log of a service lies on devices, besides its segments (those are log objects):
//! the identity claimed by the first server, timeline histories, and other small files.
//!
//! Objects, all put if absent and never changed:
//! - `wal/SERVICE/identity`: system identifier and segment size of the only server that may archive
//!   here (R11).
//! - `wal/SERVICE/files/NAME`: `.history`, `.partial` and `.backup` files, names in lower case.
//! - `wal/SERVICE/quarantine/NAME.HASH`: a file that differs from what is stored under its name.
//!
//! Each begins with the line `planc-wal/1 BLAKE3 LENGTH`, which proves the bytes that follow. All
//! but the claim are age files of that when the log is encrypted.

use std::fmt;
use std::sync::Arc;

use crate::engine::postgres::lsn::{SegmentSize, Timeline};
use crate::media::{Device, DeviceError, Put, keys, name};
use crate::quantity::Bytes;

const FORMAT: &str = "planc-wal/1";

/// Who may archive under a service's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Identity of the cluster.
    pub system_identifier: u64,
    /// Bytes of its segments.
    pub segment_size: SegmentSize,
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = Bytes(self.segment_size.bytes());
        write!(
            out,
            "system {} in segments of {size}",
            self.system_identifier
        )
    }
}

/// Name of the object with the claim.
#[must_use]
pub fn identity_name(service: &str) -> String {
    format!("wal/{}/identity", name::escape(service))
}

/// Name of the object of a small file.
#[must_use]
pub fn file_name(service: &str, file: &str) -> String {
    let file = file.to_ascii_lowercase();
    format!(
        "wal/{}/files/{}",
        name::escape(service),
        name::escape(&file)
    )
}

/// Name under which a differing file is kept as evidence.
#[must_use]
pub fn quarantine_name(service: &str, file: &str, bytes: &[u8]) -> String {
    let hash = blake3::hash(bytes).to_hex();
    let file = name::escape(&file.to_ascii_lowercase());
    let service = name::escape(service);
    format!("wal/{service}/quarantine/{file}.{}", &hash[..16])
}

/// Wraps bytes with their proof.
#[must_use]
pub fn wrap(bytes: &[u8]) -> Vec<u8> {
    let hash = blake3::hash(bytes).to_hex();
    let mut wrapped = format!("{FORMAT} {hash} {}\n", bytes.len()).into_bytes();
    wrapped.extend_from_slice(bytes);
    wrapped
}

/// Puts a file, sealed with a key when there is one. The same file under the name is the same,
/// however it is sealed.
///
/// # Errors
/// [`DeviceError::Different`] when another file has the name, or one that cannot be opened here.
pub fn put(
    device: &dyn Device,
    object: &str,
    bytes: &[u8],
    key: Option<&str>,
) -> Result<Put, DeviceError> {
    let wrapped = wrap(bytes);
    let Some(key) = key else {
        return device.put_if_absent(object, &wrapped);
    };
    let sealed = keys::file::seal(device, object, key, &wrapped)?;
    match device.put_if_absent(object, &sealed) {
        Err(DeviceError::Different { .. }) if read(device, object).is_ok_and(|it| it == bytes) => {
            Ok(Put::Same)
        }
        answer => answer,
    }
}

/// Reads an object and checks its proof.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`], or what the device says.
pub fn read(device: &dyn Device, object: &str) -> Result<Vec<u8>, DeviceError> {
    let bytes = device.get(object, None)?;
    let bytes = keys::file::open(device, object, bytes)?;
    unwrap(&bytes).ok_or_else(|| DeviceError::Damaged {
        device: device.name().to_owned(),
        object: object.to_owned(),
        detail: "its content is not what its first line says".to_owned(),
    })
}

/// Brings what the log of a timeline cannot be replayed without to a device that holds copies of
/// segments: the claim, and the history of the timeline. As they are stored, sealed or not.
///
/// # Errors
/// When a holder or the device fails. What no holder has is left out.
pub fn follow(
    service: &str,
    timeline: Timeline,
    holders: &[Arc<dyn Device>],
    to: &dyn Device,
) -> Result<(), DeviceError> {
    // the first timeline has no history
    let history = (timeline.number() > 1).then(|| format!("{timeline}.history"));
    let history = history.map(|file| file_name(service, &file));
    for object in [identity_name(service)].into_iter().chain(history) {
        match to.size(&object) {
            Err(DeviceError::NotFound { .. }) => {}
            held => {
                held?;
                continue;
            }
        }
        if let Some(bytes) = any(holders, &object)? {
            to.put_if_absent(&object, &bytes)?;
        }
    }
    Ok(())
}

/// The bytes of an object as any holder stores them; none when all say that they lack it.
fn any(holders: &[Arc<dyn Device>], object: &str) -> Result<Option<Vec<u8>>, DeviceError> {
    let mut failed = None;
    for holder in holders {
        match holder.get(object, None) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(DeviceError::NotFound { .. }) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(None), Err)
}

fn unwrap(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().take(200).position(|byte| *byte == b'\n')?;
    let body = bytes.get(end + 1..)?;
    (wrap(body) == bytes).then(|| body.to_vec())
}

/// The claim on a service's name.
///
/// # Errors
/// [`DeviceError::NotFound`] when no server claimed it yet; else as [`read`].
pub fn claim(device: &dyn Device, service: &str) -> Result<Claim, DeviceError> {
    let object = identity_name(service);
    let body = read(device, &object)?;
    parse_claim(&body).ok_or_else(|| DeviceError::Damaged {
        device: device.name().to_owned(),
        object,
        detail: "it is no identity".to_owned(),
    })
}

/// The bytes of a claim.
#[must_use]
pub fn print_claim(claim: Claim) -> Vec<u8> {
    let (system, size) = (claim.system_identifier, claim.segment_size.bytes());
    wrap(format!("system-identifier {system}\nsegment-size {size}\n").as_bytes())
}

fn parse_claim(body: &[u8]) -> Option<Claim> {
    let text = std::str::from_utf8(body).ok()?;
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
    };
    let size = u32::try_from(field("segment-size ")?).ok()?;
    Some(Claim {
        system_identifier: field("system-identifier ")?,
        segment_size: SegmentSize::new(size).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::memory::MemoryDevice;

    #[test]
    fn a_claim_and_a_file_survive_and_damage_is_seen() {
        let device = MemoryDevice::new("m");
        let size = SegmentSize::new(1 << 20).expect("a size");
        let claimed = Claim {
            system_identifier: u64::MAX,
            segment_size: size,
        };
        let absent = claim(&device, "Shop").expect_err("nothing yet");
        assert!(matches!(absent, DeviceError::NotFound { .. }));
        let object = identity_name("Shop");
        device
            .put_if_absent(&object, &print_claim(claimed))
            .expect("put");
        assert_eq!(claim(&device, "Shop").expect("a claim"), claimed);

        let mut bytes = wrap(b"1\t0/3000000\tno reason\n");
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        let object = file_name("Shop", "0000000A.history");
        assert!(name::is_valid(&object) && object.contains("0000000a.history"));
        device.put_if_absent(&object, &bytes).expect("put");
        let damaged = read(&device, &object).expect_err("damaged");
        assert!(matches!(damaged, DeviceError::Damaged { .. }));
    }
}
