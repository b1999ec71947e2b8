//! Owns the reading end of the write pipeline: takes the content of a part, cuts it into frames
//! and windows, and keeps the list of files.
//!
//! A window of a file (1 MiB, see [`crate::media::content`]) always lies in one frame. Small files
//! share a frame; a window that outgrows what is left of a frame moves to the next one. So a large
//! file's windows are whole frames, and their hashes are computed once.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::assemble::{self, Assembled, Lanes, Layout, Signals};
use super::encode::{Encoders, Filled};
use super::lane::Lane;
use super::queue::Pulse;
use super::reads::{Later, Reads};
use super::sealer::PartSeal;
use super::slot::{Slot, Slots};
use super::throttle::Throttle;
use super::window::Window;
use super::{Progress, WriteSettings, WrittenPart, go_on};
use crate::engine::piece::{InOrder, PieceSource};
use crate::engine::{EngineError, Entry, EntryKind, PartSink};
use crate::media::content::{self, ContentHash, WINDOW};
use crate::media::frame::FRAME;
use crate::media::keys::Seal;
use crate::media::manifest::ManifestEntry;
use crate::media::{Device, DeviceError, pack};

/// How often a waiting reader looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(100);

/// The frame pipeline: read once, hash and compress on all cores, write to every device.
pub struct PartWriter<'a> {
    settings: WriteSettings,
    seal: Option<Seal>,
    progress: Progress<'a>,
    throttle: Option<Throttle>,
    slots: Slots,
    encoders: Option<Encoders>,
    assembler: Option<JoinHandle<Assembled>>,
    ended: Receiver<()>,
    signals: Arc<Signals>,
    devices: Vec<String>,
    entries: Vec<ManifestEntry>,
    bytes: u64,
    submitted: u64,
    frame: Option<OpenFrame>,
    window: Option<Window>,
    reads: Arc<Reads>,
}

/// A frame that is being filled.
struct OpenFrame {
    slot: Slot,
    fill: usize,
    windows: Vec<Window>,
}

impl<'a> PartWriter<'a> {
    /// Starts the pipeline.
    ///
    /// # Errors
    /// When no device can be written.
    pub fn begin(
        devices: &[Arc<dyn Device>],
        settings: WriteSettings,
        progress: Progress<'a>,
    ) -> Result<Self, DeviceError> {
        Self::begin_rolling(devices, settings, progress, pack::ROLL)
    }

    /// As [`PartWriter::begin`], with packs that are closed before they grow longer than `roll`.
    ///
    /// # Errors
    /// When no device can be written.
    pub fn begin_rolling(
        devices: &[Arc<dyn Device>],
        settings: WriteSettings,
        progress: Progress<'a>,
        roll: u64,
    ) -> Result<Self, DeviceError> {
        Self::begin_sealed(devices, settings, None, progress, roll)
    }

    /// As [`PartWriter::begin_rolling`]; everything is encrypted when there is a seal.
    ///
    /// # Errors
    /// When no device can be written.
    pub fn begin_sealed(
        devices: &[Arc<dyn Device>],
        settings: WriteSettings,
        seal: Option<Seal>,
        progress: Progress<'a>,
        roll: u64,
    ) -> Result<Self, DeviceError> {
        let layout = Layout {
            roll,
            seal: seal.clone().map(|seal| PartSeal {
                frames: pack::frames_in_sealed(seal.envelope().len(), roll),
                seal,
            }),
        };
        // what the reader, the workers and one write on each device hold at any time
        let fixed = settings.threads + 2 + devices.len();
        let slots = Slots::new(settings.memory, fixed + 2);
        let lanes = start_lanes(devices, slots.count() - fixed, &settings)?;
        let (done, frames) = crossbeam_channel::unbounded();
        let sealed = layout.seal.as_ref();
        let encoders = Encoders::start(settings.threads, settings.codec, sealed, done);
        let encoders = encoders.map_err(no_thread)?;
        let signals = Arc::new(Signals::default());
        let (alive, ended) = crossbeam_channel::bounded(0);
        let assembler = assemble::start(lanes, frames, Arc::clone(&signals), layout, alive);
        let assembler = assembler.map_err(no_thread)?;
        Ok(Self {
            settings,
            seal,
            progress,
            throttle: settings.throttle.map(Throttle::new),
            slots,
            encoders: Some(encoders),
            assembler: Some(assembler),
            ended,
            signals,
            devices: devices.iter().map(|one| one.name().to_owned()).collect(),
            entries: Vec::new(),
            bytes: 0,
            submitted: 0,
            frame: None,
            window: None,
            reads: Arc::default(),
        })
    }

