//! Owns which driver a library of the inventory gets. Must not know sets.

use std::path::PathBuf;

use super::FileLibrary;
use super::drive::Library;

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
}

/// The driver of a library.
#[must_use]
pub fn open(spec: LibrarySpec) -> Box<dyn Library> {
    match spec {
        LibrarySpec::Files { folder, capacity } => Box::new(FileLibrary::new(folder, capacity)),
    }
}
