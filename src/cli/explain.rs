//! `planc explain`: the page of a check or of a word of the language.

use std::io::Write;

use serde_json::{Value, json};

use crate::check::rule::{self, Rule};
use crate::check::rules::RULES;
use crate::cli::exit::{CliError, Exit};
use crate::diagnostic::Code;

/// Arguments of `planc explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code such as P0710, or a word such as `retain`.
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    topic: Option<String>,
    /// List all codes and words.
    #[arg(long)]
    list: bool,
    /// The form of the page.
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
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
    let text = match &args.topic {
        None => list(args.format),
        Some(topic) => page(topic, args.format)?,
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
        "{} {}: {}\n{}, {allow}\n\n{}\n\nWrong:\n\n{}\nRight:\n\n{}",
        rule.code,
        rule.name,
        rule.summary,
        rule.level,
        wrapped(rule.explanation),
        indented(rule.bad),
        indented(rule.good),
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
            format!("{:#}\n", json!({"rules": rules}))
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
            RULES.iter().map(row).collect()
        }
    }
}
