//! Owns volume sets as devices. Must not know what volumes are made of; `drive` does.

use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::drive::{Library, MediumError};
use super::index::{Health, Limits, Place, Volume};
use super::object::{Located, Need, VolumeObject};
use super::set::{Set, SetSpec, failed, foreign, label, write_label};
use super::{FORMAT, Label, writer};
use crate::media::{Capabilities, Device, DeviceError, ObjectWriter, Put, Space};

/// A volume set.
#[derive(Clone)]
pub struct VolumeDevice {
    set: Arc<Set>,
}

impl VolumeDevice {
    /// Labels every blank volume of a library as one of a new set, and opens it. When volumes of
    /// one set are there already it is that set, and blank ones join it. `wanted` volumes are made
    /// first where the library can make them.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when a volume holds something else; nothing is labelled then.
    pub fn init(
        spec: SetSpec<'_>,
        wanted: u32,
        set: &str,
        now: Timestamp,
    ) -> Result<Self, DeviceError> {
        let name = spec.name;
        make(spec.library.as_ref(), wanted).map_err(|error| failed(name, "the library", error))?;
        let mut set = set.to_owned();
        let mut blank = Vec::new();
        let volumes = spec.library.volumes();
        for volume in volumes.map_err(|error| failed(name, "the library", error))? {
            let found = spec.library.load(&volume);
            match found.and_then(|mut medium| label(medium.as_mut())) {
                Ok(Some(found)) => set = found.set,
                Ok(None) => blank.push(volume),
                Err(error) => return Err(foreign(name, &volume, &error.to_string())),
            }
        }
        for volume in blank {
            let label = Label {
                format: FORMAT.to_owned(),
                set: set.clone(),
                volume: volume.clone(),
                at: now,
            };
            let medium = spec.library.load(&volume);
            medium
                .and_then(|mut medium| write_label(medium.as_mut(), &label))
                .map_err(|error| failed(name, &volume, error))?;
        }
        Self::open(spec)
    }

    /// Opens a set: by its register on this host when there is one; else labels, and head and tail
    /// of every file, are read. A volume of another set is left alone.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when no volume has a label.
    pub fn open(spec: SetSpec<'_>) -> Result<Self, DeviceError> {
        let set = Arc::new(Set::open(spec)?);
        Ok(Self { set })
    }

    /// Every volume and how it is, by name.
    #[must_use]
    pub fn volumes(&self) -> Vec<Volume> {
        self.set.volumes()
    }

    /// When a volume of this set is not used again.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.set.limits
    }

    /// Bytes that a volume takes, when that is known.
    #[must_use]
    pub fn capacity(&self) -> Option<u64> {
        self.set.capacity
    }

    /// Whether the library answers to the name of a volume.
    #[must_use]
    pub fn is_present(&self, volume: &str) -> bool {
        self.set.known().present.contains(volume)
    }

    /// The volumes that must be in the library to read an object, in the order in which they are
    /// read.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    pub fn volumes_of(&self, object: &str) -> Result<Vec<String>, DeviceError> {
        let pieces = self.set.stored(object)?.pieces;
        Ok(pieces.into_iter().map(|piece| piece.volume).collect())
    }

    /// Where objects lie, piece by piece, in the order in which volumes are read. Objects that are
    /// not there are left out.
    #[must_use]
    pub fn locate(&self, objects: &[String]) -> Vec<Located> {
        let known = self.set.known();
        let mut found = Vec::new();
        for object in objects {
            let stored = known.index.objects.get(object);
            for piece in stored.iter().flat_map(|stored| &stored.pieces) {
                let volume = known.index.volumes.get(&piece.volume);
                found.push(Located {
                    object: object.clone(),
                    volume: piece.volume.clone(),
                    file: piece.file,
                    bytes: piece.bytes,
                    place: volume.map_or(Place::Lost, |volume| volume.place.clone()),
                });
            }
        }
        found.sort_by(|a, b| (&a.volume, a.file).cmp(&(&b.volume, b.file)));
        found
    }

    /// The volumes that hold objects, in the order in which they are to be loaded.
    #[must_use]
    pub fn needs(&self, objects: &[String]) -> Vec<Need> {
        self.set.needs(objects)
    }

    /// Says that objects will be read soon: each volume that holds some of them is passed over
    /// once, in the order in which they lie, when the first of them is read.
    pub fn expect(&self, objects: &[String]) {
        self.set.expect(objects);
    }

    /// How many volumes were passed over for what was expected.
    #[must_use]
    pub fn passes(&self) -> usize {
        self.set.passes()
    }

    /// A manifest as this host remembers it; none when it does not.
    #[must_use]
    pub fn remembered(&self, object: &str) -> Option<Vec<u8>> {
        let stored = self.set.stored(object).ok()?;
        match stored.pieces.as_slice() {
            [piece] => self.set.content.as_ref()?.find(&piece.hash),
            _ => None,
        }
    }

    /// Writes a new label over a volume on which nothing lives any more, or the first one of a
    /// blank volume: it can be filled.
    ///
    /// # Errors
    /// [`DeviceError::Locked`] while an object that exists lies on it, or when it is worn.
    pub fn relabel(&self, volume: &str, now: Timestamp) -> Result<(), DeviceError> {
        self.set.relabel(volume, now)
    }

    /// Moves a volume out of the library, or notes that it went on to another place.
    ///
    /// # Errors
    /// When the library fails or the set has no such volume.
    pub fn check_out(&self, volume: &str, to: Place, now: Timestamp) -> Result<(), DeviceError> {
        self.set.check_out(volume, to, now)
    }

    /// Notes that a volume arrived. One that comes back to the library is loaded, so that a foreign
    /// label shows now.
    ///
    /// # Errors
    /// [`DeviceError::Away`] when it is not there, [`DeviceError::Foreign`].
    pub fn check_in(&self, volume: &str, at: &Place, now: Timestamp) -> Result<(), DeviceError> {
        self.set.check_in(volume, at, now)
    }

    fn range(&self, object: &str, range: &Range<u64>, size: u64) -> Result<(), DeviceError> {
        if range.start <= range.end && range.end <= size {
            return Ok(());
        }
        Err(DeviceError::Damaged {
            device: self.set.name.clone(),
            object: object.to_owned(),
            detail: format!("it has {size} bytes, but is read up to {}", range.end),
        })
    }
}

