//! Writes a part to several devices at once and reads it back from any of them.
//!
//! Writing: [`PartWriter`] reads the source into frames (`stream`), a rayon pool reads what of
//! large files fills a frame (`reads`), hashes, compresses and proves them (`encode`), one thread
//! lays them out in packs in the order of the stream (`assemble`), and one thread a device writes
//! (`lane`). Memory is the frames in flight; once they are used up, the fastest device sets the
//! pace and slower ones leave packs out, which are copied from a stored copy later.
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
mod need;
mod object;
mod pull;
mod queue;
mod reads;
mod restore;
mod sealer;
mod slot;
mod stream;
mod throttle;
mod trailing;
mod verify;
mod window;

pub use commit::{Ready, commit, load, manifest};
pub(crate) use commit::{load_told, read, read_told};
pub use copy::copy;
pub use need::{Windows, windows};
pub(crate) use object::{find, newest, put};
pub use pull::Pull;
pub use restore::{load_any, restore};
pub use stream::PartWriter;
pub use verify::{exists, verify, whole};

use std::time::Duration;

use super::DeviceError;
use super::keys::Seal;
use super::manifest::{FrameRef, ManifestEntry, PackRef};
use super::patience::Patience;
use crate::resolve::plan::Codec;

/// How a part is written.
#[derive(Debug, Clone, Copy)]
pub struct WriteSettings {
    /// Compression.
    pub codec: Codec,
    /// Bytes of content per second at most.
    pub throttle: Option<u64>,
    /// Threads that read large files, hash and compress.
    pub threads: usize,
    /// Bytes of memory for frames in flight, at most.
    pub memory: usize,
    /// How long slower devices may hold up a device that has everything, in all, before they are
    /// left behind.
    pub grace: Duration,
    /// How long a device that gives no answer is waited for.
    pub patience: Patience,
}

/// Threads that may wait for the source while the others compute.
const READING: usize = 4;

/// Frames that a reader and two devices hold, and two in their queues.
const OTHERS: usize = 6;

impl WriteSettings {
    /// Memory for frames in flight when nothing else is asked for: 16 MiB, enough to keep a few
    /// cores busy; one frame a thread is the least.
    pub const MEMORY: usize = 16 << 20;

    /// A hiccup is waited for; a device that is slow is not.
    pub const GRACE: Duration = Duration::from_secs(5);

    /// What is left for frames in flight when the whole process may take `memory` bytes: the rest
    /// is for programs, threads, compressors and lists of files.
    #[must_use]
    pub fn frames_within(memory: u64) -> usize {
        usize::try_from(memory / 2).unwrap_or(usize::MAX)
    }

    /// Holds itself to so many bytes for frames in flight: as many threads work as have a frame in
    /// them beside what the reader and a few devices hold. What is more than they can use is left.
    #[must_use]
    pub fn held_to(self, frames: usize) -> Self {
        let slots = frames / slot::SLOT;
        let spare = slots.saturating_sub(OTHERS) / weight(self.codec);
        let threads = self.threads.min(spare).max(1);
        Self {
            memory: slots.min(threads + OTHERS) * slot::SLOT,
            threads,
            ..self
        }
    }

    /// Every core busy, no throttle, [`WriteSettings::MEMORY`].
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            throttle: None,
            threads: cores() + READING,
            memory: Self::MEMORY,
            grace: Self::GRACE,
            patience: Patience::default(),
        }
    }
}

/// Memory of a thread that compresses, in frames in flight: levels that search long keep tables of
/// up to 18 MiB.
fn weight(codec: Codec) -> usize {
    match codec {
        Codec::Zstd(level) if level > 3 => 9,
        Codec::None | Codec::Lz4 | Codec::Zstd(_) => 1,
    }
}

/// Cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Told the bytes of content done so far in this call; must be cheap. Returns false to cancel.
pub type Progress<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// Tells how many bytes are done; an error when that is to be the end.
fn go_on(progress: Progress<'_>, done: u64) -> Result<(), DeviceError> {
    if progress(done) {
        Ok(())
    } else {
        Err(DeviceError::Cancelled)
    }
}

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
    /// Devices that were too slow and lack packs: they are finished from a stored copy.
    pub behind: Vec<String>,
    // all devices in the order in which they were named
    named: Vec<String>,
    trailing: trailing::Trailing,
}

impl WrittenPart {
    /// Waits for the devices that still write what they were given. One that stands still is left
    /// behind.
    ///
    /// # Errors
    /// On cancellation.
    pub fn settle(&mut self, progress: Progress<'_>) -> Result<(), DeviceError> {
        let mut ends = trailing::Ends::default();
        self.trailing.settle(&mut ends, &|| progress(self.bytes));
        self.ended(ends);
        go_on(progress, self.bytes)
    }

    fn ended(&mut self, ends: trailing::Ends) {
        self.devices.extend(ends.devices);
        self.lost.extend(ends.lost);
        self.behind.extend(ends.behind);
        let place = |name: &String| self.named.iter().position(|one| one == name);
        self.devices.sort_by_key(place);
        self.lost.sort_by_key(|(name, _)| place(name));
        self.behind.sort_by_key(place);
    }
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
    /// True when the bytes are damaged or gone for sure, not only out of reach for now.
    pub sure: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_means_more_threads_as_long_as_there_are_cores() {
        let held = |codec, mib: u64| {
            let all = WriteSettings {
                threads: 4,
                ..WriteSettings::new(codec)
            };
            let held = all.held_to(WriteSettings::frames_within(mib << 20));
            assert!(held.memory as u64 <= mib << 19, "{mib}");
            held.threads
        };
        let quick = [16, 32, 64, 256, 4096].map(|mib| held(Codec::Zstd(3), mib));
        assert_eq!(quick, [1, 1, 4, 4, 4]);
        let deep = [16, 64, 128, 256, 4096].map(|mib| held(Codec::Zstd(19), mib));
        assert_eq!(deep, [1, 1, 2, 4, 4]);
    }
}
