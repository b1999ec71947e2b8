//! Owns which driver a library of the inventory gets. Must not know sets.

use std::path::PathBuf;

use super::drive::Library;
use super::{FileLibrary, TapeLibrary, TapePrograms};

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
