//! Owns the thread that writes packs to one device. A device that fails ends only its own lane.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::object;
use super::slot::Slot;
use crate::media::{Device, DeviceError, ObjectWriter, Put};

/// What a lane is told, in order.
#[derive(Clone)]
pub(super) enum Order {
    /// Append a stored frame: the first bytes of the slot.
    Frame(Arc<Slot>, usize),
    /// Append other bytes.
    Bytes(Arc<[u8]>),
    /// Publish the pack under its name.
    Publish(Arc<str>),
}

/// One device that is being written.
pub(super) struct Lane {
    device: String,
    orders: Sender<Order>,
    thread: JoinHandle<Result<(), DeviceError>>,
}

impl Lane {
    /// Begins the first pack, so that a device that cannot be written is known at once, and
    /// starts the thread. `queue` orders may wait.
    pub(super) fn start(device: &Arc<dyn Device>, queue: usize) -> Result<Self, DeviceError> {
        let first = device.create()?;
        let (orders, inbox) = bounded(queue);
        let name = device.name().to_owned();
        let worker = Arc::clone(device);
        let thread = std::thread::Builder::new()
            .name(format!("write-{name}"))
            .spawn(move || write(worker.as_ref(), first, &inbox))
            .map_err(|cause| failed(&name, cause))?;
        Ok(Self {
            device: name,
            orders,
            thread,
        })
    }

    /// Gives an order; waits while the queue is full. False when the lane has failed.
    pub(super) fn order(&self, order: &Order) -> bool {
        self.orders.send(order.clone()).is_ok()
    }

    /// Waits until all orders are done. Whatever was not published is gone.
    pub(super) fn end(self) -> (String, Result<(), DeviceError>) {
        drop(self.orders);
        let ended = self.thread.join().unwrap_or_else(|_| {
            let cause = std::io::Error::other("its thread ended unexpectedly");
            Err(failed(&self.device, cause))
        });
        (self.device, ended)
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

fn write(
    device: &dyn Device,
    first: Box<dyn ObjectWriter>,
    inbox: &Receiver<Order>,
) -> Result<(), DeviceError> {
    let mut writer = Some(first);
    for order in inbox {
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
    Ok(())
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
