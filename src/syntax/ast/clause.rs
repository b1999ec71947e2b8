//! Owns the clauses: one line of a block each, whichever block it stands in.

use serde::{Deserialize, Serialize};

use super::{
    Compare, Count, Filter, Kind, Loss, Param, Point, Reference, Schedule, Selector, Tier, Value,
    Word,
};
use crate::source::Span;

/// One clause of a block: one line, keyword first.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// The form.
    pub kind: ClauseKind,
    /// The whole clause.
    pub span: Span,
}

/// How a copy is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `physical full`
    PhysicalFull,
    /// `physical incremental`
    PhysicalIncremental,
    /// `physical differential`
    PhysicalDifferential,
    /// `logical`
    Logical,
}

impl Method {
    /// As written in a plan.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::PhysicalFull => "physical full",
            Self::PhysicalIncremental => "physical incremental",
            Self::PhysicalDifferential => "physical differential",
            Self::Logical => "logical",
        }
    }
}

/// `rate`: a throttle with the window it holds in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleRate {
    /// The rate.
    pub rate: Value,
    /// The window, `None` for always or `otherwise`.
    pub window: Option<Word>,
    /// True when `otherwise` was written.
    pub otherwise: bool,
}

/// `allow CODE [until DATE] because "…"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The code as written.
    pub code: Word,
    /// The last day it holds.
    pub until: Option<Word>,
    /// The reason.
    pub because: Word,
    /// The whole clause.
    pub span: Span,
}

/// What a `copy` clause carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyScope {
    /// Everything.
    All,
    /// Fulls only.
    Full,
    /// Incrementals only.
    Incremental,
    /// Log only.
    Log,
}

/// Where a `restore` reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreSource {
    /// The nearest holder first.
    Nearest(Span),
    /// Any holder.
    Any(Span),
    /// A named device.
    Device(Word),
}

/// What a `probe` compares its answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTest {
    /// `>= 100000`, `= "x"`
    Compare(Compare, Word),
    /// `is true`
    True,
    /// `is false`
    False,
    /// `is empty`
    Empty,
}

/// When a contact is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyOn {
    /// When it failed.
    Failure,
    /// When it succeeded.
    Success,
    /// In both cases.
    Always,
}

