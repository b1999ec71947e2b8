//! Owns the resolved plan: one environment, names turned into ids, units into numbers,
//! parameters replaced, policies and `for each` expanded, defaults filled in.
//! Must not judge whether it is a good plan; that is `check`.
//!
//! Everything that was written keeps its [`Span`]; a value that nobody wrote carries the span of
//! the block it belongs to.

use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::civil::{Date, Time};

use crate::quantity::{Bytes, BytesPerSecond, Duration};
use crate::source::Span;
pub use crate::syntax::ast::{Compare, CopyScope, Kind, Method, NotifyOn, ProbeTest, Quantity};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The index this id stands for.
            #[must_use]
            pub fn index(self) -> usize { self.0 as usize }
            /// The id of an index.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    )*};
}

ids! {
    /// Index into [`ResolvedPlan::services`].
    ServiceId,
    /// Index into [`ResolvedPlan::components`].
    ComponentId,
    /// Index into [`ResolvedPlan::devices`].
    DeviceId,
    /// Index into [`ResolvedPlan::windows`].
    WindowId,
    /// Index into [`ResolvedPlan::keys`].
    KeyId,
    /// Index into [`ResolvedPlan::backups`].
    BackupId,
    /// Index into [`ResolvedPlan::archives`].
    ArchiveId,
}

/// A value together with the place that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The place.
    pub span: Span,
}

/// A plan for one environment.
#[derive(Debug, Clone)]
pub struct ResolvedPlan {
    /// Name after `plan`.
    pub name: String,
    /// The environment; empty when the plan names none.
    pub environment: String,
    /// Hash of all texts that made this plan (plan files, inventory) and the environment.
    /// Part of every step id.
    pub hash: String,
    /// The zone of every clock time in the plan.
    pub timezone: At<String>,
    /// Places by name.
    pub sites: IndexMap<String, Site>,
    /// Machines by name.
    pub hosts: IndexMap<String, Host>,
    /// Devices; [`DeviceId`] points here.
    pub devices: Vec<Device>,
    /// Keys; [`KeyId`] points here.
    pub keys: Vec<Key>,
    /// Windows; [`WindowId`] points here.
    pub windows: Vec<Window>,
    /// Services; [`ServiceId`] points here.
    pub services: Vec<Service>,
    /// Components of all services; [`ComponentId`] points here.
    pub components: Vec<Component>,
    /// Contacts by name.
    pub contacts: IndexMap<String, Span>,
    /// Backups; [`BackupId`] points here.
    pub backups: Vec<Backup>,
    /// Log archives; [`ArchiveId`] points here.
    pub archives: Vec<Archive>,
    /// Promises.
    pub objectives: Vec<Objectives>,
    /// Drills.
    pub drills: Vec<Scenario>,
    /// Recoveries.
    pub recoveries: Vec<Scenario>,
    /// Switchovers.
    pub switchovers: Vec<Scenario>,
    /// Stated sizes and rates.
    pub assumptions: Vec<Assumption>,
    /// Allowances of the whole plan.
    pub allows: Vec<Allow>,
    /// Where run state (catalog, journals, lock) is kept: `.planc` beside the plan, or what the
    /// inventory says, joined to its folder.
    pub state_dir: String,
}

/// A place.
#[derive(Debug, Clone)]
pub struct Site {
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
    /// Space for scratch restores.
    pub free: Option<Bytes>,
    /// Write rate for scratch restores.
    pub write: Option<BytesPerSecond>,
    /// Where it is declared.
    pub span: Span,
}

/// A disk of a host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk {
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
    /// Endpoint and bucket of an object store.
    pub s3: Option<(String, String)>,
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
    /// True when the device can append to an object.
    pub append: bool,
    /// True when the device forbids deletion.
    pub immutable: bool,
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

/// The database engines planc knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB.
    Mariadb,
    /// SQLite.
    Sqlite,
    /// A tree of files.
    Files,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Postgresql, Self::Mariadb, Self::Sqlite, Self::Files];

    /// From the word of a plan or inventory.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// As written in a plan.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
            Self::Files => "files",
        }
    }
}

/// A service: plan and inventory together.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub engine: EngineKind,
    /// Version as text.
    pub version: Option<String>,
    /// The host it runs on.
    pub host: Option<String>,
    /// Path of a SQLite file or file tree, already joined to the folder of the inventory file.
    pub path: Option<String>,
    /// The inventory's connection fields, secrets by source only.
    pub connect: IndexMap<String, String>,
    /// Labels for `for each … where`.
    pub labels: IndexMap<String, String>,
    /// Its components in [`ResolvedPlan::components`], first and number.
    pub components: (ComponentId, u32),
    /// Standbys with their sites.
    pub standbys: Vec<(String, String, Span)>,
    /// Allowances.
    pub allows: Vec<Allow>,
    /// The declaration in the plan, or else in the inventory.
    pub span: Span,
    /// The place in the inventory, when it is there.
    pub inventory_span: Option<Span>,
}

