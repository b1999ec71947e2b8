//! Owns what a drive and its library can do, whatever they are made of.

use std::io;

/// What goes wrong with a volume.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// It is not in the library.
    #[error("volume {0} is not in the library")]
    Absent(String),
    /// The physical end was reached: nothing more fits.
    #[error("end of medium")]
    Full,
    /// Nothing more was written behind this place.
    #[error("end of data")]
    EndOfData,
    /// A block cannot be read or is not what was written. Never the end of the data (R32).
    #[error("cannot read the volume: {0}")]
    Read(io::Error),
    /// A block or mark cannot be written.
    #[error("cannot write the volume: {0}")]
    Write(io::Error),
}

/// Where volumes are kept: slots, and drives that load them.
pub trait Library: Send + Sync {
    /// Names of the volumes in the slots, sorted.
    ///
    /// # Errors
    /// When the library does not answer.
    fn volumes(&self) -> Result<Vec<String>, MediumError>;

    /// Puts a volume into a drive.
    ///
    /// # Errors
    /// [`MediumError::Absent`].
    fn load(&self, volume: &str) -> Result<Box<dyn Medium>, MediumError>;
}

/// A volume in a drive. Files are counted from 0 and separated by marks.
pub trait Medium: Send {
    /// Goes behind the last mark; how many files there are. What was written after it is lost.
    ///
    /// # Errors
    /// When the volume cannot be read.
    fn end(&mut self) -> Result<u64, MediumError>;

    /// Appends a block; true when the end is near: what is begun can still be closed.
    ///
    /// # Errors
    /// [`MediumError::Full`], [`MediumError::Write`].
    fn append(&mut self, block: &[u8]) -> Result<bool, MediumError>;

    /// Closes the file, and returns when all of it is durable.
    ///
    /// # Errors
    /// [`MediumError::Write`]: nothing since the mark before counts.
    fn mark(&mut self) -> Result<(), MediumError>;

    /// Goes to the begin of a file.
    ///
    /// # Errors
    /// [`MediumError::EndOfData`] when there is none.
    fn locate(&mut self, file: u64) -> Result<(), MediumError>;

    /// The next block of the file; none at its mark.
    ///
    /// # Errors
    /// [`MediumError::Read`], [`MediumError::EndOfData`].
    fn read(&mut self) -> Result<Option<Vec<u8>>, MediumError>;

    /// Forgets everything on the volume. Only a label follows.
    ///
    /// # Errors
    /// [`MediumError::Write`].
    fn erase(&mut self) -> Result<(), MediumError>;
}
