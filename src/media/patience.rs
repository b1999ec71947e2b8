//! Owns how long a device that gives no answer is waited for. A system call that never returns
//! cannot be taken back: the thread in it is left behind, the run is not.

use std::sync::Arc;
use std::time::Duration;

use super::{Device, DeviceError};

/// How much longer a whole object, or a device that loads volumes, may take.
const LONGER: u32 = 5;

/// How long one write may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_mins(2))
    }
}

impl Patience {
    /// So long for one write of up to a few MiB, a few times as long for a whole object.
    #[must_use]
    pub fn of(write: Duration) -> Self {
        Self(write)
    }

    /// For one write to a device, and for making a whole object durable on it.
    pub(super) fn limits(self, device: &dyn Device) -> (Duration, Duration) {
        let whole = self.0 * LONGER;
        if device.capabilities().sequential {
            (whole, whole)
        } else {
            (self.0, whole)
        }
    }

    /// Does a piece of work on a device in a thread of its own, and gives up when no answer comes.
    ///
    /// # Errors
    /// [`DeviceError::Hung`]; else the work's own.
    pub fn within<T: Send + 'static>(
        self,
        device: &Arc<dyn Device>,
        work: impl FnOnce(&dyn Device) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let (_, limit) = self.limits(device.as_ref());
        let (done, answer) = crossbeam_channel::bounded(1);
        let worker = Arc::clone(device);
        let name = device.name().to_owned();
        let started = std::thread::Builder::new()
            .name(format!("ask-{name}"))
            .spawn(move || {
                // nobody listens when the answer comes too late
                let _ = done.send(work(worker.as_ref()));
            });
        let failed = |cause| DeviceError::Io {
            device: name.clone(),
            action: "write to",
            object: "the device".to_owned(),
            cause,
        };
        started.map_err(failed)?;
        match answer.recv_timeout(limit) {
            Ok(answer) => answer,
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Err(hung(&name, limit)),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                let cause = std::io::Error::other("its thread ended unexpectedly");
                Err(failed(cause))
            }
        }
    }
}

/// The device gave no answer for so long.
pub(super) fn hung(device: &str, waited: Duration) -> DeviceError {
    DeviceError::Hung {
        device: device.to_owned(),
        seconds: waited.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::memory::MemoryDevice;

    #[test]
    fn work_that_never_ends_is_given_up_and_other_work_answers() {
        let device: Arc<dyn Device> = Arc::new(MemoryDevice::new("one"));
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let never = Patience::of(Duration::from_millis(10)).within(&device, move |_| {
            let _ = gate.recv();
            Ok(())
        });
        let error = never.expect_err("no answer");
        assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
        drop(release);
        let answer = Patience::default().within(&device, |device| Ok(device.name().to_owned()));
        assert_eq!(answer.expect("an answer"), "one");
        let broken: Result<(), _> = Patience::default().within(&device, |_| panic!("a fault"));
        assert!(matches!(broken, Err(DeviceError::Io { .. })));
    }
}
