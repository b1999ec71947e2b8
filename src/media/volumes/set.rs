//! Owns a set of volumes at work: its library and drives, what is known of it, and the labels by
//! which it knows its own. Objects are in `device`, places in `shelf`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::content::Content;
use super::drive::{Library, Medium, MediumError};
use super::drives::{Drives, InDrive};
use super::index::{Health, Index, Limits, Piece, Volume, Writing};
use super::recall::Recall;
use super::register::{Learnt, Register};
use super::shelf::Held;
use super::{FORMAT, Label, writer};
use crate::media::DeviceError;

/// A register of this size is written anew when it is opened.
const LONG: u64 = 64 << 20;

/// What a set is made of.
pub struct SetSpec<'a> {
    /// Name of the device.
    pub name: &'a str,
    /// Its volumes.
    pub library: Box<dyn Library>,
    /// How many volumes can be loaded at once.
    pub drives: u32,
    /// Bytes that a volume takes, when that is known.
    pub capacity: Option<u64>,
    /// When a volume is not used again.
    pub limits: Limits,
    /// Folder of its register and of content on its way; without one nothing is remembered.
    pub folder: Option<&'a Path>,
}

/// What is known, and where it is written down.
pub(super) struct Known {
    pub(super) index: Index,
    pub(super) register: Option<Register>,
    /// Names that the library answers to.
    pub(super) present: BTreeSet<String>,
    /// Volumes that are being written.
    pub(super) writing: BTreeSet<String>,
    /// Writings of this process that are not whole yet.
    pub(super) on_their_way: BTreeSet<Writing>,
}

/// A set at work.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) library: Box<dyn Library>,
    pub(super) drives: Drives,
    pub(super) capacity: Option<u64>,
    pub(super) limits: Limits,
    pub(super) folder: Option<PathBuf>,
    pub(super) content: Option<Content>,
    pub(super) known: Mutex<Known>,
    pub(super) written: std::sync::Condvar,
    pub(super) recall: Mutex<Recall>,
    pub(super) held: Mutex<Held>,
}

impl Set {
    /// Opens a set by its register; a volume that the register does not know is loaded and read.
    pub(super) fn open(spec: SetSpec<'_>) -> Result<Self, DeviceError> {
        let name = spec.name.to_owned();
        let wrong = |cause| failed(&name, "the register", MediumError::Library(cause));
        let present = spec.library.volumes();
        let present: BTreeSet<String> = present
            .map_err(|error| failed(&name, "the library", error))?
            .into_iter()
            .collect();
        let read = spec.folder.map(Register::read).transpose().map_err(wrong)?;
        let remembered = read.flatten();
        let is_new = remembered.is_none();
        let (id, index) = match remembered {
            Some(remembered) => remembered,
            None => (
                first_label(spec.library.as_ref(), &name, &present)?,
                Index::default(),
            ),
        };
        let set = Self {
            drives: Drives::new(spec.drives),
            capacity: spec.capacity,
            limits: spec.limits,
            folder: spec.folder.map(Path::to_owned),
            content: spec.folder.map(Content::new),
            known: Mutex::new(Known {
                index,
                register: None,
                present,
                writing: BTreeSet::new(),
                on_their_way: BTreeSet::new(),
            }),
            held: Mutex::default(),
            written: std::sync::Condvar::new(),
            recall: Mutex::default(),
            library: spec.library,
            id,
            name: name.clone(),
        };
        set.meet();
        set.keep_register(is_new).map_err(wrong)?;
        Ok(set)
    }

    /// Loads and reads the volumes that are there and not known.
    fn meet(&self) {
        let known = self.known();
        let unknown = known
            .present
            .iter()
            .filter(|name| !known.index.volumes.contains_key(*name));
        let unknown: Vec<String> = unknown.cloned().collect();
        drop(known);
        for volume in unknown {
            self.look_at(&volume);
        }
    }