/// What a component is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    /// Everything outside the declared tablespaces.
    Base,
    /// One tablespace.
    Tablespace,
    /// One database (for SQLite: the file).
    Database,
    /// A group of tables.
    Group,
    /// One table.
    Table,
    /// A file tree.
    Files,
}

impl ComponentKind {
    /// As written in a plan.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Tablespace => "tablespace",
            Self::Database => "database",
            Self::Group => "group",
            Self::Table => "table",
            Self::Files => "files",
        }
    }
}

/// The unit that is backed up and restored.
///
/// PostgreSQL and MariaDB: `base`, declared tablespaces, declared databases, groups, tables.
/// SQLite: one `Database` component named `main`. Files: one `Files` component named `tree`.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its service.
    pub service: ServiceId,
    /// What it is.
    pub kind: ComponentKind,
    /// Its name; `base` for the base.
    pub name: String,
    /// The database a group or table belongs to.
    pub database: Option<String>,
    /// The disks it lies on, by name.
    pub disks: Vec<String>,
    /// Tables of a group, by name; or its filter as a glob.
    pub tables: Vec<String>,
    /// The declaration.
    pub span: Span,
}

/// Which policy a block comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The policy, when it was expanded from one.
    pub policy: Option<String>,
    /// The service it was expanded for.
    pub instance: Option<String>,
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

/// `copy to … within …`
#[derive(Debug, Clone)]
pub struct CopyTo {
    /// What.
    pub scope: CopyScope,
    /// Where to.
    pub device: DeviceId,
    /// Deadline after the first store; `None`: before the next run of the job.
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

/// A loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What.
    pub kind: LossKind,
    /// The clause's words.
    pub span: Span,
}

/// The kinds of loss.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// One disk.
    Disk,
    /// One host.
    Host,
    /// One site; `None` for any.
    Site(Option<String>),
    /// One device; `None` for any.
    Device(Option<String>),
    /// A human or application error.
    HumanError,
    /// Corruption of content.
    Corruption,
}

/// `objectives of SERVICE { … }`
#[derive(Debug, Clone)]
pub struct Objectives {
    /// Of what.
    pub service: ServiceId,
    /// The policy it comes from.
    pub origin: Origin,
    /// RPO for a loss.
    pub rpos: Vec<(Duration, Loss, Span)>,
    /// RTO for a loss, perhaps of some components only.
    pub rtos: Vec<(Duration, Loss, Vec<ComponentId>, Span)>,
    /// `recovery window`.
    pub window: Option<At<Duration>>,
    /// `log space <=`.
    pub log_space: Option<At<Bytes>>,
    /// `copies >= n on >= m sites`.
    pub copies: Vec<CopiesPromise>,
    /// `drill every`.
    pub drill: Option<Schedule>,
    /// `allow`.
    pub allows: Vec<Allow>,
    /// A clause could not be read.
    pub incomplete: bool,
    /// The head of the block.
    pub span: Span,
}

/// `copies >= 3 on >= 2 sites, >= 1 offline`
#[derive(Debug, Clone)]
pub struct CopiesPromise {
    /// Copies.
    pub count: u32,
    /// Sites.
    pub sites: Option<u32>,
    /// `offline`, `offsite`, `immutable` with their numbers.
    pub special: Vec<(String, u32)>,
    /// The clause.
    pub span: Span,
}

/// A recovery, drill or switchover.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The policy it comes from.
    pub origin: Origin,
    /// For which loss.
    pub covers: Vec<Loss>,
    /// What the operator supplies.
    pub inputs: Vec<Input>,
    /// When a drill runs.
    pub schedule: Option<Schedule>,
    /// What is done, in order.
    pub actions: Vec<Action>,
    /// `finish within`.
    pub finish: Option<At<Duration>>,
    /// `notify`.
    pub notify: Vec<(String, NotifyOn, Span)>,
    /// `allow`.
    pub allows: Vec<Allow>,
    /// A clause could not be read.
    pub incomplete: bool,
    /// The head of the block.
    pub span: Span,
}

/// Incident input: `victim: table`.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its service, when it has one.
    pub service: Option<ServiceId>,
    /// The clause.
    pub span: Span,
}

/// A component named in the plan, or supplied by the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Components of the plan.
    Components(Vec<ComponentId>),
    /// A whole service.
    Service(ServiceId),
    /// Incident input.
    Input(String),
    /// A foreign name that the plan does not resolve (quoted), with its kind.
    Foreign(Kind, String),
}

