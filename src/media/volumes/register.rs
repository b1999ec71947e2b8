//! Owns the register of a set on the host: one line of JSON for each thing that was learnt, in the
//! order in which it was, so that a set is known without loading its volumes. Must not touch
//! volumes. A line that a crash cut off is left out: the volume tells it again.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::index::{Health, Index, Piece, Place, Remains, Volume};
use crate::durable;

const FORMAT: &str = "planc-register/1";

/// One thing that was learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Learnt {
    /// The set that the register is of.
    Set { format: String, set: String },
    /// A volume was met that has no label of this set.
    Met { volume: String, health: Health },
    /// A volume has this label of the set, and nothing else that counts.
    Labelled { volume: String, at: Timestamp },
    /// A piece lies behind its mark.
    Piece {
        object: String,
        attempt: String,
        number: u32,
        piece: Piece,
        more: bool,
    },
    /// A note says that a writing is gone.
    Gone {
        object: String,
        attempt: String,
        /// Besides what earlier lines tell.
        remains: Remains,
    },
    /// How many files a volume has, and when the last of them was written by this host.
    Files {
        volume: String,
        files: u64,
        at: Option<Timestamp>,
    },
    /// A volume was loaded.
    Mounted { volume: String },
    /// A volume failed while it was written or read.
    Failed { volume: String, writing: bool },
    /// How a volume is now.
    Health { volume: String, health: Health },
    /// Where a volume is now.
    Place {
        volume: String,
        place: Place,
        at: Timestamp,
    },
    /// What earlier lines added up to.
    Counted {
        volume: String,
        mounts: u64,
        write_errors: u32,
        read_errors: u32,
        used: u64,
    },
}

impl Learnt {
    /// A note on a volume says that a writing is gone.
    pub(super) fn gone(object: String, attempt: String, note_on: &str) -> Self {
        Self::Gone {
            object,
            attempt,
            remains: Remains {
                on: BTreeSet::new(),
                notes: BTreeSet::from([note_on.to_owned()]),
            },
        }
    }

    /// Adds it to what is known.
    pub(super) fn apply(&self, index: &mut Index) {
        match self {
            Self::Set { .. } => {}
            Self::Met { volume, health } => {
                let met = || Volume::new(volume, *health);
                let known = index.volumes.entry(volume.clone()).or_insert_with(met);
                known.health = *health;
            }
            Self::Labelled { volume, at } => index.relabelled(volume, *at),
            Self::Piece {
                object,
                attempt,
                number,
                piece,
                more,
            } => {
                let writing = (object.clone(), attempt.clone());
                index.add(&writing, *number, piece.clone(), *more);
            }
            Self::Gone {
                object,
                attempt,
                remains,
            } => index.remove(&(object.clone(), attempt.clone()), remains),
            Self::Place { volume, .. } => {
                self.apply_to_volume(index);
                index.moved(volume);
            }
            other => other.apply_to_volume(index),
        }
    }

    fn apply_to_volume(&self, index: &mut Index) {
        let (Self::Files { volume, .. }
        | Self::Mounted { volume }
        | Self::Failed { volume, .. }
        | Self::Health { volume, .. }
        | Self::Place { volume, .. }
        | Self::Counted { volume, .. }) = self
        else {
            return;
        };
        let Some(known) = index.volumes.get_mut(volume) else {
            return;
        };
        match self {
            Self::Files { files, at, .. } => {
                known.files = *files;
                known.begun = known.begun.or(*at);
            }
            Self::Mounted { .. } => known.mounts = known.mounts.saturating_add(1),
            Self::Failed { writing: true, .. } => {
                known.write_errors = known.write_errors.saturating_add(1);
            }
            Self::Failed { .. } => known.read_errors = known.read_errors.saturating_add(1),
            Self::Health { health, .. } => known.health = *health,
            Self::Place { place, at, .. } => {
                (known.place, known.since) = (place.clone(), Some(*at));
                known.begun = known.begun.filter(|_| *place != Place::Library);
            }
            Self::Counted {
                mounts,
                write_errors,
                read_errors,
                used,
                ..
            } => {
                (known.mounts, known.used) = (*mounts, *used);
                (known.write_errors, known.read_errors) = (*write_errors, *read_errors);
            }
            _ => {}
        }
    }
}

