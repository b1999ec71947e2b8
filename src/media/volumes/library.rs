//! Owns which driver a library of the inventory gets, and that its work is told. Must not know
//! sets.

use std::path::PathBuf;

use super::drive::{Library, Medium, MediumError};
use super::{FileLibrary, TapeLibrary, TapePrograms};
use crate::media::patience::Heartbeat;

/// What a library is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibrarySpec {
    /// Files in a folder, each a volume of so many bytes: rotated disks, and tapes that are played.
    Files {
        /// The folder.
        folder: PathBuf,
        /// Bytes that each takes.
        capacity: u64,
    },
    /// Tape drives and the robot that loads them.
    Tapes {
        /// Device files that do not rewind, in the order of the robot's numbers.
        drives: Vec<PathBuf>,
        /// The robot's device file.
        changer: PathBuf,
    },
}

/// The driver of a library.
#[must_use]
pub fn open(spec: LibrarySpec) -> Box<dyn Library> {
    match spec {
        LibrarySpec::Files { folder, capacity } => Box::new(FileLibrary::new(folder, capacity)),
        LibrarySpec::Tapes { drives, changer } => {
            Box::new(TapeLibrary::new(drives, &changer, TapePrograms::default()))
        }
    }
}

/// A library that tells whenever it did something.
pub struct TellingLibrary {
    /// The library.
    pub inner: Box<dyn Library>,
    /// Who is told.
    pub heartbeat: Heartbeat,
}

impl TellingLibrary {
    fn told<T>(&self, done: T) -> T {
        self.heartbeat.beat();
        done
    }
}

impl Library for TellingLibrary {
    fn volumes(&self) -> Result<Vec<String>, MediumError> {
        self.told(self.inner.volumes())
    }

    fn load(&self, volume: &str) -> Result<Box<dyn Medium>, MediumError> {
        self.told(self.inner.load(volume))
    }

    fn hold(&self) -> Result<Box<dyn Send>, MediumError> {
        self.told(self.inner.hold())
    }

    fn make(&self, volume: &str) -> Result<bool, MediumError> {
        self.told(self.inner.make(volume))
    }

    fn hand_out(&self, volume: &str) -> Result<(), MediumError> {
        self.told(self.inner.hand_out(volume))
    }

    fn take_in(&self, volume: &str) -> Result<(), MediumError> {
        self.told(self.inner.take_in(volume))
    }
}
