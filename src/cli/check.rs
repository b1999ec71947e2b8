//! `planc check`: parse, resolve, prove. Opens nothing but the files named and what they name.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::check::rule;
use crate::cli::args::{CodePrefix, Format, NowArgs, OutputFile};
use crate::cli::exit::{CliError, Exit};
use crate::cli::files::Files;
use crate::cli::{find, fix, load, output};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::report::findings::{self, Baseline, Judged};
use crate::report::render::Style;

/// A promise that needs a fact nobody stated or measured.
const CANNOT_PROVE: Code = Code(611);

/// Arguments of `planc check`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "one a flag")]
pub(crate) struct Args {
    /// Plans; `-` is standard input. Without any: every `*.plan` below the current folder, but for
    /// hidden folders, `target` and devices.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge this environment only; `all` (the default) judges every one.
    #[arg(long, short = 'e', value_name = "NAME")]
    env: Option<String>,
    /// The form of the findings.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Also write the findings in this form to a file; can be repeated.
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<OutputFile>,
    /// End with 1 when a finding is at least this grave.
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    /// Count a promise that cannot be proved for want of a fact as an error.
    #[arg(long)]
    strict_facts: bool,
    /// Show only these codes or groups of codes, for example `P06,P0704`.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    select: Vec<CodePrefix>,
    /// Leave these codes or groups of codes out.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    ignore: Vec<CodePrefix>,
    /// Leave out the findings that this file knows by their fingerprints; they do not count.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all present findings to this file as a baseline, and leave them out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "select", "ignore"])]
    write_baseline: Option<PathBuf>,
    /// Show every finding, also the many that one cause brought about.
    #[arg(long)]
    expand_findings: bool,
    /// Draw at most this many findings.
    #[arg(long, value_name = "N", default_value_t = 50)]
    max: usize,
    /// Apply the fixes of findings that cannot change the meaning for the worse.
    #[arg(long)]
    fix: bool,
    /// Read nothing outside this folder, whatever a plan imports or names: for plans of strangers.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// With `--fix`: also apply fixes that may change the meaning.
    #[arg(long, requires = "fix")]
    unsafe_fixes: bool,
    #[command(flatten)]
    now: NowArgs,
}

/// Levels of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Errors only.
    Error,
    /// Errors and warnings.
    Warning,
    /// Any finding.
    Advice,
}

impl FailOn {
    fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity == Severity::Error,
            Self::Warning => severity != Severity::Advice,
            Self::Advice => true,
        }
    }
}

/// Judges the plans and reports.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let files = find::named_or_all(&args.files)?;
    if args.fix {
        repair(args, &files)?;
    }
    let mut judged = judge(args, &files)?;
    for plan in &mut judged {
        plan.findings.retain(|finding| args.shows(finding));
        args.raise(&mut plan.findings);
    }
    known(args, &mut judged)?;
    let mut findings = judged.iter().flat_map(|plan| &plan.findings);
    let bad = findings.any(|finding| args.fails(finding));
    if !args.expand_findings {
        judged.iter_mut().for_each(Judged::fold);
    }
    report(args, &judged)?;
    Ok(if bad { Exit::Findings } else { Exit::Ok })
}

/// Leaves out what a baseline knows, and says when it knows too much.
fn known(args: &Args, judged: &mut [Judged]) -> Result<(), CliError> {
    if let Some(path) = &args.write_baseline {
        let now = Baseline::of(judged);
        write_file(path, &now.to_text())?;
        now.subtract(judged);
    } else if let Some(path) = &args.baseline {
        let gone = baseline(path)?.subtract(judged);
        if gone > 0 && args.shows_all() {
            let path = path.display();
            writeln!(
                std::io::stderr().lock(),
                "{gone} entries of {path} are cured; write it anew with `--write-baseline {path}`"
            )?;
        }
    }
    Ok(())
}

fn baseline(path: &Path) -> Result<Baseline, CliError> {
    let refused = |cause: String| {
        let message = format!("cannot read the baseline {}: {cause}", path.display());
        CliError::refused(message).help("make one with `planc check --write-baseline FILE`")
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(load::cause(&error)))?;
    Baseline::from_text(&text).map_err(|error| refused(error.to_string()))
}