/// An action of a scenario with its place.
#[derive(Debug, Clone)]
pub struct Action {
    /// What.
    pub kind: ActionKind,
    /// The clause.
    pub span: Span,
}

/// The moment a replay aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayPoint {
    /// The end of the log.
    Latest,
    /// An instant.
    Instant(Timestamp),
    /// A transaction by the engine's own number or name.
    Transaction(String),
    /// A named restore point.
    RestorePoint(String),
    /// Incident input.
    Input(String),
}

/// Where a restore reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The nearest holder first.
    Nearest,
    /// Any holder.
    Any,
    /// One device.
    Device(DeviceId),
}

/// What a scenario does.
#[derive(Debug, Clone)]
pub enum ActionKind {
    /// `restore …`
    Restore {
        /// What.
        targets: Vec<Target>,
        /// A host of the inventory; `None`: in place.
        to: Option<String>,
        /// Where from.
        from: Source,
    },
    /// `relocate …`
    Relocate {
        /// What.
        targets: Vec<Target>,
        /// A disk of the inventory, or a quoted path.
        to: String,
    },
    /// `replay log …`
    Replay {
        /// True for `until before`.
        before: bool,
        /// Where it stops.
        point: ReplayPoint,
    },
    /// `skip transaction`
    Skip(ReplayPoint),
    /// `extract … into … as …`
    Extract {
        /// What.
        targets: Vec<Target>,
        /// Where to.
        into: Target,
        /// Under which name.
        name: Option<String>,
    },
    /// `probe …`
    Probe {
        /// The database or service.
        database: String,
        /// The query.
        query: String,
        /// What the answer must be.
        test: ProbeTest,
    },
    /// `require lag`
    RequireLag(Compare, Bytes),
    /// `require log archived within`
    RequireArchived(Duration),
    /// `require no running backup`
    RequireNoBackup,
    /// `require backup newer than`
    RequireBackup(Duration),
    /// `require approval by`
    RequireApproval(String),
    /// `fence old primary`
    Fence,
    /// `promote`
    Promote {
        /// The standby.
        standby: String,
        /// From what.
        from: Option<ServiceId>,
    },
}

/// A stated fact of `assume`.
#[derive(Debug, Clone)]
pub struct Assumption {
    /// Of which components; empty for the whole service.
    pub of: Vec<ComponentId>,
    /// Of which service.
    pub service: Option<ServiceId>,
    /// What.
    pub kind: AssumptionKind,
    /// The clause.
    pub span: Span,
}

/// The stated facts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AssumptionKind {
    /// Size.
    Size(Bytes),
    /// Share that changes in a day (0.06 for 6 %/day).
    Change(f64),
    /// Share by which it grows in a day.
    Growth(f64),
    /// Log written on average.
    LogRate(BytesPerSecond),
    /// Log written at peak.
    LogPeak(BytesPerSecond),
}

impl ResolvedPlan {
    /// The service of an id of this plan.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.index()]
    }

    /// The component of an id of this plan.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> &Component {
        &self.components[id.index()]
    }

    /// The device of an id of this plan.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> &Device {
        &self.devices[id.index()]
    }

    /// The window of an id of this plan.
    #[must_use]
    pub fn window(&self, id: WindowId) -> &Window {
        &self.windows[id.index()]
    }

    /// The stable name of a component across runs and catalogs, for example
    /// `orders_db/tablespace/hot`, `notes/database/main`, `docs/files/tree`.
    #[must_use]
    pub fn component_key(&self, id: ComponentId) -> String {
        let component = self.component(id);
        let service = &self.service(component.service).name;
        match &component.database {
            Some(database) if component.kind != ComponentKind::Database => {
                format!(
                    "{service}/{}/{database}.{}",
                    component.kind.word(),
                    component.name
                )
            }
            _ => format!("{service}/{}/{}", component.kind.word(), component.name),
        }
    }

    /// Ids of a service's components.
    pub fn components_of(&self, id: ServiceId) -> impl Iterator<Item = ComponentId> {
        let (first, count) = self.service(id).components;
        (first.0..first.0 + count).map(ComponentId)
    }

    /// The service with this name.
    #[must_use]
    pub fn find_service(&self, name: &str) -> Option<ServiceId> {
        let at = self
            .services
            .iter()
            .position(|service| service.name == name)?;
        Some(ServiceId::from_index(at))
    }

    /// The device with this name.
    #[must_use]
    pub fn find_device(&self, name: &str) -> Option<DeviceId> {
        let at = self.devices.iter().position(|device| device.name == name)?;
        Some(DeviceId::from_index(at))
    }
}
