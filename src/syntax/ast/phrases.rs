//! Owns the phrases that clauses are made of: words, quantities, selectors, schedules, losses,
//! points of a replay and tiers of keeping.

use crate::source::Span;

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
    /// A fixed time of day: a clock, or the `$name` of a parameter.
    pub at: Option<Reference>,
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
