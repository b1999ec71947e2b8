//! Owns the commit of a part: its manifest, made ready once for all devices, written last, put if
//! absent, read again and compared.

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::WrittenPart;
use crate::engine::EndedBackup;
use crate::media::keys::Seal;
use crate::media::manifest::{FORMAT, Manifest, PartHeader};
use crate::media::sealed::{self, Kind, Opened};
use crate::media::{Device, DeviceError, name, opened, tomb};
use crate::resolve::plan::Codec;

/// What a manifest says before its body, for people and for lists.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    part: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
}

/// Compression of manifests, whatever the content has.
const CODEC: Codec = Codec::Zstd(3);

/// Builds the manifest of a written part, whose files and frames it takes over.
#[must_use]
pub fn manifest(written: &mut WrittenPart, header: PartHeader, ended: EndedBackup) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        header,
        ended,
        codec: written.codec,
        bytes: written.bytes,
        stored_bytes: written.packs.iter().map(|pack| pack.length).sum(),
        packs: written.packs.clone(),
        frames: std::mem::take(&mut written.frames),
        entries: std::mem::take(&mut written.entries),
        keys: (written.seal.as_ref()).map_or_else(Vec::new, |seal| seal.recipients().to_vec()),
        seal: written.seal.clone(),
        more: std::collections::BTreeMap::new(),
    }
}

/// A manifest and its object: written out, compressed and proven.
#[derive(Debug)]
pub struct Ready {
    /// The manifest.
    pub manifest: Manifest,
    /// The hash of its text.
    pub content: Hash,
    bytes: Vec<u8>,
}

impl Ready {
    /// Makes a manifest ready for all devices; equal manifests have equal bytes.
    ///
    /// # Errors
    /// When the object does not give back what went in, or the manifest is longer than a reader
    /// takes.
    pub fn new(manifest: Manifest) -> Result<Self, String> {
        let text = text(&manifest)?;
        Ok(Self {
            content: blake3::hash(&text),
            bytes: seal(&manifest, &text)?,
            manifest,
        })
    }

    /// Commits the part on one device: manifest by put-if-absent, read again and compared.
    ///
    /// # Errors
    /// When the device fails or holds another manifest under the name.
    pub fn commit(&self, device: &dyn Device) -> Result<(), DeviceError> {
        put(&self.manifest, &self.bytes, device)
    }
}

/// Commits a part on one device only; the length of its manifest's object.
///
/// # Errors
/// As [`Ready::new`] and [`Ready::commit`].
pub fn commit(manifest: &Manifest, device: &dyn Device) -> Result<u64, DeviceError> {
    let bytes = text(manifest).and_then(|text| seal(manifest, &text));
    let object = || name::manifest(&manifest.header.part);
    let bytes = bytes.map_err(|detail| unusable(device, &object(), detail))?;
    put(manifest, &bytes, device)?;
    Ok(bytes.len() as u64)
}

fn put(manifest: &Manifest, bytes: &[u8], device: &dyn Device) -> Result<(), DeviceError> {
    let object = name::manifest(&manifest.header.part);
    device.identity()?;
    let damaged = |object: &str| match read(device, object) {
        Err(DeviceError::Damaged { .. }) => Ok(true),
        Ok(_) | Err(DeviceError::NotFound { .. } | DeviceError::Sealed { .. }) => Ok(false),
        Err(error) => Err(error),
    };
    let object = super::put(device, &object, bytes, &damaged)?;
    if device.get(&object, None)? != bytes {
        let detail = "it reads back with other bytes than were written".to_owned();
        return Err(unusable(device, &object, detail));
    }
    still_there(manifest, device)
}

