//! Owns the devices that still write what they were given when the part is whole on another one.
//! Nobody else waits for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::queue::Pulse;
use crate::media::DeviceError;

/// How often a waiting thread looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lanes that got everything and have not ended yet. Dropping them abandons their packs.
#[derive(Default)]
pub(super) struct Trailing {
    lanes: Vec<Lane>,
    pulse: Arc<Pulse>,
}

/// How lanes ended.
#[derive(Default)]
pub(super) struct Ends {
    /// Devices that hold all packs.
    pub(super) devices: Vec<String>,
    /// Devices that failed.
    pub(super) lost: Vec<(String, DeviceError)>,
    /// Devices that lack packs because they were too slow.
    pub(super) behind: Vec<String>,
}

impl Trailing {
    pub(super) fn new(lanes: Vec<Lane>, pulse: Arc<Pulse>) -> Self {
        Self { lanes, pulse }
    }

    /// Takes the lanes that have ended; those that fell behind are not waited for.
    pub(super) fn sort(&mut self, ends: &mut Ends) {
        for lane in std::mem::take(&mut self.lanes) {
            match lane.queue().take_end() {
                Some(Err(error)) => ends.lost.push((lane.device, error)),
                Some(Ok(())) if lane.complete => ends.devices.push(lane.device),
                None if lane.complete => match lane.give_up() {
                    Some(hung) => ends.lost.push((lane.device, hung)),
                    None => self.lanes.push(lane),
                },
                Some(Ok(())) | None => ends.behind.push(lane.device),
            }
        }
    }

    /// Waits until a first lane has ended well, or none is left. `wanted` is asked now and then.
    pub(super) fn first(&mut self, ends: &mut Ends, wanted: &dyn Fn() -> bool) {
        loop {
            let seen = self.pulse.count();
            self.sort(ends);
            if !ends.devices.is_empty() || self.lanes.is_empty() || !wanted() {
                return;
            }
            self.pulse.wait(seen, PATIENCE);
        }
    }

    /// Waits for all of them; one that gives no answer is given up.
    pub(super) fn settle(&mut self, ends: &mut Ends, wanted: &dyn Fn() -> bool) {
        loop {
            let seen = self.pulse.count();
            self.sort(ends);
            if self.lanes.is_empty() || !wanted() {
                return;
            }
            self.pulse.wait(seen, PATIENCE);
        }
    }
}

impl Drop for Trailing {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.queue().abandon();
            lane.queue().close();
        }
    }
}

impl fmt::Debug for Trailing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let devices = self.lanes.iter().map(|lane| &lane.device);
        out.debug_list().entries(devices).finish()
    }
}
