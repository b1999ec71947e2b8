//! Owns one plan as an editor sees it: its texts, trees, environments and findings. What an edit
//! did not touch is taken over from the compilation before.
//! Must not judge; the stages do, as for `planc check`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use crate::check::proof::Row;
use crate::check::{self, CheckedPlan};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::facts::facts_file::{self, MeasuredFacts};
use crate::facts::inventory::{self, Inventory};
use crate::graph::rehearse;
use crate::lsp::documents::Documents;
use crate::lsp::names::Names;
use crate::resolve;
use crate::resolve::plan::ResolvedPlan;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::{self, ast::Ast};

/// Something read from a text, with the findings that reading made.
#[derive(Debug, Clone)]
struct Read<T> {
    text: Arc<str>,
    file: FileId,
    value: T,
    found: Diagnostics,
}

impl<T> Read<T> {
    /// What was read before, when it was the same text; else it is read anew.
    fn again(
        before: Option<Self>,
        file: FileId,
        text: &Arc<str>,
        read: impl FnOnce(&mut Diagnostics) -> T,
    ) -> Self {
        let same = before.filter(|old| old.file == file && old.text == *text);
        same.unwrap_or_else(|| {
            let mut found = Diagnostics::new();
            let value = read(&mut found);
            Self {
                text: Arc::clone(text),
                file,
                value,
                found,
            }
        })
    }
}

/// What has been read, by path.
#[derive(Debug, Default)]
struct Cache {
    asts: BTreeMap<String, Read<Ast>>,
    inventories: BTreeMap<String, Read<Inventory>>,
    facts: BTreeMap<String, Read<MeasuredFacts>>,
}

/// One compiled plan.
#[derive(Debug, Default)]
pub(super) struct Unit {
    cache: Cache,
    /// All texts; the plan itself is the first.
    pub(super) sources: SourceMap,
    /// The trees: of the plan, then of its imports.
    pub(super) asts: Vec<Ast>,
    /// Inventories by environment: the path of the file.
    pub(super) inventories: Vec<(String, String)>,
    /// All findings, each one by itself.
    pub(super) findings: Vec<Diagnostic>,
    /// How the promises came out.
    pub(super) proofs: Vec<Row>,
    /// Environments without errors.
    pub(super) plans: Vec<CheckedPlan>,
    /// Environments with errors.
    pub(super) refused: Vec<ResolvedPlan>,
    names: OnceCell<Names>,
}

impl Unit {
    /// Compiles the plan at an absolute path; `before` is its last compilation.
    ///
    /// # Errors
    /// When the plan itself cannot be read.
    pub(super) fn compile(
        path: &str,
        before: Self,
        documents: &mut Documents,
        now: Timestamp,
    ) -> io::Result<Self> {
        let text = documents.read(path)?;
        let mut reader = Reader {
            documents,
            before: before.cache,
            cache: Cache::default(),
            sources: SourceMap::new(),
            found: Diagnostics::new(),
        };
        let main = reader.parse(path, &text);
        let imports = reader.imports(&main);
        let (named, inventories) = reader.inventories(&main);
        let facts = reader.facts(&inventories);
        let Reader {
            cache,
            sources,
            mut found,
            ..
        } = reader;
        let input = resolve::Input {
            main: &main,
            imports: &imports,
            inventories: &inventories,
            sources: &sources,
            environment: None,
        };
        let plans = resolve::resolve(&input, &mut found);
        let asts: Vec<Ast> = std::iter::once(main).chain(imports.into_values()).collect();
        let checked = check::check(check::Input {
            plans,
            facts: &facts,
            sources: &sources,
            asts: &asts,
            found,
            now,
            purpose: check::Purpose::Work,
            rehearse: rehearse::refusals,
        });
        Ok(Self {
            cache,
            sources,
            asts,
            inventories: named,
            findings: checked.findings,
            proofs: checked.proofs,
            plans: checked.plans,
            refused: checked.refused,
            names: OnceCell::new(),
        })
    }

    /// The tree of one of its plan files.
    pub(super) fn ast(&self, file: FileId) -> Option<&Ast> {
        self.asts.iter().find(|ast| ast.file == file)
    }

    /// Every environment, with errors or without.
    pub(super) fn environments(&self) -> impl Iterator<Item = &ResolvedPlan> {
        let good = self.plans.iter().map(CheckedPlan::plan);
        good.chain(&self.refused)
    }

