//! Owns the thread that writes packs to one device. A device that fails ends only its own lane,
//! and one that is slow falls behind alone.

use std::sync::Arc;
use std::time::Duration;

use super::object;
use super::queue::{Next, Order, Pulse, Queue};
use crate::media::patience::{self, Patience};
use crate::media::{Device, DeviceError, ObjectWriter, Put};

/// One device that is being written.
pub(super) struct Lane {
    /// The device.
    pub(super) device: String,
    /// Whether it gets the orders of the pack that is open.
    pub(super) live: bool,
    /// Whether it got the orders of every pack so far.
    pub(super) complete: bool,
    queue: Arc<Queue>,
    limits: (Duration, Duration),
}

impl Lane {
    /// Starts the thread, which begins the first pack at once: a device that cannot be written is
    /// known before anything is read.
    pub(super) fn start(
        device: &Arc<dyn Device>,
        pulse: &Arc<Pulse>,
        patience: Patience,
    ) -> Result<Self, DeviceError> {
        let queue = Arc::new(Queue::new(Arc::clone(pulse)));
        let (worker, inbox) = (Arc::clone(device), Arc::clone(&queue));
        let name = device.name().to_owned();
        std::thread::Builder::new()
            .name(format!("write-{name}"))
            .spawn(move || {
                let ending = Ending(worker.name().to_owned(), &inbox);
                inbox.end(write(worker.as_ref(), &inbox));
                drop(ending);
            })
            .map_err(|cause| failed(&name, cause))?;
        Ok(Self {
            device: name,
            live: true,
            complete: true,
            queue,
            limits: patience.limits(device.as_ref()),
        })
    }

    /// Whether the device gives no answer.
    pub(super) fn hangs(&self) -> Option<DeviceError> {
        let waited = self.queue.hangs(self.limits)?;
        Some(patience::hung(&self.device, waited))
    }

    /// Gives the device up when it gives no answer. Its thread is left behind; what it still does
    /// when it wakes is nothing, or an object that nobody names.
    pub(super) fn give_up(&self) -> Option<DeviceError> {
        let hung = self.hangs()?;
        self.queue.abandon();
        self.queue.close();
        Some(hung)
    }

    /// The orders that wait.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The device is too slow for the pack that is open: it goes without it, and its memory is
    /// free for the others.
    pub(super) fn fall_behind(&mut self) {
        (self.live, self.complete) = (false, false);
        self.queue.abandon();
    }

    /// A lane that fell behind takes part again from the next pack on, once it is idle.
    pub(super) fn rejoin(&mut self) {
        self.live |= self.queue.is_idle();
    }
}

/// Ends the lane also when its thread panics.
struct Ending<'a>(String, &'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let cause = std::io::Error::other("its thread ended unexpectedly");
        self.1.end(Err(failed(&self.0, cause)));
    }
}

fn failed(device: &str, cause: std::io::Error) -> DeviceError {
    DeviceError::Io {
        device: device.to_owned(),
        action: "write to",
        object: "the device".to_owned(),
        cause,
    }
}

fn write(device: &dyn Device, queue: &Queue) -> Result<(), DeviceError> {
    let mut writer = Some(device.create()?);
    queue.begin();
    loop {
        let order = match queue.next() {
            Next::Do(order) => order,
            Next::Abandon => {
                writer = None;
                continue;
            }
            Next::End => return Ok(()),
        };
        let mut open = match writer.take() {
            Some(open) => open,
            None => device.create()?,
        };
        match order {
            Order::Frame(slot, length) => {
                append(device, &mut open, &slot.buffers.stored[..length])?;
            }
            Order::Bytes(bytes) => append(device, &mut open, &bytes)?,
            Order::Publish(name) => {
                let (Put::Created | Put::Same) = object::publish(open.as_mut(), &name)?;
                continue;
            }
        }
        writer = Some(open);
    }
}

fn append(
    device: &dyn Device,
    writer: &mut Box<dyn ObjectWriter>,
    bytes: &[u8],
) -> Result<(), DeviceError> {
    writer
        .write_all(bytes)
        .map_err(|cause| write_error(device.name(), cause))
}

/// The device's error of a failed write.
pub(super) fn write_error(device: &str, cause: std::io::Error) -> DeviceError {
    use std::io::ErrorKind;
    let device = device.to_owned();
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            DeviceError::Full { device, cause }
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            DeviceError::ReadOnly { device, cause }
        }
        _ => failed(&device, cause),
    }
}
