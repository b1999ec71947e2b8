//! The table of rules keeps its word: every `bad` gives exactly its code, once, and every `good`
//! gives nothing. Findings of all levels count, advice too; allowed ones do not.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use planc::check::rule::{self, Rule, split_example};
use planc::check::rules::RULES;
use planc::cli::load;
use planc::diagnostic::{Diagnostic, Severity};
use planc::source::SourceMap;

mod cures;
mod estimates;
mod repairs;
mod unlikely;

/// The codes and messages of an example's open findings.
fn findings(example: &str) -> Vec<(String, String)> {
    let (_, findings) = judged(example);
    let findings = findings.into_iter();
    findings
        .map(|finding| (finding.code.to_string(), finding.message))
        .collect()
}

/// Writes an example to a folder of its own, compiles it and gives its open findings.
fn judged(example: &str) -> (SourceMap, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = split_example(example);
    for (name, text) in &files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let main = folder.path().join(&files.first().expect("a plan").0);
    compile(&main)
}

fn compile(main: &Path) -> (SourceMap, Vec<Diagnostic>) {
    let now: Timestamp = "2026-03-01T00:00:00Z".parse().expect("an instant");
    let mut judged = load::compile(main, None, now).expect("readable").judged;
    judged.fold();
    let findings = judged.findings.into_iter();
    let open = findings.filter(|finding| finding.allowed.is_none());
    (judged.sources, open.collect())
}

fn complaints(example: fn(&Rule) -> &str, expected: fn(&Rule) -> Vec<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for rule in RULES {
        let found = findings(example(rule));
        let codes: Vec<String> = found.iter().map(|(code, _)| code.clone()).collect();
        if codes != expected(rule) {
            complaints.push(format!("{} gave {found:?}", rule.code));
        }
    }
    complaints
}

#[test]
fn every_bad_example_gives_exactly_its_code() {
    let wrong = complaints(|rule| rule.bad, |rule| vec![rule.code.to_string()]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_good_example_gives_nothing() {
    let wrong = complaints(|rule| rule.good, |_| Vec::new());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_sorted_and_names_are_unique() {
    assert!(RULES.is_sorted_by(|a, b| a.code < b.code));
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        assert_eq!(
            rule::find(rule.code).map(|found| found.name),
            Some(rule.name)
        );
    }
}

/// The levels of all checks of the language in the order of their codes, one row a chapter: error,
/// warning, advice; `!` where no allowance is possible.
const LEVELS: [(u16, &str); 12] = [
    (1, "E! E! E! E! E! E! E! E! E! E! E! W"),
    (2, "E! E! E! E! E W E! W E! E!"),
    (3, "E! E! E! E! E! E! E! E! E! W E!"),
    (4, "E E E E W W E W W E W"),
    (5, "E W E E W W W E E W A W"),
    (6, "E E E E E W E E E E W A E W E W E E"),
    (7, "E E E W E E E W W E E W"),
    (8, "E! E! W E E W W W E W"),
    // the last two, of recoveries that cannot be carried out, came after the language was written
    (9, "E E E E E E E E W W E W A E E W E W E E E E"),
    (10, "E E E! W W W W"),
    (11, "E! E! E! E! E W W W E E!"),
    // so did the notice before an allowance ends
    (12, "W E! E! A A W!"),
];

#[test]
fn every_check_of_the_language_is_there_at_its_level() {
    let rows = LEVELS.into_iter().flat_map(|(chapter, row)| {
        let levels = (1u16..).zip(row.split(' '));
        levels.map(move |(at, level)| (chapter * 100 + at, level.to_owned()))
    });
    let wanted: Vec<(u16, String)> = rows.collect();
    let found = RULES.iter().map(|rule| {
        let fixed = if rule.allowable { "" } else { "!" };
        let level = match rule.level {
            Severity::Error => "E",
            Severity::Warning => "W",
            Severity::Advice => "A",
        };
        (rule.code.0, format!("{level}{fixed}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    assert_eq!(wanted.len(), 138 + 3);
}

#[test]
fn pages_are_written_in_the_style_of_messages() {
    for rule in RULES {
        let code = rule.code;
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(rule.name.chars().all(kebab), "{code}: name");
        let first = rule.summary.chars().next().expect("a summary");
        assert!(!first.is_uppercase(), "{code}: the summary is a fragment");
        assert!(
            !rule.summary.ends_with('.'),
            "{code}: no full stop after a summary"
        );
        assert!(rule.summary.len() <= 90, "{code}: the summary is one line");
        assert!(rule.explanation.ends_with('.'), "{code}: whole sentences");
        assert!(rule.explanation.len() >= 120, "{code}: says why it matters");
        assert_ne!(rule.bad, rule.good, "{code}: the good plan differs");
    }
}