    /// Waits until every pack is durable and published on every device that is left.
    ///
    /// # Errors
    /// When no device is left, or on cancellation.
    pub fn finish(self) -> Result<WrittenPart, DeviceError> {
        let progress = self.progress;
        let mut part = self.finish_first()?;
        part.settle(progress)?;
        Ok(part)
    }

    /// Waits until every pack is durable and published on one device. The others go on in the
    /// background: [`WrittenPart::settle`] waits for them.
    ///
    /// # Errors
    /// When no device is left, or on cancellation.
    pub fn finish_first(mut self) -> Result<WrittenPart, DeviceError> {
        self.end_file();
        self.submit();
        self.encoders = None;
        while let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(PATIENCE) {
            go_on(self.progress, self.bytes)?;
        }
        let assembled = self.collect()?;
        self.close_hashes(&assembled.windows);
        let mut part = WrittenPart {
            codec: self.settings.codec,
            bytes: self.bytes,
            packs: assembled.packs,
            frames: assembled.frames,
            entries: std::mem::take(&mut self.entries),
            seal: self.seal.take(),
            devices: Vec::new(),
            lost: Vec::new(),
            behind: Vec::new(),
            named: std::mem::take(&mut self.devices),
            trailing: assembled.trailing,
        };
        part.ended(assembled.ends);
        Ok(part)
    }

    /// Takes what the pipeline made; an error unless it is the whole on one device at least.
    fn collect(&mut self) -> Result<Assembled, DeviceError> {
        let joined = self.assembler.take().map(JoinHandle::join);
        let Some(Ok(mut assembled)) = joined else {
            return Err(pipeline("its thread ended unexpectedly"));
        };
        if let Some(cause) = assembled.broken.take() {
            return Err(pipeline(&cause));
        }
        if assembled.ends.devices.is_empty() {
            let last = assembled.ends.lost.pop().map(|(_, error)| error);
            return Err(last.unwrap_or(DeviceError::Cancelled));
        }
        if assembled.frames.len() as u64 != self.submitted {
            return Err(pipeline("a frame was lost on the way"));
        }
        Ok(assembled)
    }