    /// What is called how, in all its files.
    pub(super) fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of(self))
    }
}

/// Reads texts through the editor's buffers, and reuses what was read before.
struct Reader<'d> {
    documents: &'d mut Documents,
    before: Cache,
    cache: Cache,
    sources: SourceMap,
    found: Diagnostics,
}

impl Reader<'_> {
    fn parse(&mut self, path: &str, text: &Arc<str>) -> Ast {
        let file = self.sources.add(path, &**text);
        let old = self.before.asts.remove(path);
        let read = Read::again(old, file, text, |found| syntax::parse(file, text, found));
        self.found.append(read.found.clone());
        let ast = read.value.clone();
        self.cache.asts.insert(path.to_owned(), read);
        ast
    }

    /// Imports of imports too, each file once.
    fn imports(&mut self, main: &Ast) -> BTreeMap<String, Ast> {
        let mut imports = BTreeMap::new();
        let mut waiting = self.imports_of(main);
        while let Some((path, written, span)) = waiting.pop() {
            if self.sources.find(&path).is_some() {
                continue;
            }
            match self.documents.read(&path) {
                Ok(text) => {
                    let ast = self.parse(&path, &text);
                    waiting.extend(self.imports_of(&ast));
                    imports.insert(path, ast);
                }
                Err(error) => {
                    let found = &mut self.found;
                    resolve::unreadable_import(&written, span, &cause(&error), found);
                }
            }
        }
        imports
    }

    fn imports_of(&self, ast: &Ast) -> Vec<(String, String, Span)> {
        let from = self.sources.file(ast.file).path();
        let imports = resolve::imports_of(ast).into_iter();
        imports
            .map(|(written, span)| (resolve::relative(from, &written), written, span))
            .collect()
    }

    /// The path of each environment's inventory, and what stands in those that can be read.
    fn inventories(&mut self, main: &Ast) -> (Vec<(String, String)>, BTreeMap<String, Inventory>) {
        let from = self.sources.file(main.file).path().to_owned();
        let (mut named, mut inventories) = (Vec::new(), BTreeMap::new());
        for (name, written, span) in resolve::inventories_of(main) {
            let path = resolve::relative(&from, &written);
            match self.documents.read(&path) {
                Ok(text) => {
                    inventories.insert(name.clone(), self.inventory(&path, &text));
                    named.push((name, path));
                }
                Err(error) => {
                    let (cause, found) = (cause(&error), &mut self.found);
                    resolve::unreadable_inventory(&name, &written, span, &cause, found);
                }
            }
        }
        (named, inventories)
    }

    fn inventory(&mut self, path: &str, text: &Arc<str>) -> Inventory {
        if let Some(read) = self.cache.inventories.get(path) {
            return read.value.clone(); // another environment has the same
        }
        let file = self.sources.add(path, &**text);
        let old = self.before.inventories.remove(path);
        let read = Read::again(old, file, text, |found| inventory::read(file, text, found));
        self.found.append(read.found.clone());
        let inventory = read.value.clone();
        self.cache.inventories.insert(path.to_owned(), read);
        inventory
    }

    fn facts(
        &mut self,
        inventories: &BTreeMap<String, Inventory>,
    ) -> BTreeMap<String, MeasuredFacts> {
        let mut facts = BTreeMap::new();
        for (name, inventory) in inventories {
            let (Some(own), Some((written, span))) = (inventory.file, &inventory.facts) else {
                continue;
            };
            let path = resolve::relative(self.sources.file(own).path(), written);
            match self.documents.read(&path) {
                Ok(text) => {
                    facts.insert(name.clone(), self.measured(&path, &text));
                }
                // the first survey writes it
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("cannot read the facts `{written}`: {}", cause(&error));
                    let finding = Diagnostic::new(Code(1101), message, *span, "named here");
                    self.found.push(finding.help("make the file readable"));
                }
            }
        }
        facts
    }

    fn measured(&mut self, path: &str, text: &Arc<str>) -> MeasuredFacts {
        if let Some(read) = self.cache.facts.get(path) {
            return read.value.clone();
        }
        let file = self.sources.add(path, &**text);
        let old = self.before.facts.remove(path);
        let read = Read::again(old, file, text, |found| facts_file::read(file, text, found));
        self.found.append(read.found.clone());
        let facts = read.value.clone();
        self.cache.facts.insert(path.to_owned(), read);
        facts
    }
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}
