//! Owns which windows of which files a restore reads: all of them, those that overlap what the
//! session asks for, or those that differ from what lies at their place already. Nothing is
//! written before this is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use super::{Progress, READING, cores, go_on};
use crate::engine::large::{Aligned, LARGE, LargeFile};
use crate::engine::{EngineError, EntryKind, RestoreSession, Wanted};
use crate::media::content::{ContentHash, WINDOW, hash_of_window};
use crate::media::manifest::{Extent, Manifest, ManifestEntry};

/// Windows of a large file that one thread takes in a row.
const RUN: usize = 16;

/// Files that are open at the same time.
const AT_ONCE: usize = 64;

/// What of one file is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// All of it.
    All,
    /// These windows, by index.
    Windows(BTreeSet<u64>),
}

impl Need {
    /// The frames that hold it, in order.
    pub(super) fn frames(&self, file: &ManifestEntry) -> Vec<usize> {
        let wanted = |extent: &&Extent| match self {
            Self::All => true,
            Self::Windows(windows) => windows.contains(&(extent.at / WINDOW)),
        };
        let extents = file.extents.iter().filter(wanted);
        let mut frames: Vec<usize> = extents.map(|extent| extent.frame as usize).collect();
        frames.dedup();
        frames
    }
}

/// Asks the session for every file of a part.
///
/// # Errors
/// When the session refuses, or what lies there cannot be read.
pub(super) fn needs(
    manifest: &Manifest,
    session: &mut dyn RestoreSession,
    progress: Progress<'_>,
) -> Result<Vec<Need>, EngineError> {
    let mut needs = Vec::with_capacity(manifest.entries.len());
    let readers = ThreadPoolBuilder::new().num_threads(cores() + READING);
    let readers = readers.build().map_err(std::io::Error::other);
    let readers = readers.map_err(EngineError::io("start", "threads that read"))?;
    for files in manifest.entries.chunks(AT_ONCE) {
        let asked = files.iter().map(|file| session.wanted(&file.entry));
        let asked: Vec<Wanted> = asked.collect::<Result<_, _>>()?;
        let found: Result<Vec<Need>, EngineError> = readers.install(|| {
            let files = files.par_iter().zip(asked);
            let need = |memory: &mut Aligned, (file, wanted)| {
                need(manifest, file, wanted, memory, progress)
            };
            files.map_init(Aligned::default, need).collect()
        });
        needs.append(&mut found?);
    }
    Ok(needs)
}

/// What of a file is read, by what the session wants of it.
fn need(
    manifest: &Manifest,
    file: &ManifestEntry,
    wanted: Wanted,
    memory: &mut Aligned,
    progress: Progress<'_>,
) -> Result<Need, EngineError> {
    go_on(progress, 0)?;
    Ok(match wanted {
        Wanted::Whole => Need::All,
        Wanted::Name => Need::Windows(BTreeSet::new()),
        Wanted::Ranges(ranges) => Need::Windows(overlapped(&ranges, file.length)),
        Wanted::Beside(_) if !matches!(file.entry.kind, EntryKind::File) => Need::All,
        Wanted::Beside(there) => {
            let found = found(file, there, memory, progress)?;
            Need::Windows(differing(manifest, file, &found))
        }
    })
}

/// Windows that ranges of a file touch.
fn overlapped(ranges: &[Range<u64>], length: u64) -> BTreeSet<u64> {
    let inside = |range: &Range<u64>| range.start..range.end.min(length);
    let ranges = ranges.iter().map(inside).filter(|range| !range.is_empty());
    let windows = ranges.map(|range| range.start / WINDOW..=(range.end - 1) / WINDOW);
    windows.flatten().collect()
}

