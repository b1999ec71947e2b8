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
    /// The library or the drive did not do what it was told; the volume is not to blame.
    #[error("the library fails: {0}")]
    Library(io::Error),
    /// What is to be written cannot be read: no volume is to blame.
    #[error("cannot read what is to be written: {0}")]
    Source(io::Error),
}

/// Where volumes are kept: slots, and drives that load them.
pub trait Library: Send + Sync {
    /// Names of the volumes in slots and drives, sorted.
    ///
    /// # Errors
    /// When the library does not answer.
    fn volumes(&self) -> Result<Vec<String>, MediumError>;

    /// Puts a volume into a drive. The drive is free again when the medium is dropped.
    ///
    /// # Errors
    /// [`MediumError::Absent`], [`MediumError::Library`].
    fn load(&self, volume: &str) -> Result<Box<dyn Medium>, MediumError>;

    /// Keeps other processes from writing any volume until the answer is dropped.
    ///
    /// # Errors
    /// When they do not let go.
    fn hold(&self) -> Result<Box<dyn Send>, MediumError> {
        Ok(Box::new(()))
    }

    /// Makes a blank volume where volumes are made of files; false when an operator must bring one.
    ///
    /// # Errors
    /// When it cannot be made.
    fn make(&self, _volume: &str) -> Result<bool, MediumError> {
        Ok(false)
    }

    /// Moves a volume to where an operator can take it.
    ///
    /// # Errors
    /// [`MediumError::Absent`], [`MediumError::Library`].
    fn hand_out(&self, volume: &str) -> Result<(), MediumError>;

    /// Moves a volume that an operator brought into a slot.
    ///
    /// # Errors
    /// [`MediumError::Absent`] when it was not brought.
    fn take_in(&self, volume: &str) -> Result<(), MediumError>;
}

/// A volume in a drive. Files are counted from 0 and separated by marks.
pub trait Medium: Send {
    /// Whether nothing at all was ever written on it.
    ///
    /// # Errors
    /// When that cannot be told.
    fn is_blank(&mut self) -> Result<bool, MediumError>;

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

    /// Goes over so many blocks of the file that are known to be there.
    ///
    /// # Errors
    /// [`MediumError::Read`].
    fn skip(&mut self, blocks: u64) -> Result<(), MediumError> {
        for _ in 0..blocks {
            if self.read()?.is_none() {
                return Err(MediumError::Read(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(())
    }

    /// Forgets everything on the volume. Only a label follows.
    ///
    /// # Errors
    /// [`MediumError::Write`].
    fn erase(&mut self) -> Result<(), MediumError>;

    /// Nothing is done with it for a while: others may use it.
    fn rest(&mut self) {}

    /// Work goes on after a [`Medium::rest`].
    ///
    /// # Errors
    /// When others do not let go of it.
    fn wake(&mut self) -> Result<(), MediumError> {
        Ok(())
    }
}
