//! Owns the device that is waited for with patience: passes every call on in a thread of its own,
//! and once no answer came, refuses what is asked next. Must not know what is stored.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::keys::Keyring;
use super::patience::{Askers, Patience, hung};
use super::sealed::Unproven;
use super::volumes::VolumeDevice;
use super::{Capabilities, Device, DeviceError, Listing, ObjectWriter, Put, Space, Speed};

/// A device of which every answer is waited for so long and no longer. Its writers pass bytes
/// straight on, since lanes watch their own writes; [`watched`] waits for them too.
pub struct PatientDevice {
    desk: Arc<Desk>,
    watches_writers: bool,
}

struct Desk {
    inner: Arc<dyn Device>,
    patience: Patience,
    askers: Askers,
    hung: OnceLock<Duration>,
}

impl Desk {
    fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let name = self.inner.name();
        if let Some(waited) = self.hung.get() {
            return Err(hung(name, *waited));
        }
        let answer = self.askers.ask(name, limit, work);
        if matches!(answer, Err(DeviceError::Hung { .. })) {
            let _ = self.hung.set(limit);
        }
        answer
    }
}

impl PatientDevice {
    /// Waits so long for a device.
    #[must_use]
    pub fn new(inner: Arc<dyn Device>, patience: Patience) -> Self {
        let desk = Desk {
            inner,
            patience,
            askers: Askers::default(),
            hung: OnceLock::new(),
        };
        Self {
            desk: Arc::new(desk),
            watches_writers: false,
        }
    }

    /// The error that counts: what follows when a device gave no answer tells nothing more.
    fn judged(&self, error: DeviceError) -> DeviceError {
        match self.desk.hung.get() {
            Some(waited) if error.device() == Some(self.name()) => hung(self.name(), *waited),
            _ => error,
        }
    }

    /// A whole object, or as long as it takes until a drive is free.
    fn limit(&self) -> Duration {
        let (_, object) = self.desk.patience.limits(self.desk.inner.as_ref());
        if self.capabilities().sequential {
            return self.desk.patience.longest();
        }
        object
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Device) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.ask_for(self.limit(), work)
    }

    fn ask_for<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&dyn Device) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let inner = Arc::clone(&self.desk.inner);
        self.desk.ask(limit, move || work(inner.as_ref()))
    }

    fn lend<T: ?Sized>(&self, limit: Duration, inner: Box<T>) -> Lent<T> {
        Lent {
            desk: Arc::clone(&self.desk),
            limit,
            inner: Some(inner),
        }
    }

    fn ask_about<T: Send + 'static>(
        &self,
        object: &str,
        work: impl FnOnce(&dyn Device, &str) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let object = object.to_owned();
        self.ask(move |inner| work(inner, &object))
    }
}

/// Works on a device whose writers are waited for too, where it is one that is waited for.
///
/// # Errors
/// The work's own; [`DeviceError::Hung`] whatever came of it once the device gave no answer.
pub fn watched<T>(
    device: &dyn Device,
    work: impl FnOnce(&dyn Device) -> Result<T, DeviceError>,
) -> Result<T, DeviceError> {
    let Some(patient) = device.patient() else {
        return work(device);
    };
    let watching = PatientDevice {
        desk: Arc::clone(&patient.desk),
        watches_writers: true,
    };
    work(&watching).map_err(|error| patient.judged(error))
}

/// Does many calls in a row as one that is waited for.
///
/// # Errors
/// [`DeviceError::Hung`].
pub fn at_once<T: Send + 'static>(
    device: &dyn Device,
    work: impl FnOnce(&dyn Device) -> T + Send + 'static,
) -> Result<T, DeviceError> {
    match device.patient() {
        Some(patient) => {
            let limit = patient.desk.patience.longest();
            patient.ask_for(limit, |inner| Ok(work(inner)))
        }
        None => Ok(work(device)),
    }
}

impl Device for PatientDevice {
    fn patient(&self) -> Option<&PatientDevice> {
        Some(self)
    }

    fn volume_set(&self) -> Option<&VolumeDevice> {
        self.desk.inner.volume_set()
    }

    fn name(&self) -> &str {
        self.desk.inner.name()
    }