/// The hash of each window of a stored file that the file at its place holds whole. Large files are
/// read by all threads of the pool and past the page cache.
fn found(
    file: &ManifestEntry,
    there: File,
    memory: &mut Aligned,
    progress: Progress<'_>,
) -> Result<Vec<Option<blake3::Hash>>, EngineError> {
    let failed = |cause| EngineError::io("read", &file.entry.path)(cause);
    let held = there.metadata().map_err(failed)?.len();
    let there = LargeFile::new(there, held);
    let hash = |memory: &mut Aligned, index: u64| {
        go_on(progress, 0)?;
        let begin = index * WINDOW;
        let window = WINDOW.min(file.length - begin);
        if held < begin + window {
            return Ok(None);
        }
        memory.ready();
        // at most WINDOW
        let piece = &mut memory[..usize::try_from(window).unwrap_or(0)];
        there.fill(piece, begin).map_err(failed)?;
        Ok(Some(hash_of_window(window, [(0, &*piece)])))
    };
    let windows = 0..file.length.div_ceil(WINDOW);
    if file.length < LARGE {
        return windows.map(|index| hash(memory, index)).collect();
    }
    // a range of longer numbers cannot be cut evenly
    let windows: Vec<u64> = windows.collect();
    let windows = windows.into_par_iter().with_min_len(RUN);
    windows.map_init(Aligned::default, hash).collect()
}

/// Windows of a stored file of which something else was found. One whose hash the manifest does
/// not tell alone counts as different unless the file as a whole is the same.
fn differing(
    manifest: &Manifest,
    file: &ManifestEntry,
    found: &[Option<blake3::Hash>],
) -> BTreeSet<u64> {
    let mut whole = ContentHash::default();
    let mut different = BTreeSet::new();
    for (index, found) in (0..).zip(found) {
        let length = WINDOW.min(file.length - index * WINDOW);
        if let Some(hash) = found {
            whole.window(index, *hash);
        }
        if found.is_none() || *found != stored_hash(manifest, file, index, length) {
            different.insert(index);
        }
    }
    if file.hash == Some(whole.end(file.length)) {
        different.clear();
    }
    different
}

/// BLAKE3 of each window of files of more than one window, where it is known, by path.
pub type Windows = BTreeMap<String, Vec<Option<blake3::Hash>>>;

/// The windows of a part's files; what it leaves to the part below is as `below` says.
#[must_use]
pub fn windows(manifest: &Manifest, below: &Windows) -> Windows {
    let long = manifest.entries.iter().filter(|file| file.length > WINDOW);
    let known = long.filter_map(|file| {
        let path = &file.entry.path;
        let below = match file.entry.kind {
            EntryKind::File => None,
            EntryKind::Over => below.get(path),
            _ => return None,
        };
        let hash = |index: u64| {
            let length = WINDOW.min(file.length - index * WINDOW);
            if first_of(file, index).is_some() {
                return stored_hash(manifest, file, index, length);
            }
            let place = usize::try_from(index).ok()?;
            below?.get(place).copied().flatten()
        };
        let all = (0..file.length.div_ceil(WINDOW)).map(hash);
        Some((path.clone(), all.collect()))
    });
    known.collect()
}

/// The first extent of a window, when the part has any of it.
fn first_of(file: &ManifestEntry, index: u64) -> Option<&Extent> {
    let before = |extent: &Extent| extent.at < index * WINDOW;
    let extent = file.extents.get(file.extents.partition_point(before))?;
    (extent.at / WINDOW == index).then_some(extent)
}

/// The hash of a window, where the manifest tells it: one frame holds it and nothing else.
fn stored_hash(
    manifest: &Manifest,
    file: &ManifestEntry,
    index: u64,
    length: u64,
) -> Option<blake3::Hash> {
    let extent = first_of(file, index)?;
    let frame = manifest.frames.get(extent.frame as usize)?;
    let alone = extent.at == index * WINDOW
        && extent.offset == 0
        && u64::from(extent.length) == length
        && frame.plain == extent.length;
    alone.then_some(frame.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_touch_windows() {
        let of = |ranges: &[Range<u64>]| overlapped(ranges, 3 * WINDOW + 5);
        let one = |range: Range<u64>| of(std::slice::from_ref(&range));
        assert_eq!(of(&[]), BTreeSet::new());
        assert_eq!(of(&[0..1, WINDOW - 1..WINDOW]), BTreeSet::from([0]));
        assert_eq!(one(WINDOW - 1..WINDOW + 1), BTreeSet::from([0, 1]));
        assert_eq!(one(3 * WINDOW..9 * WINDOW), BTreeSet::from([3]));
        assert_eq!(one(8 * WINDOW..9 * WINDOW), BTreeSet::new());
    }
}
