//! Owns the commit of a part: its manifest, written last, put if absent, read again and compared.

use serde::{Deserialize, Serialize};

use super::WrittenPart;
use crate::engine::EndedBackup;
use crate::media::manifest::{FORMAT, Manifest, PartHeader};
use crate::media::sealed::{self, Kind};
use crate::media::{Device, DeviceError, name};
use crate::resolve::plan::Codec;

/// What a manifest says before its body, for people and for lists.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    part: String,
}

/// Compression of manifests, whatever the content has.
const CODEC: Codec = Codec::Zstd(3);

/// Builds the manifest of a written part.
#[must_use]
pub fn manifest(written: &WrittenPart, header: PartHeader, ended: EndedBackup) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        header,
        ended,
        codec: written.codec,
        bytes: written.bytes,
        stored_bytes: written.packs.iter().map(|pack| pack.length).sum(),
        packs: written.packs.clone(),
        frames: written.frames.clone(),
        entries: written.entries.clone(),
        keys: Vec::new(),
        more: std::collections::BTreeMap::new(),
    }
}

/// Commits a part on one device: manifest by put-if-absent, read again and compared.
///
/// # Errors
/// When the device fails or holds another manifest under the name.
pub fn commit(manifest: &Manifest, device: &dyn Device) -> Result<(), DeviceError> {
    let object = name::manifest(&manifest.header.part);
    let bytes = seal(manifest).map_err(|detail| unusable(device, &object, detail))?;
    device.identity()?;
    device.put_if_absent(&object, &bytes)?;
    if device.get(&object, None)? == bytes {
        Ok(())
    } else {
        let detail = "it reads back with other bytes than were written".to_owned();
        Err(unusable(device, &object, detail))
    }
}

/// Reads a part's manifest from a device.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn load(device: &dyn Device, part: &str) -> Result<Manifest, DeviceError> {
    read(device, &name::manifest(part))
}

/// Reads a manifest by the name of its object.
///
/// # Errors
/// As [`load`].
pub(crate) fn read(device: &dyn Device, object: &str) -> Result<Manifest, DeviceError> {
    let damaged = |detail| unusable(device, object, detail);
    if device.size(object)? > sealed::LONGEST {
        return Err(damaged("it is too long for a manifest".into()));
    }
    let bytes = device.get(object, None)?;
    let manifest = open(&bytes).map_err(damaged)?;
    if name::manifest(&manifest.header.part) == object {
        Ok(manifest)
    } else {
        Err(damaged(format!(
            "it belongs to part {}",
            manifest.header.part
        )))
    }
}

/// The bytes of a manifest's object; equal manifests have equal bytes.
pub(crate) fn seal(manifest: &Manifest) -> Result<Vec<u8>, String> {
    let header = Header {
        format: manifest.format.clone(),
        part: manifest.header.part.clone(),
    };
    let header = serde_json::to_vec(&header).map_err(|cause| cause.to_string())?;
    let body = serde_json::to_vec(manifest).map_err(|cause| cause.to_string())?;
    sealed::seal(Kind::Manifest, &header, &body, CODEC)
}

/// Reads a manifest's object and checks that all that it refers to makes sense.
pub(crate) fn open(bytes: &[u8]) -> Result<Manifest, String> {
    let opened = sealed::open(Kind::Manifest, bytes)?;
    let manifest: Manifest = serde_json::from_slice(&opened.body)
        .map_err(|cause| format!("its body is no manifest: {cause}"))?;
    if manifest.format != FORMAT {
        return Err(format!("it has the unknown format `{}`", manifest.format));
    }
    if !manifest.keys.is_empty() {
        return Err("it is encrypted, which this version cannot read".into());
    }
    manifest.check()?;
    Ok(manifest)
}

fn unusable(device: &dyn Device, object: &str, detail: String) -> DeviceError {
    DeviceError::Damaged {
        device: device.name().to_owned(),
        object: object.to_owned(),
        detail,
    }
}
