//! Owns what one file declares, by name, and which of its imports lead where. The same for all
//! environments. Reports names declared twice (P0204) and files that may not be imported (P0207).

use std::collections::{BTreeMap, VecDeque};

use indexmap::IndexMap;

use super::imports;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{self, Ast, Item, ItemKind, Policy, Word};

/// Index of a file among the scopes; 0 is the plan itself.
pub(super) type ScopeId = usize;

/// A declaration with its name.
#[derive(Debug)]
pub(super) struct Declared<'a, T> {
    pub(super) name: &'a Word,
    pub(super) what: &'a T,
}

// derived, these would ask the same of `T`, which is only referred to
impl<T> Clone for Declared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Declared<'_, T> {}

type Table<'a, T> = IndexMap<&'a str, Declared<'a, T>>;

/// One file: its declarations by name.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// The shortest joined prefix under which the plan sees it, with a dot at the end; empty for
    /// the plan.
    pub(super) prefix: String,
    pub(super) sites: IndexMap<&'a str, &'a Word>,
    pub(super) devices: Table<'a, ast::Device>,
    pub(super) keys: Table<'a, ast::Key>,
    pub(super) windows: Table<'a, ast::WindowSpan>,
    pub(super) services: Table<'a, ast::Service>,
    pub(super) policies: Table<'a, Policy>,
    pub(super) params: Table<'a, ast::Param>,
    /// Imports by prefix; none for a file that could not be read.
    pub(super) imports: IndexMap<&'a str, Option<ScopeId>>,
    /// Statements of the file, in order.
    pub(super) items: &'a [Item],
    /// Statements that could not be read: keyword and name, as far as known.
    bad: Vec<(Option<&'a str>, Option<&'a str>)>,
}

impl Scope<'_> {
    /// True when an unreadable statement may be the declaration of this name.
    pub(super) fn may_declare(&self, keyword: &str, name: &str) -> bool {
        self.bad.iter().any(|(word, named)| {
            word.is_none_or(|word| word == keyword) && named.is_none_or(|named| named == name)
        })
    }

    /// True when a statement could not be read.
    pub(super) fn has_bad(&self) -> bool {
        !self.bad.is_empty()
    }
}

/// Tables of the plan and all files it imports, each file once: a device of a file that two others
/// import is one device, and imports of imports cost what the files cost.
pub(super) fn all<'a>(
    main: &'a Ast,
    imports: &'a BTreeMap<String, Ast>,
    sources: &'a SourceMap,
    out: &mut Diagnostics,
) -> Vec<Scope<'a>> {
    let mut builder = Builder {
        imports,
        sources,
        out,
        prefixes: prefixes(main, imports, sources),
        scopes: Vec::new(),
        known: BTreeMap::new(),
        path: Vec::new(),
    };
    builder.file(main, String::new());
    builder.scopes
}

/// The shortest joined prefix of each imported file, in the order of the imports.
fn prefixes(
    main: &Ast,
    imports: &BTreeMap<String, Ast>,
    sources: &SourceMap,
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut waiting = VecDeque::from([(main, String::new())]);
    while let Some((ast, above)) = waiting.pop_front() {
        let from = sources.file(ast.file).path();
        for item in &ast.items {
            let ItemKind::Import { path, prefix } = &item.kind else {
                continue;
            };
            let target = imports::relative(from, &path.text);
            let Some(next) = imports
                .get(&target)
                .filter(|_| !found.contains_key(&target))
            else {
                continue;
            };
            let prefix = format!("{above}{}.", prefix.text);
            found.insert(target, prefix.clone());
            waiting.push_back((next, prefix));
        }
    }
    found
}

struct Builder<'a, 'o> {
    imports: &'a BTreeMap<String, Ast>,
    sources: &'a SourceMap,
    out: &'o mut Diagnostics,
    prefixes: BTreeMap<String, String>,
    scopes: Vec<Scope<'a>>,
    /// Imported files that are read already.
    known: BTreeMap<String, ScopeId>,
    /// Files being read, from the plan down.
    path: Vec<String>,
}

