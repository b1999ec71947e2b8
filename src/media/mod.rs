//! Devices that store copies, and the format of what lies on them.
//!
//! # Contract of a device (held by `media::contract`)
//! - Objects are named, written once and never overwritten (R2).
//! - An object appears under its name only when all its bytes are durable, its folder included
//!   (R3, R4, R5); a crash leaves nothing under the name.
//! - "Not found" is an answer only when the device is sure (R7): [`DeviceError::NotFound`].
//!   Everything else is another error.
//! - Before the first write of a run the device's identity file is read; a device that is not
//!   planc's, or another one than the catalog knows, is refused.
//!
//! # Why there is no SFTP device
//! The library behind `bucket` speaks to object stores and HTTP only. The libraries that speak SFTP
//! either start a foreign `ssh` program or are a whole SSH client in an asynchronous runtime, and
//! the protocol version that servers have (3) promises neither a rename that does not replace nor
//! a durable write: both are extensions of one server. A copy there could not keep this contract.
//! Where SFTP is all there is, mount it as a folder and let `planc device certify` judge the mount.

mod body;
pub mod bucket;
pub mod certify;
pub mod content;
pub mod contract;
mod digits;
pub mod directory;
pub mod fault;
pub mod frame;
pub mod keyed;
pub mod keys;
pub mod log;
pub mod manifest;
pub mod memory;
pub mod name;
mod opened;
pub mod pack;
pub mod part;
pub mod patience;
pub mod patient;
pub mod rehearsal;
pub mod run_log;
pub mod sealed;
mod squeeze;
pub mod tomb;
pub mod volumes;

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use self::keys::{KeyError, Keyring};
use self::patient::PatientDevice;
use self::sealed::Unproven;
use self::volumes::VolumeDevice;
use crate::engine::Retry;

/// What goes wrong on a device. Texts are lowercase fragments.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The device answers for sure that there is no such object.
    #[error("device {device} holds no object {object}")]
    NotFound {
        /// The device.
        device: String,
        /// The object.
        object: String,
    },
    /// The path leads to no device.
    #[error("device {device}: {path} {found}")]
    Missing {
        /// The device.
        device: String,
        /// Its path.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// The folder holds something, but not planc's identity file.
    #[error("device {device}: {path} is not a planc device: {detail}")]
    Foreign {
        /// The device.
        device: String,
        /// Its path.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No space is left.
    #[error("device {device} is full: {cause}")]
    Full {
        /// The device.
        device: String,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// It cannot be written.
    #[error("device {device} is read-only: {cause}")]
    ReadOnly {
        /// The device.
        device: String,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// Another object stands under the name.
    #[error("device {device} already holds another object {object}")]
    Different {
        /// The device.
        device: String,
        /// The object.
        object: String,
    },
    /// Bytes that were read are not the bytes that were written.
    #[error("device {device}: object {object} is damaged: {detail}")]
    Damaged {
        /// The device.
        device: String,
        /// The object.
        object: String,
        /// How it shows.
        detail: String,
    },
    /// The system failed.
    #[error("device {device}: cannot {action} {object}: {cause}")]
    Io {
        /// The device.
        device: String,
        /// What was tried.
        action: &'static str,
        /// On what.
        object: String,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The device does not let go of an object: it is locked, or this writer may not delete.
    #[error("device {device} does not let go of {object}: {detail}")]
    Locked {
        /// The device.
        device: String,
        /// The object.
        object: String,
        /// Until when, or why.
        detail: String,
    },
    /// It lies on a volume that cannot be loaded now. What is there is not known to be damaged.
    #[error("device {device}: {object} lies on volume {volume}, which is {place}")]
    Away {
        /// The device.
        device: String,
        /// The object.
        object: String,
        /// The volume.
        volume: String,
        /// Where it is.
        place: String,
    },
    /// It is sealed, and no key at hand opens it.
    #[error("device {device}: cannot open {object}: {cause}")]
    Sealed {
        /// The device.
        device: String,
        /// The object.
        object: String,
        /// Which key is missing.
        cause: Box<KeyError>,
    },
    /// The device refuses who asks.
    #[error("device {device} does not let this host {action} {object}: {cause}")]
    Denied {
        /// The device.
        device: String,
        /// What was tried.
        action: &'static str,
        /// On what.
        object: String,
        /// Its answer.
        cause: String,
    },
    /// The clocks of the device and of this host differ too much to judge ages by them.
    #[error("device {device}: its clock is {seconds} s ahead of this host's; 300 s are allowed")]
    Skewed {
        /// The device.
        device: String,
        /// How far it is ahead; negative when it is behind.
        seconds: i64,
    },
    /// The device was asked and gave no answer.
    #[error("device {device} gives no answer: it was waited for {seconds} s")]
    Hung {
        /// The device.
        device: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The run was cancelled while the device worked.
    #[error("cancelled")]
    Cancelled,
}

impl DeviceError {
    /// Whether the device is sure that the object is not what it should be: an error is not an
    /// absence.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::NotFound { .. })
    }

    /// The device that it is about.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::NotFound { device, .. }
            | Self::Missing { device, .. }
            | Self::Foreign { device, .. }
            | Self::Full { device, .. }
            | Self::ReadOnly { device, .. }
            | Self::Different { device, .. }
            | Self::Damaged { device, .. }
            | Self::Io { device, .. }
            | Self::Locked { device, .. }
            | Self::Away { device, .. }
            | Self::Sealed { device, .. }
            | Self::Denied { device, .. }
            | Self::Skewed { device, .. }
            | Self::Hung { device, .. } => Some(device),
            Self::Cancelled => None,
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Io { .. } => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// What the operator does next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => {
                "run `planc verify` to see what is left, then restore from another device"
            }
            Self::Missing { .. } => {
                "mount the device; of a new one create the folder, then run `planc device init NAME`"
            }
            Self::Foreign { .. } => {
                "check `path`, `bucket` and `prefix` in the inventory, or which volume is in the \
                 slot; `planc device init NAME` claims an empty folder, bucket or volume set"
            }
            Self::Full { .. } => {
                "free space, enlarge the device or add volumes, or shorten `retain`; then run \
                 again, with `--resume` if a run broke off"
            }
            Self::ReadOnly { .. } => {
                "remount it writable or correct its permissions, then run again, \
                 with `--resume` if a run broke off"
            }
            Self::Different { .. } => {
                "two runs or two sources used one name: keep both and look before anything is deleted"
            }
            Self::Damaged { .. } => {
                "restore reads the other copies; run `planc verify` to see how far the damage goes"
            }
            Self::Io { .. } => {
                "look at the device and the system log, then run again, \
                 with `--resume` if a run broke off"
            }
            Self::Locked { .. } => {
                "wait until the lock ends, or run `planc expire` where deleting is allowed"
            }
            Self::Away { .. } => {
                "fetch the volume, put it into the library, and run `planc media checkin VOLUME`"
            }
            Self::Sealed { cause, .. } => cause.help(),
            Self::Denied { .. } => {
                "check `access_key`, `secret_key`, `token`, `region` and the rights of that account in \
                 the inventory"
            }
            Self::Skewed { .. } => "set the clock of this host by a time server, then run again",
            Self::Hung { .. } => {
                "look at the device, its cable or its mount and the system log; the next run asks \
                 it anew and brings what it lacks from a stored copy"
            }
            Self::Cancelled => "run again with `--resume`",
        }
    }
}

/// What `put_if_absent` and `publish` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is new.
    Created,
    /// The same object was there already; it was synced again.
    Same,
}

