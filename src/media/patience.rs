//! Owns how long a device that gives no answer is waited for. A system call that never returns
//! cannot be taken back: the thread in it is left behind, the run is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};

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

    /// For one write to a device, and for a whole object of it.
    pub(super) fn limits(self, device: &dyn Device) -> (Duration, Duration) {
        let whole = self.0 * LONGER;
        if device.capabilities().sequential {
            (whole, whole)
        } else {
            (self.0, whole)
        }
    }

    /// For what looks at every object, or waits until others let go of a drive.
    pub(super) fn longest(self) -> Duration {
        self.0 * LONGER * LONGER
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
        let worker = Arc::clone(device);
        Askers::default().ask(device.name(), limit, move || work(worker.as_ref()))
    }

    /// Opens a device. One whose earlier work in this process has not come back is not waited for
    /// again: what it was asked before would have to end first.
    ///
    /// # Errors
    /// [`DeviceError::Hung`]; else the work's own.
    pub fn opening<T, E>(
        self,
        device: &str,
        open: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DeviceError> + Send + 'static,
    {
        if is_stuck(device) {
            return Err(hung(device, self.0).into());
        }
        Askers::default().ask(device, self.0, open)
    }
}

/// By device, the work that was given up; gone when it comes back after all.
static STUCK: Mutex<BTreeMap<String, Weak<()>>> = Mutex::new(BTreeMap::new());

fn is_stuck(device: &str) -> bool {
    let stuck = lock(&STUCK);
    stuck
        .get(device)
        .is_some_and(|work| work.strong_count() > 0)
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that ask devices. One that gets its answer is asked again; one that never comes back
/// is left behind.
#[derive(Default)]
pub(super) struct Askers(Mutex<Vec<Sender<Job>>>);

impl Askers {
    /// Does a piece of work in one of them, and gives up after `limit`.
    pub(super) fn ask<T, E>(
        &self,
        device: &str,
        limit: Duration,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DeviceError> + Send + 'static,
    {
        let asker = self.idle(device)?;
        let (done, answer) = crossbeam_channel::bounded(1);
        let at_work = Arc::new(());
        let stuck = Arc::downgrade(&at_work);
        // a job that is lost, and one that panics, show as a lost answer
        let _ = asker.send(Box::new(move || {
            // nobody listens when the answer comes too late
            let _ = done.send(work());
            drop(at_work);
        }));
        match answer.recv_timeout(limit) {
            Ok(answer) => {
                lock(&self.0).push(asker);
                answer
            }
            Err(RecvTimeoutError::Timeout) => {
                lock(&STUCK).insert(device.to_owned(), stuck);
                Err(hung(device, limit).into())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let cause = std::io::Error::other("its thread ended unexpectedly");
                Err(failed(device, cause).into())
            }
        }
    }

    fn idle(&self, device: &str) -> Result<Sender<Job>, DeviceError> {
        if let Some(idle) = lock(&self.0).pop() {
            return Ok(idle);
        }
        let (asker, jobs) = crossbeam_channel::unbounded::<Job>();
        std::thread::Builder::new()
            .name(format!("ask-{device}"))
            .spawn(move || jobs.into_iter().for_each(|job| job()))
            .map_err(|cause| failed(device, cause))?;
        Ok(asker)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(device: &str, cause: std::io::Error) -> DeviceError {
    DeviceError::Io {
        device: device.to_owned(),
        action: "ask",
        object: "the device".to_owned(),
        cause,
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

    #[test]
    fn a_device_that_hangs_when_it_is_opened_is_asked_again_when_that_ended() {
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let never = move || {
            let _ = gate.recv();
            Ok(())
        };
        let quick = Patience::of(Duration::from_millis(10));
        let error: DeviceError = quick.opening("door", never).expect_err("no answer");
        assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
        // would be waited for for minutes if it were asked
        let again = Patience::default().opening("door", || -> Result<(), DeviceError> {
            panic!("asked while it hangs")
        });
        assert!(matches!(again, Err(DeviceError::Hung { .. })));
        drop(release);
        while is_stuck("door") {
            std::thread::yield_now();
        }
        let now: Result<_, DeviceError> = Patience::default().opening("door", || Ok("open"));
        assert_eq!(now.expect("an answer"), "open");
    }
}
