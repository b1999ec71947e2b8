//! Owns the tree of a plan file: what was written, with spans, nothing resolved.
//! Must not look up names, convert units or fill defaults; those belong to `resolve`.
//!
//! Every node keeps the words of the user. A clause that could not be read is kept as
//! [`ClauseKind::Bad`] and a statement as [`ItemKind::Bad`]: later stages treat them as
//! "unknown but present", so that one slip does not raise a second finding elsewhere.

use serde::{Deserialize, Serialize};

use crate::source::{FileId, Span};

/// One plan file.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast {
    /// The file it was read from.
    pub file: FileId,
    /// Statements in the order written.
    pub items: Vec<Item>,
}

/// A word with its place: a name (possibly dotted), keyword, zone, glob, clock or date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text; for quoted strings without quotes and with escapes replaced.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
    /// True when it was written in quotes.
    pub quoted: bool,
}

/// A number with the unit as written, right or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// Digits, perhaps with a decimal point.
    pub number: String,
    /// The unit's spelling, for example `GiB/h`.
    pub unit: String,
    /// Both together.
    pub span: Span,
}

/// A quantity, or `$name` that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Written out.
    Quantity(Quantity),
    /// `$name`, without the dollar sign.
    Var(Word),
}

/// A whole number, or `$name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Digits, perhaps with a decimal point (which is a finding later).
    Number(Word),
    /// `$name`, without the dollar sign.
    Var(Word),
}

/// What a parameter can be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A quantity or `$name`.
    Value(Value),
    /// A time of day.
    Clock(Word),
    /// A name.
    Name(Word),
    /// A quoted string.
    Text(Word),
}

/// `>=`, `<=`, `=`, `>`, `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>`
    More,
    /// `<`
    Less,
}

/// The kinds of things a plan can name after a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A database instance, file or tree that is kept.
    Service,
    /// A database of a service.
    Database,
    /// A tablespace of a service.
    Tablespace,
    /// A named set of tables.
    Group,
    /// One table.
    Table,
    /// A file tree.
    Files,
    /// A place.
    Site,
    /// Something that stores copies.
    Device,
    /// A transaction (incident input).
    Transaction,
    /// An instant (incident input).
    Time,
}

/// A reference to components: `base`, `tablespace hot`, `every tablespace of $it`, `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The form.
    pub kind: SelectorKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorKind {
    /// `base [of SERVICE]`
    Base(Option<Reference>),
    /// `every KIND [of SCOPE] [filters]`
    Every {
        /// What to match.
        kind: Kind,
        /// Within what.
        scope: Option<Reference>,
        /// Narrowing conditions.
        filters: Vec<Filter>,
    },
    /// `KIND NAME`
    Kinded(Kind, Reference),
    /// `NAME` or `$NAME`
    Bare(Reference),
}

/// A name, quoted foreign name, or `$name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A name to resolve, possibly dotted, or a quoted one.
    Name(Word),
    /// `$name`, without the dollar sign.
    Var(Word),
}

/// `matching GLOB`, `where a is b and …`, `except GLOB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Keep what the glob matches.
    Matching(Word),
    /// Keep what has all these label values.
    Where(Vec<(Word, Word)>),
    /// Drop what the glob matches.
    Except(Word),
}

/// `mon..sat`, `fri`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    /// First day, 0 = Monday.
    pub from: u8,
    /// Last day, inclusive, 0 = Monday; before `from` when the range wraps over Sunday.
    pub to: u8,
    /// Where it stands.
    pub span: Span,
}

/// `last fri of month`, `1st of month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDay {
    /// 1 to 31, or 0 for `last`.
    pub ordinal: u8,
    /// The weekday counted, or none for days of the month. 0 = Monday.
    pub weekday: Option<u8>,
    /// Where it stands.
    pub span: Span,
}

/// What follows `every`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Every {
    /// `every 5min [or 64 MiB]`
    Interval(Value, Option<Value>),
    /// `every day`
    Day,
    /// `every hour`
    Hour,
    /// `every last fri of month`
    Month(MonthDay),
    /// `every mon..sat`
    Days(Vec<DayRange>),
}

