//! Owns the thread that puts encoded frames back into the order of the stream, lays them out in
//! packs, and hands every byte to the lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::encode::Encoded;
use super::lane::{Lane, Order};
use super::sealer::PartSeal;
use crate::media::keys::KeyError;
use crate::media::manifest::{FrameRef, PackRef};
use crate::media::pack::PackLayout;
use crate::media::{DeviceError, name};

/// What the pipeline left behind.
#[derive(Default)]
pub(super) struct Assembled {
    /// Packs.
    pub(super) packs: Vec<PackRef>,
    /// Frames in the order of the stream.
    pub(super) frames: Vec<FrameRef>,
    /// File, window and hash, in the order of the stream.
    pub(super) windows: Vec<(usize, u64, blake3::Hash)>,
    /// Devices that hold all packs.
    pub(super) devices: Vec<String>,
    /// Devices that failed.
    pub(super) lost: Vec<(String, DeviceError)>,
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
    lanes: Vec<Lane>,
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
    lanes: Vec<Lane>,
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
            if self.lanes.is_empty() || self.result.broken.is_some() {
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
            hash: frame.hash.to_hex().to_string(),
        });
        self.result.windows.extend(frame.windows);
        self.order(&Order::Frame(Arc::new(frame.slot), frame.stored));
        Ok(())
    }

    fn begin(&mut self, frame: u64) -> Result<PackLayout, KeyError> {
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
        let (living, dead) = std::mem::take(&mut self.lanes)
            .into_iter()
            .partition(|lane| lane.order(order));
        self.lanes = living;
        self.bury(dead);
    }

    fn bury(&mut self, lanes: Vec<Lane>) {
        for lane in lanes {
            match lane.end() {
                (device, Ok(())) => self.result.devices.push(device),
                (device, Err(error)) => self.result.lost.push((device, error)),
            }
        }
        if self.lanes.is_empty() {
            self.signals.failed.store(true, Ordering::Release);
        }
    }

    fn end(mut self) -> Assembled {
        let wanted = !self.signals.cancelled.load(Ordering::Acquire);
        if self.result.broken.is_none()
            && wanted
            && let Err(cause) = self.close()
        {
            self.result.broken = Some(cause.to_string());
        }
        if self.result.broken.is_some() {
            self.signals.failed.store(true, Ordering::Release);
        }
        let lanes = std::mem::take(&mut self.lanes);
        self.bury(lanes);
        self.result
    }
}
