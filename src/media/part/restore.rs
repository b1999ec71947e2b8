//! Owns restore: verified frames to files, in the order of the stream, into a session. Frames that
//! no file needs are not read.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commit::load;
use super::decode::{Frame, FrameSource};
use super::fetch::Fetch;
use super::need::{Need, needs};
use super::{Progress, Replaced, go_on};
use crate::engine::{EngineError, EntryKind, RestoreSession};
use crate::media::content::{ContentHash, WINDOW, hash_of_window};
use crate::media::manifest::{Extent, Manifest, ManifestEntry};
use crate::media::{Device, DeviceError, name};

/// Restores all entries of a part into a session: reads from all holders at once, verifies every
/// frame and every file, replaces what is damaged on one device from another. Ends with
/// [`RestoreSession::finish_part`]; the caller must not call it again. `progress` is told at last
/// how many bytes were wanted.
///
/// # Errors
/// When a frame is intact on no device; the error names the object on the last device tried.
pub fn restore(
    part: &str,
    holders: &[Arc<dyn Device>],
    session: &mut dyn RestoreSession,
    progress: Progress<'_>,
) -> Result<(Manifest, Vec<Replaced>), EngineError> {
    let (manifest, mut replaced) = load_any(part, holders)?;
    session.begin_part(&manifest.ended)?;
    let manifest = Arc::new(manifest);
    let needs = needs(&manifest, session, progress)?;
    let frames = needs.iter().zip(&manifest.entries);
    let frames = frames.flat_map(|(need, file)| need.frames(file));
    let mut frames: Vec<usize> = frames.collect();
    frames.dedup();
    let fetch = Fetch::start(&manifest, holders, frames, false)?;
    let mut files = Files::new(&manifest, fetch, progress);
    for (file, need) in manifest.entries.iter().zip(&needs) {
        session.entry(&file.entry)?;
        let take: Take<'_> = &mut |at, bytes| session.data(at, bytes);
        match need {
            Need::All => files.read(file, take)?,
            Need::Windows(windows) => files.read_windows(file, windows, take)?,
        }
        session.close(file.length)?;
    }
    session.finish_part(&manifest.ended)?;
    replaced.extend(files.source.replaced());
    // all has come: nothing is left to be cancelled
    let _ = progress(files.done);
    drop(files);
    let manifest = Arc::try_unwrap(manifest).unwrap_or_else(|shared| (*shared).clone());
    Ok((manifest, replaced))
}

/// Reads the manifest from the first holder that has it intact.
///
/// # Errors
/// The last holder's, when none has.
pub fn load_any(
    part: &str,
    holders: &[Arc<dyn Device>],
) -> Result<(Manifest, Vec<Replaced>), DeviceError> {
    let mut failed: Vec<(String, DeviceError)> = Vec::new();
    for holder in holders {
        match load(holder.as_ref(), part) {
            Ok(manifest) => {
                let replaced = failed.into_iter().map(|(device, error)| Replaced {
                    device,
                    object: name::manifest(part),
                    cause: error.to_string(),
                    sure: error.is_sure(),
                    by: holder.name().to_owned(),
                });
                return Ok((manifest, replaced.collect()));
            }
            Err(error) => failed.push((holder.name().to_owned(), error)),
        }
    }
    let last = failed.pop().map(|(_, error)| error);
    Err(last.unwrap_or_else(|| DeviceError::NotFound {
        device: "(none)".into(),
        object: name::manifest(part),
    }))
}

/// Takes bytes of a file at an offset.
pub(super) type Take<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), EngineError>;

/// Gives the content of files one after the other.
pub(super) struct Files<'a, S> {
    manifest: &'a Manifest,
    pub(super) source: S,
    frame: Option<Frame>,
    progress: Progress<'a>,
    done: u64,
}

impl<'a, S: FrameSource> Files<'a, S> {
    /// Begins before the first file.
    pub(super) fn new(manifest: &'a Manifest, source: S, progress: Progress<'a>) -> Self {
        Self {
            manifest,
            source,
            frame: None,
            progress,
            done: 0,
        }
    }

