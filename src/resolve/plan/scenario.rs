//! Owns what is promised and what is done: objectives, recoveries, drills and switchovers.

use jiff::Timestamp;

use super::{Allow, At, ComponentId, DeviceId, Origin, Schedule, ServiceId};
use crate::quantity::{Bytes, Duration};
use crate::source::Span;
use crate::syntax::ast::{Compare, Kind, NotifyOn, ProbeTest};

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
