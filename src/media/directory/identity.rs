//! Owns the identity file of a directory device: who it is, and that the folder is planc's.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::temp::TempObject;
use super::tree::{TMP, Tree, missing};
use crate::media::DeviceError;

/// Name of the identity file.
pub(crate) const FILE: &str = "planc-device";

const FORMAT: &str = "planc-device/1";

/// What is said of a folder that holds nothing.
const EMPTY: &str = "is an empty folder: nothing is mounted there, or it was never claimed";

/// An identity file is short; whatever is longer is not one (R30).
const LONGEST: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Identity {
    format: String,
    uuid: String,
}

/// Whether the folder has an identity file, whatever it says.
pub(super) fn is_claimed(tree: &Tree) -> Result<bool, DeviceError> {
    match tree.open_object(FILE) {
        Ok(_) => Ok(true),
        Err(DeviceError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses a folder that holds something: it could be somebody's data.
pub(super) fn check_empty(tree: &Tree, path: &Path) -> Result<(), DeviceError> {
    match content(tree)? {
        None => Ok(()),
        Some(name) => Err(foreign(tree, path, format!("it holds `{name}`"))),
    }
}

/// Something that the folder holds; none when it is as good as empty.
fn content(tree: &Tree) -> Result<Option<String>, DeviceError> {
    let names = tree.names("")?;
    // `tmp` alone is what an interrupted claim leaves
    Ok(names
        .into_iter()
        .find(|name| name != "lost+found" && name != TMP))
}

/// Writes a new identity. When two claim at once, the second one loses.
pub(super) fn claim(tree: &Tree) -> Result<String, DeviceError> {
    let identity = Identity {
        format: FORMAT.to_owned(),
        uuid: new_uuid().map_err(|cause| tree.write_failed("create", FILE, cause))?,
    };
    let line = format!(
        "{{\"format\":\"{}\",\"uuid\":\"{}\"}}\n",
        identity.format, identity.uuid
    );
    let mut object = TempObject::create(Arc::new(tree.again()?))?;
    object.append(line.as_bytes())?;
    object.publish_as(FILE)?;
    Ok(identity.uuid)
}

/// Reads the identity.
pub(super) fn read(tree: &Tree, path: &Path) -> Result<String, DeviceError> {
    let (file, _) = match tree.open_object(FILE) {
        Err(DeviceError::NotFound { .. }) => return Err(unclaimed(tree, path)?),
        answer => answer?,
    };
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|cause| tree.read_failed(FILE, cause))?;
    match serde_json::from_str::<Identity>(&text) {
        Ok(identity) if identity.format == FORMAT => Ok(identity.uuid),
        Ok(identity) => {
            let detail = format!("`{FILE}` has the unknown format `{}`", identity.format);
            Err(foreign(tree, path, detail))
        }
        Err(_) => Err(foreign(tree, path, format!("`{FILE}` cannot be read"))),
    }
}

/// What a folder without an identity is: an empty one is most often a mount point.
fn unclaimed(tree: &Tree, path: &Path) -> Result<DeviceError, DeviceError> {
    Ok(match content(tree)? {
        None => missing(&tree.device, path, EMPTY),
        Some(_) => foreign(tree, path, format!("it has no file `{FILE}`")),
    })
}

fn foreign(tree: &Tree, path: &Path, detail: String) -> DeviceError {
    DeviceError::Foreign {
        device: tree.device.clone(),
        path: path.to_owned(),
        detail,
    }
}

/// A random UUID, version 4.
pub(crate) fn new_uuid() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        // writing to a String cannot fail
        let _ = write!(uuid, "{byte:02x}");
    }
    Ok(uuid)
}