    fn identity(&self) -> Result<String, DeviceError> {
        self.ask(|inner| inner.identity())
    }

    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError> {
        let inner = self.ask(|inner| inner.create())?;
        if !self.watches_writers {
            return Ok(inner);
        }
        Ok(Box::new(self.lend(self.limit(), inner)))
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError> {
        let bytes = bytes.to_vec();
        self.ask_about(name, move |inner, name| inner.put_if_absent(name, &bytes))
    }

    fn put_unproven(&self, name: &str, object: &Arc<Unproven>) -> Result<Put, DeviceError> {
        let object = Arc::clone(object);
        self.ask_about(name, move |inner, name| inner.put_unproven(name, &object))
    }

    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError> {
        self.ask_about(name, |inner, name| inner.get(name, range))
    }

    fn get_short(&self, name: &str, most: u64) -> Result<Vec<u8>, DeviceError> {
        self.ask_about(name, move |inner, name| inner.get_short(name, most))
    }

    fn make_room(&self) -> Result<bool, DeviceError> {
        self.ask(|inner| inner.make_room())
    }

    fn size(&self, name: &str) -> Result<u64, DeviceError> {
        self.ask_about(name, |inner, name| inner.size(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError> {
        let prefix = prefix.to_owned();
        let limit = self.desk.patience.longest();
        self.ask_for(limit, move |inner| inner.list(&prefix))
    }

    fn listing(&self, prefix: &str) -> Result<Box<dyn Listing>, DeviceError> {
        let prefix = prefix.to_owned();
        let limit = self.desk.patience.longest();
        let inner = self.ask_for(limit, move |inner| inner.listing(&prefix))?;
        Ok(Box::new(self.lend(limit, inner)))
    }

    fn delete(&self, name: &str) -> Result<bool, DeviceError> {
        self.ask_about(name, |inner, name| inner.delete(name))
    }

    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.ask_about(name, |inner, name| inner.written_at(name))
    }

    fn locked_until(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.ask_about(name, |inner, name| inner.locked_until(name))
    }

    fn space(&self) -> Result<Option<Space>, DeviceError> {
        self.ask(|inner| inner.space())
    }

    fn speed(&self, bytes: u64) -> Result<Option<Speed>, DeviceError> {
        self.ask(move |inner| inner.speed(bytes))
    }

    fn capabilities(&self) -> Capabilities {
        self.desk.inner.capabilities()
    }

    fn keys(&self) -> &Keyring {
        self.desk.inner.keys()
    }
}

/// A writer or listing whose every answer is waited for; it is gone when none comes.
struct Lent<T: ?Sized> {
    desk: Arc<Desk>,
    limit: Duration,
    inner: Option<Box<T>>,
}

impl<T: ?Sized + Send + 'static> Lent<T> {
    fn ask<A: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut T) -> Result<A, DeviceError> + Send + 'static,
    ) -> Result<A, DeviceError> {
        let Some(mut inner) = self.inner.take() else {
            return Err(hung(self.desk.inner.name(), self.limit));
        };
        let (inner, answer) = self.desk.ask(self.limit, move || {
            let answer = work(inner.as_mut());
            Ok((inner, answer))
        })?;
        self.inner = Some(inner);
        answer
    }

    /// As [`Lent::ask`], with the answer of the system itself.
    fn ask_io<A: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut T) -> io::Result<A> + Send + 'static,
    ) -> io::Result<A> {
        let answer = self.ask(|inner| Ok(work(inner)));
        answer.map_err(|error| io::Error::new(io::ErrorKind::TimedOut, error))?
    }
}

impl Write for Lent<dyn ObjectWriter> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.to_vec();
        self.ask_io(move |inner| inner.write(&bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ask_io(Write::flush)
    }
}

impl ObjectWriter for Lent<dyn ObjectWriter> {
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError> {
        let name = name.to_owned();
        self.ask(move |inner| inner.publish(&name))
    }
}

impl Listing for Lent<dyn Listing> {
    fn next(&mut self) -> Result<Option<Vec<String>>, DeviceError> {
        self.ask(Listing::next)
    }
}
