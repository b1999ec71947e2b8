//! Owns tombstones: small objects beside copies that are to be deleted, and the deletion itself.
//! Must not judge what goes; `graph::retention` does.
//!
//! A tombstone is one JSON object under [`name::tomb`] of the part or log range: `format`
//! "planc-tomb/1", `object` the id, `log` whether it is a range of log, `run` that wrote it, `at`
//! the moment, `packs` of the part, and `check`, the BLAKE3 of the object with `check` empty.
//!
//! # Why no pack that is needed can go
//! Equal packs of two parts are one object. Before a pack is deleted, a tombstone is put beside
//! the pack itself; then all manifests of the device are looked at. A writer looks for tombstones
//! of its packs after it has put its manifest. So one of the two always sees the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::{Device, DeviceError, Put, log, name, part};

/// Version of the form.
const FORMAT: &str = "planc-tomb/1";

/// Longest tombstone that is read.
const LONGEST: u64 = 16 << 20;

/// What a tombstone says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tomb {
    format: String,
    /// The part or log range.
    pub object: String,
    /// Whether it is a range of log.
    pub log: bool,
    /// The run that wrote it.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// Packs of the part, by name.
    pub packs: Vec<String>,
    check: String,
}

impl Tomb {
    fn sealed(mut self) -> Self {
        self.check = String::new();
        self.check = blake3::hash(&self.bytes()).to_hex().to_string();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        // plain data of text, numbers and lists always has a JSON form
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Puts a tombstone beside a copy. One that stands already and is older was forgotten, or is
/// damaged: it is put anew, so that the grace begins now. The packs of a part are read from the
/// device itself, or from another holder when its manifest there is damaged.
///
/// # Errors
/// When the device fails, or does not let go of the older one.
pub fn put(
    device: &dyn Device,
    others: &[Arc<dyn Device>],
    (object, log): (&str, bool),
    (run, at): (&str, Timestamp),
) -> Result<Tomb, DeviceError> {
    let packs = if log {
        Vec::new()
    } else {
        packs_of(device, others, object)?
    };
    let tomb = Tomb {
        format: FORMAT.to_owned(),
        object: object.to_owned(),
        log,
        run: run.to_owned(),
        at,
        packs,
        check: String::new(),
    };
    let tomb = tomb.sealed();
    match write(device, object, &tomb.bytes()) {
        Ok(_) => Ok(tomb),
        Err(DeviceError::Different { .. }) => again(device, tomb),
        Err(error) => Err(error),
    }
}

/// Puts a tombstone in the place of an older one, whose deletion may have begun.
fn again(device: &dyn Device, mut tomb: Tomb) -> Result<Tomb, DeviceError> {
    match get(device, &tomb.object) {
        Ok(other) if other.at >= tomb.at => return Ok(other),
        Ok(older) => {
            let all: BTreeSet<String> = tomb.packs.into_iter().chain(older.packs).collect();
            tomb.packs = all.into_iter().collect();
        }
        Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let tomb = tomb.sealed();
    device.delete(&name::tomb(&tomb.object))?;
    write(device, &tomb.object, &tomb.bytes())?;
    Ok(tomb)
}

/// Writes a tombstone. Even a full device takes some, as long as it has room set aside.
fn write(device: &dyn Device, object: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
    let name = name::tomb(object);
    match device.put_if_absent(&name, bytes) {
        Err(DeviceError::Full { .. }) if device.make_room()? => device.put_if_absent(&name, bytes),
        answer => answer,
    }
}

fn packs_of(
    device: &dyn Device,
    others: &[Arc<dyn Device>],
    part: &str,
) -> Result<Vec<String>, DeviceError> {
    let names = |manifest: Manifest| manifest.packs.into_iter().map(|pack| pack.name).collect();
    match part::load(device, part) {
        Ok(manifest) => Ok(names(manifest)),
        Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => {
            let mut found = others
                .iter()
                .filter_map(|other| part::load(other.as_ref(), part).ok());
            Ok(found.next().map_or_else(Vec::new, names))
        }
        Err(error) => Err(error),
    }
}

/// The tombstone of an object.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Damaged`].
pub fn get(device: &dyn Device, object: &str) -> Result<Tomb, DeviceError> {
    let tomb = read(device, &name::tomb(object))?;
    if tomb.object == object {
        return Ok(tomb);
    }
    let detail = format!("it is the tombstone of {}", tomb.object);
    Err(damaged(device, &name::tomb(object), detail))
}

fn read(device: &dyn Device, object: &str) -> Result<Tomb, DeviceError> {
    let wrong = |detail: &str| damaged(device, object, detail.to_owned());
    let bytes = device.get_short(object, LONGEST)?;
    let tomb: Tomb =
        serde_json::from_slice(&bytes).map_err(|_| wrong("it is no tombstone of a copy"))?;
    if tomb.format == FORMAT && tomb.clone().sealed() == tomb {
        Ok(tomb)
    } else {
        Err(wrong("its bytes do not have their hash"))
    }
}

/// All tombstones of copies on a device, and the names of those that cannot be read. Tombstones of
/// packs are not among them: they only live while a deletion is at work.
///
/// # Errors
/// When the device cannot be listed or read.
pub fn list(device: &dyn Device) -> Result<(Vec<Tomb>, Vec<String>), DeviceError> {
    let (mut tombs, mut unread) = (Vec::new(), Vec::new());
    for (object, length) in device.list(name::TOMBS)? {
        if length == 0 {
            continue;
        }
        match read(device, &object) {
            Ok(tomb) => tombs.push(tomb),
            Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => unread.push(object),
            Err(error) => return Err(error),
        }
    }
    Ok((tombs, unread))
}

/// Takes a tombstone away, with those of its packs that a deletion which did not end has left. A
/// pack that another tombstone speaks of too may be what another deletion is at work on.
///
/// # Errors
/// When the device fails or does not let go of it.
pub fn lift(device: &dyn Device, object: &str) -> Result<(), DeviceError> {
    let packs = match get(device, object) {
        Ok(tomb) => tomb.packs,
        Err(DeviceError::Damaged { .. } | DeviceError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let (tombs, _) = list(device)?;
    let others = tombs.iter().filter(|tomb| tomb.object != object);
    let theirs: BTreeSet<&String> = others.flat_map(|tomb| &tomb.packs).collect();
    for pack in packs.iter().filter(|pack| !theirs.contains(pack)) {
        device.delete(&name::tomb(pack))?;
    }
    device.delete(&name::tomb(object)).map(drop)
}

/// Whether a deletion is at work on a pack. A writer asks after it has put its manifest, and looks
/// for the pack only then. A pack's tombstone that no tombstone of a part speaks of is a leftover.
///
/// # Errors
/// When the device fails.
pub(crate) fn is_condemned(device: &dyn Device, pack: &str) -> Result<bool, DeviceError> {
    match device.size(&name::tomb(pack)) {
        Ok(_) => {}
        Err(DeviceError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    let (tombs, unread) = list(device)?;
    let mut packs = tombs.iter().flat_map(|tomb| &tomb.packs);
    Ok(!unread.is_empty() || packs.any(|name| name == pack))
}

/// How a deletion ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Buried {
    /// The copy is gone; so many bytes are free.
    Freed(u64),
    /// This part on the device builds on it: nothing was deleted.
    NeededBy(String),
    /// The device forbids it until then: nothing was deleted.
    LockedUntil(Timestamp),
}

/// Deletes the copy that a tombstone stands beside: manifest first, so that no manifest ever names
/// what is gone, then the packs that no other manifest of the device names, the tombstone last.
/// Repeating it after a crash goes on where it stopped.
///
/// # Errors
/// When the device fails, or a manifest on it cannot be read: its packs are not known, so any pack
/// might be one of them.
pub fn bury(
    device: &dyn Device,
    tomb: &Tomb,
    index: &mut Manifests,
    now: Timestamp,
) -> Result<Buried, DeviceError> {
    let main = match (tomb.log, name::log_of_id(&tomb.object)) {
        (false, _) => name::manifest(&tomb.object),
        (true, Some(log)) => log,
        (true, None) => {
            return Err(damaged(
                device,
                &tomb.object,
                "its id is none of a log".into(),
            ));
        }
    };
    if let Some(until) = lock_on(device, std::iter::once(&main).chain(&tomb.packs))?
        && until > now
    {
        return Ok(Buried::LockedUntil(until));
    }
    let freed = if tomb.log {
        bury_log(device, tomb, &main)?
    } else {
        match bury_part(device, tomb, &main, index)? {
            Ok(freed) => freed,
            Err(user) => return Ok(Buried::NeededBy(user)),
        }
    };
    device.delete(&name::tomb(&tomb.object))?;
    Ok(Buried::Freed(freed))
}

/// The latest lock on any of the objects or what was put beside them; found before anything is
/// deleted, so that no copy is left half.
fn lock_on<'a>(
    device: &dyn Device,
    objects: impl Iterator<Item = &'a String>,
) -> Result<Option<Timestamp>, DeviceError> {
    let mut latest = None;
    for object in objects {
        for name in numbered(device, object)? {
            match device.locked_until(&name) {
                Ok(until) => latest = until.max(latest),
                Err(DeviceError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(latest)
}

/// Another range under the same name is not the one that goes.
fn bury_log(device: &dyn Device, tomb: &Tomb, main: &str) -> Result<u64, DeviceError> {
    let size = match log::read(device, main) {
        Ok(read) if read.record.log != tomb.object => return Ok(0),
        Ok(read) => read.record.stored_bytes,
        Err(DeviceError::NotFound { .. }) => return Ok(0),
        Err(DeviceError::Damaged { .. }) => device.size(main)?,
        Err(error) => return Err(error),
    };
    delete_all(device, &numbered(device, main)?)?;
    Ok(size)
}

/// The bytes that are free, or the part that builds on this one.
fn bury_part(
    device: &dyn Device,
    tomb: &Tomb,
    main: &str,
    index: &mut Manifests,
) -> Result<Result<u64, String>, DeviceError> {
    for pack in &tomb.packs {
        write(device, pack, b"")?;
    }
    index.refresh(device, main)?;
    let user = index.user_of(&tomb.object);
    let mut freed = 0;
    if user.is_none() {
        freed += delete_all(device, &numbered(device, main)?)?;
        index.forget(main);
        let used = index.packs();
        for pack in tomb
            .packs
            .iter()
            .filter(|pack| !used.contains(pack.as_str()))
        {
            freed += delete_all(device, &numbered(device, pack)?)?;
        }
    }
    for pack in &tomb.packs {
        device.delete(&name::tomb(pack))?;
    }
    Ok(user.map_or(Ok(freed), Err))
}

fn delete_all(device: &dyn Device, objects: &[String]) -> Result<u64, DeviceError> {
    let mut freed = 0;
    for object in objects {
        let size = match device.size(object) {
            Err(DeviceError::NotFound { .. }) => continue,
            size => size?,
        };
        device.delete(object)?;
        freed += size;
    }
    Ok(freed)
}

/// The objects that hold a pack: under its name, and with a number behind it.
fn numbered(device: &dyn Device, pack: &str) -> Result<Vec<String>, DeviceError> {
    let found = device.list(pack)?.into_iter().map(|(object, _)| object);
    let own = |object: &String| {
        let rest = object.strip_prefix(pack).unwrap_or("?");
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        rest.is_empty() || rest.strip_prefix('.').is_some_and(digits)
    };
    Ok(found.filter(own).collect())
}

/// What the manifests of one device refer to.
#[derive(Debug, Default)]
pub struct Manifests {
    known: BTreeMap<String, Refers>,
}

#[derive(Debug)]
struct Refers {
    part: String,
    base: Option<String>,
    packs: Vec<String>,
}

impl Manifests {
    /// Reads what is new and forgets what is gone. The manifest `except` may be damaged.
    fn refresh(&mut self, device: &dyn Device, except: &str) -> Result<(), DeviceError> {
        let listed = part::newest(device.list(name::PARTS)?).into_iter();
        let there: BTreeSet<String> = listed.map(|(object, _)| object).collect();
        self.known.retain(|object, _| there.contains(object));
        for object in there {
            if self.known.contains_key(&object) {
                continue;
            }
            match part::read(device, &object) {
                Ok(manifest) => {
                    self.known.insert(object, Refers::of(manifest));
                }
                Err(DeviceError::Damaged { .. }) if name::plain(&object) == except => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn forget(&mut self, object: &str) {
        self.known.retain(|known, _| name::plain(known) != object);
    }

    /// A part that builds on this one.
    fn user_of(&self, part: &str) -> Option<String> {
        let mut users = self
            .known
            .values()
            .filter(|one| one.base.as_deref() == Some(part));
        users.next().map(|user| user.part.clone())
    }

    fn packs(&self) -> BTreeSet<&str> {
        let packs = self.known.values().flat_map(|one| &one.packs);
        packs.map(String::as_str).collect()
    }
}

impl Refers {
    fn of(manifest: Manifest) -> Self {
        Self {
            part: manifest.header.part,
            base: manifest.header.base,
            packs: manifest.packs.into_iter().map(|pack| pack.name).collect(),
        }
    }
}

fn damaged(device: &dyn Device, object: &str, detail: String) -> DeviceError {
    DeviceError::Damaged {
        device: device.name().to_owned(),
        object: object.to_owned(),
        detail,
    }
}