impl Args {
    fn shows(&self, finding: &Diagnostic) -> bool {
        let named = |list: &[CodePrefix]| list.iter().any(|code| code.matches(finding.code));
        (self.select.is_empty() || named(&self.select)) && !named(&self.ignore)
    }

    /// Sets the level of what these arguments judge otherwise than the table of rules.
    fn raise(&self, findings: &mut [Diagnostic]) {
        let raised = findings.iter_mut();
        for finding in raised.filter(|f| self.strict_facts && f.code == CANNOT_PROVE) {
            finding.level = Some(Severity::Error);
        }
    }

    /// True for a finding that makes the command end with 1.
    fn fails(&self, finding: &Diagnostic) -> bool {
        finding.allowed.is_none() && self.fail_on.includes(rule::level(finding))
    }

    /// True when nothing narrows what is looked at.
    fn shows_all(&self) -> bool {
        self.select.is_empty() && self.ignore.is_empty() && self.environment().is_none()
    }

    /// The files that may be read.
    fn allowed(&self) -> Result<Files, CliError> {
        match &self.root {
            Some(root) => Files::below(root),
            None => Ok(Files::Disk),
        }
    }

    fn environment(&self) -> Option<&str> {
        self.env.as_deref().filter(|name| *name != "all")
    }
}

fn judge(args: &Args, files: &[PathBuf]) -> Result<Vec<Judged>, CliError> {
    let (now, allowed) = (args.now.now(), args.allowed()?);
    let compiled = files
        .iter()
        .map(|path| load::compile_from(&allowed, path, args.environment(), now));
    compiled.map(|plan| plan.map(|plan| plan.judged)).collect()
}

/// Applies fixes round by round, because one fix can make another finding visible.
fn repair(args: &Args, files: &[PathBuf]) -> Result<(), CliError> {
    const ROUNDS: usize = 10;
    if files.iter().any(|path| path.as_os_str() == "-") {
        return Err(CliError::refused("standard input cannot be changed")
            .help("name the file that `--fix` shall change"));
    }
    for _ in 0..ROUNDS {
        let judged = judge(args, files)?;
        let mut changed: BTreeMap<PathBuf, String> = BTreeMap::new();
        for plan in &judged {
            let shown = plan.findings.iter().filter(|finding| args.shows(finding));
            changed.extend(fix::apply(&plan.sources, shown, args.unsafe_fixes));
        }
        if changed.is_empty() {
            return Ok(());
        }
        for (path, text) in changed {
            fix::replace(&path, &text)?;
        }
    }
    Ok(())
}

fn report(args: &Args, judged: &[Judged]) -> Result<(), CliError> {
    let style = output::style(&std::io::stdout());
    let mut out = std::io::stdout().lock();
    write!(out, "{}", written(args, args.format, judged, style))?;
    if args.format == Format::Human {
        write!(out, "{}", findings::tally(judged))?;
    }
    for file in &args.output {
        let mut text = written(args, file.format, judged, Style::default());
        if file.format == Format::Human {
            text.push_str(&findings::tally(judged));
        }
        write_file(&file.path, &text)?;
    }
    let github = args.format == Format::Github
        || args.output.iter().any(|file| file.format == Format::Github);
    if github && let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        append(Path::new(&path), &findings::step_summary(judged))?;
    }
    Ok(())
}

fn written(args: &Args, format: Format, judged: &[Judged], style: Style) -> String {
    match format {
        Format::Human => findings::human(judged, style, args.max),
        Format::Short => findings::short(judged),
        Format::Json => findings::json(judged),
        Format::Sarif => findings::sarif(judged),
        Format::Github => findings::github(judged),
        Format::Junit => findings::junit(judged, &|finding| args.fails(finding)),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn append(path: &Path, text: &str) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("cannot write {}: {}", path.display(), load::cause(error));
    CliError::refused(message).help("name a file in a writable folder")
}