    /// Hands the content of the next file to `take` and compares the file's hash.
    pub(super) fn read(&mut self, file: &ManifestEntry, take: Take<'_>) -> Result<(), EngineError> {
        go_on(self.progress, self.done)?;
        let mut hash = ContentHash::default();
        for window in file.extents.chunk_by(|a, b| a.at / WINDOW == b.at / WINDOW) {
            let (index, sum) = self.window(file, window, take)?;
            hash.window(index, sum);
        }
        let is_file = matches!(file.entry.kind, EntryKind::File);
        if is_file && file.hash != Some(hash.end(file.length)) {
            return Err(EngineError::Damaged {
                what: file.entry.path.clone(),
                detail: "its content does not have the hash of the manifest".into(),
            });
        }
        Ok(())
    }

    /// Hands over some windows of the next file, whole and with zeros where it has holes. Their
    /// frames are compared with the manifest; the file as a whole is not.
    pub(super) fn read_windows(
        &mut self,
        file: &ManifestEntry,
        windows: &BTreeSet<u64>,
        take: Take<'_>,
    ) -> Result<(), EngineError> {
        const ZEROS: [u8; 8192] = [0; 8192];
        for index in windows {
            let (begin, end) = (index * WINDOW, file.length.min((index + 1) * WINDOW));
            let inside = file.extents.iter().filter(|e| e.at / WINDOW == *index);
            let extents: Vec<Extent> = inside.cloned().collect();
            let mut at = begin;
            for hole in holes(&extents, begin, end) {
                at = at.max(hole.start);
                while at < hole.end {
                    let length = (hole.end - at).min(ZEROS.len() as u64);
                    // at most the length of ZEROS
                    take(at, &ZEROS[..usize::try_from(length).unwrap_or(0)])?;
                    at += length;
                }
            }
            if !extents.is_empty() {
                self.window(file, &extents, take)?;
            }
        }
        Ok(())
    }

    /// Hands over one window; returns its index and hash.
    fn window(
        &mut self,
        file: &ManifestEntry,
        extents: &[Extent],
        take: Take<'_>,
    ) -> Result<(u64, blake3::Hash), EngineError> {
        let (index, number) = extents.first().map_or((0, 0), |e| (e.at / WINDOW, e.frame));
        self.go_to(number as usize)?;
        let plain = self.frame.as_ref().map_or(&[][..], |frame| &frame.plain);
        let length = WINDOW.min(file.length - index * WINDOW);
        let mut pieces = Vec::with_capacity(extents.len());
        for extent in extents {
            let begin = extent.offset as usize;
            // inside the frame: `Manifest::check`, and the frame has its length
            let bytes = &plain[begin..begin + extent.length as usize];
            take(extent.at, bytes)?;
            self.done += bytes.len() as u64;
            pieces.push((extent.at - index * WINDOW, bytes));
        }
        if pieces.len() == 1 && pieces[0].1.len() == plain.len() && length == plain.len() as u64 {
            // the window is the frame, whose hash was just compared with the manifest's
            return Ok((index, self.manifest.frames[number as usize].hash));
        }
        Ok((index, hash_of_window(length, pieces)))
    }

    /// Moves forward to a frame.
    fn go_to(&mut self, number: usize) -> Result<(), EngineError> {
        while self
            .frame
            .as_ref()
            .is_none_or(|frame| frame.number < number)
        {
            go_on(self.progress, self.done)?;
            match self.source.next_frame()? {
                Some(frame) => self.frame = Some(frame),
                None => return Err(out_of_order()),
            }
        }
        match &self.frame {
            Some(frame) if frame.number == number => Ok(()),
            _ => Err(out_of_order()),
        }
    }
}

/// What extents leave out between two offsets.
fn holes(extents: &[Extent], begin: u64, end: u64) -> Vec<std::ops::Range<u64>> {
    let mut holes = Vec::new();
    let mut at = begin;
    for extent in extents {
        if extent.at > at {
            holes.push(at..extent.at);
        }
        at = extent.at + u64::from(extent.length);
    }
    if end > at {
        holes.push(at..end);
    }
    holes
}

fn out_of_order() -> EngineError {
    EngineError::Damaged {
        what: "the manifest".into(),
        detail: "its files are not in the order of its frames".into(),
    }
}