/// An equal pack of an older part may have been there already, and may be deleted at this moment:
/// see [`crate::media::tomb`]. It is looked for last: what a deletion has ended with is gone then.
fn still_there(manifest: &Manifest, device: &dyn Device) -> Result<(), DeviceError> {
    for pack in &manifest.packs {
        if tomb::is_condemned(device, &pack.name)? {
            let detail = "an older part with equal content is being deleted; end that with \
                          `planc expire --apply`, then copy it again";
            return Err(unusable(device, &pack.name, detail.to_owned()));
        }
        match device.size(&super::find(device, &pack.name)?) {
            Ok(_) => {}
            Err(DeviceError::NotFound { .. }) => {
                let detail = "it was deleted while this part was committed; copy it again";
                return Err(unusable(device, &pack.name, detail.to_owned()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a part's manifest from a device.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn load(device: &dyn Device, part: &str) -> Result<Manifest, DeviceError> {
    load_told(device, part).map(|(manifest, _)| manifest)
}

/// As [`load`], with the hash of the manifest's text.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_told(device: &dyn Device, part: &str) -> Result<(Manifest, Hash), DeviceError> {
    let plain = name::manifest(part);
    match read_told(device, &plain) {
        Err(damaged @ DeviceError::Damaged { .. }) => match super::find(device, &plain)? {
            other if other == plain => Err(damaged),
            replacement => read_told(device, &replacement),
        },
        answer => answer,
    }
}

/// Reads a manifest by the name of its object.
///
/// # Errors
/// As [`load`].
pub(crate) fn read(device: &dyn Device, object: &str) -> Result<Manifest, DeviceError> {
    read_told(device, object).map(|(manifest, _)| manifest)
}

/// As [`read`], with the hash of the manifest's text.
///
/// # Errors
/// As [`load`].
pub(crate) fn read_told(
    device: &dyn Device,
    object: &str,
) -> Result<(Manifest, Hash), DeviceError> {
    let bytes = device.get_short(object, sealed::LONGEST)?;
    let (manifest, opened) = open(device, object, &bytes)?;
    if name::manifest(&manifest.header.part) == name::plain(object) {
        let content = opened.hash.unwrap_or_else(|| blake3::hash(&opened.body));
        Ok((manifest, content))
    } else {
        let detail = format!("it belongs to part {}", manifest.header.part);
        Err(unusable(device, object, detail))
    }
}

fn seal(manifest: &Manifest, text: &[u8]) -> Result<Vec<u8>, String> {
    if manifest.keys.is_empty() != manifest.seal.is_none() {
        return Err("its keys are not those of its seal".into());
    }
    let header = Header {
        format: manifest.format.clone(),
        part: manifest.header.part.clone(),
        keys: manifest.keys.clone(),
    };
    let header = serde_json::to_vec(&header).map_err(|cause| cause.to_string())?;
    sealed::seal_with(Kind::Manifest, &header, text, CODEC, manifest.seal.as_ref())
}

/// The text of a manifest: the body of its object.
fn text(manifest: &Manifest) -> Result<Vec<u8>, String> {
    serde_json::to_vec(manifest).map_err(|cause| cause.to_string())
}

/// Reads a manifest's object and checks that all that it refers to makes sense.
fn open(
    device: &dyn Device,
    object: &str,
    bytes: &[u8],
) -> Result<(Manifest, Opened), DeviceError> {
    let (opened, seal) = opened::open(device, object, Kind::Manifest, bytes)?;
    match understand(&opened, seal) {
        Ok(manifest) => Ok((manifest, opened)),
        Err(detail) => Err(unusable(device, object, detail)),
    }
}

fn understand(opened: &Opened, seal: Option<Seal>) -> Result<Manifest, String> {
    let mut manifest: Manifest = serde_json::from_slice(&opened.body)
        .map_err(|cause| format!("its body is no manifest: {cause}"))?;
    if manifest.format != FORMAT {
        return Err(format!("it has the unknown format `{}`", manifest.format));
    }
    let header = &manifest.header;
    let own = seal
        .as_ref()
        .is_none_or(|seal| seal.is_of(&header.part, &header.run));
    if !own || manifest.keys.is_empty() != seal.is_none() {
        return Err("it is sealed as another part".into());
    }
    manifest.seal = seal;
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