/// The file of a register, open for more.
pub(super) struct Register {
    path: PathBuf,
    file: File,
}

impl Register {
    /// Reads a register; none when there is none, or none that can be understood.
    pub(super) fn read(folder: &Path) -> io::Result<Option<(String, Index)>> {
        let file = match File::open(path(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut set = None;
        let mut index = Index::default();
        for line in BufReader::new(file).split(b'\n') {
            match serde_json::from_slice::<Learnt>(&line?) {
                Ok(Learnt::Set { format, set: named }) if format == FORMAT => set = Some(named),
                Ok(learnt) if set.is_some() => learnt.apply(&mut index),
                Ok(_) => return Ok(None),
                Err(_) => {} // cut off by a crash; appended lines begin on a line of their own
            }
        }
        Ok(set.map(|set| (set, index)))
    }

    /// Writes the register anew, in as few lines as say all of it, and keeps it open.
    pub(super) fn begin(folder: &Path, set: &str, index: &Index) -> io::Result<Self> {
        durable::make_folder(folder, durable::OPEN)?;
        let path = path(folder);
        durable::replace(&path, |new| {
            let mut out = BufWriter::new(new);
            all(set, index)
                .iter()
                .try_for_each(|learnt| write(&mut out, learnt))?;
            out.flush()
        })?;
        Self::resume(path)
    }

    fn resume(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok(Self { path, file })
    }

    /// Opens a register that was read for more.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let register = Self::resume(path(folder))?;
        // what a crash cut off must not run into the next line
        (&register.file).write_all(b"\n")?;
        Ok(register)
    }

    /// Adds lines and makes them durable.
    pub(super) fn append(&mut self, learnt: &[Learnt]) -> io::Result<()> {
        let mut lines = Vec::new();
        for one in learnt {
            write(&mut lines, one)?;
        }
        self.file.write_all(&lines)?;
        self.file.sync_data()
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(std::fs::metadata(&self.path)?.len())
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("register.jsonl")
}

fn write(out: &mut impl Write, learnt: &Learnt) -> io::Result<()> {
    serde_json::to_writer(&mut *out, learnt).map_err(io::Error::other)?;
    out.write_all(b"\n")
}

/// All that is known, as lines.
fn all(set: &str, index: &Index) -> Vec<Learnt> {
    let mut lines = vec![Learnt::Set {
        format: FORMAT.to_owned(),
        set: set.to_owned(),
    }];
    for volume in index.volumes.values() {
        begin_volume(volume, &mut lines);
    }
    lines.extend(
        index
            .gone
            .iter()
            .map(|((object, attempt), remains)| Learnt::Gone {
                object: object.clone(),
                attempt: attempt.clone(),
                remains: remains.clone(),
            }),
    );
    for ((object, attempt), pieces) in &index.writings {
        lines.extend(pieces.iter().map(|(number, (piece, more))| Learnt::Piece {
            object: object.clone(),
            attempt: attempt.clone(),
            number: *number,
            piece: piece.clone(),
            more: *more,
        }));
    }
    lines.extend(index.volumes.values().map(counted));
    lines
}

fn begin_volume(volume: &Volume, lines: &mut Vec<Learnt>) {
    let name = || volume.name.clone();
    match volume.labelled {
        Some(at) => lines.push(Learnt::Labelled { volume: name(), at }),
        None => lines.push(Learnt::Met {
            volume: name(),
            health: volume.health,
        }),
    }
    lines.push(Learnt::Health {
        volume: name(),
        health: volume.health,
    });
    if let Some(at) = volume.since {
        lines.push(Learnt::Place {
            volume: name(),
            place: volume.place.clone(),
            at,
        });
    }
    lines.push(Learnt::Files {
        volume: name(),
        files: volume.files,
        at: volume.begun,
    });
}

/// After the pieces: they add to what is used.
fn counted(volume: &Volume) -> Learnt {
    Learnt::Counted {
        volume: volume.name.clone(),
        mounts: volume.mounts,
        write_errors: volume.write_errors,
        read_errors: volume.read_errors,
        used: volume.used,
    }
}
