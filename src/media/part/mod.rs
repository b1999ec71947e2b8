//! Writes a part to several devices at once and reads it back from any of them.
//!
//! Writing: [`PartWriter`] reads the source into frames (`stream`), a rayon pool hashes, compresses
//! and proves them (`encode`), one thread lays them out in packs in the order of the stream
//! (`assemble`), and one thread a device writes (`lane`). Memory is the frames in flight; the
//! slowest device sets the pace once they are used up.
//!
//! Reading: `fetch` reads ranges of packs from all holders at once, decodes on a pool, and takes
//! what is damaged on one device from another; [`restore`], [`verify`] and [`copy`] build on it.

mod assemble;
mod commit;
mod copy;
mod decode;
mod encode;
mod fetch;
mod lane;
mod object;
mod restore;
mod sealer;
mod slot;
mod stream;
mod throttle;
mod verify;
mod window;

pub(crate) use commit::read;
pub use commit::{commit, load, manifest};
pub use copy::copy;
pub(crate) use object::{find, newest, put};
pub use restore::restore;
pub use stream::PartWriter;
pub use verify::{exists, verify};

use super::DeviceError;
use super::keys::Seal;
use super::manifest::{FrameRef, ManifestEntry, PackRef};
use crate::resolve::plan::Codec;

/// How a part is written.
#[derive(Debug, Clone, Copy)]
pub struct WriteSettings {
    /// Compression.
    pub codec: Codec,
    /// Bytes of content per second at most.
    pub throttle: Option<u64>,
    /// Threads that hash and compress.
    pub threads: usize,
    /// Bytes of memory for frames in flight, at most.
    pub memory: usize,
}

impl WriteSettings {
    /// Memory for frames in flight when nothing else is asked for: 128 MiB.
    pub const MEMORY: usize = 128 << 20;

    /// Every core, no throttle, [`WriteSettings::MEMORY`].
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            throttle: None,
            threads: cores(),
            memory: Self::MEMORY,
        }
    }
}

/// Cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Told the bytes of content done so far in this call; must be cheap. Returns false to cancel.
pub type Progress<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// A part whose packs are durable but which no manifest names yet.
#[derive(Debug)]
pub struct WrittenPart {
    /// Compression.
    pub codec: Codec,
    /// Bytes of content.
    pub bytes: u64,
    /// Packs.
    pub packs: Vec<PackRef>,
    /// Frames.
    pub frames: Vec<FrameRef>,
    /// Files.
    pub entries: Vec<ManifestEntry>,
    /// What it is sealed with, when it is encrypted.
    pub seal: Option<Seal>,
    /// Devices that hold all packs, by name.
    pub devices: Vec<String>,
    /// Devices that failed on the way.
    pub lost: Vec<(String, DeviceError)>,
}

/// A damaged or missing copy that another device replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Device with the damaged copy.
    pub device: String,
    /// Object that is damaged.
    pub object: String,
    /// How it shows.
    pub cause: String,
    /// Device that gave the good bytes.
    pub by: String,
}