    /// Turns the windows' hashes into the files' hashes.
    fn close_hashes(&mut self, windows: &[(usize, u64, blake3::Hash)]) {
        let mut windows = windows.iter().peekable();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let mut hash = ContentHash::default();
            while let Some((_, window, sum)) = windows.next_if(|(file, _, _)| *file == index) {
                hash.window(*window, *sum);
            }
            // of a file over another one the part does not have all content
            if matches!(entry.entry.kind, EntryKind::File) {
                entry.hash = Some(hash.end(entry.length));
            }
        }
    }

    /// Sees to it that the open frame has room for the next byte of the open file.
    fn room(&mut self) -> Result<(), EngineError> {
        let at = self.length();
        if self
            .window
            .as_ref()
            .is_some_and(|window| window.index != at / WINDOW)
        {
            self.close_window(WINDOW);
        }
        match &self.frame {
            Some(frame) if frame.fill < FRAME => {}
            Some(_) => self.next_frame()?,
            None => self.frame = Some(self.fresh_frame()?),
        }
        let begin = self.frame.as_ref().map_or(0, |frame| frame.fill);
        let entry = self.entries.len().saturating_sub(1);
        self.window
            .get_or_insert_with(|| Window::open(entry, at, begin));
        Ok(())
    }

    /// Begins a new frame; the data of the open window moves along.
    fn next_frame(&mut self) -> Result<(), EngineError> {
        let mut fresh = self.fresh_frame()?;
        if let (Some(frame), Some(window)) = (&mut self.frame, &mut self.window) {
            let data = window.data();
            let moved = &frame.slot.buffers.plain[window.begin..window.begin + data];
            fresh.slot.buffers.plain[..data].copy_from_slice(moved);
            fresh.fill = data;
            frame.fill = window.begin;
            window.begin = 0;
        }
        self.submit();
        self.frame = Some(fresh);
        Ok(())
    }

    fn fresh_frame(&mut self) -> Result<OpenFrame, EngineError> {
        loop {
            self.check()?;
            if let Some(mut slot) = self.slots.take(PATIENCE) {
                slot.buffers.plain.ready();
                return Ok(OpenFrame {
                    slot,
                    fill: 0,
                    windows: Vec::new(),
                });
            }
        }
    }

    /// Whether the pipeline still lives and is wanted.
    fn check(&mut self) -> Result<(), EngineError> {
        go_on(self.progress, self.bytes)?;
        if self.signals.failed.load(Ordering::Acquire) {
            if let Some(error) = self.reads.failed() {
                return Err(error);
            }
            self.encoders = None;
            let error = self.collect().err();
            return Err(error.unwrap_or(DeviceError::Cancelled).into());
        }
        Ok(())
    }

    /// Gives the open frame to the workers.
    fn submit(&mut self) {
        let frame = self.frame.take().filter(|frame| frame.fill > 0);
        if let Some(frame) = frame {
            self.spawn(frame, None);
        }
    }

    fn spawn(&mut self, frame: OpenFrame, later: Option<Later>) {
        let Some(encoders) = &self.encoders else {
            return;
        };
        if let Some(later) = &later {
            later.reads.begin();
        }
        encoders.spawn(Filled {
            number: self.submitted,
            slot: frame.slot,
            length: frame.fill,
            windows: frame.windows,
            later,
        });
        self.submitted += 1;
    }

    /// Hands the next window of the open file, all of it, to the workers, who read it themselves.
    fn read_later(
        &mut self,
        source: &Arc<dyn PieceSource>,
        path: &Arc<Path>,
    ) -> Result<(), EngineError> {
        self.submit();
        let at = self.length();
        let mut frame = self.fresh_frame()?;
        frame.fill = FRAME;
        self.frame = Some(frame);
        let mut window = Window::open(self.entries.len().saturating_sub(1), at, 0);
        window.add(at, FRAME);
        self.window = Some(window);
        self.close_window(WINDOW);
        self.bytes += WINDOW;
        self.grow(WINDOW)?;
        let later = Later {
            source: Arc::clone(source),
            path: Arc::clone(path),
            at,
            reads: Arc::clone(&self.reads),
        };
        if let Some(frame) = self.frame.take() {
            self.spawn(frame, Some(later));
        }
        self.pause(FRAME);
        Ok(())
    }

    /// Ends the open window at `length`; its data stays where it is.
    fn close_window(&mut self, length: u64) {
        let (Some(mut window), Some(frame)) = (self.window.take(), &mut self.frame) else {
            return;
        };
        if window.pieces.is_empty() {
            return;
        }
        window.length = length;
        if let Some(entry) = self.entries.last_mut() {
            // a part of 2^32 frames is 4 PiB
            let number = u32::try_from(self.submitted).unwrap_or(u32::MAX);
            let extents = window.extents(number);
            if entry.extents.is_empty() {
                // most files have no more, and a list that grows makes room for four
                entry.extents = extents;
            } else {
                entry.extents.extend(extents);
            }
        }
        frame.windows.push(window);
    }

    fn end_file(&mut self) {
        if let Some(window) = &self.window {
            let end = self.length() - window.index * WINDOW;
            self.close_window(end.min(WINDOW));
        }
    }

    /// Length of the open file so far.
    fn length(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.length)
    }

    fn grow(&mut self, length: u64) -> Result<(), EngineError> {
        let Some(entry) = self.entries.last_mut() else {
            return Err(pipeline("content came before its file").into());
        };
        match entry
            .length
            .checked_add(length)
            .filter(|length| *length <= content::LONGEST)
        {
            Some(length) => entry.length = length,
            None => return Err(pipeline("a file is longer than 1 PiB").into()),
        }
        Ok(())
    }

    /// Reads once into the open frame; 0 at the end of the source.
    fn read_once(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<usize, EngineError> {
        self.room()?;
        let at = self.length();
        let (Some(frame), Some(window)) = (&mut self.frame, &mut self.window) else {
            return Err(pipeline("no frame is open").into());
        };
        let most = limit
            .min(WINDOW - at % WINDOW)
            .min((FRAME - frame.fill) as u64);
        // at most the length of a frame
        let end = frame.fill + usize::try_from(most).unwrap_or(0);
        let target = &mut frame.slot.buffers.plain[frame.fill..end];
        let read = read_some(source, target).map_err(|cause| EngineError::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        })?;
        if read == 0 {
            return Ok(0);
        }
        frame.fill += read;
        window.add(at, read);
        self.bytes += read as u64;
        self.grow(read as u64)?;
        self.pause(read);
        Ok(read)
    }

    fn pause(&mut self, read: usize) {
        let wait = self
            .throttle
            .as_mut()
            .map_or(Duration::ZERO, |throttle| throttle.take(read));
        let mut left = wait;
        while !left.is_zero() && (self.progress)(self.bytes) {
            let nap = left.min(PATIENCE);
            std::thread::sleep(nap);
            left -= nap;
        }
    }
}

