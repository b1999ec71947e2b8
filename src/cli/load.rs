//! Owns reading: plan files, their imports and inventories, through the front end to checked
//! plans. The one place that opens files for the compiler.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::check::proof::Row;
use crate::check::{self, CheckedPlan, Purpose, is_error};
use crate::cli::args::{NowArgs, PlanArgs, read_stdin};
use crate::cli::exit::CliError;
use crate::cli::files::Files;
use crate::cli::{find, output};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::facts::facts_file::{self, MeasuredFacts};
use crate::facts::inventory::{self, Inventory};
use crate::graph::rehearse;
use crate::report::findings::{self, Judged};
use crate::resolve;
use crate::resolve::plan::ResolvedPlan;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::{
    self,
    ast::{Ast, ItemKind},
};

/// How findings name a plan that came from standard input.
pub const STDIN: &str = "<stdin>";

/// A compiled plan: the verdict on it, and what can be run of it.
#[derive(Debug)]
pub struct Compiled {
    /// Findings with the texts they point into.
    pub judged: Judged,
    /// The file of the plan.
    pub main: FileId,
    /// Environments against which no error stands that forbids what the plan is wanted for.
    pub plans: Vec<CheckedPlan>,
    /// The other environments; they can be shown, not compiled.
    pub refused: Vec<ResolvedPlan>,
    /// What was measured, by environment.
    pub facts: BTreeMap<String, MeasuredFacts>,
    /// The facts files that the inventories name, by environment, whether they exist or not.
    pub facts_files: BTreeMap<String, String>,
    /// The trees of the plan and of its imports, the plan first.
    pub asts: Vec<Ast>,
}

impl Compiled {
    /// True when an error stands that nothing allows.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Whether errors stand for which no copies are made.
    fn halts(&self) -> bool {
        let mut findings = self.judged.findings.iter();
        findings.any(|finding| Purpose::Work.forbids(finding))
    }

    /// How many errors stand that nothing allows.
    fn errors(&self) -> usize {
        let findings = self.judged.findings.iter();
        findings.filter(|finding| is_error(finding)).count()
    }

    /// The one environment that is meant.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn only_environment(&self) -> Result<&ResolvedPlan, CliError> {
        match self.environments().as_slice() {
            [plan] => Ok(plan),
            [] => Err(CliError::refused("the plan has no environment to show")
                .help("`planc check` says what stands in the way")),
            _ => {
                let names = self.judged.environments.join(", ");
                let message = format!("the plan has several environments: {names}");
                Err(CliError::refused(message).help("choose one with `--env NAME`"))
            }
        }
    }

    /// The promises of one environment.
    pub fn proofs_of(&self, plan: &ResolvedPlan) -> impl Iterator<Item = &Row> {
        let rows = self.judged.proofs.iter();
        rows.filter(move |row| row.environment == plan.environment)
    }

    /// The plan in every environment that was judged, with or without errors, in the order of
    /// the plan file.
    #[must_use]
    pub fn environments(&self) -> Vec<&ResolvedPlan> {
        let good = self.plans.iter().map(CheckedPlan::plan);
        let mut all: Vec<&ResolvedPlan> = good.chain(&self.refused).collect();
        let order = &self.judged.environments;
        all.sort_by_key(|plan| order.iter().position(|name| *name == plan.environment));
        all
    }
}

/// Reads and judges a plan in one or all of its environments. `-` is standard input.
///
/// # Errors
/// When the plan cannot be read or does not know the environment. Imports and inventories that
/// cannot be read are findings.
pub fn compile(
    path: &Path,
    environment: Option<&str>,
    now: Timestamp,
) -> Result<Compiled, CliError> {
    let (name, text) = read_plan(path)?;
    compile_text(&name, text, environment, now)
}

/// Whether measured facts are taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithFacts {
    /// They are read and judged.
    Yes,
    /// They are left alone: a survey that is to replace them must not fail by them.
    No,
}

