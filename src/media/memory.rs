//! Owns the in-memory device: the contract without a disk, for tests and dry runs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Device, DeviceError, ObjectWriter, Put, name};

type Objects = BTreeMap<String, Vec<u8>>;

/// A device that forgets everything when it is dropped.
#[derive(Debug, Clone)]
pub struct MemoryDevice {
    name: String,
    objects: Arc<Mutex<Objects>>,
}

impl MemoryDevice {
    /// An empty device.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            objects: Arc::default(),
        }
    }

    /// Replaces the bytes of an object behind the device's back, as bad media do.
    pub fn damage(&self, object: &str, bytes: Vec<u8>) {
        self.objects().insert(object.to_owned(), bytes);
    }

    /// Loses an object.
    pub fn lose(&self, object: &str) {
        self.objects().remove(object);
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, object: &str, bytes: Vec<u8>) -> Result<Put, DeviceError> {
        if !name::is_valid(object) {
            return Err(DeviceError::Io {
                device: self.name.clone(),
                action: "name",
                object: object.to_owned(),
                cause: io::Error::new(io::ErrorKind::InvalidInput, "the name is not allowed"),
            });
        }
        let mut objects = self.objects();
        match objects.get(object) {
            None => {
                objects.insert(object.to_owned(), bytes);
                Ok(Put::Created)
            }
            Some(there) if *there == bytes => Ok(Put::Same),
            Some(_) => Err(DeviceError::Different {
                device: self.name.clone(),
                object: object.to_owned(),
            }),
        }
    }

    fn read<T>(
        &self,
        object: &str,
        take: impl FnOnce(&Vec<u8>) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        match self.objects().get(object) {
            Some(bytes) => take(bytes),
            None => Err(DeviceError::NotFound {
                device: self.name.clone(),
                object: object.to_owned(),
            }),
        }
    }
}

struct MemoryObject {
    device: MemoryDevice,
    bytes: Vec<u8>,
}

impl Write for MemoryObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for MemoryObject {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        self.device.put(name, self.bytes.clone())
    }
}

impl Device for MemoryDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> Result<String, DeviceError> {
        Ok(format!("memory-{}", self.name))
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        Ok(Box::new(MemoryObject {
            device: self.clone(),
            bytes: Vec::new(),
        }))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        self.put(name, bytes.to_vec())
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.read(name, |bytes| {
            let size = bytes.len() as u64;
            let range = range.unwrap_or(0..size);
            let bounds = usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok());
            let piece = bounds.and_then(|(begin, end)| bytes.get(begin..end));
            piece
                .map(<[u8]>::to_vec)
                .ok_or_else(|| DeviceError::Damaged {
                    device: self.name.clone(),
                    object: name.to_owned(),
                    detail: format!("it has {size} bytes, but is read up to {}", range.end),
                })
        })
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.read(name, |bytes| Ok(bytes.len() as u64))
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        Ok(self.objects().remove(name).is_some())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        let objects = self.objects();
        let all = objects.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(all
            .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
            .collect())
    }
}