/// `every … [at 05:45] [during night]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// A fixed time of day.
    pub at: Option<Word>,
    /// A named window.
    pub during: Option<Word>,
    /// Where it stands.
    pub span: Span,
}

/// `every day 01:00..05:30`, `every sat 22:00..sun 09:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpan {
    /// On which days an occurrence starts.
    pub schedule: Schedule,
    /// Start, time of day.
    pub from: Word,
    /// The day it ends on, when written. 0 = Monday.
    pub until_day: Option<u8>,
    /// End, time of day.
    pub until: Word,
    /// Where it stands.
    pub span: Span,
}

/// What an objective or a recovery is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What is lost.
    pub kind: LossKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LossKind {
    /// `loss of disk`
    Disk,
    /// `loss of host`
    Host,
    /// `loss of site [fra]`, `loss of device [nvme]`, or another kind (a finding later)
    Named(Kind, Option<Word>),
    /// `human error`
    HumanError,
    /// `corruption`
    Corruption,
}

/// Where `replay log` stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The form.
    pub kind: PointKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a [`Point`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointKind {
    /// The end of the log.
    Latest,
    /// An instant as written, with or without offset.
    Instant(Word),
    /// A transaction.
    Transaction(Reference),
    /// A named restore point.
    RestorePoint(Word),
    /// `$name`
    Var(Word),
}

/// `window 35d`, `weekly 5`, `last 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The form.
    pub kind: TierKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a [`Tier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierKind {
    /// Restorable to any instant of this span.
    Window(Value),
    /// One for each of n days.
    Daily(Count),
    /// One for each of n weeks.
    Weekly(Count),
    /// One for each of n months.
    Monthly(Count),
    /// One for each of n years.
    Yearly(Count),
    /// The newest n.
    Last(Count),
}

/// Where the secret of a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// `env`, `file`, `vault` or `command`.
    pub source: Word,
    /// The variable, path or address.
    pub locator: Word,
}

/// A statement of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The form.
    pub kind: ItemKind,
    /// The whole statement, its block included.
    pub span: Span,
}

/// The statements.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// `planc 1`
    Version(Word),
    /// `plan NAME "title"`
    Plan {
        /// The plan's name.
        name: Word,
        /// Its title.
        title: Option<Word>,
    },
    /// `timezone ZONE`
    Timezone(Word),
    /// `environment NAME inventory "file"`
    Environment {
        /// The environment's name.
        name: Word,
        /// Path of the inventory, relative to the plan.
        inventory: Word,
    },
    /// `import "file" as NAME`
    Import {
        /// Path relative to this file.
        path: Word,
        /// The prefix of its names here.
        prefix: Word,
    },
    /// `param …` at top level.
    Param(Param),
    /// `site fra, dub`
    Site(Vec<Word>),
    /// `device …`
    Device(Device),
    /// `key …`
    Key(Key),
    /// `window …`
    Window {
        /// Its name.
        name: Word,
        /// When it is open.
        span: WindowSpan,
    },
    /// `service …`
    Service(Service),
    /// `assume { … }`
    Assume(Vec<Clause>),
    /// `policy NAME for KIND $var { … }`
    Policy(Policy),
    /// `for each KIND $var … { … }`
    ForEach(ForEach),
    /// `apply …` at top level.
    Apply(Apply),
    /// A job, objective or scenario.
    Block(Block),
    /// `allow …` at top level.
    Allow(Allow),
    /// A statement that could not be read; its finding is already made. Keeps the first words
    /// when these could be told (`backup large`), and what its block held.
    Bad {
        /// The statement's keyword, when known.
        keyword: Option<Word>,
        /// The declared name, when known.
        name: Option<Word>,
        /// Clauses read inside its block.
        body: Vec<Clause>,
    },
}

/// `param NAME: TYPE = DEFAULT, ENV: VALUE …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: Word,
    /// Its type's name.
    pub type_name: Word,
    /// The default.
    pub default: Setting,
    /// Values for environments.
    pub settings: Vec<(Word, Setting)>,
    /// The whole clause.
    pub span: Span,
}

/// `device NAME [is KIND] [at SITE] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its name.
    pub name: Word,
    /// `directory`, `s3`, `volumes` …
    pub kind: Option<Word>,
    /// Its site.
    pub site: Option<Word>,
    /// Rotate, retain, throttle, allow.
    pub body: Vec<Clause>,
}