/// Rates of a device in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Durable bytes written.
    pub write: f64,
    /// Bytes read that the host did not hold in memory, as far as it can be told.
    pub read: f64,
}

/// An object that is being written; it has no name yet. Dropping it abandons the bytes.
pub trait ObjectWriter: Write + Send {
    /// Makes the bytes durable and then visible under `name`. Nothing can be added afterwards.
    ///
    /// # Errors
    /// [`DeviceError::Different`] when another object has the name, or one that cannot be read;
    /// the bytes may then be published under another name. Any other error is final.
    fn publish(&mut self, name: &str) -> Result<Put, DeviceError>;
}

/// What a device can do beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The device itself refuses to replace an object; otherwise planc looks first, which is safe
    /// for one writer at a time only.
    pub exclusive: bool,
    /// An object that was acknowledged survives a loss of power.
    pub durable: bool,
    /// Objects are read and written in one direction only.
    pub sequential: bool,
}

impl Capabilities {
    /// A device that keeps the whole contract.
    pub const FULL: Self = Self {
        exclusive: true,
        durable: true,
        sequential: false,
    };
}

/// Refuses an object that is longer than anything of its kind.
fn check_short(device: &str, object: &str, length: u64, most: u64) -> Result<(), DeviceError> {
    if length <= most {
        return Ok(());
    }
    Err(DeviceError::Damaged {
        device: device.to_owned(),
        object: object.to_owned(),
        detail: format!("it has {length} bytes, and {most} are the most"),
    })
}

static NO_KEYS: Keyring = Keyring::empty();

/// Room for objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// The file system; devices on one share its room.
    pub place: u64,
}

/// A listing on its way.
pub trait Listing: Send {
    /// Some more names; none at the end. In a piece they are sorted, pieces come in any order.
    ///
    /// # Errors
    /// As [`Device::list`].
    fn next(&mut self) -> Result<Option<Vec<String>>, DeviceError>;
}

