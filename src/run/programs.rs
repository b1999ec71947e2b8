//! Owns the programs that run now, so that a wish to stop reaches them and what they started.

use std::collections::BTreeSet;
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process_group};

use super::sessions::lock;

/// Process groups of running programs.
#[derive(Debug, Default)]
pub struct Programs {
    running: Mutex<BTreeSet<i32>>,
}

impl Programs {
    /// A program began; its group has its own id.
    pub fn began(&self, group: Pid) {
        lock(&self.running).insert(group.as_raw_nonzero().get());
    }

    /// A program ended but is not yet reaped, so that its id still is its own.
    pub fn ended(&self, group: Pid) {
        lock(&self.running).remove(&group.as_raw_nonzero().get());
    }

    /// Asks all to stop.
    pub fn stop_all(&self) {
        let running = lock(&self.running);
        for group in running.iter().filter_map(|raw| Pid::from_raw(*raw)) {
            stop(group);
        }
    }
}

/// Asks one group to stop; a group that is gone needs no signal.
pub(super) fn stop(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
}
