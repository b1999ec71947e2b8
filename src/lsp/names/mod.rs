//! Owns the index of one plan: which words name what, where each name is declared and used, in
//! the plan, its imports and its inventories. Must not report what is wrong with a name.

mod clauses;
mod inventory;
mod walk;

use std::collections::BTreeSet;

use crate::lsp::unit::Unit;
use crate::source::{FileId, Span};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameKind {
    Environment,
    Import,
    Param,
    /// Of a policy, a loop, or the input of a scenario.
    Variable,
    Site,
    Host,
    Disk,
    Contact,
    Device,
    Key,
    Window,
    Service,
    Standby,
    Database,
    Tablespace,
    Group,
    Table,
    Policy,
    /// A backup or an archive.
    Job,
    /// A drill, recovery or switchover.
    Scenario,
}

impl NameKind {
    /// As said to people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Import => "import",
            Self::Param => "parameter",
            Self::Variable => "variable",
            Self::Site => "site",
            Self::Host => "host",
            Self::Disk => "disk",
            Self::Contact => "contact",
            Self::Device => "device",
            Self::Key => "key",
            Self::Window => "window",
            Self::Service => "service",
            Self::Standby => "standby",
            Self::Database => "database",
            Self::Tablespace => "tablespace",
            Self::Group => "group",
            Self::Table => "table",
            Self::Policy => "policy",
            Self::Job => "job",
            Self::Scenario => "scenario",
        }
    }

    /// True for parts of services, whose names are only unique within their service.
    pub(super) fn is_component(self) -> bool {
        matches!(
            self,
            Self::Database | Self::Tablespace | Self::Group | Self::Table
        )
    }

    /// True for what has one name in all files: places of the real world, and parts of services.
    fn is_global(self) -> bool {
        self.is_component()
            || matches!(
                self,
                Self::Environment
                    | Self::Site
                    | Self::Host
                    | Self::Disk
                    | Self::Contact
                    | Self::Standby
            )
    }
}

/// One named thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol {
    pub(super) kind: NameKind,
    /// The file whose name it is; the plan itself for what has one name everywhere.
    pub(super) home: FileId,
    /// For variables the block that has them, else empty.
    pub(super) scope: String,
    pub(super) name: String,
}

/// A word that names something.
#[derive(Debug, Clone)]
pub(super) struct Occurrence {
    /// Exactly the name, without quotes, prefix and `$`.
    pub(super) span: Span,
    pub(super) symbol: Symbol,
    /// True where the thing is declared.
    pub(super) declares: bool,
}

/// All names of a plan, by place.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Occurrence>,
}

impl Names {
    /// Reads the index off the trees of a plan.
    pub(super) fn of(unit: &Unit) -> Self {
        let mut found = walk::plans(unit);
        found.extend(inventory::all(unit));
        let declared: BTreeSet<Symbol> = found
            .iter()
            .filter(|one| one.declares)
            .map(|one| one.kinds.symbol(one, one.home))
            .collect();
        let resolved = found.iter().map(|one| one.resolved(&declared));
        let mut list: Vec<Occurrence> = resolved.collect();
        list.sort_by(|a, b| (a.span, &a.symbol).cmp(&(b.span, &b.symbol)));
        list.dedup_by(|a, b| a.span == b.span && a.symbol == b.symbol);
        Self { list }
    }

    /// The name at a byte of a file; its end counts as well.
    pub(super) fn at(&self, file: FileId, byte: usize) -> Option<&Occurrence> {
        self.in_file(file).find(|one| {
            let (start, end) = (one.span.start as usize, one.span.end as usize);
            start <= byte && byte <= end
        })
    }