/// `key NAME from SECRET [escrow at SITE]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: Word,
    /// Where it comes from.
    pub secret: Secret,
    /// The site of its second copy.
    pub escrow: Option<Word>,
}

/// `service NAME is ENGINE { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: Word,
    /// Its engine.
    pub engine: Word,
    /// Tablespaces, databases, standbys, groups, allow.
    pub body: Vec<Clause>,
}

/// `policy NAME for KIND $var { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: Word,
    /// What it is for.
    pub kind: Kind,
    /// Its variable, without the dollar sign.
    pub var: Word,
    /// Its parameters and blocks.
    pub body: Vec<PolicyPart>,
}

/// What a policy holds.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyPart {
    /// A parameter.
    Param(Param),
    /// A job, objective or scenario, with its span.
    Block(Block),
    /// Could not be read.
    Bad(Span),
}

/// `for each KIND $var [of SCOPE] [filters] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// What it runs over.
    pub kind: Kind,
    /// Its variable, without the dollar sign.
    pub var: Word,
    /// Within what.
    pub scope: Option<Reference>,
    /// Narrowing conditions.
    pub filters: Vec<Filter>,
    /// `expect`, `apply` and blocks.
    pub body: Vec<ForEachPart>,
    /// From `for` to the opening brace.
    pub head: Span,
}

/// What a `for each` holds.
#[derive(Debug, Clone, PartialEq)]
pub enum ForEachPart {
    /// `expect 900..1100`
    Expect {
        /// Least number.
        from: Word,
        /// Greatest number; the same as `from` when not written.
        to: Option<Word>,
        /// The whole clause.
        span: Span,
    },
    /// `apply …`
    Apply(Apply),
    /// A job, objective or scenario.
    Block(Block),
    /// Could not be read.
    Bad(Span),
}

/// `apply POLICY to SELECTOR [with a 1, b 2] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Apply {
    /// The policy.
    pub policy: Word,
    /// What it is applied to.
    pub target: Selector,
    /// Parameters.
    pub with: Vec<(Word, Value)>,
    /// Overrides and allowances.
    pub body: Vec<Clause>,
    /// The whole clause.
    pub span: Span,
}

/// The blocks that can also stand in policies and `for each`.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The form.
    pub kind: BlockKind,
    /// The block's name; for objectives the word `objectives` itself.
    pub name: Word,
    /// Its clauses, in order.
    pub body: Vec<Clause>,
    /// From the keyword to the opening brace.
    pub head: Span,
    /// The whole block.
    pub span: Span,
}

/// What a [`Block`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockKind {
    /// `backup NAME of TARGETS`
    Backup(Vec<Selector>),
    /// `archive NAME of SELECTOR`
    Archive(Selector),
    /// `objectives of SELECTOR`
    Objectives(Selector),
    /// `drill NAME SCHEDULE`
    Drill(Schedule),
    /// `recovery NAME`
    Recovery,
    /// `switchover NAME`
    Switchover,
}

impl BlockKind {
    /// The keyword that opens it.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Backup(_) => "backup",
            Self::Archive(_) => "archive",
            Self::Objectives(_) => "objectives",
            Self::Drill(_) => "drill",
            Self::Recovery => "recovery",
            Self::Switchover => "switchover",
        }
    }
}

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
    /// `copy [full|incremental|log] to A, B [within 6h]`
    Copy {
        /// What.
        scope: CopyScope,
        /// Where to.
        to: Vec<Word>,
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