/// How a plan is judged.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    purpose: Purpose,
    facts: WithFacts,
}

impl Wanted {
    /// For work, with all that is known.
    const PLAIN: Self = Self {
        purpose: Purpose::Work,
        facts: WithFacts::Yes,
    };
}

/// Reads and judges a plan with all that it names from the disk or from a revision.
///
/// # Errors
/// As [`compile`].
pub fn compile_from(
    files: &Files,
    path: &Path,
    environment: Option<&str>,
    now: Timestamp,
) -> Result<Compiled, CliError> {
    let (name, text) = read_plan_from(files, path)?;
    compile_with(files, (&name, text), environment, now, Wanted::PLAIN)
}

/// Judges the text of a plan; paths in it are relative to the folder of `name`.
///
/// # Errors
/// When the plan does not know the environment.
pub fn compile_text(
    name: &str,
    text: String,
    environment: Option<&str>,
    now: Timestamp,
) -> Result<Compiled, CliError> {
    compile_with(&Files::Disk, (name, text), environment, now, Wanted::PLAIN)
}

fn compile_with(
    files: &Files,
    (name, text): (&str, String),
    environment: Option<&str>,
    now: Timestamp,
    wanted: Wanted,
) -> Result<Compiled, CliError> {
    let mut reader = Reader::new(files);
    let main = reader.sources.add(name, text);
    let ast = reader.parse(main);
    known_environment(&ast, environment)?;
    let imports = reader.imports(&ast);
    let inventories = reader.inventories(&ast, environment);
    let facts_files = reader.facts_files(&inventories);
    let facts = match wanted.facts {
        WithFacts::Yes => reader.facts(&facts_files),
        WithFacts::No => BTreeMap::new(),
    };
    let Reader {
        sources, mut found, ..
    } = reader;
    let input = resolve::Input {
        main: &ast,
        imports: &imports,
        inventories: &inventories,
        sources: &sources,
        environment,
    };
    let plans = resolve::resolve(&input, &mut found);
    let plan = plan_name(&ast).unwrap_or_else(|| name.to_owned());
    let environments = plans.iter().map(|plan| plan.environment.clone());
    let environments = environments.filter(|name| !name.is_empty()).collect();
    let asts: Vec<Ast> = std::iter::once(ast).chain(imports.into_values()).collect();
    let checked = check::check(check::Input {
        plans,
        facts: &facts,
        sources: &sources,
        asts: &asts,
        found,
        now,
        purpose: wanted.purpose,
        rehearse: rehearse::refusals,
    });
    let judged = Judged {
        plan,
        environments,
        sources,
        findings: checked.findings,
        promises: checked.promises,
        proofs: checked.proofs,
        known: 0,
    };
    Ok(Compiled {
        judged,
        main,
        plans: checked.plans,
        refused: checked.refused,
        facts,
        facts_files: facts_files
            .into_iter()
            .map(|(name, (path, _))| (name, path))
            .collect(),
        asts,
    })
}

/// The checked plan that a command works with. Findings are drawn on stderr when an error stands.
///
/// # Errors
/// When it cannot be told which plan or environment is meant, when the plan cannot be read, and
/// when an error stands against it: all refusals.
pub fn checked(which: &PlanArgs, now: NowArgs) -> Result<CheckedPlan, CliError> {
    Ok(loaded(which, now)?.plan)
}

/// The plan that is meant, judged in the environment that is meant or in all, with its errors.
///
/// # Errors
/// When it cannot be told which plan is meant, or when it cannot be read.
pub fn judged(which: &PlanArgs, now: NowArgs) -> Result<Compiled, CliError> {
    compile(&path_of(which)?, which.env.as_deref(), now.now())
}

fn path_of(which: &PlanArgs) -> Result<PathBuf, CliError> {
    match &which.plan {
        Some(path) => Ok(path.clone()),
        None => find::only_plan(),
    }
}