/// Starts a lane for each device and waits until one of them can be written.
fn start_lanes(
    devices: &[Arc<dyn Device>],
    queue: usize,
    settings: &WriteSettings,
) -> Result<Lanes, DeviceError> {
    let pulse = Arc::new(Pulse::default());
    let lanes: Result<Vec<_>, _> = (devices.iter())
        .map(|device| Lane::start(device, &pulse, settings.patience))
        .collect();
    let lanes = lanes?;
    loop {
        let seen = pulse.count();
        if lanes.iter().any(|lane| lane.queue().has_begun()) {
            return Ok(Lanes {
                lanes,
                pulse,
                queue,
                grace: settings.grace,
            });
        }
        if lanes.iter().all(|lane| lane.queue().has_failed().is_some()) {
            let error = lanes.last().and_then(|lane| lane.queue().take_end()?.err());
            return Err(error.unwrap_or_else(|| pipeline("no device was named")));
        }
        let mut waiting = lanes
            .iter()
            .filter(|lane| lane.queue().has_failed().is_none());
        if let Some(hung) = waiting.clone().find_map(Lane::hangs)
            && waiting.all(|lane| lane.hangs().is_some())
        {
            return Err(hung);
        }
        pulse.wait(seen, PATIENCE);
    }
}

fn read_some(source: &mut dyn Read, target: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match source.read(target) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            // a reader that claims more than its buffer is not believed
            answer => return answer.map(|read| read.min(target.len())),
        }
    }
}

fn no_thread(cause: std::io::Error) -> DeviceError {
    DeviceError::Io {
        device: "(all)".into(),
        action: "start",
        object: "the frame pipeline".into(),
        cause,
    }
}

fn pipeline(cause: &str) -> DeviceError {
    DeviceError::Io {
        device: "(all)".into(),
        action: "make",
        object: "a frame".into(),
        cause: std::io::Error::other(cause.to_owned()),
    }
}

impl PartSink for PartWriter<'_> {
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
        self.end_file();
        if self.entries.len().is_multiple_of(256) {
            self.check()?;
        }
        self.entries.push(ManifestEntry {
            entry,
            length: 0,
            hash: None,
            extents: Vec::new(),
        });
        Ok(())
    }

    fn read_from(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<u64, EngineError> {
        let mut total = 0;
        while total < limit {
            let read = self.read_once(source, limit - total, path)?;
            if read == 0 {
                break;
            }
            total += read as u64;
        }
        Ok(total)
    }

    fn read_pieces(
        &mut self,
        source: Arc<dyn PieceSource>,
        length: u64,
        path: &Path,
    ) -> Result<(), EngineError> {
        let whole: Arc<Path> = Arc::from(path);
        for _ in 0..length / WINDOW {
            self.read_later(&source, &whole)?;
        }
        let tail = length % WINDOW;
        let mut reader = InOrder::new(source.as_ref(), length - tail, length);
        self.read_from(&mut reader, tail, path).map(drop)
    }

    fn settle(&mut self) -> Result<(), EngineError> {
        while !self.reads.all_ended(PATIENCE) {
            self.check()?;
        }
        self.reads.failed().map_or(Ok(()), Err)
    }

    fn hole(&mut self, length: u64) -> Result<(), EngineError> {
        self.grow(length)
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.end_file();
        Ok(())
    }
}

impl Drop for PartWriter<'_> {
    fn drop(&mut self) {
        self.signals.cancelled.store(true, Ordering::Release);
        self.encoders = None;
        if let Some(assembler) = self.assembler.take() {
            // its lanes abandon what they did not publish
            let _ = assembler.join();
        }
    }
}
