//! Owns the workers of the write pipeline: a rayon pool of its own that hashes, compresses and
//! proves frames in whatever order they come. No more of them compute than there are cores: others
//! would only push what they work with out of the caches.

use crossbeam_channel::{Receiver, Sender};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cores;
use super::reads::Later;
use super::sealer::{PartSeal, Sealer};
use super::slot::Slot;
use super::window::Window;
use crate::media::frame::FrameEncoder;
use crate::resolve::plan::Codec;

/// A frame that is filled.
pub(super) struct Filled {
    /// Its place in the stream.
    pub(super) number: u64,
    /// Its buffers.
    pub(super) slot: Slot,
    /// Length of its plaintext.
    pub(super) length: usize,
    /// Windows of files that lie in it.
    pub(super) windows: Vec<Window>,
    /// Its content, when it is still to be read.
    pub(super) later: Option<Later>,
}

/// A frame that is ready to be stored.
pub(super) struct Encoded {
    /// Its place in the stream.
    pub(super) number: u64,
    /// Its buffers.
    pub(super) slot: Slot,
    /// Length of its plaintext.
    pub(super) plain: usize,
    /// Length of the stored frame.
    pub(super) stored: usize,
    /// BLAKE3 of its plaintext.
    pub(super) hash: blake3::Hash,
    /// File, window and hash of every window in it.
    pub(super) windows: Vec<(usize, u64, blake3::Hash)>,
}

/// The workers.
pub(super) struct Encoders {
    pool: ThreadPool,
    idle: Receiver<Context>,
    home: Sender<Context>,
    done: Sender<Result<Encoded, String>>,
}

impl Encoders {
    /// Starts `threads` workers that send to `done`.
    pub(super) fn start(
        threads: usize,
        codec: Codec,
        seal: Option<&PartSeal>,
        done: Sender<Result<Encoded, String>>,
    ) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let (home, idle) = crossbeam_channel::unbounded();
        for _ in 0..threads.min(cores()) {
            // the receiver is at hand
            let _ = home.send(Context::new(codec, seal)?);
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("encode-{index}"))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self {
            pool,
            idle,
            home,
            done,
        })
    }

    /// Gives a frame to the workers; never waits.
    pub(super) fn spawn(&self, frame: Filled) {
        let (idle, home) = (self.idle.clone(), self.home.clone());
        let done = self.done.clone();
        self.pool.spawn(move || {
            // when nobody listens, the pipeline has failed and says so elsewhere
            let _ = done.send(work(frame, &idle, &home));
        });
    }
}

/// Reads what is still to be read while others compute, then computes.
fn work(
    mut frame: Filled,
    idle: &Receiver<Context>,
    home: &Sender<Context>,
) -> Result<Encoded, String> {
    let plain = &mut frame.slot.buffers.plain[..frame.length];
    if frame.later.take().is_some_and(|later| !later.read(plain)) {
        return Err("its content could not be read".into());
    }
    let mut context = idle.recv().map_err(|cause| cause.to_string())?;
    let encoded = encode(&mut context, frame);
    // the receiver is at hand
    let _ = home.send(context);
    encoded
}

/// What a thread computes with.
struct Context {
    frames: FrameEncoder,
    sealer: Option<Sealer>,
}

impl Context {
    fn new(codec: Codec, seal: Option<&PartSeal>) -> std::io::Result<Self> {
        Ok(Self {
            frames: FrameEncoder::new(codec)?,
            sealer: seal.cloned().map(Sealer::new),
        })
    }
}

fn encode(context: &mut Context, mut frame: Filled) -> Result<Encoded, String> {
    let buffers = &mut frame.slot.buffers;
    let plain = &buffers.plain[..frame.length];
    let (hash, mut stored) = context.frames.encode(plain, &mut buffers.stored)?;
    if let Some(sealer) = &mut context.sealer {
        stored = sealer.seal(frame.number, &mut buffers.stored, stored)?;
    }
    let windows = frame.windows.iter().map(|window| {
        let whole = window.fills(frame.length);
        let hash = if whole { hash } else { window.hash(plain) };
        (window.entry, window.index, hash)
    });
    let windows = windows.collect();
    Ok(Encoded {
        number: frame.number,
        plain: frame.length,
        stored,
        hash,
        windows,
        slot: frame.slot,
    })
}
