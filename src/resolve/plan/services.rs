//! Owns what is protected: services, their components, and what the plan assumes of them.

use indexmap::IndexMap;

use super::{Allow, ComponentId, ServiceId};
use crate::quantity::{Bytes, BytesPerSecond};
use crate::source::Span;

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
    /// Path of a SQLite file, file tree or data directory, already joined to the folder of the
    /// inventory file.
    pub path: Option<String>,
    /// Folder with the programs of the server's version, joined in the same way.
    pub programs: Option<String>,
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

impl Component {
    /// The tables of a group or table component, by name or pattern.
    #[must_use]
    pub fn taken(&self) -> Vec<String> {
        match self.kind {
            ComponentKind::Table => vec![self.name.clone()],
            _ => self.tables.clone(),
        }
    }
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
