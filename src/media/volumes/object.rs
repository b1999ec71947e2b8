//! Owns an object on its way to a set, and what is told about one that is there: which volumes it
//! lies on, in the order in which they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::drive::MediumError;
use super::index::{Health, Piece, Place, Stored};
use super::reader;
use super::set::{Set, failed};
use super::writer;
use crate::media::{DeviceError, ObjectWriter, Put, name};

/// Where a piece of an object lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The object.
    pub object: String,
    /// Its volume.
    pub volume: String,
    /// Number of the file on it.
    pub file: u64,
    /// Bytes.
    pub bytes: u64,
    /// Where the volume is.
    pub place: Place,
}

/// A volume that must be loaded to read something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub volume: String,
    /// Where it is.
    pub place: Place,
    /// Whether it is in the library.
    pub here: bool,
    /// How many files are read, in one pass.
    pub files: usize,
    /// Bytes that are read.
    pub bytes: u64,
}

impl Set {
    pub(super) fn stored(&self, object: &str) -> Result<Stored, DeviceError> {
        let known = self.known();
        let stored = known.index.objects.get(object).cloned();
        stored.ok_or_else(|| DeviceError::NotFound {
            device: self.name.clone(),
            object: object.to_owned(),
        })
    }

    /// Refuses to read an object of which a volume is away.
    pub(super) fn reach(&self, object: &str, pieces: &[Piece]) -> Result<(), DeviceError> {
        let known = self.known();
        for piece in pieces {
            let volume = known.index.volumes.get(&piece.volume);
            let place = volume.map(|volume| &volume.place);
            if place == Some(&Place::Library) && known.present.contains(&piece.volume) {
                continue;
            }
            let place = match place {
                Some(Place::Library) | None => "not in the library".to_owned(),
                Some(place) => place.to_string(),
            };
            return Err(DeviceError::Away {
                device: self.name.clone(),
                object: object.to_owned(),
                volume: piece.volume.clone(),
                place,
            });
        }
        Ok(())
    }

    /// The volumes that hold pieces of objects, in the order in which they are to be loaded.
    pub(super) fn needs(&self, objects: &[String]) -> Vec<Need> {
        let known = self.known();
        let mut needs: BTreeMap<&str, Need> = BTreeMap::new();
        let stored = objects
            .iter()
            .filter_map(|name| known.index.objects.get(name));
        for piece in stored.flat_map(|stored| &stored.pieces) {
            let volume = known.index.volumes.get(&piece.volume);
            let place = volume.map_or(Place::Lost, |volume| volume.place.clone());
            let here = place == Place::Library && known.present.contains(&piece.volume);
            let need = needs.entry(&piece.volume).or_insert_with(|| Need {
                volume: piece.volume.clone(),
                place,
                here,
                files: 0,
                bytes: 0,
            });
            need.files += 1;
            need.bytes = need.bytes.saturating_add(piece.bytes);
        }
        needs.into_values().collect()
    }

    /// Hands out bytes of a piece; an error is counted, and a volume with too many is frozen.
    pub(super) fn read_piece(
        &self,
        piece: &Piece,
        (skip, take): (u64, u64),
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), MediumError> {
        let read = self.load(&piece.volume).and_then(|mut drive| {
            let loaded = drive.loaded()?;
            reader::each(loaded, piece, skip, take, sink)
        });
        match &read {
            Err(MediumError::Read(_) | MediumError::EndOfData) => self.note_read_error(piece),
            Err(MediumError::Absent(volume)) => self.is_absent(volume),
            _ => {}
        }
        read
    }

    fn note_read_error(&self, piece: &Piece) {
        use super::register::Learnt;
        let volume = || piece.volume.clone();
        self.learn(&[Learnt::Failed {
            volume: volume(),
            writing: false,
        }]);
        let known = self.volume(&piece.volume);
        if known.is_some_and(|known| known.health != Health::Foreign && known.is_worn(self.limits))
        {
            self.learn(&[Learnt::Health {
                volume: volume(),
                health: Health::Suspect,
            }]);
        }
    }
}

