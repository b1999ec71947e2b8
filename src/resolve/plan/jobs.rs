//! Owns how copies are made: backups, archives, and the clauses they share.

use std::sync::Arc;

use jiff::civil::Date;

use super::{ArchiveId, At, BackupId, ComponentId, DeviceId, KeyId, Schedule, ServiceId, WindowId};
use crate::quantity::{Bytes, BytesPerSecond, Duration};
use crate::source::Span;
use crate::syntax::ast::{CopyScope, Method, NotifyOn};

/// Which policy a block comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The policy, when it was expanded from one.
    pub policy: Option<String>,
    /// The service it was expanded for.
    pub instance: Option<String>,
    /// The variable of the policy or loop, which stands for it.
    pub var: Option<String>,
    /// The `apply` that expanded it.
    pub applied: Option<Span>,
    /// The places of the block's clauses, in the order of the block; an override stands where it
    /// acts.
    pub clauses: Arc<[Span]>,
}

impl Origin {
    /// The name under which a block of the plan is run, shown and recorded: `instance/name` when
    /// it was expanded from a policy.
    #[must_use]
    pub fn full_name(&self, name: &str) -> String {
        match &self.instance {
            Some(instance) => format!("{instance}/{name}"),
            None => name.to_owned(),
        }
    }
}

/// Compression of new copies.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Bytes as they are.
    None,
    /// LZ4 block format.
    Lz4,
    /// Zstandard at this level (1 to 19).
    Zstd(i32),
}

/// `copy to … [stream] [every …] [within …]`
#[derive(Debug, Clone)]
pub struct CopyTo {
    /// What.
    pub scope: CopyScope,
    /// Where to.
    pub device: DeviceId,
    /// Written when what it copies is written. False: only at the times of `every`.
    pub live: bool,
    /// When what it lacks is copied from a stored copy; `None`: at every run.
    pub every: Option<Schedule>,
    /// Deadline after the first store; `None`: before the next run of the job. A copy at set times
    /// is begun at the next of them and done before the one after.
    pub within: Option<Duration>,
    /// The clause.
    pub span: Span,
}

/// `retain [on DEVICE] …`
#[derive(Debug, Clone)]
pub struct Retain {
    /// Devices; empty for all that the job uses.
    pub on: Vec<DeviceId>,
    /// What is kept.
    pub tiers: Vec<Tier>,
    /// The clause.
    pub span: Span,
}

/// What is kept; clauses add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Restorable to any instant of this span. Months and years count 30 and 365 days.
    Window(Duration),
    /// One for each of n days.
    Daily(u32),
    /// One for each of n weeks.
    Weekly(u32),
    /// One for each of n months.
    Monthly(u32),
    /// One for each of n years.
    Yearly(u32),
    /// The newest n.
    Last(u32),
}

/// A rate limit, perhaps in a window.
#[derive(Debug, Clone, Copy)]
pub struct Throttle {
    /// The limit.
    pub rate: BytesPerSecond,
    /// The window it holds in; `None` otherwise.
    pub window: Option<WindowId>,
    /// The clause.
    pub span: Span,
    /// The rate within the clause.
    pub rate_span: Span,
}

/// When stored copies are read back.
#[derive(Debug, Clone)]
pub enum Verify {
    /// While writing.
    OnWrite(Span),
    /// On a schedule.
    Every(Schedule),
}

/// `physical full every …`
#[derive(Debug, Clone)]
pub struct Take {
    /// How.
    pub method: Method,
    /// When.
    pub schedule: Schedule,
    /// Only when the source changed.
    pub when_changed: bool,
    /// The clause.
    pub span: Span,
}

/// `encrypt …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypt {
    /// Nothing was written.
    Unsaid,
    /// `encrypt none`
    None(Span),
    /// `encrypt with KEY`
    With(KeyId, Span),
}

/// `allow CODE until DATE because "…"`
#[derive(Debug, Clone)]
pub struct Allow {
    /// The code, when it is one.
    pub code: Option<crate::diagnostic::Code>,
    /// The code as written.
    pub written: String,
    /// Last day on which it holds.
    pub until: Option<Date>,
    /// The reason.
    pub because: String,
    /// The clause.
    pub span: Span,
}

/// Clauses that backups and archives share.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// `store on`; archives may have none.
    pub store: Option<At<DeviceId>>,
    /// `copy to`, one entry a device.
    pub copies: Vec<CopyTo>,
    /// `retain`.
    pub retain: Vec<Retain>,
    /// `encrypt`.
    pub encrypt: Encrypt,
    /// `compress`; the default is zstd 3.
    pub codec: Codec,
    /// `throttle`.
    pub throttle: Vec<Throttle>,
    /// `parallel`; the default is the number of distinct source disks.
    pub parallel: Option<At<u32>>,
    /// `memory`: bytes that the copies of the job take at most, all together.
    pub memory: Option<At<Bytes>>,
    /// `verify`; the default is on write.
    pub verify: Vec<Verify>,
    /// `after`, names of jobs.
    pub after: Vec<At<JobId>>,
    /// `finish within`.
    pub finish: Option<At<Duration>>,
    /// `notify`.
    pub notify: Vec<(String, NotifyOn, Span)>,
    /// `allow`.
    pub allows: Vec<Allow>,
    /// True when a clause of the block could not be read or resolved: then nothing may be
    /// concluded from the absence of a clause.
    pub incomplete: bool,
}

impl Keeping {
    /// The devices of `store` and `copy`, in this order; one may be there more than once.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        let store = self.store.iter().map(|store| store.value);
        store.chain(self.copies.iter().map(|copy| copy.device))
    }
}

/// A backup or an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobId {
    /// A backup.
    Backup(BackupId),
    /// An archive.
    Archive(ArchiveId),
}

/// `backup NAME of TARGETS { … }`
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name; unique together with `origin.instance`.
    pub name: String,
    /// The policy it comes from.
    pub origin: Origin,
    /// What is backed up, without repetition, in order.
    pub targets: Vec<ComponentId>,
    /// When and how.
    pub takes: Vec<Take>,
    /// Where and for how long.
    pub keeping: Keeping,
    /// The head of the block.
    pub span: Span,
}

/// `ship every …`
#[derive(Debug, Clone)]
pub struct Ship {
    /// Interval and size.
    pub schedule: Schedule,
    /// Where to.
    pub device: DeviceId,
    /// The clause.
    pub span: Span,
}

/// `stream to …`
#[derive(Debug, Clone)]
pub struct Stream {
    /// Where to.
    pub device: DeviceId,
    /// Bound on the lag.
    pub lag: Option<Bytes>,
    /// The clause.
    pub span: Span,
}

/// `archive NAME of SERVICE { … }`
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its name.
    pub name: String,
    /// The policy it comes from.
    pub origin: Origin,
    /// Whose log.
    pub service: ServiceId,
    /// Shipments.
    pub ships: Vec<Ship>,
    /// Streams.
    pub streams: Vec<Stream>,
    /// Where else and for how long.
    pub keeping: Keeping,
    /// The head of the block.
    pub span: Span,
}