impl<'a> Builder<'a, '_> {
    fn file(&mut self, ast: &'a Ast, prefix: String) -> ScopeId {
        let id = self.scopes.len();
        self.scopes.push(Scope::default());
        self.path
            .push(self.sources.file(ast.file).path().to_owned());
        let mut scope = Scope {
            prefix,
            items: &ast.items,
            ..Scope::default()
        };
        for item in &ast.items {
            self.item(&mut scope, item);
        }
        self.path.pop();
        self.scopes[id] = scope;
        id
    }

    fn item(&mut self, scope: &mut Scope<'a>, item: &'a Item) {
        match &item.kind {
            ItemKind::Site(names) => {
                for name in names {
                    if let Some(first) = scope.sites.insert(&name.text, name) {
                        self.twice("site", name, first);
                    }
                }
            }
            ItemKind::Device(what) => self.declare("device", &mut scope.devices, &what.name, what),
            ItemKind::Key(what) => self.declare("key", &mut scope.keys, &what.name, what),
            ItemKind::Window { name, span } => {
                self.declare("window", &mut scope.windows, name, span);
            }
            ItemKind::Service(what) => {
                self.declare("service", &mut scope.services, &what.name, what);
            }
            ItemKind::Policy(what) => {
                self.declare("policy", &mut scope.policies, &what.name, what);
            }
            ItemKind::Param(what) => self.declare("param", &mut scope.params, &what.name, what),
            ItemKind::Import { path, prefix } => self.import(scope, path, prefix),
            ItemKind::Bad { keyword, name, .. } => {
                let text = |word: &'a Option<Word>| word.as_ref().map(|word| word.text.as_str());
                scope.bad.push((text(keyword), text(name)));
            }
            ItemKind::Block(_)
            | ItemKind::Apply(_)
            | ItemKind::ForEach(_)
            | ItemKind::Environment { .. } => self.must_be_plan(item),
            ItemKind::Version(_)
            | ItemKind::Plan { .. }
            | ItemKind::Timezone(_)
            | ItemKind::Assume(_)
            | ItemKind::Allow(_) => {}
        }
    }

    fn declare<T>(&mut self, kind: &str, table: &mut Table<'a, T>, name: &'a Word, what: &'a T) {
        if let Some(first) = table.get(name.text.as_str()) {
            return self.twice(kind, name, first.name);
        }
        table.insert(&name.text, Declared { name, what });
    }

    fn twice(&mut self, kind: &str, name: &Word, first: &Word) {
        self.out.push(declared_twice(kind, name, first.span));
    }

    fn import(&mut self, scope: &mut Scope<'a>, path: &'a Word, prefix: &'a Word) {
        if scope.imports.contains_key(prefix.text.as_str()) {
            return self.out.push(declared_twice("import", prefix, path.span));
        }
        let from = self.path.last().map_or("", String::as_str);
        let target = imports::relative(from, &path.text);
        let id = if self.path.contains(&target) {
            self.circle(path, &target);
            None
        } else {
            let known = self.known.get(&target).copied();
            known.or_else(|| self.imported(target))
        };
        scope.imports.insert(&prefix.text, id);
    }

    fn imported(&mut self, target: String) -> Option<ScopeId> {
        let ast = self.imports.get(&target)?;
        let prefix = self.prefixes.get(&target).cloned().unwrap_or_default();
        let id = self.file(ast, prefix);
        self.known.insert(target, id);
        Some(id)
    }

    fn circle(&mut self, path: &Word, target: &str) {
        let from = self
            .path
            .iter()
            .position(|file| file == target)
            .unwrap_or(0);
        let circle: Vec<&str> = self.path[from..].iter().map(String::as_str).collect();
        let message = format!("`{}` is imported in a circle", path.text);
        let help = format!("remove one import of: {} -> {target}", circle.join(" -> "));
        self.out.push(
            Diagnostic::new(Code(207), message, path.span, "")
                .help(help)
                .subject(path.text.clone()),
        );
    }

    /// Jobs and environments belong to the plan alone, so that importing never starts anything.
    fn must_be_plan(&mut self, item: &Item) {
        if self.path.len() < 2 {
            return;
        }
        let (what, span) = describe(item);
        let file = self.path.last().map_or("", String::as_str);
        let message = format!("`{file}` contains `{what}`; imports may only declare");
        self.out.push(
            Diagnostic::new(Code(207), message, span, "")
                .help("move it into a `policy`, or into the plan itself")
                .subject(what),
        );
    }
}

/// The first words of a statement that may not be imported, and where to show it.
fn describe(item: &Item) -> (String, Span) {
    match &item.kind {
        ItemKind::Block(block) => {
            let keyword = block.kind.keyword();
            let name = &block.name.text;
            let words = if name == keyword {
                name.clone()
            } else {
                format!("{keyword} {name}")
            };
            (words, block.head)
        }
        ItemKind::Apply(apply) => (format!("apply {}", apply.policy.text), apply.span),
        ItemKind::ForEach(each) => ("for each".into(), each.head),
        _ => ("environment".into(), item.span),
    }
}

/// P0204.
pub(super) fn declared_twice(kind: &str, name: &Word, first: Span) -> Diagnostic {
    let message = format!("{kind} `{}` is declared twice", name.text);
    Diagnostic::new(Code(204), message, name.span, "again here")
        .related("the first declaration", first, "first here")
        .help("rename one of the two, or remove it")
        .subject(name.text.clone())
}