/// Makes volumes `v01`, `v02` … until there are as many as are wanted.
fn make(library: &dyn Library, wanted: u32) -> Result<(), MediumError> {
    let digits = wanted.to_string().len().max(2);
    let there = library.volumes().unwrap_or_default().len();
    let missing = usize::try_from(wanted).unwrap_or(0).saturating_sub(there);
    let names = (1..=wanted).map(|number| format!("v{number:0digits$}"));
    let mut made = 0;
    for name in names {
        if made == missing {
            break;
        }
        if library.volumes().unwrap_or_default().contains(&name) {
            continue;
        }
        if !library.make(&name)? {
            break; // an operator brings them
        }
        made += 1;
    }
    Ok(())
}

impl Device for VolumeDevice {
    fn name(&self) -> &str {
        &self.set.name
    }

    fn identity(&self) -> Result<String, DeviceError> {
        let there = self.set.library.volumes();
        there.map_err(|error| failed(&self.set.name, "the library", error))?;
        Ok(self.set.id.clone())
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        let wrong = |cause| failed(&self.set.name, "a spool file", MediumError::Write(cause));
        Ok(Box::new(VolumeObject {
            set: Arc::clone(&self.set),
            spool: self.set.spool().map_err(wrong)?,
        }))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        let mut writer = self.create()?;
        let spooled = writer.write_all(bytes);
        spooled.map_err(|cause| failed(&self.set.name, name, MediumError::Write(cause)))?;
        writer.publish(name)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        let stored = self.set.stored(name)?;
        let size = stored.bytes();
        let range = range.unwrap_or(0..size);
        self.range(name, &range, size)?;
        let mut out = Vec::new();
        let mut begin = 0;
        for piece in &stored.pieces {
            let end = begin + piece.bytes;
            let (from, until) = (range.start.max(begin), range.end.min(end));
            if from < until {
                self.set.reach(name, std::slice::from_ref(piece))?;
                let (skip, take) = (from - begin, until - from);
                if let Some(brought) = self.set.brought(piece, skip, take) {
                    out.extend(brought);
                } else {
                    let mut sink = |bytes: &[u8]| {
                        out.extend_from_slice(bytes);
                        Ok(())
                    };
                    let read = self.set.read_piece(piece, (skip, take), &mut sink);
                    read.map_err(|error| failed(&self.set.name, name, error))?;
                }
            }
            begin = end;
        }
        Ok(out)
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.set.stored(name).map(|stored| stored.bytes())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        let known = self.set.known();
        let from = known.index.objects.range(prefix.to_owned()..);
        let found = from.take_while(|(object, _)| object.starts_with(prefix));
        Ok(found
            .map(|(object, stored)| (object.clone(), stored.bytes()))
            .collect())
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        let wrong = |error| failed(&self.set.name, name, error);
        let mut was_there = false;
        // an object may have been written more than once
        loop {
            let stored = match self.set.stored(name) {
                Ok(stored) => stored,
                Err(DeviceError::NotFound { .. }) => return Ok(was_there),
                Err(error) => return Err(error),
            };
            let _turn = self.set.turn().map_err(wrong)?;
            writer::note(&self.set, name, &stored.attempt).map_err(wrong)?;
            was_there = true;
            if let (Some(content), [piece]) = (&self.set.content, stored.pieces.as_slice()) {
                content.forget(&piece.hash);
            }
        }
    }

    fn space(&self) -> Result<Option<Space>, DeviceError> {
        let place = blake3::hash(self.set.id.as_bytes());
        let place = place
            .as_bytes()
            .first_chunk()
            .map_or(0, |head| u64::from_le_bytes(*head));
        Ok(self.set.room().map(|free| Space { free, place }))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sequential: true,
            ..Capabilities::FULL
        }
    }

    fn volume_set(&self) -> Option<&VolumeDevice> {
        Some(self)
    }
}

impl Health {
    /// Whether a volume in this state was ever written by its set.
    #[must_use]
    pub fn is_own(self) -> bool {
        !matches!(self, Self::Foreign | Self::Blank)
    }
}