/// A checked plan with the files it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The plan.
    pub plan: CheckedPlan,
    /// Its file.
    pub path: PathBuf,
    /// The file of its inventory, in which relative paths begin; none when nothing is said in one.
    pub inventory: Option<PathBuf>,
    /// The facts file that the inventory names; it need not exist.
    pub facts: Option<PathBuf>,
    /// All files that were read for it, absolute.
    pub texts: Vec<PathBuf>,
    /// What was measured in its environment.
    pub measured: Option<MeasuredFacts>,
    /// How its promises came out.
    pub proofs: Vec<Row>,
    /// Errors that stand against it, though they do not forbid what it was loaded for.
    pub errors: usize,
    /// Whether `planc run` makes no copies for them.
    pub halts: bool,
    /// Allowances that end soon, in words.
    pub ending: Vec<String>,
}

/// As [`checked`], with the files.
///
/// # Errors
/// As [`checked`].
pub fn loaded(which: &PlanArgs, now: NowArgs) -> Result<Loaded, CliError> {
    loaded_for(which, now, Purpose::Work)
}

/// As [`loaded`], for a purpose. Errors that do not forbid it are told in one line on stderr.
///
/// # Errors
/// As [`checked`], of the errors that forbid the purpose.
pub fn loaded_for(which: &PlanArgs, now: NowArgs, purpose: Purpose) -> Result<Loaded, CliError> {
    let facts = WithFacts::Yes;
    let loaded = loaded_with(which, now, Wanted { purpose, facts })?;
    if loaded.errors > 0 {
        let (path, count) = (loaded.path.display(), loaded.errors);
        let errors = if count == 1 { "error" } else { "errors" };
        let next = if loaded.halts {
            "`planc run` refuses to make copies until that is corrected"
        } else {
            "what is not there is not copied, all else is"
        };
        writeln!(
            std::io::stderr().lock(),
            "warning: {path} has {count} {errors}: {next}; see `planc check`"
        )?;
    }
    Ok(loaded)
}

/// As [`loaded_for`] the rescue of what is stored, but measured facts are not judged: for the
/// survey that replaces them, and for servers that archive.
///
/// # Errors
/// As [`loaded_for`].
pub fn loaded_without_facts(which: &PlanArgs, now: NowArgs) -> Result<Loaded, CliError> {
    let wanted = Wanted {
        purpose: Purpose::Rescue,
        facts: WithFacts::No,
    };
    loaded_with(which, now, wanted)
}

fn loaded_with(which: &PlanArgs, now: NowArgs, wanted: Wanted) -> Result<Loaded, CliError> {
    let (path, mut compiled) = sound_with(which, now, wanted)?;
    if compiled.plans.len() > 1 {
        let names = compiled.judged.environments.join(", ");
        let message = format!("{} has several environments: {names}", path.display());
        return Err(CliError::refused(message).help("choose one with `--env NAME`"));
    }
    let missing = || CliError::refused(format!("{} has no environment to run", path.display()));
    let plan = compiled.plans.pop().ok_or_else(missing)?;
    let inventory = inventory_of(plan.plan(), &compiled.judged.sources);
    let facts = compiled.facts_files.get(&plan.plan().environment);
    Ok(Loaded {
        facts: facts.map(PathBuf::from),
        texts: texts_of(&compiled.judged.sources),
        measured: compiled.facts.remove(&plan.plan().environment),
        errors: compiled.errors(),
        halts: compiled.halts(),
        ending: ending(&compiled.judged.findings),
        proofs: compiled.judged.proofs,
        plan,
        path,
        inventory,
    })
}

/// What `allowance-ends-soon` found.
fn ending(findings: &[Diagnostic]) -> Vec<String> {
    let soon = findings.iter().filter(|one| one.code == Code(1206));
    soon.map(|one| one.message.clone()).collect()
}

