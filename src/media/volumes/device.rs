//! Owns volume sets as devices: objects on volumes, one drive at work at a time. Must not know what
//! volumes are made of; `drive` does.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::drive::{Library, Medium, MediumError};
use super::index::{Found, Health, Index, Piece, Volume};
use super::{FORMAT, Label, writer};
use crate::media::{Device, DeviceError, ObjectWriter, Put, name};

/// A volume set.
#[derive(Clone)]
pub struct VolumeDevice {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    set: String,
    library: Box<dyn Library>,
    index: Mutex<Index>,
}

impl VolumeDevice {
    /// Labels every blank volume of a library as one of a new set, and opens it. When volumes of
    /// one set are there already it is that set, and blank ones join it.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when a volume holds something else; nothing is labelled then.
    pub fn init(
        name: &str,
        library: Box<dyn Library>,
        set: &str,
        now: Timestamp,
    ) -> Result<Self, DeviceError> {
        let mut set = set.to_owned();
        let mut blank = Vec::new();
        for volume in library.volumes().map_err(|error| failed(name, "", error))? {
            match label(library.as_ref(), &volume) {
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
            write_label(library.as_ref(), &label).map_err(|error| failed(name, &volume, error))?;
        }
        Self::open(name, library)
    }

    /// Opens a set: reads the labels, and head and tail of every file. A volume of another set is
    /// left alone.
    ///
    /// # Errors
    /// [`DeviceError::Foreign`] when no volume has a label.
    pub fn open(name: &str, library: Box<dyn Library>) -> Result<Self, DeviceError> {
        let mut set: Option<String> = None;
        let mut volumes = BTreeMap::new();
        let mut found = Found::default();
        for volume in library.volumes().map_err(|error| failed(name, "", error))? {
            let label = label(library.as_ref(), &volume).ok().flatten();
            let own = label.filter(|label| {
                *set.get_or_insert_with(|| label.set.clone()) == label.set && label.volume == volume
            });
            let known = match own {
                Some(_) => scan(library.as_ref(), &volume, &mut found),
                None => Volume::new(&volume, Health::Foreign),
            };
            volumes.insert(volume, known);
        }
        let set = set.ok_or_else(|| foreign(name, "the library", "no volume has a label"))?;
        let inner = Inner {
            name: name.to_owned(),
            set,
            library,
            index: Mutex::new(found.finish(volumes)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Every volume and how it is, by name.
    #[must_use]
    pub fn volumes(&self) -> Vec<Volume> {
        self.inner.index().volumes.values().cloned().collect()
    }

    /// The volumes that must be in the library to read an object, in the order in which they are
    /// read.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    pub fn volumes_of(&self, object: &str) -> Result<Vec<String>, DeviceError> {
        let pieces = self.inner.pieces(object)?;
        Ok(pieces.into_iter().map(|piece| piece.volume).collect())
    }

    /// Writes a new label over a volume on which nothing lives any more: it can be filled again.
    ///
    /// # Errors
    /// [`DeviceError::Locked`] while an object that exists lies on it, or when it had too many
    /// errors.
    pub fn relabel(&self, volume: &str, now: Timestamp) -> Result<(), DeviceError> {
        let inner = &self.inner;
        let mut index = inner.index();
        let refused = |detail: &str| DeviceError::Locked {
            device: inner.name.clone(),
            object: format!("volume {volume}"),
            detail: detail.to_owned(),
        };
        match index.volumes.get(volume) {
            None => return Err(refused("the set has no such volume")),
            Some(known) if known.is_worn() => return Err(refused("it had too many errors")),
            Some(known) if known.health == Health::Foreign => {
                return Err(refused("it belongs to another set"));
            }
            Some(_) => {}
        }
        let lives = |pieces: &Vec<Piece>| pieces.iter().any(|piece| piece.volume == volume);
        if index.objects.values().any(lives) {
            return Err(refused("objects on it have not expired"));
        }
        inner.keep_notes(&mut index, volume)?;
        let label = Label {
            format: FORMAT.to_owned(),
            set: inner.set.clone(),
            volume: volume.to_owned(),
            at: now,
        };
        write_label(inner.library.as_ref(), &label)
            .map_err(|error| failed(&inner.name, volume, error))?;
        if let Some(known) = index.volumes.get_mut(volume) {
            (known.health, known.files) = (Health::Good, 1);
        }
        Ok(())
    }
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pieces(&self, object: &str) -> Result<Vec<Piece>, DeviceError> {
        let index = self.index();
        index
            .objects
            .get(object)
            .cloned()
            .ok_or_else(|| DeviceError::NotFound {
                device: self.name.clone(),
                object: object.to_owned(),
            })
    }

    /// Notes on a volume that is about to be overwritten are written again elsewhere: what they
    /// say is gone may still lie on other volumes.
    fn keep_notes(&self, index: &mut Index, volume: &str) -> Result<(), DeviceError> {
        let notes = notes_on(self.library.as_ref(), volume);
        let notes = notes.map_err(|error| failed(&self.name, volume, error))?;
        let health = index.volumes.get(volume).map(|known| known.health);
        if let Some(known) = index.volumes.get_mut(volume) {
            known.health = Health::Full; // nothing may be written to it now
        }
        for (object, attempt) in notes {
            let written = writer::note(self.library.as_ref(), index, &object, &attempt);
            if let Err(error) = written {
                if let (Some(known), Some(health)) = (index.volumes.get_mut(volume), health) {
                    known.health = health;
                }
                return Err(failed(&self.name, volume, error));
            }
        }
        Ok(())
    }

    /// Reads a piece from `skip` on into `out`, `take` bytes of it.
    fn read_piece(&self, piece: &Piece, skip: u64, take: u64) -> Result<Vec<u8>, MediumError> {
        let mut medium = self.library.load(&piece.volume)?;
        medium.locate(piece.file)?;
        medium.read()?; // the head
        let mut out = Vec::new();
        let mut at = 0;
        while (out.len() as u64) < take {
            let Some(block) = medium.read()? else {
                return Err(MediumError::Read(io::ErrorKind::UnexpectedEof.into()));
            };
            let end = at + block.len() as u64;
            if end > skip {
                let from = usize::try_from(skip.saturating_sub(at)).unwrap_or(0);
                let wanted = usize::try_from(take).unwrap_or(usize::MAX) - out.len();
                let piece = &block[from..];
                out.extend_from_slice(&piece[..piece.len().min(wanted)]);
            }
            at = end;
        }
        Ok(out)
    }

    fn read_error(&self, volume: &str) {
        if let Some(known) = self.index().volumes.get_mut(volume) {
            known.read_errors += 1;
            if known.is_worn() {
                known.health = Health::Suspect;
            }
        }
    }

    fn check_name(&self, object: &str) -> Result<(), DeviceError> {
        if name::is_valid(object) {
            return Ok(());
        }
        Err(DeviceError::Io {
            device: self.name.clone(),
            action: "name",
            object: object.to_owned(),
            cause: io::Error::new(io::ErrorKind::InvalidInput, "the name is not allowed"),
        })
    }
}

/// An object on its way: its name, and with it its place, is only known in the end.
struct VolumeObject {
    inner: Arc<Inner>,
    spool: std::fs::File,
}

impl Write for VolumeObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

impl ObjectWriter for VolumeObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.inner.check_name(name)?;
        let there = match self.inner.pieces(name) {
            Ok(pieces) => Some(pieces),
            Err(DeviceError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(pieces) = there {
            return self.compare(name, &pieces);
        }
        let attempt = attempt(name, &mut self.spool)
            .map_err(|cause| failed(&self.inner.name, name, MediumError::Read(cause)))?;
        let mut index = self.inner.index();
        let library = self.inner.library.as_ref();
        // an earlier life of the name with equal content is told apart by the count of its notes
        let attempt = format!(
            "{attempt}.{}",
            index.volumes.values().map(|v| v.files).sum::<u64>()
        );
        let pieces = writer::write(library, &mut index, (name, &attempt), &mut self.spool);
        let pieces = pieces.map_err(|error| failed(&self.inner.name, name, error))?;
        index.insert(name.to_owned(), attempt, pieces);
        Ok(Put::Created)
    }
}

impl VolumeObject {
    /// The same object is the same; nothing is written twice.
    fn compare(&mut self, name: &str, pieces: &[Piece]) -> Result<Put, DeviceError> {
        let wrong = |cause| failed(&self.inner.name, name, MediumError::Read(cause));
        let length = self.spool.seek(SeekFrom::End(0)).map_err(wrong)?;
        self.spool.seek(SeekFrom::Start(0)).map_err(wrong)?;
        let different = || DeviceError::Different {
            device: self.inner.name.clone(),
            object: name.to_owned(),
        };
        if pieces.iter().map(|piece| piece.bytes).sum::<u64>() != length {
            return Err(different());
        }
        for piece in pieces {
            let mut hash = blake3::Hasher::new();
            let mut part = (&mut self.spool).take(piece.bytes);
            io::copy(&mut part, &mut hash).map_err(wrong)?;
            if hash.finalize().to_hex().as_str() != piece.hash {
                return Err(different());
            }
        }
        Ok(Put::Same)
    }
}

impl Device for VolumeDevice {
    fn name(&self) -> &str {
        &self.inner.name
    }

    fn identity(&self) -> Result<String, DeviceError> {
        let there = self.inner.library.volumes();
        there.map_err(|error| failed(&self.inner.name, "the library", error))?;
        Ok(self.inner.set.clone())
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        let spool = tempfile::tempfile();
        let spool = spool
            .map_err(|cause| failed(&self.inner.name, "a spool file", MediumError::Write(cause)))?;
        Ok(Box::new(VolumeObject {
            inner: Arc::clone(&self.inner),
            spool,
        }))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        let mut writer = self.create()?;
        let spooled = writer.write_all(bytes);
        spooled.map_err(|cause| failed(&self.inner.name, name, MediumError::Write(cause)))?;
        writer.publish(name)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        let pieces = self.inner.pieces(name)?;
        let size: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        let range = range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(DeviceError::Damaged {
                device: self.inner.name.clone(),
                object: name.to_owned(),
                detail: format!("it has {size} bytes, but is read up to {}", range.end),
            });
        }
        let mut out = Vec::new();
        let mut begin = 0;
        for piece in &pieces {
            let end = begin + piece.bytes;
            let (from, until) = (range.start.max(begin), range.end.min(end));
            if from < until {
                let read = self.inner.read_piece(piece, from - begin, until - from);
                out.extend(read.map_err(|error| {
                    if matches!(error, MediumError::Read(_)) {
                        self.inner.read_error(&piece.volume);
                    }
                    failed(&self.inner.name, name, error)
                })?);
            }
            begin = end;
        }
        Ok(out)
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        let pieces = self.inner.pieces(name)?;
        Ok(pieces.iter().map(|piece| piece.bytes).sum())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        let index = self.inner.index();
        let from = index.objects.range(prefix.to_owned()..);
        let found = from.take_while(|(object, _)| object.starts_with(prefix));
        let sizes = found
            .map(|(object, pieces)| (object.clone(), pieces.iter().map(|piece| piece.bytes).sum()));
        Ok(sizes.collect())
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        let pieces = match self.inner.pieces(name) {
            Ok(pieces) => pieces,
            Err(DeviceError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let attempt = self.attempt_of(name, &pieces)?;
        let mut index = self.inner.index();
        let library = self.inner.library.as_ref();
        let noted = writer::note(library, &mut index, name, &attempt);
        let volume = noted.map_err(|error| failed(&self.inner.name, name, error))?;
        index.remove(name);
        index.gone.insert(name.to_owned(), volume);
        Ok(true)
    }
}

impl VolumeDevice {
    fn attempt_of(&self, name: &str, pieces: &[Piece]) -> Result<String, DeviceError> {
        let wrong = |error| failed(&self.inner.name, name, error);
        let Some(first) = pieces.first() else {
            return Ok(String::new());
        };
        let mut medium = self.inner.library.load(&first.volume).map_err(wrong)?;
        let (head, _) = writer::outline(medium.as_mut(), first.file).map_err(wrong)?;
        Ok(head.attempt)
    }
}

/// What tells one writing of an object from another: the hash of its bytes.
fn attempt(name: &str, spool: &mut std::fs::File) -> io::Result<String> {
    spool.seek(SeekFrom::Start(0))?;
    let mut hash = blake3::Hasher::new();
    hash.update(name.as_bytes());
    io::copy(spool, &mut hash)?;
    Ok(hash.finalize().to_hex()[..16].to_owned())
}

/// The label of a volume; none when it is blank.
fn label(library: &dyn Library, volume: &str) -> Result<Option<Label>, MediumError> {
    let mut medium = library.load(volume)?;
    if medium.end()? == 0 {
        return Ok(None);
    }
    medium.locate(0)?;
    let block = medium.read()?.unwrap_or_default();
    let label = serde_json::from_slice::<Label>(&block).ok();
    let label = label.filter(|label| label.format == FORMAT);
    match label {
        Some(label) => Ok(Some(label)),
        None => Err(MediumError::Read(io::Error::other(
            "its label is none of planc",
        ))),
    }
}

fn write_label(library: &dyn Library, label: &Label) -> Result<(), MediumError> {
    let mut medium = library.load(&label.volume)?;
    medium.erase()?;
    medium.end()?;
    let block = serde_json::to_vec(label);
    medium.append(&block.map_err(|cause| MediumError::Write(io::Error::other(cause)))?)?;
    medium.mark()
}

/// Reads all files of a volume. One that cannot be read makes the volume suspect; others count.
fn scan(library: &dyn Library, volume: &str, found: &mut Found) -> Volume {
    let mut known = Volume::new(volume, Health::Good);
    let opened = library.load(volume).and_then(|mut medium| {
        known.files = medium.end()?;
        Ok(medium)
    });
    let Ok(mut medium) = opened else {
        known.health = Health::Suspect;
        return known;
    };
    for file in 1..known.files {
        if let Ok((head, tail)) = writer::outline(medium.as_mut(), file) {
            found.add(head, &tail, volume, file);
        } else {
            known.read_errors += 1;
            known.health = Health::Suspect;
        }
    }
    known
}

/// The notes on a volume: object and attempt that are gone.
fn notes_on(library: &dyn Library, volume: &str) -> Result<Vec<(String, String)>, MediumError> {
    let mut medium: Box<dyn Medium> = library.load(volume)?;
    let mut notes = Vec::new();
    for file in 1..medium.end()? {
        let (head, _) = writer::outline(medium.as_mut(), file)?;
        if head.gone {
            notes.push((head.object, head.attempt));
        }
    }
    Ok(notes)
}

fn foreign(device: &str, volume: &str, detail: &str) -> DeviceError {
    DeviceError::Foreign {
        device: device.to_owned(),
        path: volume.into(),
        detail: detail.to_owned(),
    }
}

fn failed(device: &str, object: &str, error: MediumError) -> DeviceError {
    let device = device.to_owned();
    let (action, cause) = match error {
        MediumError::Full => {
            let cause = io::Error::other("no volume of the set takes more");
            return DeviceError::Full { device, cause };
        }
        MediumError::Write(cause) => ("write", cause),
        MediumError::Read(cause) => ("read", cause),
        other => ("load", io::Error::other(other.to_string())),
    };
    DeviceError::Io {
        device,
        action,
        object: object.to_owned(),
        cause,
    }
}
