//! Owns where things are: sites, hosts, disks, devices and keys, and the windows of the plan.

use indexmap::IndexMap;
use jiff::civil::{Date, Time};

use super::{Allow, At, Retain, Throttle, WindowId};
use crate::facts::inventory::{Library, Store};
use crate::quantity::{Bytes, BytesPerSecond, Duration};
use crate::source::Span;

/// A place.
#[derive(Debug, Clone)]
pub struct Site {
    /// How much its line to other sites carries.
    pub link: Option<BytesPerSecond>,
    /// Where it is declared.
    pub span: Span,
}

/// A machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its site.
    pub site: Option<String>,
    /// Source disks and targets by name.
    pub disks: IndexMap<String, Disk>,
    /// How fast it replays log.
    pub replay: Option<BytesPerSecond>,
    /// How fast it loads logical copies.
    pub import: Option<BytesPerSecond>,
    /// Space for scratch restores.
    pub free: Option<Bytes>,
    /// Write rate for scratch restores.
    pub write: Option<BytesPerSecond>,
    /// Where it is declared.
    pub span: Span,
}

/// A disk of a host.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Where its file system is mounted on its host.
    pub path: Option<String>,
    /// Free space.
    pub free: Option<Bytes>,
    /// Write rate.
    pub write: Option<BytesPerSecond>,
    /// Read rate.
    pub read: Option<BytesPerSecond>,
}

/// What kind of thing stores the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// A folder of a file system.
    Directory,
    /// An S3-like object store.
    S3,
    /// Append-only volumes of fixed capacity.
    Volumes,
}

impl DeviceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Directory, Self::S3, Self::Volumes];

    /// From the word of a plan or inventory.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// As written in a plan.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::S3 => "s3",
            Self::Volumes => "volumes",
        }
    }
}

/// A device: plan and inventory together.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the inventory"
)]
pub struct Device {
    /// Its name, with the import prefix if it has one.
    pub name: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// Its site: from the plan, the inventory, or its host.
    pub site: Option<String>,
    /// Its host.
    pub host: Option<String>,
    /// The disk of its host on which it lies.
    pub disk: Option<String>,
    /// Folder of a directory device, already joined to the folder of the inventory file.
    pub path: Option<String>,
    /// What is known of an object store; paths of secrets are joined to the inventory's folder.
    pub store: Option<Store>,
    /// Total space.
    pub capacity: Option<Bytes>,
    /// Write rate.
    pub write: Option<BytesPerSecond>,
    /// Read rate.
    pub read: Option<BytesPerSecond>,
    /// Concurrent writers; 1 for one drive.
    pub drives: u32,
    /// Number and size of volumes.
    pub volumes: Option<(u32, Option<Bytes>)>,
    /// What keeps its volumes; a folder is joined to the folder of the inventory file.
    pub library: Option<Library>,
    /// How long it takes at most to bring its volumes back from where they are rotated to.
    pub fetch: Option<Duration>,
    /// True when the device can append to an object.
    pub append: bool,
    /// True when the device forbids deletion.
    pub immutable: bool,
    /// True when the device compresses or deduplicates by itself.
    pub reduces: bool,
    /// Rotation to another site.
    pub rotate: Option<Rotation>,
    /// Retention said at the device.
    pub retain: Vec<Retain>,
    /// Throttle said at the device.
    pub throttle: Vec<Throttle>,
    /// Allowances.
    pub allows: Vec<Allow>,
    /// The declaration in the plan, or else in the inventory.
    pub span: Span,
    /// The place in the inventory, when it is there.
    pub inventory_span: Option<Span>,
    /// True when the plan declares it (so that "never used" can be told).
    pub declared: bool,
}

/// `rotate to SITE … return …`
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Where to.
    pub to: String,
    /// When.
    pub schedule: Schedule,
    /// After how long volumes return; `None`: when expired.
    pub back_after: Option<Duration>,
    /// The clause.
    pub span: Span,
}

/// A key by its source; never the secret.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// `env`, `file`, `vault`, `command`.
    pub source: String,
    /// Variable, path or address.
    pub locator: String,
    /// Site of the second copy.
    pub escrow: Option<String>,
    /// Since when it is in use, when the inventory says it.
    pub since: Option<Date>,
    /// For how long a key may be used.
    pub replace_after: Option<Duration>,
    /// Until when the second copy is promised.
    pub escrow_until: Option<Date>,
    /// The declaration.
    pub span: Span,
}

/// A named time window.
#[derive(Debug, Clone)]
pub struct Window {
    /// Its name, with the import prefix if it has one.
    pub name: String,
    /// On which days an occurrence starts.
    pub days: Days,
    /// Start.
    pub from: Time,
    /// End.
    pub until: Time,
    /// Whole days between the start day and the end day (0: same day).
    pub days_later: u8,
    /// The declaration.
    pub span: Span,
}

impl Window {
    /// Seconds from opening to end on a day without a change of the clocks.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let clock = self.from.duration_until(self.until).as_secs_f64();
        (clock + f64::from(self.days_later) * 86_400.0).max(0.0)
    }
}

/// The days on which something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// Days of the week; index 0 = Monday.
    Week([bool; 7]),
    /// A day of the month: 1 to 31, 0 for the last; or the n-th weekday (0 = Monday).
    Month {
        /// 1 to 31, or 0 for `last`.
        ordinal: u8,
        /// Counted weekday.
        weekday: Option<u8>,
    },
}

/// When a job runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// A fixed time of day.
    pub at: Option<At<Time>>,
    /// A window.
    pub during: Option<At<WindowId>>,
    /// The clause.
    pub span: Span,
}

/// How often a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Every {
    /// At this interval, or when this much has gathered.
    Interval(Duration, Option<Bytes>),
    /// When this much has gathered, only.
    Size(Bytes),
    /// Each hour.
    Hour,
    /// On these days.
    Days(Days),
}
