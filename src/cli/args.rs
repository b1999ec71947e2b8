//! Arguments that several commands share.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::cli::exit::CliError;
use crate::cli::{files, load};

/// One plan in one environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PlanArgs {
    /// The plan; needed unless one `*.plan` lies in the current folder, or only one below it.
    #[arg(long, short = 'p', value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// The environment; needed when the plan has more than one.
    #[arg(long, short = 'e', value_name = "NAME")]
    pub env: Option<String>,
}

/// The moment to compute with instead of the clock.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct NowArgs {
    /// Take this as the present moment, for example 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = Timestamp::from_str)]
    pub now: Option<Timestamp>,
}

impl NowArgs {
    /// The moment given, or else the clock's.
    #[must_use]
    pub fn now(self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }
}

/// The forms in which findings can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// Drawn, with the lines of the plan.
    Human,
    /// One line a finding.
    Short,
    /// One object, the source of all other forms.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Commands of GitHub workflows.
    Github,
    /// JUnit XML.
    Junit,
}

/// `FORMAT=FILE` of `--output`.
#[derive(Debug, Clone)]
pub struct OutputFile {
    /// The form.
    pub format: Format,
    /// The file that is written.
    pub path: PathBuf,
}

impl FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not FORMAT=FILE, for example sarif=planc.sarif");
        let (format, path) = text.split_once('=').ok_or_else(form)?;
        let format = Format::from_str(format, false).map_err(|_| form())?;
        let path = PathBuf::from(path);
        Ok(Self { format, path })
    }
}

/// A code or the beginning of codes: `P0602`, `P06`, `P`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePrefix(String);

impl CodePrefix {
    /// True when the code begins so.
    #[must_use]
    pub fn matches(&self, code: crate::diagnostic::Code) -> bool {
        code.to_string().starts_with(&self.0)
    }
}

impl FromStr for CodePrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('P').filter(|digits| digits.len() <= 4);
        match digits {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(text.to_owned())),
            _ => Err(format!(
                "`{text}` is neither a code such as P0602 nor a group such as P06"
            )),
        }
    }
}

/// Reads what `-` stands for.
///
/// # Errors
/// When standard input cannot be read or is not UTF-8.
pub fn read_stdin() -> Result<String, CliError> {
    files::text_of(std::io::stdin()).map_err(|error| {
        let cause = load::cause(&error);
        CliError::refused(format!("cannot read standard input: {cause}"))
    })
}