    /// All words that name the same thing.
    pub(super) fn of_symbol<'n>(
        &'n self,
        symbol: &'n Symbol,
    ) -> impl Iterator<Item = &'n Occurrence> {
        self.list.iter().filter(move |one| one.symbol == *symbol)
    }

    /// The names of one file, by place.
    pub(super) fn in_file(&self, file: FileId) -> impl Iterator<Item = &Occurrence> {
        let start = self.list.partition_point(|one| one.span.file < file);
        let list = self.list[start..].iter();
        list.take_while(move |one| one.span.file == file)
    }

    /// The declared names of a kind as they are written in a file, each once.
    pub(super) fn declared(&self, kind: NameKind, unit: &Unit, file: FileId) -> Vec<String> {
        let declared = self.list.iter().filter(|one| one.declares);
        let of_kind = declared.filter(|one| one.symbol.kind == kind);
        let names: BTreeSet<String> = of_kind
            .filter_map(|one| {
                let name = &one.symbol.name;
                match one.symbol.home {
                    _ if kind.is_global() => Some(name.clone()),
                    home if home == file => Some(name.clone()),
                    home => Some(format!("{}.{name}", walk::prefix(unit, file, home)?)),
                }
            })
            .collect();
        names.into_iter().collect()
    }

    /// Variables that can be used at a byte: those of the blocks around it.
    pub(super) fn variables(&self, unit: &Unit, file: FileId, byte: usize) -> Vec<String> {
        let scopes = walk::scopes(unit, file, byte);
        let in_file = self.in_file(file).filter(|one| one.declares);
        let seen = in_file.filter(|one| match one.symbol.kind {
            NameKind::Param => true,
            NameKind::Variable => scopes.contains(&one.symbol.scope),
            _ => false,
        });
        let names: BTreeSet<String> = seen.map(|one| one.symbol.name.clone()).collect();
        names.into_iter().collect()
    }
}

/// What a word may stand for, before all declarations are known.
#[derive(Debug, Clone, Copy)]
enum Kinds {
    One(NameKind),
    /// The first of these that is declared.
    AnyOf(&'static [NameKind]),
}

impl Kinds {
    fn symbol(self, word: &Found, home: FileId) -> Symbol {
        let kind = match self {
            Self::One(kind) => kind,
            Self::AnyOf(kinds) => kinds.first().copied().unwrap_or(NameKind::Service),
        };
        symbol(kind, word, home)
    }
}

/// A word found by a walk.
#[derive(Debug, Clone)]
struct Found {
    span: Span,
    name: String,
    kinds: Kinds,
    home: FileId,
    /// Blocks around it that may have the variable, innermost first.
    scopes: Vec<String>,
    declares: bool,
}

fn symbol(kind: NameKind, word: &Found, home: FileId) -> Symbol {
    let own = word.scopes.first().filter(|_| kind == NameKind::Variable);
    Symbol {
        kind,
        home: if kind.is_global() { FileId(0) } else { home },
        scope: own.cloned().unwrap_or_default(),
        name: word.name.clone(),
    }
}

impl Found {
    /// The declared thing that is meant, or else the first that could be.
    fn resolved(&self, declared: &BTreeSet<Symbol>) -> Occurrence {
        let first = self.kinds.symbol(self, self.home);
        let symbol = if self.declares {
            first
        } else {
            let mut candidates = self.candidates().into_iter();
            candidates
                .find(|one| declared.contains(one))
                .unwrap_or(first)
        };
        Occurrence {
            span: self.span,
            symbol,
            declares: self.declares,
        }
    }

    /// In the file that is meant, then as things of the inventory, which have the plan as home.
    fn candidates(&self) -> Vec<Symbol> {
        let kinds = match &self.kinds {
            Kinds::One(kind) => std::slice::from_ref(kind),
            Kinds::AnyOf(kinds) => kinds,
        };
        let mut all = Vec::new();
        for kind in kinds {
            for home in [self.home, FileId(0)] {
                let plain = symbol(*kind, self, home);
                if *kind == NameKind::Variable {
                    let scopes = self.scopes.iter().cloned();
                    all.extend(scopes.map(|scope| Symbol {
                        scope,
                        ..plain.clone()
                    }));
                } else {
                    all.push(plain);
                }
            }
        }
        all
    }
}
