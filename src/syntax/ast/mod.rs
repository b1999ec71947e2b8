//! Owns the tree of a plan file: what was written, with spans, nothing resolved.
//! Must not look up names, convert units or fill defaults; those belong to `resolve`.
//!
//! Every node keeps the words of the user. A clause that could not be read is kept as
//! [`ClauseKind::Bad`] and a statement as [`ItemKind::Bad`]: later stages treat them as
//! "unknown but present", so that one slip does not raise a second finding elsewhere.

mod clause;
mod phrases;

pub use clause::*;
pub use phrases::*;

use crate::source::{FileId, Span};

/// One plan file.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast {
    /// The file it was read from.
    pub file: FileId,
    /// Statements in the order written.
    pub items: Vec<Item>,
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
    pub with: Vec<(Word, Setting)>,
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