/// Clauses of all blocks. Which of them suits which block is decided in `syntax` (P0108).
#[derive(Debug, Clone, PartialEq)]
pub enum ClauseKind {
    /// `physical full every … [when changed]`
    Take {
        /// How.
        method: Method,
        /// When.
        schedule: Schedule,
        /// Only when the source changed.
        when_changed: bool,
    },
    /// `store on DEVICE`
    Store(Word),
    /// `copy [full|incremental|log] to A, B [stream] [every …] [within 6h]`
    Copy {
        /// What.
        scope: CopyScope,
        /// Where to.
        to: Vec<Word>,
        /// As soon as there is something to copy.
        live: bool,
        /// At these times.
        every: Option<Schedule>,
        /// Deadline.
        within: Option<Value>,
    },
    /// `retain [on A, B] window 9d, weekly 5`
    Retain {
        /// Devices; empty for all.
        on: Vec<Word>,
        /// What is kept.
        tiers: Vec<Tier>,
    },
    /// `encrypt none|with KEY`; `None` is `encrypt none`.
    Encrypt(Option<Word>),
    /// `compress zstd 3`
    Compress {
        /// Codec.
        codec: Word,
        /// Level.
        level: Option<Word>,
    },
    /// `throttle 400 MiB/s in night, … otherwise`
    Throttle(Vec<ThrottleRate>),
    /// `parallel 4`
    Parallel(Count),
    /// `memory 64 MiB`
    Memory(Value),
    /// `verify on write` is `None`, else `verify every …`
    Verify(Option<Schedule>),
    /// `after JOB, …`
    After(Vec<Word>),
    /// `finish within 8h`
    Finish(Value),
    /// `notify A on failure`
    Notify {
        /// Who.
        contacts: Vec<Word>,
        /// When.
        on: NotifyOn,
    },
    /// `allow …`
    Allow(Allow),
    /// `override CLAUSE`
    Override(Box<Clause>),
    /// `ship every 5min or 64 MiB to DEVICE`
    Ship {
        /// How often.
        schedule: Schedule,
        /// Where to.
        to: Word,
    },
    /// `stream to DEVICE [lag <= 16 MiB]`
    Stream {
        /// Where to.
        to: Word,
        /// The bound on lag.
        lag: Option<(Compare, Value)>,
    },
    /// `rpo 30s for LOSS`
    Rpo {
        /// The promise.
        limit: Value,
        /// The loss.
        loss: Loss,
    },
    /// `rto 90min for LOSS [of SELECTOR]`
    Rto {
        /// The promise.
        limit: Value,
        /// The loss.
        loss: Loss,
        /// A part of the service.
        of: Option<Selector>,
    },
    /// `recovery window 35d`
    RecoveryWindow(Value),
    /// `log space <= 150 GiB`
    LogSpace(Compare, Value),
    /// `copies >= 3 on >= 2 sites, >= 1 offline`
    Copies {
        /// Number of copies.
        count: (Compare, Count),
        /// Number of sites.
        sites: Option<(Compare, Count)>,
        /// `offline`, `offsite` or `immutable` copies.
        special: Vec<(Compare, Count, Word)>,
    },
    /// `drill every 7d`
    DrillEvery(Schedule),
    /// `given victim: table, bad: transaction`
    Given(Vec<Input>),
    /// `for LOSS` in a recovery
    Covers(Loss),
    /// `restore A, B [to HOST] [from DEVICE]`
    Restore {
        /// What.
        targets: Vec<Selector>,
        /// Where to.
        to: Option<Word>,
        /// Where from.
        from: Option<RestoreSource>,
    },
    /// `relocate A to DISK`
    Relocate {
        /// What.
        targets: Vec<Selector>,
        /// Where to.
        to: Word,
    },
    /// `replay log …`
    Replay {
        /// True for `until before`.
        before: bool,
        /// Where it stops.
        point: Point,
    },
    /// `skip transaction $x`
    Skip(Reference),
    /// `extract A into B [as "name"]`
    Extract {
        /// What.
        targets: Vec<Selector>,
        /// Where to.
        into: Selector,
        /// Under which name.
        name: Option<Word>,
    },
    /// `probe DATABASE "select …" is true`
    Probe {
        /// The database (or service).
        database: Word,
        /// The query.
        query: Word,
        /// What the answer must be.
        test: ProbeTest,
    },
    /// `require lag <= 16 MiB`
    RequireLag(Compare, Value),
    /// `require log archived within 1min`
    RequireArchived(Value),
    /// `require no running backup`
    RequireNoBackup,
    /// `require backup newer than 26h`
    RequireBackup(Value),
    /// `require approval by CONTACT`
    RequireApproval(Word),
    /// `fence old primary`
    Fence,
    /// `promote STANDBY [from SERVICE]`
    Promote {
        /// The standby.
        standby: Word,
        /// The service.
        from: Option<Word>,
    },
    /// `rotate to SITE every fri, return when expired`
    Rotate {
        /// Where to.
        to: Word,
        /// When.
        schedule: Schedule,
        /// After how long it returns; `None` for `when expired`.
        back_after: Option<Value>,
    },
    /// `tablespace a, b` in a service
    Tablespaces(Vec<Word>),
    /// `database NAME { … }` in a service
    Database {
        /// Its name.
        name: Word,
        /// Its groups.
        body: Vec<Clause>,
    },
    /// `group NAME tables …`
    Group {
        /// Its name.
        name: Word,
        /// Tables named one by one.
        tables: Vec<Word>,
        /// Or by a filter.
        filter: Option<Filter>,
    },
    /// `standby NAME at SITE`
    Standby {
        /// Its name.
        name: Word,
        /// Its site.
        site: Word,
    },
    /// `size hot 900 GiB` in `assume`
    Fact {
        /// `size`, `change`, `growth`, `log rate`, `log peak`.
        what: Word,
        /// Of what; none for the service.
        of: Option<Selector>,
        /// How much.
        value: Value,
    },
    /// A parameter inside a broken policy.
    Param(Param),
    /// A clause that could not be read; its finding is already made. `keyword` is the first word
    /// when it names a clause.
    Bad {
        /// The clause's keyword, when known.
        keyword: Option<Word>,
    },
}

/// `victim: table [of SCOPE]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: Word,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Within what.
    pub scope: Option<Reference>,
    /// The whole.
    pub span: Span,
}
