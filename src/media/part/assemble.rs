//! Owns the thread that puts encoded frames back into the order of the stream, lays them out in
//! packs, and hands every byte to the lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::encode::Encoded;
use super::lane::Lane;
use super::queue::{Order, Pulse};
use super::sealer::PartSeal;
use super::trailing::{Ends, Trailing};
use crate::media::keys::KeyError;
use crate::media::manifest::{FrameRef, PackRef};
use crate::media::name;
use crate::media::pack::PackLayout;

/// How often the waiting thread looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the pipeline left behind.
#[derive(Default)]
pub(super) struct Assembled {
    /// Packs.
    pub(super) packs: Vec<PackRef>,
    /// Frames in the order of the stream.
    pub(super) frames: Vec<FrameRef>,
    /// File, window and hash, in the order of the stream.
    pub(super) windows: Vec<(usize, u64, blake3::Hash)>,
    /// How the lanes ended, as far as they have.
    pub(super) ends: Ends,
    /// Devices that got everything and still write.
    pub(super) trailing: Trailing,
    /// Why no frame could be made.
    pub(super) broken: Option<String>,
}

/// What the reader may ask of the running pipeline.
#[derive(Default)]
pub(super) struct Signals {
    /// Set by the pipeline when nothing can be stored any more.
    pub(super) failed: AtomicBool,
    /// Set by the reader: abandon everything.
    pub(super) cancelled: AtomicBool,
}

/// Starts the thread. It ends when the workers are gone; `alive` is dropped then.
pub(super) fn start(
    lanes: Lanes,
    frames: Receiver<Result<Encoded, String>>,
    signals: Arc<Signals>,
    layout: Layout,
    alive: Sender<()>,
) -> std::io::Result<JoinHandle<Assembled>> {
    let assembler = Assembler {
        lanes,
        signals,
        layout,
        pack: None,
        result: Assembled::default(),
    };
    std::thread::Builder::new()
        .name("assemble".into())
        .spawn(move || {
            let result = assembler.run(&frames);
            drop(alive);
            result
        })
}

/// The devices of a part.
#[expect(
    clippy::struct_field_names,
    reason = "the lanes are what the others are about"
)]
pub(super) struct Lanes {
    /// One lane a device.
    pub(super) lanes: Vec<Lane>,
    /// Beats when one of them has moved.
    pub(super) pulse: Arc<Pulse>,
    /// Frames that may wait for one device.
    pub(super) queue: usize,
    /// How long slow lanes may still hold up the others.
    pub(super) grace: Duration,
}

/// How packs are laid out.
pub(super) struct Layout {
    /// A pack is closed before it grows longer than this.
    pub(super) roll: u64,
    /// What they are sealed with.
    pub(super) seal: Option<PartSeal>,
}

impl Layout {
    /// Begins the pack that the frame with this number opens.
    fn begin(&self, frame: u64) -> Result<PackLayout, KeyError> {
        match &self.seal {
            None => Ok(PackLayout::begin(self.roll)),
            Some(part) => {
                PackLayout::begin_sealed(self.roll, &part.seal, part.pack_of(frame), frame)
            }
        }
    }

    /// Whether a frame opens a new pack.
    fn is_full(&self, pack: &PackLayout, frame: &Encoded) -> bool {
        match &self.seal {
            None => !pack.takes(frame.stored),
            Some(part) => frame.number.is_multiple_of(part.frames),
        }
    }
}

struct Assembler {
    lanes: Lanes,
    signals: Arc<Signals>,
    layout: Layout,
    pack: Option<PackLayout>,
    result: Assembled,
}

impl Assembler {
    fn run(mut self, frames: &Receiver<Result<Encoded, String>>) -> Assembled {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for frame in frames {
            match frame {
                Ok(frame) => early.insert(frame.number, frame),
                Err(cause) => {
                    self.result.broken = Some(cause);
                    break;
                }
            };
            while let Some(frame) = early.remove(&next) {
                if let Err(cause) = self.add(frame) {
                    self.result.broken = Some(cause.to_string());
                }
                next += 1;
            }
            if self.is_lost() || self.result.broken.is_some() {
                break;
            }
        }
        self.end()
    }