fn texts_of(sources: &SourceMap) -> Vec<PathBuf> {
    let paths = sources.iter().map(|(_, file)| file.path());
    let paths = paths.filter(|path| *path != STDIN);
    // a path that cannot be made absolute is looked for as it is
    let absolute = |path: &str| std::path::absolute(path).unwrap_or_else(|_| path.into());
    paths.map(absolute).collect()
}

/// The plan that is meant, compiled in one or all of its environments, without an error. Findings
/// are drawn on stderr when an error stands.
///
/// # Errors
/// As [`checked`], but several environments are no error.
pub fn sound(which: &PlanArgs, now: NowArgs) -> Result<(PathBuf, Compiled), CliError> {
    sound_with(which, now, Wanted::PLAIN)
}

fn sound_with(
    which: &PlanArgs,
    now: NowArgs,
    wanted: Wanted,
) -> Result<(PathBuf, Compiled), CliError> {
    let path = path_of(which)?;
    let environment = which.env.as_deref();
    let (name, text) = read_plan(&path)?;
    let mut compiled = compile_with(&Files::Disk, (&name, text), environment, now.now(), wanted)?;
    let found = &compiled.judged.findings;
    if found.iter().any(|one| wanted.purpose.forbids(one)) {
        let style = output::style(&std::io::stderr());
        compiled.judged.fold();
        let drawn = findings::human(std::slice::from_ref(&compiled.judged), style, usize::MAX);
        write!(std::io::stderr().lock(), "{drawn}")?;
        let message = format!("{} has errors; nothing was started", path.display());
        return Err(CliError::refused(message).help("correct the plan, then repeat the command"));
    }
    Ok((path, compiled))
}

/// The file of the inventory, by the places that came from it.
fn inventory_of(plan: &ResolvedPlan, sources: &SourceMap) -> Option<PathBuf> {
    let devices = plan.devices.iter().map(|device| device.inventory_span);
    let services = plan.services.iter().map(|service| service.inventory_span);
    let span = devices.chain(services).flatten().next()?;
    Some(PathBuf::from(sources.file(span.file).path()))
}

/// The name that findings use, and the text of a plan; `-` is standard input.
pub(crate) fn read_plan(path: &Path) -> Result<(String, String), CliError> {
    read_plan_from(&Files::Disk, path)
}

fn read_plan_from(files: &Files, path: &Path) -> Result<(String, String), CliError> {
    if path.as_os_str() == "-" {
        return Ok((STDIN.to_owned(), read_stdin()?));
    }
    let name = path.to_string_lossy().into_owned();
    match files.read(&name) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let message = format!("cannot read the plan {name}: {}", cause(&error));
            Err(CliError::refused(message).help("name a readable plan file, or `-` for stdin"))
        }
    }
}

/// The cause of a failed read as a lowercase fragment.
pub(crate) fn cause(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::FileTooLarge => "it is longer than 64 MiB".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

fn unreadable_facts(written: &str, span: Span, error: &std::io::Error) -> Diagnostic {
    let message = format!("cannot read the facts `{written}`: {}", cause(error));
    Diagnostic::new(Code(1101), message, span, "named here")
        .subject(written)
        .help("make the file readable, or run `planc survey`")
}

fn known_environment(ast: &Ast, asked: Option<&str>) -> Result<(), CliError> {
    let Some(asked) = asked else { return Ok(()) };
    let known: Vec<String> = resolve::inventories_of(ast)
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    if known.iter().any(|name| name == asked) {
        return Ok(());
    }
    let error = CliError::refused(format!("the plan has no environment `{asked}`"));
    Err(if known.is_empty() {
        error.help("it declares none; leave `--env` out")
    } else {
        error.help(format!("it declares {}", known.join(", ")))
    })
}

fn plan_name(ast: &Ast) -> Option<String> {
    ast.items.iter().find_map(|item| match &item.kind {
        ItemKind::Plan { name, .. } => Some(name.text.clone()),
        _ => None,
    })
}

/// Reads files into one map and collects findings on the way.
#[derive(Debug)]
struct Reader<'f> {
    files: &'f Files,
    sources: SourceMap,
    found: Diagnostics,
}

