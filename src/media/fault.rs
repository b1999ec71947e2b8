//! Owns the faulty device: passes every call to another device, and fails where it is told to.
//! For tests of what happens when devices fail; never used by a run.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::keys::Keyring;
use super::{Capabilities, Device, DeviceError, ObjectWriter, Put, Space};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The call with this number fails, counted from 1; calls after it work again.
    Call(u64),
    /// The call with this number and all later ones fail.
    From(u64),
    /// The device is full after so many bytes, which also name its file system.
    Full(u64),
    /// One bit of the object whose name begins like this is read wrong.
    Flip {
        /// Beginning of the name.
        object: String,
        /// Which bit, counted from the object's begin.
        bit: u64,
    },
    /// Objects whose name begins like this are locked until then.
    Locked {
        /// Beginning of the name.
        object: String,
        /// When the lock ends.
        until: Timestamp,
    },
    /// Every call takes this long.
    Slow(Duration),
}

/// A device with a fault.
pub struct FaultDevice {
    inner: Arc<dyn Device>,
    state: Arc<State>,
}

struct State {
    name: String,
    fault: Fault,
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl FaultDevice {
    /// Wraps a device.
    #[must_use]
    pub fn new(inner: Arc<dyn Device>, fault: Fault) -> Self {
        let state = State {
            name: inner.name().to_owned(),
            fault,
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        Self {
            inner,
            state: Arc::new(state),
        }
    }

    /// How many calls came so far; writes count one each.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.calls.load(Ordering::SeqCst)
    }
}

impl State {
    /// Counts a call; whether it fails.
    fn fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if let Fault::Slow(time) = self.fault {
            std::thread::sleep(time);
        }
        match self.fault {
            Fault::Call(number) => call == number,
            Fault::From(number) => call >= number,
            _ => false,
        }
    }

    fn call(&self, action: &'static str, object: &str) -> Result<(), DeviceError> {
        if !self.fails() {
            return Ok(());
        }
        Err(DeviceError::Io {
            device: self.name.clone(),
            action,
            object: object.to_owned(),
            cause: io::Error::other("a planned fault"),
        })
    }

    /// Until when an object is locked.
    fn lock_of(&self, name: &str) -> Option<Timestamp> {
        match &self.fault {
            Fault::Locked { object, until } if name.starts_with(object.as_str()) => Some(*until),
            _ => None,
        }
    }

    /// Counts bytes; whether they still fit.
    fn takes(&self, length: usize) -> bool {
        let before = self.bytes.fetch_add(length as u64, Ordering::SeqCst);
        !matches!(self.fault, Fault::Full(most) if before + length as u64 > most)
    }

    fn flip(&self, object: &str, begin: u64, bytes: &mut [u8]) {
        let Fault::Flip {
            object: prefix,
            bit,
        } = &self.fault
        else {
            return;
        };
        if !object.starts_with(prefix.as_str()) {
            return;
        }
        let place = (bit / 8)
            .checked_sub(begin)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = place.and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

struct FaultObject {
    inner: Box<dyn ObjectWriter>,
    state: Arc<State>,
}

impl Write for FaultObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state.fails() {
            return Err(io::Error::other("a planned fault"));
        }
        if !self.state.takes(bytes.len()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ObjectWriter for FaultObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.state.call("publish", name)?;
        self.inner.publish(name)
    }
}

impl Device for FaultDevice {
    fn name(&self) -> &str {
        &self.state.name
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.state.call("read", "the identity")?;
        self.inner.identity()
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.state.call("create", "an object")?;
        Ok(Box::new(FaultObject {
            inner: self.inner.create()?,
            state: Arc::clone(&self.state),
        }))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.state.call("write", name)?;
        if !self.state.takes(bytes.len()) {
            return Err(DeviceError::Full {
                device: self.state.name.clone(),
                cause: io::ErrorKind::StorageFull.into(),
            });
        }
        self.inner.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.state.call("read", name)?;
        let begin = range.as_ref().map_or(0, |range| range.start);
        let mut bytes = self.inner.get(name, range)?;
        self.state.flip(name, begin, &mut bytes);
        Ok(bytes)
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.state.call("read", name)?;
        self.inner.size(name)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.state.call("delete", name)?;
        if let Some(until) = self.state.lock_of(name) {
            return Err(DeviceError::Locked {
                device: self.state.name.clone(),
                object: name.to_owned(),
                detail: format!("locked until {until}"),
            });
        }
        self.inner.delete(name)
    }

    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.state.call("read", name)?;
        self.inner.written_at(name)
    }

    fn locked_until(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.state.call("read", name)?;
        match self.state.lock_of(name) {
            None => self.inner.locked_until(name),
            locked => Ok(locked),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.state.call("list", prefix)?;
        self.inner.list(prefix)
    }

    fn space(&self) -> Result<Option<Space>, DeviceError> {
        let Fault::Full(most) = self.state.fault else {
            return self.inner.space();
        };
        let written = self.state.bytes.load(Ordering::SeqCst);
        Ok(Some(Space {
            free: most.saturating_sub(written),
            place: most,
        }))
    }

    fn make_room(&self) -> Result<bool, DeviceError> {
        self.inner.make_room()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn keys(&self) -> &Keyring {
        self.inner.keys()
    }
}