    /// Reads the label of a volume and all its files. A volume that cannot be read is known as
    /// foreign: nobody knows whose it is.
    pub(super) fn look_at(&self, volume: &str) {
        let met = |health| Learnt::Met {
            volume: volume.to_owned(),
            health,
        };
        let looked = self.drives.take(self.library.as_ref(), volume);
        let looked = looked.and_then(|mut drive| {
            let learnt = match label(drive.loaded()?.medium.as_mut())? {
                None => vec![met(Health::Blank)],
                Some(label) if label.set == self.id && label.volume == volume => vec![
                    Learnt::Labelled {
                        volume: volume.to_owned(),
                        at: label.at,
                    },
                    Learnt::Mounted {
                        volume: volume.to_owned(),
                    },
                ],
                Some(_) => vec![met(Health::Foreign)],
            };
            let own = learnt.len() > 1;
            self.learn(&learnt);
            if own {
                self.catch_up(&mut drive, volume)?;
            }
            Ok(())
        });
        if looked.is_err() {
            // a label that was read and files that were not leave a suspect volume
            let known = self.known().index.volumes.contains_key(volume);
            self.learn(&[if known {
                Learnt::Health {
                    volume: volume.to_owned(),
                    health: Health::Suspect,
                }
            } else {
                met(Health::Foreign)
            }]);
        }
    }

    /// Keeps the register open for more, and writes it when there is none or it is long.
    fn keep_register(&self, is_new: bool) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut known = self.known();
        let register = if is_new {
            Register::begin(folder, &self.id, &known.index)?
        } else {
            let register = Register::open(folder)?;
            match register.size()? {
                LONG.. => Register::begin(folder, &self.id, &known.index)?,
                _ => register,
            }
        };
        known.register = Some(register);
        Ok(())
    }

    /// A file without a name for content on its way.
    pub(super) fn spool(&self) -> io::Result<File> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to what is known. A register that cannot be written is caught up with later: the
    /// volumes say it again.
    pub(super) fn learn(&self, learnt: &[Learnt]) {
        let mut known = self.known();
        for one in learnt {
            one.apply(&mut known.index);
        }
        if let Some(register) = &mut known.register {
            let _ = register.append(learnt);
        }
    }

    /// As [`Set::learn`], for what only people know.
    pub(super) fn learn_surely(&self, learnt: &[Learnt]) -> Result<(), DeviceError> {
        let mut known = self.known();
        if let Some(register) = &mut known.register {
            let written = register.append(learnt);
            let wrong = |cause| failed(&self.name, "the register", MediumError::Library(cause));
            written.map_err(wrong)?;
        }
        for one in learnt {
            one.apply(&mut known.index);
        }
        Ok(())
    }

    /// Has a volume of this set in a drive. When it was not in one before, its label is read, and
    /// the files that others wrote since.
    pub(super) fn load(&self, volume: &str) -> Result<InDrive<'_>, MediumError> {
        let mut drive = self.drives.take(self.library.as_ref(), volume)?;
        let loaded = drive.loaded()?;
        if !loaded.fresh {
            return Ok(drive);
        }
        self.learn(&[Learnt::Mounted {
            volume: volume.to_owned(),
        }]);
        let found = label(loaded.medium.as_mut())?;
        let known = self.volume(volume);
        let labelled = known.as_ref().and_then(|known| known.labelled);
        let own = found.filter(|label| label.set == self.id && label.volume == volume);
        match own {
            Some(label) if Some(label.at) == labelled => {
                // another one was in its place before; what it holds is read, no more is written
                if known.is_some_and(|known| known.health == Health::Foreign) {
                    self.learn(&[Learnt::Health {
                        volume: volume.to_owned(),
                        health: Health::Full,
                    }]);
                }
            }
            Some(label) => self.learn(&[Learnt::Labelled {
                volume: volume.to_owned(),
                at: label.at,
            }]),
            None => {
                self.learn(&[Learnt::Health {
                    volume: volume.to_owned(),
                    health: Health::Foreign,
                }]);
                let cause = io::Error::other(format!(
                    "the label of {volume} is not the one that is known: put the right volume \
                     into its place, or say `planc media checkout {volume} --to lost`"
                ));
                return Err(MediumError::Read(cause));
            }
        }
        self.catch_up(&mut drive, volume)?;
        drive.loaded()?.fresh = false;
        Ok(drive)
    }

    /// Learns the files that a volume has and that are not known; refuses one that has fewer (R32).
    pub(super) fn catch_up(
        &self,
        drive: &mut InDrive<'_>,
        volume: &str,
    ) -> Result<(), MediumError> {
        let loaded = drive.loaded()?;
        loaded.at = None;
        let there = loaded.medium.end()?;
        let known = self.volume(volume).map_or(0, |known| known.files);
        if there < known {
            let cause = format!(
                "{volume} ends after {there} files; {known} were written: try another drive, or \
                 say `planc media checkout {volume} --to lost`"
            );
            return Err(MediumError::Read(io::Error::other(cause)));
        }
        for file in known..there {
            match writer::outline(loaded.medium.as_mut(), file) {
                Ok((head, tail)) => self.learn_file(volume, file, head, tail),
                Err(_) => self.learn(&[
                    Learnt::Failed {
                        volume: volume.to_owned(),
                        writing: false,
                    },
                    Learnt::Health {
                        volume: volume.to_owned(),
                        health: Health::Suspect,
                    },
                ]),
            }
        }
        if there > known {
            self.learn(&[Learnt::Files {
                volume: volume.to_owned(),
                files: there,
                at: None,
            }]);
            loaded.medium.end()?;
        }
        Ok(())
    }

    fn learn_file(&self, volume: &str, file: u64, head: super::Head, tail: super::Tail) {
        self.learn(&[if head.gone {
            Learnt::gone(head.object, head.attempt, volume)
        } else {
            Learnt::Piece {
                object: head.object,
                attempt: head.attempt,
                number: head.piece,
                piece: Piece {
                    volume: volume.to_owned(),
                    file,
                    bytes: tail.bytes,
                    hash: tail.hash,
                },
                more: tail.more,
            }
        }]);
    }

    pub(super) fn volume(&self, name: &str) -> Option<Volume> {
        self.known().index.volumes.get(name).cloned()
    }

    /// Every volume with the bytes that live on it, by name.
    pub(super) fn volumes(&self) -> Vec<Volume> {
        self.known().volumes()
    }
}