/// A listing that was read whole.
struct Listed(Option<Vec<String>>);

impl Listing for Listed {
    fn next(&mut self) -> Result<Option<Vec<String>>, DeviceError> {
        Ok(self.0.take())
    }
}

/// Something that stores copies. Names are relative, `/`-separated, of `[a-z0-9._-]`.
pub trait Device: Send + Sync {
    /// Its name in the plan.
    fn name(&self) -> &str;

    /// The UUID of its identity file; checks that the device is still there.
    ///
    /// # Errors
    /// When it is missing or foreign.
    fn identity(&self) -> Result<String, DeviceError>;

    /// Begins an object.
    ///
    /// # Errors
    /// When the device cannot be written.
    fn create(&self) -> Result<Box<dyn ObjectWriter>, DeviceError>;

    /// Writes a small object at once. May be repeated with the same bytes.
    ///
    /// # Errors
    /// [`DeviceError::Different`] when other bytes have the name.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, DeviceError>;

    /// As [`Device::put_if_absent`], of an object that gets its name only once it is proven; a device
    /// may write it meanwhile.
    ///
    /// # Errors
    /// Also [`DeviceError::Damaged`] when it does not give back its content.
    fn put_unproven(&self, name: &str, object: &Arc<Unproven>) -> Result<Put, DeviceError> {
        object.prove().map_err(|detail| DeviceError::Damaged {
            device: self.name().to_owned(),
            object: name.to_owned(),
            detail,
        })?;
        self.put_if_absent(name, object.bytes())
    }

    /// Reads an object or a range of it, whole.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`]; a range beyond the end is [`DeviceError::Damaged`].
    fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, DeviceError>;

    /// Reads an object that has at most so many bytes.
    ///
    /// # Errors
    /// As [`Device::get`]; a longer one is [`DeviceError::Damaged`].
    fn get_short(&self, name: &str, most: u64) -> Result<Vec<u8>, DeviceError> {
        check_short(self.name(), name, self.size(name)?, most)?;
        self.get(name, None)
    }

    /// Told which small objects are read next, so that a device that can looks for all of them at
    /// the same time. Only advice.
    fn soon(&self, _names: &[String]) {}

    /// Gives up room that was set aside for tombstones; true when there was some.
    ///
    /// # Errors
    /// When the device fails.
    fn make_room(&self) -> Result<bool, DeviceError> {
        Ok(false)
    }

    /// Length of an object.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    fn size(&self, name: &str) -> Result<u64, DeviceError>;

    /// Measures how fast it takes and gives `bytes`, by an object that is gone afterwards; none
    /// when this kind of device cannot tell.
    ///
    /// # Errors
    /// When the device cannot be written.
    fn speed(&self, _bytes: u64) -> Result<Option<Speed>, DeviceError> {
        Ok(None)
    }

    /// Names and lengths of all objects that begin with `prefix`, sorted by name.
    ///
    /// # Errors
    /// A listing that may be partial is an error, never a short answer.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DeviceError>;

    /// The names of [`Device::list`] without their lengths, in pieces: there may be millions.
    ///
    /// # Errors
    /// As [`Device::list`].
    fn listing(&self, prefix: &str) -> Result<Box<dyn Listing>, DeviceError> {
        let names = self.list(prefix)?.into_iter().map(|(name, _)| name);
        Ok(Box::new(Listed(Some(names.collect()))))
    }

    /// Removes an object for good; true when it was there. Only steps of retention call it:
    /// writers need no right to it.
    ///
    /// # Errors
    /// [`DeviceError::Locked`] while the device, or the right of this writer, forbids it.
    fn delete(&self, name: &str) -> Result<bool, DeviceError>;

    /// How much room is left; none when the device does not know.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn space(&self) -> Result<Option<Space>, DeviceError> {
        Ok(None)
    }

    /// When an object came to be, by the device's own clock; none when the device has none.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    fn written_at(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.size(name).map(|_| None)
    }

    /// Until when the device forbids that an object is deleted; none when it does not.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    fn locked_until(&self, name: &str) -> Result<Option<Timestamp>, DeviceError> {
        self.size(name).map(|_| None)
    }

    /// What it can do beyond the contract.
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    /// The keys that this host holds for what lies on it.
    fn keys(&self) -> &Keyring {
        &NO_KEYS
    }

    /// What waits for its answers; none when nothing does.
    fn patient(&self) -> Option<&PatientDevice> {
        None
    }

    /// The volume set that it is; none for other devices.
    fn volume_set(&self) -> Option<&VolumeDevice> {
        None
    }
}
