//! Owns the buffers of frames in flight. Their number is the bound on memory: a slot goes back
//! when the last device has written it.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::time::Duration;

use crate::engine::large::Aligned;
use crate::media::frame::STORED;

/// Buffers of one frame.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Plaintext, where a device can write it; as long as the largest frame once it was used.
    pub(super) plain: Aligned,
    /// The stored frame and what the codec needs beyond it.
    pub(super) stored: Vec<u8>,
}

/// Memory that one slot takes at most: plaintext, and the codec's bound of the stored frame.
pub(super) const SLOT: usize = 2 * STORED + (64 << 10);

/// Hands out slots and takes them back.
pub(super) struct Slots {
    free: Receiver<Buffers>,
    home: Sender<Buffers>,
    count: usize,
}

impl Slots {
    /// As many slots as fit into `memory`, but at least `least`; memory is taken when used.
    pub(super) fn new(memory: usize, least: usize) -> Self {
        let (home, free) = unbounded();
        let count = (memory / SLOT).max(least);
        for _ in 0..count {
            // the receiver lives in this value
            let _ = home.send(Buffers::default());
        }
        Self { free, home, count }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The next free slot; none when it takes longer than `wait`.
    pub(super) fn take(&self, wait: Duration) -> Option<Slot> {
        match self.free.recv_timeout(wait) {
            Ok(buffers) => Some(Slot {
                buffers,
                home: self.home.clone(),
            }),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }
}

/// A slot in use; dropping it gives it back.
pub(super) struct Slot {
    pub(super) buffers: Buffers,
    home: Sender<Buffers>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // nobody waits for it any more when the pipeline has ended
        let _ = self.home.send(std::mem::take(&mut self.buffers));
    }
}
