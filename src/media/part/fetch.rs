//! Owns verified reading: frames in the order of the stream, read from all holders at once, each
//! decoded and compared with the manifest; what one holder has damaged another one gives.
//!
//! One thread a holder reads ranges of packs forward: the first range is read from the first
//! holder, then whichever is free takes the next one. A rayon pool of its own decodes. At most
//! [`AHEAD`] ranges are in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::Replaced;
use super::decode::{Batch, Decoders, Frame, FrameSource};
use super::object;
use crate::media::manifest::Manifest;
use crate::media::{Device, DeviceError};

/// Plaintext that is read at a time, at least one frame.
const BATCH: u64 = 2 << 20;

/// Ranges that are read ahead of the consumer. With their plaintext they are the memory of a
/// restore; as many hide the latency of an object store.
const AHEAD: usize = 6;

type Decoded = Result<Vec<Frame>, DeviceError>;

/// Frames on their way from the holders.
pub(super) struct Fetch {
    shared: Arc<Shared>,
    tickets: Option<Sender<usize>>,
    issued: usize,
    results: Receiver<(usize, Decoded)>,
    early: BTreeMap<usize, Decoded>,
    next: usize,
    ready: std::vec::IntoIter<Frame>,
    lanes: Vec<JoinHandle<()>>,
}

struct Shared {
    manifest: Arc<Manifest>,
    holders: Vec<Arc<dyn Device>>,
    batches: Vec<Batch>,
    /// The object of each pack on each holder, once it was looked for.
    objects: Vec<Vec<OnceLock<String>>>,
    replaced: Mutex<Vec<Replaced>>,
    decoders: Decoders,
    keep_stored: bool,
}

impl Fetch {
    /// Starts to read these frames of the manifest, in rising order; `keep_stored` also gives them
    /// as stored.
    pub(super) fn start(
        manifest: &Arc<Manifest>,
        holders: &[Arc<dyn Device>],
        frames: impl IntoIterator<Item = usize>,
        keep_stored: bool,
    ) -> Result<Self, DeviceError> {
        let shared =
            Arc::new(Shared::new(manifest, holders, frames, keep_stored).map_err(no_thread)?);
        let (tickets, inbox) = bounded(AHEAD);
        let (done, results) = unbounded();
        let mut fetch = Self {
            shared,
            tickets: Some(tickets),
            issued: 0,
            results,
            early: BTreeMap::new(),
            next: 0,
            ready: Vec::new().into_iter(),
            lanes: Vec::new(),
        };
        let mut first = fetch.first();
        // a holder that must load volumes is asked only for what no other one gives
        let slow = |device: &Arc<dyn Device>| device.capabilities().sequential;
        let all_slow = holders.iter().all(slow);
        let lanes = holders.iter().enumerate();
        for (holder, device) in lanes.filter(|(_, device)| all_slow || !slow(device)) {
            let first = first.take();
            let (shared, inbox) = (Arc::clone(&fetch.shared), inbox.clone());
            let done = done.clone();
            let lane = std::thread::Builder::new()
                .name(format!("read-{}", device.name()))
                .spawn(move || {
                    let numbers = first.into_iter().chain(inbox);
                    read(&shared, holder, numbers, &done);
                })
                .map_err(no_thread)?;
            fetch.lanes.push(lane);
        }
        for _ in 0..AHEAD {
            fetch.issue();
        }
        Ok(fetch)
    }

    /// The first range: the first holder reads it, as it is the nearest. What little there is of
    /// a small part comes from there.
    fn first(&mut self) -> Option<usize> {
        let any = !self.shared.batches.is_empty();
        self.issued = usize::from(any);
        any.then_some(0)
    }

    /// Lets the holders read one range more.
    fn issue(&mut self) {
        if self.issued == self.shared.batches.len() {
            self.tickets = None;
        }
        if let Some(tickets) = &self.tickets {
            // when all lanes are gone, `next` says so
            let _ = tickets.send(self.issued);
            self.issued += 1;
        }
    }

    /// What was damaged and replaced so far.
    pub(super) fn replaced(&self) -> Vec<Replaced> {
        let mut replaced = lock(&self.shared.replaced).clone();
        replaced.sort_by(|a, b| (&a.device, &a.object).cmp(&(&b.device, &b.object)));
        replaced
    }
}

