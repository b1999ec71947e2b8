//! Volume sets: append-only volumes of fixed capacity in slots, read and written by drives. An
//! object is written as tape files, one for each volume it spans, each closed by a synchronous
//! mark; nothing counts that is not behind a mark (R32).
//!
//! # What lies on a volume
//! File 0 is the label: one block of JSON ([`Label`]). Every other file is a piece of an object or
//! the note that an object is gone: a head block of JSON, data blocks, a tail block of JSON, and
//! the mark. A piece whose tail says `more` goes on in a file of another volume. An object exists
//! when its last piece is behind its mark.
//!
//! # What lies on the host
//! The [`register`]: a cache of all labels and files, so that nothing is loaded to know what is
//! where; and where each volume is. All but the places can be read from the volumes again.

mod changer;
mod content;
mod device;
pub mod drive;
mod drives;
mod files;
mod index;
mod library;
mod object;
mod pick;
mod reader;
mod recall;
mod register;
mod set;
mod shelf;
mod tape;
mod writer;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use content::Remembered;
pub use device::VolumeDevice;
pub use files::{FileLibrary, Injected};
pub use index::{Health, Limits, Place, Volume};
pub use library::{LibrarySpec, TellingLibrary, open as open_library};
pub use object::{Located, Need};
pub use pick::{Pick, PickKind, Rota, picks};
pub use set::SetSpec;
pub use tape::{TapeLibrary, TapePrograms};

/// Longest data block.
const BLOCK: usize = 256 << 10;

/// The label of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    /// `planc-volume/1`
    format: String,
    /// UUID of the set.
    set: String,
    /// Name of the volume.
    volume: String,
    /// When it was labelled; tells one life of the volume from another.
    at: Timestamp,
}

const FORMAT: &str = "planc-volume/1";

/// The first block of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The object.
    object: String,
    /// Which piece, from 0.
    piece: u32,
    /// Tells one attempt to write the object from another.
    attempt: String,
    /// True when the file only says that the object is gone.
    gone: bool,
}

/// The last block of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Tail {
    /// Bytes of the piece.
    bytes: u64,
    /// BLAKE3 of the piece.
    hash: String,
    /// Whether another piece follows on another volume.
    more: bool,
}