/// An object on its way: its name, and with it its place, is only known in the end.
pub(super) struct VolumeObject {
    pub(super) set: Arc<Set>,
    pub(super) spool: File,
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
    fn publish(&mut self, object: &str) -> Result<Put, DeviceError> {
        let set = Arc::clone(&self.set);
        let wrong = |error| failed(&set.name, object, error);
        if !name::is_valid(object) {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "the name is not allowed");
            return Err(wrong(MediumError::Source(cause)));
        }
        match set.stored(object) {
            Ok(stored) => match self.compare(object, &stored) {
                // what is here must be whole without what travels: it is written once more
                Err(DeviceError::Away { .. }) => {}
                answer => return answer,
            },
            Err(DeviceError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let hash = self
            .hash()
            .map_err(|cause| wrong(MediumError::Source(cause)))?;
        // an earlier life of the name with equal content is told apart by the files written since
        let files: u64 = set.volumes().iter().map(|volume| volume.files).sum();
        let attempt = format!("{}.{files}", &hash[..16]);
        let _turn = set.turn().map_err(wrong)?;
        let writing = (object.to_owned(), attempt);
        set.known().on_their_way.insert(writing.clone());
        let written = writer::write(&set, (object, &writing.1), &mut self.spool);
        set.known().on_their_way.remove(&writing);
        written.map_err(wrong)?;
        self.remember(object, &hash);
        Ok(Put::Created)
    }
}

impl VolumeObject {
    fn hash(&mut self) -> io::Result<String> {
        self.spool.seek(SeekFrom::Start(0))?;
        let mut hash = blake3::Hasher::new();
        io::copy(&mut self.spool, &mut hash)?;
        Ok(hash.finalize().to_hex().to_string())
    }

    fn remember(&mut self, object: &str, hash: &str) {
        let Some(content) = &self.set.content else {
            return;
        };
        let mut bytes = Vec::new();
        let read = || -> io::Result<()> {
            self.spool.seek(SeekFrom::Start(0))?;
            self.spool.read_to_end(&mut bytes).map(drop)
        };
        let is_kept = object.starts_with(name::PARTS) || object.starts_with(name::RUNS);
        if is_kept && { read }().is_ok() {
            content.keep(hash, &bytes);
        }
    }

    /// The same object is the same; it is read back, since a damaged one must not pass for it.
    fn compare(&mut self, object: &str, stored: &Stored) -> Result<Put, DeviceError> {
        let different = || DeviceError::Different {
            device: self.set.name.clone(),
            object: object.to_owned(),
        };
        let wrong = |cause| failed(&self.set.name, object, MediumError::Source(cause));
        let length = self.spool.seek(SeekFrom::End(0)).map_err(wrong)?;
        if stored.bytes() != length {
            return Err(different());
        }
        self.spool.seek(SeekFrom::Start(0)).map_err(wrong)?;
        for piece in &stored.pieces {
            let mut hash = blake3::Hasher::new();
            io::copy(&mut (&mut self.spool).take(piece.bytes), &mut hash).map_err(wrong)?;
            if hash.finalize().to_hex().as_str() != piece.hash {
                return Err(different());
            }
        }
        self.set.reach(object, &stored.pieces)?;
        for piece in &stored.pieces {
            let mut hash = blake3::Hasher::new();
            let read = self.set.read_piece(piece, (0, piece.bytes), &mut |bytes| {
                hash.update(bytes);
                Ok(())
            });
            match read {
                Ok(()) if hash.finalize().to_hex().as_str() == piece.hash => {}
                Ok(()) | Err(MediumError::Read(_) | MediumError::EndOfData) => {
                    return Err(different());
                }
                Err(error) => return Err(failed(&self.set.name, object, error)),
            }
        }
        Ok(Put::Same)
    }
}