impl Known {
    /// Every volume with the bytes that live on it, by name.
    pub(super) fn volumes(&self) -> Vec<Volume> {
        let live: BTreeMap<&str, u64> = self.index.live(&self.on_their_way);
        let volumes = self.index.volumes.values();
        volumes
            .map(|volume| Volume {
                live: live.get(volume.name.as_str()).copied().unwrap_or(0),
                ..volume.clone()
            })
            .collect()
    }
}

/// The set of the first volume that has a label.
fn first_label(
    library: &dyn Library,
    name: &str,
    present: &BTreeSet<String>,
) -> Result<String, DeviceError> {
    for volume in present {
        let found = library
            .load(volume)
            .and_then(|mut medium| label(medium.as_mut()));
        if let Ok(Some(label)) = found
            && label.volume == *volume
        {
            return Ok(label.set);
        }
    }
    Err(foreign(name, "the library", "no volume has a label"))
}

/// The label of a volume; none when it is blank.
pub(super) fn label(medium: &mut dyn Medium) -> Result<Option<Label>, MediumError> {
    if medium.is_blank()? {
        return Ok(None);
    }
    medium.end()?;
    medium.locate(0)?;
    let block = medium.read()?.unwrap_or_default();
    let label = serde_json::from_slice::<Label>(&block).ok();
    match label.filter(|label| label.format == FORMAT) {
        Some(label) => Ok(Some(label)),
        None => Err(MediumError::Read(io::Error::other(
            "its label is none of planc",
        ))),
    }
}

/// Writes the label; whatever the volume held is gone.
pub(super) fn write_label(medium: &mut dyn Medium, label: &Label) -> Result<(), MediumError> {
    medium.erase()?;
    medium.end()?;
    let block = serde_json::to_vec(label);
    medium.append(&block.map_err(|cause| MediumError::Write(io::Error::other(cause)))?)?;
    medium.mark()
}

pub(super) fn foreign(device: &str, volume: &str, detail: &str) -> DeviceError {
    DeviceError::Foreign {
        device: device.to_owned(),
        path: volume.into(),
        detail: detail.to_owned(),
    }
}

pub(super) fn failed(device: &str, object: &str, error: MediumError) -> DeviceError {
    let device = device.to_owned();
    let (action, cause) = match error {
        MediumError::Full => {
            let cause = io::Error::other("no volume of the set takes more");
            return DeviceError::Full { device, cause };
        }
        MediumError::Absent(volume) => {
            return DeviceError::Away {
                device,
                object: object.to_owned(),
                volume,
                place: "not in the library".to_owned(),
            };
        }
        MediumError::Write(cause) => ("write", cause),
        MediumError::Read(cause) | MediumError::Source(cause) => ("read", cause),
        MediumError::Library(cause) => ("load", cause),
        MediumError::EndOfData => ("read", io::Error::other("end of data")),
    };
    DeviceError::Io {
        device,
        action,
        object: object.to_owned(),
        cause,
    }
}