impl<'f> Reader<'f> {
    fn new(files: &'f Files) -> Self {
        Self {
            files,
            sources: SourceMap::default(),
            found: Diagnostics::default(),
        }
    }

    fn parse(&mut self, file: FileId) -> Ast {
        let text = self.sources.file(file).text();
        syntax::parse(file, text, &mut self.found)
    }

    /// Imports of imports too, each file once.
    fn imports(&mut self, main: &Ast) -> BTreeMap<String, Ast> {
        let mut imports: BTreeMap<String, Ast> = BTreeMap::new();
        let mut waiting = self.imports_of(main);
        while let Some((path, written, span)) = waiting.pop() {
            let own = self.sources.find(&path);
            if own == Some(main.file) || imports.contains_key(&path) {
                continue;
            }
            match self.files.read(&path) {
                Ok(text) => {
                    let file = self.sources.add(&*path, text);
                    let ast = self.parse(file);
                    waiting.extend(self.imports_of(&ast));
                    imports.insert(path, ast);
                }
                Err(error) => {
                    resolve::unreadable_import(&written, span, &cause(&error), &mut self.found);
                }
            }
        }
        imports
    }

    fn imports_of(&self, ast: &Ast) -> Vec<(String, String, crate::source::Span)> {
        let from = self.sources.file(ast.file).path();
        let imports = resolve::imports_of(ast).into_iter();
        imports
            .map(|(written, span)| (resolve::relative(from, &written), written, span))
            .collect()
    }

    fn inventories(&mut self, main: &Ast, only: Option<&str>) -> BTreeMap<String, Inventory> {
        let from = self.sources.file(main.file).path().to_owned();
        let mut inventories = BTreeMap::new();
        for (name, written, span) in resolve::inventories_of(main) {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let path = resolve::relative(&from, &written);
            if let Some(same) = self.known(&path, &inventories) {
                inventories.insert(name, same);
                continue;
            }
            match self.files.read(&path) {
                Ok(text) => {
                    let file = self.sources.add(path, text);
                    let text = self.sources.file(file).text();
                    inventories.insert(name, inventory::read(file, text, &mut self.found));
                }
                Err(error) => {
                    let cause = cause(&error);
                    resolve::unreadable_inventory(&name, &written, span, &cause, &mut self.found);
                }
            }
        }
        inventories
    }

    /// The facts files that inventories name, by environment, with the place that names each.
    fn facts_files(
        &self,
        inventories: &BTreeMap<String, Inventory>,
    ) -> BTreeMap<String, (String, Span)> {
        let named = inventories.iter().filter_map(|(name, inventory)| {
            let (written, span) = inventory.facts.as_ref()?;
            let own = self.sources.file(inventory.file?).path();
            Some((name.clone(), (resolve::relative(own, written), *span)))
        });
        named.collect()
    }

    /// The measured facts beside the inventories. A file that is not there yet says nothing: the
    /// first survey writes it.
    fn facts(
        &mut self,
        files: &BTreeMap<String, (String, Span)>,
    ) -> BTreeMap<String, MeasuredFacts> {
        let mut facts = BTreeMap::new();
        for (name, (path, span)) in files {
            match self.files.read(path) {
                Ok(text) => {
                    let file = self.sources.add(path.as_str(), text);
                    let text = self.sources.file(file).text();
                    facts.insert(name.clone(), facts_file::read(file, text, &mut self.found));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.found.push(unreadable_facts(path, *span, &error)),
            }
        }
        facts
    }

    /// An inventory that another environment has read already.
    fn known(&self, path: &str, read: &BTreeMap<String, Inventory>) -> Option<Inventory> {
        let file = self.sources.find(path)?;
        let same = read.values().find(|other| other.file == Some(file))?;
        Some(same.clone())
    }
}
