//! `planc explain`: the page of a check or of a word of the language.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::check::rule::{self, Rule, split_example};
use crate::check::rules::RULES;
use crate::cli::args::NowArgs;
use crate::cli::derivation;
use crate::cli::exit::{CliError, Exit};
use crate::diagnostic::Code;
use crate::facts::capability;
use crate::resolve::plan::EngineKind;
use crate::syntax::words::{self, WORDS, WordPage};

const ENGINES: [EngineKind; 4] = [
    EngineKind::Postgresql,
    EngineKind::Mariadb,
    EngineKind::Sqlite,
    EngineKind::Files,
];

/// Arguments of `planc explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A code such as P0710, or a word such as `retain`.
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    topic: Option<String>,
    /// List all codes and words.
    #[arg(long)]
    list: bool,
    /// How findings with this code come out in this plan, term by term, instead of the page.
    #[arg(long, value_name = "FILE", requires = "topic")]
    here: Option<PathBuf>,
    /// The form of the page.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Text.
    Human,
    /// One object.
    Json,
}

/// Prints one page, or the list of all.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let text = match (&args.topic, &args.here) {
        (None, _) => list(args.format),
        (Some(topic), None) => page(topic, args.format)?,
        (Some(topic), Some(file)) => {
            let code = topic.to_uppercase().parse::<Code>();
            let code = code.map_err(|error| {
                CliError::refused(error).help("`--here` shows how a finding comes out in a plan")
            })?;
            derivation::here(code, file, args.now.now())?
        }
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

fn page(topic: &str, form: Form) -> Result<String, CliError> {
    if let Ok(code) = topic.to_uppercase().parse::<Code>() {
        let unknown = || {
            CliError::refused(format!("no check has the code {code}"))
                .help("`planc explain --list` shows all codes and words")
        };
        let rule = rule::find(code).ok_or_else(unknown)?;
        return Ok(match form {
            Form::Human => rule_page(rule),
            Form::Json => format!("{:#}\n", rule_json(rule)),
        });
    }
    if let Some(page) = words::page(topic) {
        return Ok(match form {
            Form::Human => word_page(page),
            Form::Json => format!("{:#}\n", word_json(page)),
        });
    }
    Err(CliError::refused(format!(
        "`{topic}` is neither a code nor a word of the language"
    ))
    .help("`planc explain --list` shows all codes and words"))
}

fn rule_page(rule: &Rule) -> String {
    let allow = if rule.allowable {
        "can be allowed with a reason"
    } else {
        "cannot be allowed"
    };
    format!(
        "{} {}: {}\n{}, {allow}\n\n{}\n\n{}",
        rule.code,
        rule.name,
        rule.summary,
        rule.level,
        wrapped(rule.explanation),
        examples(rule),
    )
}

/// Both example plans; files that they share stand once, at the end.
fn examples(rule: &Rule) -> String {
    let (bad, good) = (split_example(rule.bad), split_example(rule.good));
    let own = |files: &[(String, String)], others: &[(String, String)]| -> String {
        let files = files.iter().filter(|file| !others.contains(file));
        files
            .flat_map(|(name, text)| [format!("    # {name}\n"), indented(text)])
            .collect()
    };
    let shared = bad.iter().filter(|file| good.contains(file));
    let shared: String = shared
        .flat_map(|(name, text)| [format!("\nBoth with {name}:\n\n"), indented(text)])
        .collect();
    format!(
        "Wrong:\n\n{}\nRight:\n\n{}{shared}",
        own(&bad, &good),
        own(&good, &bad)
    )
}

/// Breaks lines at 80 columns; paragraphs are told apart by empty lines.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 80;
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn indented(text: &str) -> String {
    let lines = text.lines();
    lines
        .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
        .collect()
}

fn word_page(page: &WordPage) -> String {
    let place = match page.blocks {
        [] => "inside clauses".to_owned(),
        ["file"] => "at the top of a file".to_owned(),
        blocks => format!("in {}", blocks.join(", ")),
    };
    let often = if page.single { "; at most once" } else { "" };
    let (word, form, doc, example) = (page.word, page.form, page.doc, page.example);
    let engines = engines(word);
    format!(
        "{word}: {doc}\n\nForm:    {form}\nExample: {example}\nStands:  {place}{often}\n{engines}"
    )
}

/// Which engines have the copy method that a word names; nothing for other words.
fn engines(word: &str) -> String {
    let has = |engine: &EngineKind| {
        let mut methods = capability::of(*engine).methods.iter();
        methods.any(|method| method.words().starts_with(word))
    };
    if !matches!(word.split(' ').next(), Some("physical" | "logical")) {
        return String::new();
    }
    let names: Vec<&str> = ENGINES
        .iter()
        .filter(|e| has(e))
        .map(|e| e.word())
        .collect();
    format!("Engines: {}\n", names.join(", "))
}

fn word_json(page: &WordPage) -> Value {
    json!({
        "word": page.word,
        "form": page.form,
        "meaning": page.doc,
        "example": page.example,
        "blocks": page.blocks,
        "single": page.single,
    })
}

fn rule_json(rule: &Rule) -> Value {
    json!({
        "code": rule.code,
        "name": rule.name,
        "level": rule.level,
        "allowable": rule.allowable,
        "summary": rule.summary,
        "explanation": rule.explanation,
        "bad": rule.bad,
        "good": rule.good,
    })
}

fn list(form: Form) -> String {
    match form {
        Form::Json => {
            let rules: Vec<Value> = RULES.iter().map(|rule| rule_json(rule)).collect();
            let words: Vec<Value> = WORDS.iter().map(word_json).collect();
            format!("{:#}\n", json!({"rules": rules, "words": words}))
        }
        Form::Human => {
            let row = |rule: &&Rule| {
                let fixed = if rule.allowable { ' ' } else { '!' };
                format!(
                    "{} {:<7}{fixed} {}\n",
                    rule.code,
                    rule.level.to_string(),
                    rule.summary
                )
            };
            let word = |page: &WordPage| format!("{:<22} {}\n", page.word, page.doc);
            let rules: String = RULES.iter().map(row).collect();
            let words: String = WORDS.iter().map(word).collect();
            format!("Checks (! cannot be allowed):\n\n{rules}\nWords:\n\n{words}")
        }
    }
}
