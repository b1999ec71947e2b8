//! Owns how long a device that gives no answer is waited for. A system call that never returns
//! cannot be taken back: the thread in it is left behind, the run is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

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

    /// Opens a device; as long as it says that it goes on, it is waited for. One whose earlier work in this process has not come back is not waited for
    /// again: what it was asked before would have to end first.
    ///
    /// # Errors
    /// [`DeviceError::Hung`]; else the work's own.
    pub fn opening<T, E>(
        self,
        device: &str,
        open: impl FnOnce(&Heartbeat) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DeviceError> + Send + 'static,
    {
        if is_stuck(device) {
            return Err(hung(device, self.0).into());
        }
        let (heartbeat, beats) = crossbeam_channel::bounded(1);
        let open = move || open(&Heartbeat(heartbeat));
        Askers::default().ask_beating(device, (self.0, self.0 * LONGER), &beats, open)
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

/// Says that work goes on, to whoever waits for its end: what is told piece by piece is that of
/// volumes, of which each may take longer.
#[derive(Debug, Clone)]
pub struct Heartbeat(Sender<()>);

impl Heartbeat {
    /// Something was done: from now on it is waited for anew.
    pub fn beat(&self) {
        // one that was not heard yet says it, and nobody listens when all is done
        let _ = self.0.try_send(());
    }
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
        self.ask_beating(device, (limit, limit), &crossbeam_channel::never(), work)
    }

    /// As [`Askers::ask`], with a limit for the first beat or the answer and one for each later.
    fn ask_beating<T, E>(
        &self,
        device: &str,
        limits: (Duration, Duration),
        beats: &Receiver<()>,
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
        match heard(&answer, beats, limits) {
            Ok(answer) => {
                lock(&self.0).push(asker);
                answer
            }
            Err(RecvTimeoutError::Timeout) => {
                lock(&STUCK).insert(device.to_owned(), stuck);
                Err(hung(device, limits.0).into())
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

/// Waits for an answer: so long, and so long after each beat.
fn heard<T>(
    answer: &Receiver<T>,
    beats: &Receiver<()>,
    (mut limit, after_beat): (Duration, Duration),
) -> Result<T, RecvTimeoutError> {
    let never = crossbeam_channel::never();
    let mut beats = beats;
    loop {
        crossbeam_channel::select! {
            recv(answer) -> answer => return Ok(answer?),
            recv(beats) -> beat => match beat {
                Ok(()) => limit = after_beat,
                // whoever beats may end before the answer is there
                Err(_) => beats = &never,
            },
            default(limit) => return Err(RecvTimeoutError::Timeout),
        }
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

    #[test]
    fn work_that_never_ends_is_given_up_and_other_work_answers() {
        let askers = Askers::default();
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let never = move || -> Result<(), DeviceError> {
            let _ = gate.recv();
            Ok(())
        };
        let error = askers.ask("one", Duration::from_millis(10), never);
        let error = error.expect_err("no answer");
        assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
        drop(release);
        let minutes = Duration::from_mins(2);
        let answer: Result<_, DeviceError> = askers.ask("one", minutes, || Ok(1));
        assert_eq!(answer.expect("an answer"), 1);
        let broken = askers.ask("one", minutes, || -> Result<(), DeviceError> {
            panic!("a fault")
        });
        assert!(matches!(broken, Err(DeviceError::Io { .. })));
    }

    #[test]
    fn a_device_that_hangs_when_it_is_opened_is_asked_again_when_that_ended() {
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let never = move |_: &Heartbeat| {
            let _ = gate.recv();
            Ok(())
        };
        let quick = Patience::of(Duration::from_millis(10));
        let error: DeviceError = quick.opening("door", never).expect_err("no answer");
        assert!(matches!(error, DeviceError::Hung { .. }), "{error}");
        // would be waited for for minutes if it were asked
        let again = Patience::default().opening("door", |_| -> Result<(), DeviceError> {
            panic!("asked while it hangs")
        });
        assert!(matches!(again, Err(DeviceError::Hung { .. })));
        drop(release);
        while is_stuck("door") {
            std::thread::yield_now();
        }
        let now: Result<_, DeviceError> = Patience::default().opening("door", |_| Ok("open"));
        assert_eq!(now.expect("an answer"), "open");
    }

    #[test]
    fn every_beat_is_waited_for_anew() {
        let (done, answer) = crossbeam_channel::bounded::<u8>(1);
        let (beat, beats) = crossbeam_channel::unbounded();
        for _ in 0..3 {
            beat.send(()).expect("heard");
        }
        let none = (Duration::ZERO, Duration::ZERO);
        assert_eq!(heard(&answer, &beats, none), Err(RecvTimeoutError::Timeout));
        assert!(beats.is_empty(), "it ended before a beat");
        let minutes = (Duration::from_mins(2), Duration::from_mins(2));
        beat.send(()).expect("heard");
        done.send(1).expect("heard");
        assert_eq!(heard(&answer, &beats, minutes), Ok(1));
        drop(beat);
        done.send(2).expect("heard");
        assert_eq!(heard(&answer, &beats, minutes), Ok(2));
    }
}
