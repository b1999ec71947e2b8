//! Owns which devices a run has given up: those that were away when it began and those that died
//! on the way. No step of the run waits for them again; the next run asks them anew.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::sessions::lock;
use crate::media::{Device, DeviceError};

/// Devices that the run goes on without, each with the cause.
#[derive(Debug, Default)]
pub struct Dropped(Mutex<BTreeMap<String, String>>);

impl Dropped {
    /// Gives a device up; true when it was not given up before.
    pub fn add(&self, device: &str, cause: impl Into<String>) -> bool {
        let mut all = lock(&self.0);
        all.insert(device.to_owned(), cause.into()).is_none()
    }

    /// Why the run goes on without a device; none while it counts on it.
    #[must_use]
    pub fn cause(&self, device: &str) -> Option<String> {
        lock(&self.0).get(device).cloned()
    }

    /// Gives a device up when an error says that it is dead, and not one of its objects. True when
    /// that is new.
    pub fn judge(&self, device: &dyn Device, error: &DeviceError) -> bool {
        is_dead(device, error) && self.add(device.name(), error.to_string())
    }
}

/// A device that fails and then does not even tell who it is any more is dead; one that answers
/// may only have failed at an object.
fn is_dead(device: &dyn Device, error: &DeviceError) -> bool {
    match error {
        DeviceError::Missing { .. }
        | DeviceError::Foreign { .. }
        | DeviceError::Full { .. }
        | DeviceError::ReadOnly { .. }
        | DeviceError::Denied { .. }
        | DeviceError::Skewed { .. }
        | DeviceError::Hung { .. } => true,
        DeviceError::Io { .. } => device.identity().is_err(),
        DeviceError::NotFound { .. }
        | DeviceError::Different { .. }
        | DeviceError::Damaged { .. }
        | DeviceError::Locked { .. }
        | DeviceError::Away { .. }
        | DeviceError::Sealed { .. }
        | DeviceError::Cancelled => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::fault::{Fault, FaultDevice};
    use crate::media::memory::MemoryDevice;

    fn broken() -> DeviceError {
        DeviceError::Io {
            device: "one".to_owned(),
            action: "write",
            object: "a pack".to_owned(),
            cause: std::io::Error::other("gone"),
        }
    }

    #[test]
    fn only_a_device_that_does_not_answer_any_more_is_given_up() {
        let dropped = Dropped::default();
        let inner = Arc::new(MemoryDevice::new("one"));
        let alive = FaultDevice::new(inner.clone(), Fault::None);
        assert!(!dropped.judge(&alive, &broken()));
        assert_eq!(dropped.cause("one"), None);
        let dead = FaultDevice::new(inner, Fault::From(1));
        assert!(dropped.judge(&dead, &broken()), "it is new");
        assert!(!dropped.judge(&dead, &broken()), "it is known");
        assert!(dropped.cause("one").is_some());
    }
}