    fn add(&mut self, frame: Encoded) -> Result<(), KeyError> {
        if self
            .pack
            .as_ref()
            .is_some_and(|pack| self.layout.is_full(pack, &frame))
        {
            self.close()?;
        }
        let mut pack = match self.pack.take() {
            Some(pack) => pack,
            None => self.begin(frame.number)?,
        };
        let plain = u32::try_from(frame.plain).unwrap_or(u32::MAX);
        let stored = &frame.slot.buffers.stored[..frame.stored];
        let offset = pack.add(stored, plain, &frame.hash);
        self.pack = Some(pack);
        self.result.frames.push(FrameRef {
            pack: u32::try_from(self.result.packs.len()).unwrap_or(u32::MAX),
            offset,
            stored: u32::try_from(frame.stored).unwrap_or(u32::MAX),
            plain,
            hash: frame.hash,
        });
        self.result.windows.extend(frame.windows);
        self.make_room();
        self.order(&Order::Frame(Arc::new(frame.slot), frame.stored));
        Ok(())
    }

    fn begin(&mut self, frame: u64) -> Result<PackLayout, KeyError> {
        self.lanes.lanes.iter_mut().for_each(Lane::rejoin);
        let pack = self.layout.begin(frame)?;
        self.order(&Order::Bytes(Arc::from(pack.head())));
        Ok(pack)
    }

    fn close(&mut self) -> Result<(), KeyError> {
        let Some(pack) = self.pack.take() else {
            return Ok(());
        };
        let closed = pack.close()?;
        let object = name::pack(&closed.hash);
        self.order(&Order::Bytes(Arc::from(closed.tail)));
        self.order(&Order::Publish(Arc::from(object.as_str())));
        self.result.packs.push(PackRef {
            name: object,
            length: closed.length,
            hash: closed.hash.to_hex().to_string(),
        });
        Ok(())
    }

    fn order(&mut self, order: &Order) {
        let live = self.lanes.lanes.iter().filter(|lane| lane.live);
        live.for_each(|lane| lane.queue().push(order.clone()));
        self.bury();
    }

    /// Waits until every lane can take a frame. A lane whose queue stays full while a device that
    /// has everything runs dry falls behind once the grace is used up: it slows nobody but itself.
    fn make_room(&mut self) {
        let most = self.lanes.queue;
        while !self.signals.cancelled.load(Ordering::Acquire) {
            let seen = self.lanes.pulse.count();
            self.bury();
            let full = |lane: &Lane| lane.live && lane.queue().frames() >= most;
            let runs_dry = |lane: &Lane| lane.complete && lane.queue().frames() <= most / 2;
            if !self.lanes.lanes.iter().any(full) {
                return;
            }
            if self.is_lost() {
                return;
            }
            let dry = self.lanes.lanes.iter().any(runs_dry);
            if dry && self.lanes.grace.is_zero() {
                let slow = self.lanes.lanes.iter_mut().filter(|lane| full(lane));
                slow.for_each(Lane::fall_behind);
                return;
            }
            let begun = Instant::now();
            let patience = if dry {
                self.lanes.grace.min(PATIENCE)
            } else {
                PATIENCE
            };
            self.lanes.pulse.wait(seen, patience);
            if dry {
                self.lanes.grace = self.lanes.grace.saturating_sub(begun.elapsed());
            }
        }
    }

    /// Takes the lanes away that failed, and those that give no answer.
    fn bury(&mut self) {
        for lane in std::mem::take(&mut self.lanes.lanes) {
            if lane.queue().has_failed().is_none() {
                match lane.give_up() {
                    Some(hung) => self.result.ends.lost.push((lane.device, hung)),
                    None => self.lanes.lanes.push(lane),
                }
            } else if let Some(Err(error)) = lane.queue().take_end() {
                self.result.ends.lost.push((lane.device, error));
            }
        }
        if self.is_lost() {
            self.signals.failed.store(true, Ordering::Release);
        }
    }

    /// No device can hold the whole part any more.
    fn is_lost(&self) -> bool {
        !self.lanes.lanes.iter().any(|lane| lane.complete)
    }

    fn end(mut self) -> Assembled {
        let wanted = !self.signals.cancelled.load(Ordering::Acquire);
        if self.result.broken.is_none()
            && wanted
            && let Err(cause) = self.close()
        {
            self.result.broken = Some(cause.to_string());
        }
        let broken = self.result.broken.is_some();
        let lanes = std::mem::take(&mut self.lanes.lanes);
        if broken || !wanted {
            for lane in &lanes {
                lane.queue().abandon();
            }
        }
        for lane in &lanes {
            lane.queue().close();
        }
        let signals = Arc::clone(&self.signals);
        let wanted = || !signals.cancelled.load(Ordering::Acquire);
        let mut trailing = Trailing::new(lanes, Arc::clone(&self.lanes.pulse));
        trailing.first(&mut self.result.ends, &wanted);
        if self.result.ends.devices.is_empty() || broken {
            self.signals.failed.store(true, Ordering::Release);
        }
        self.result.trailing = trailing;
        self.result
    }
}
