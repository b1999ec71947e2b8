//! Owns reading chosen files of a stored part one after the other as streams: a thread of its own
//! reads and verifies ahead, the caller pulls.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Replaced;
use super::fetch::Fetch;
use super::restore::Files;
use crate::engine::EngineError;
use crate::media::manifest::{Manifest, ManifestEntry};
use crate::media::{Device, DeviceError};

/// Pieces of up to 1 MiB that are read ahead of the caller.
const AHEAD: usize = 4;

/// What comes out of the thread.
enum Piece {
    /// Bytes of the file that is read now, after as many zeros.
    Data(u64, Vec<u8>),
    /// The file ended, after as many zeros, and had its hash.
    End(u64),
    /// No more comes.
    Failed(Box<EngineError>),
}

/// Files of a part, in the order that was asked for.
pub struct Pull {
    pieces: Option<Receiver<Piece>>,
    thread: Option<JoinHandle<Vec<Replaced>>>,
    zeros: u64,
    bytes: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Pull {
    /// Starts to read the files with these indices; each must be pulled to its end.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        manifest: Arc<Manifest>,
        holders: Vec<Arc<dyn Device>>,
        order: Vec<usize>,
    ) -> io::Result<Self> {
        let (sender, pieces) = bounded(AHEAD);
        let thread = std::thread::Builder::new()
            .name(format!("pull-{}", manifest.header.part))
            .spawn(move || {
                let mut replaced = Vec::new();
                if let Err(error) = read(&manifest, &holders, &order, &sender, &mut replaced) {
                    // nobody listens when the caller has given up
                    let _ = sender.send(Piece::Failed(Box::new(error)));
                }
                replaced
            })?;
        Ok(Self {
            pieces: Some(pieces),
            thread: Some(thread),
            zeros: 0,
            bytes: io::Cursor::default(),
            ended: false,
        })
    }

    /// Goes to the beginning of the next file, over what was not pulled of this one.
    ///
    /// # Errors
    /// When the rest of the file is damaged.
    pub fn next_file(&mut self) -> Result<(), EngineError> {
        while !self.ended {
            (self.zeros, self.bytes) = (0, io::Cursor::default());
            self.piece()?;
        }
        (self.zeros, self.ended) = (0, false);
        Ok(())
    }

    /// What was damaged on one device and replaced by another.
    #[must_use]
    pub fn finish(mut self) -> Vec<Replaced> {
        self.pieces = None;
        let thread = self.thread.take().and_then(|thread| thread.join().ok());
        thread.unwrap_or_default()
    }

    fn piece(&mut self) -> Result<(), EngineError> {
        let piece = self.pieces.as_ref().and_then(|pieces| pieces.recv().ok());
        match piece {
            Some(Piece::Data(zeros, bytes)) => {
                (self.zeros, self.bytes) = (zeros, io::Cursor::new(bytes));
                Ok(())
            }
            Some(Piece::End(zeros)) => {
                (self.zeros, self.ended) = (zeros, true);
                Ok(())
            }
            Some(Piece::Failed(error)) => Err(*error),
            None => Err(DeviceError::Cancelled.into()),
        }
    }
}

impl Read for Pull {
    /// Ends with the file; damage is an error that carries the engine's own.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.zeros > 0 {
                let some = usize::try_from(self.zeros).unwrap_or(usize::MAX);
                let some = some.min(buffer.len());
                buffer[..some].fill(0);
                self.zeros -= some as u64;
                return Ok(some);
            }
            let read = self.bytes.read(buffer)?;
            if read > 0 || self.ended {
                return Ok(read);
            }
            self.piece().map_err(io::Error::other)?;
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(
    manifest: &Arc<Manifest>,
    holders: &[Arc<dyn Device>],
    order: &[usize],
    sender: &Sender<Piece>,
    replaced: &mut Vec<Replaced>,
) -> Result<(), EngineError> {
    for run in runs(manifest, order) {
        let own = run.iter().flat_map(|index| frames_of(manifest, *index));
        let mut frames: Vec<usize> = own.collect();
        frames.dedup();
        let fetch = Fetch::start(manifest, holders, frames, false)?;
        let mut files = Files::new(manifest, fetch, &|_| true);
        for index in run {
            send_file(&mut files, &manifest.entries[*index], sender)?;
        }
        replaced.extend(files.source.replaced());
    }
    Ok(())
}

fn send_file(
    files: &mut Files<'_, Fetch>,
    file: &ManifestEntry,
    sender: &Sender<Piece>,
) -> Result<(), EngineError> {
    let gone = |_| EngineError::from(DeviceError::Cancelled);
    let mut end = 0;
    files.read(file, &mut |at, bytes| {
        let zeros = at - end;
        end = at + bytes.len() as u64;
        sender
            .send(Piece::Data(zeros, bytes.to_vec()))
            .map_err(gone)
    })?;
    sender.send(Piece::End(file.length - end)).map_err(gone)
}

/// Stretches of the order whose frames never go back.
fn runs<'o>(manifest: &Manifest, order: &'o [usize]) -> Vec<&'o [usize]> {
    let (mut runs, mut begin, mut reached) = (Vec::new(), 0, 0);
    for (at, index) in order.iter().enumerate() {
        let frames = frames_of(manifest, *index);
        if frames.clone().next().is_some_and(|first| first < reached) {
            runs.push(&order[begin..at]);
            begin = at;
        }
        reached = frames.last().unwrap_or(reached);
    }
    runs.push(&order[begin..]);
    runs
}

/// The frames that hold a file, in order.
fn frames_of(manifest: &Manifest, index: usize) -> impl Iterator<Item = usize> + Clone {
    let extents = manifest.entries[index].extents.iter();
    extents.map(|extent| extent.frame as usize)
}
