//! Owns the device with keys: passes every call on, and knows what opens sealed objects.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::keys::Keyring;
use super::sealed::Unproven;
use super::volumes::VolumeDevice;
use super::{Capabilities, Device, DeviceError, Listing, ObjectWriter, Put, Space, Speed};

/// A device in the hands of a host that holds keys.
pub struct KeyedDevice {
    inner: Arc<dyn Device>,
    keys: Arc<Keyring>,
}

impl KeyedDevice {
    /// Gives a device its keys.
    #[must_use]
    pub fn new(inner: Arc<dyn Device>, keys: Arc<Keyring>) -> Self {
        Self { inner, keys }
    }
}

impl Device for KeyedDevice {
    fn volume_set(&self) -> Option<&VolumeDevice> {
        self.inner.volume_set()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.inner.identity()
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        self.inner.create()
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.inner.put_if_absent(name, bytes)
    }

    fn put_unproven(&self, name: &str, object: &Arc<Unproven>) -> Result<Put, DeviceError> {
        self.inner.put_unproven(name, object)
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.inner.get(name, range)
    }

    fn get_short(&self, name: &str, most: u64) -> Result<Vec<u8>, DeviceError> {
        self.inner.get_short(name, most)
    }

    fn soon(&self, names: &[String]) {
        self.inner.soon(names);
    }

    fn make_room(&self) -> Result<bool, DeviceError> {
        self.inner.make_room()
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.inner.size(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        self.inner.list(prefix)
    }

    fn listing(&self, prefix: &str) -> Result<Box<dyn Listing>, DeviceError> {
        self.inner.listing(prefix)
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.inner.delete(name)
    }

    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.inner.written_at(name)
    }

    fn locked_until(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.inner.locked_until(name)
    }

    fn space(&self) -> Result<Option<Space>, DeviceError> {
        self.inner.space()
    }

    fn speed(&self, bytes: u64) -> Result<Option<Speed>, DeviceError> {
        self.inner.speed(bytes)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn keys(&self) -> &Keyring {
        &self.keys
    }
}