impl FrameSource for Fetch {
    fn next_frame(&mut self) -> Result<Option<Frame>, DeviceError> {
        loop {
            if let Some(frame) = self.ready.next() {
                return Ok(Some(frame));
            }
            if self.next == self.shared.batches.len() {
                return Ok(None);
            }
            let batch = match self.early.remove(&self.next) {
                Some(batch) => batch?,
                None => match self.results.recv() {
                    Ok((number, batch)) => {
                        self.early.insert(number, batch);
                        continue;
                    }
                    Err(_) => return Err(no_thread(std::io::Error::other("readers ended"))),
                },
            };
            self.ready = batch.into_iter();
            self.next += 1;
            self.issue();
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.tickets = None;
        for lane in self.lanes.drain(..) {
            // a lane that panicked has sent nothing; `next` has said so
            let _ = lane.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_thread(cause: std::io::Error) -> DeviceError {
    DeviceError::Io {
        device: "(all)".into(),
        action: "start",
        object: "the readers".into(),
        cause,
    }
}

/// The loop of one holder's thread.
fn read(
    shared: &Arc<Shared>,
    holder: usize,
    numbers: impl Iterator<Item = usize>,
    done: &Sender<(usize, Decoded)>,
) {
    for number in numbers {
        let batch = shared.batches[number];
        match shared.read_batch(batch, holder) {
            Err(error) => {
                // nobody listens when the consumer has given up
                let _ = done.send((number, Err(error)));
            }
            Ok((holder, bytes)) => {
                let (worker, done) = (Arc::clone(shared), done.clone());
                shared.decoders.pool.spawn(move || {
                    let _ = done.send((number, worker.decode(batch, holder, &bytes)));
                });
            }
        }
    }
}

impl Shared {
    fn new(
        manifest: &Arc<Manifest>,
        holders: &[Arc<dyn Device>],
        frames: impl IntoIterator<Item = usize>,
        keep_stored: bool,
    ) -> std::io::Result<Self> {
        let unknown = || manifest.packs.iter().map(|_| OnceLock::new()).collect();
        Ok(Self {
            manifest: Arc::clone(manifest),
            holders: holders.to_vec(),
            objects: holders.iter().map(|_| unknown()).collect(),
            batches: Batch::cut(&manifest.frames, frames, BATCH),
            replaced: Mutex::default(),
            decoders: Decoders::start()?,
            keep_stored,
        })
    }

    fn pack(&self, frame: usize) -> &str {
        &self.manifest.packs[self.manifest.frames[frame].pack as usize].name
    }

    /// Reads a range from `holder`, or from the next one that can; notes who failed. Returns whose
    /// bytes they are.
    fn read_batch(&self, batch: Batch, holder: usize) -> Result<(usize, Vec<u8>), DeviceError> {
        let range = batch.bytes(&self.manifest.frames);
        let mut failed = Vec::new();
        for turn in 0..self.holders.len() {
            let now = (holder + turn) % self.holders.len();
            match self.get(batch.first, now, range.clone()) {
                Ok(bytes) => {
                    self.note(self.pack(batch.first), &failed, now);
                    return Ok((now, bytes));
                }
                Err(error) => failed.push((now, error)),
            }
        }
        let last = failed.pop().map(|(_, error)| error);
        Err(last.unwrap_or_else(|| no_thread(std::io::Error::other("no device was named"))))
    }

    /// Reads a range of the pack of a frame from one holder.
    fn get(
        &self,
        frame: usize,
        holder: usize,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<u8>, DeviceError> {
        let device = self.holders[holder].as_ref();
        let known = &self.objects[holder][self.manifest.frames[frame].pack as usize];
        let object = if let Some(object) = known.get() {
            object
        } else {
            let found = object::find(device, self.pack(frame))?;
            known.get_or_init(|| found)
        };
        device.get(object, Some(range))
    }

    fn note(&self, object: &str, failed: &[(usize, DeviceError)], by: usize) {
        let mut replaced = lock(&self.replaced);
        let sure = |(_, error): &&(usize, DeviceError)| !matches!(error, DeviceError::Away { .. });
        for (holder, error) in failed.iter().filter(sure) {
            let device = self.holders[*holder].name();
            let known = replaced
                .iter()
                .any(|r| r.device == device && r.object == object);
            if !known {
                replaced.push(Replaced {
                    device: device.to_owned(),
                    object: object.to_owned(),
                    cause: error.to_string(),
                    sure: error.is_sure(),
                    by: self.holders[by].name().to_owned(),
                });
            }
        }
    }

    fn decode(&self, batch: Batch, holder: usize, bytes: &[u8]) -> Decoded {
        let mut frames = Vec::with_capacity(batch.end - batch.first);
        for number in batch.first..batch.end {
            let inside = batch.inside(&self.manifest.frames, number);
            let stored = bytes.get(inside).unwrap_or_default();
            frames.push(match self.decode_frame(number, stored, holder) {
                Ok(frame) => frame,
                Err(error) => self.heal(number, holder, error)?,
            });
        }
        Ok(frames)
    }

    fn decode_frame(
        &self,
        number: usize,
        stored: &[u8],
        holder: usize,
    ) -> Result<Frame, DeviceError> {
        let device = self.holders[holder].name();
        let plain = self
            .decoders
            .decode(&self.manifest, number, stored, device)?;
        let stored = if self.keep_stored {
            stored.to_vec()
        } else {
            Vec::new()
        };
        Ok(Frame {
            number,
            plain,
            stored,
        })
    }

    /// Takes one frame from another holder than the one that gave it damaged.
    fn heal(
        &self,
        number: usize,
        damaged: usize,
        error: DeviceError,
    ) -> Result<Frame, DeviceError> {
        let frame = &self.manifest.frames[number];
        let range = frame.offset..frame.offset + u64::from(frame.stored);
        let mut failed = vec![(damaged, error)];
        for turn in 1..self.holders.len() {
            let now = (damaged + turn) % self.holders.len();
            let read = self.get(number, now, range.clone());
            match read.and_then(|stored| self.decode_frame(number, &stored, now)) {
                Ok(good) => {
                    self.note(self.pack(number), &failed, now);
                    return Ok(good);
                }
                Err(error) => failed.push((now, error)),
            }
        }
        // all failed: the first damage says most
        Err(failed.swap_remove(0).1)
    }
}
