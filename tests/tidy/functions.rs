//! Lengths: functions of at most 70 lines, files of at most 800, lines of at most 100 columns.

use super::{Source, report, sources};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 800;
const COLUMNS: usize = 100;

fn all() -> Vec<Source> {
    sources("src")
        .into_iter()
        .chain(sources("tests"))
        .chain(sources("examples"))
        .collect()
}

/// First line and length of each function, told by the indentation that rustfmt gives.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for (at, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let begins = words.starts_with("fn ")
            || words.contains(" fn ") && (words.starts_with("pub") || words.starts_with("const "));
        if begins && open.is_none() && !words.ends_with(';') && !words.ends_with('}') {
            open = Some((at, indent));
        } else if let Some((start, depth)) = open
            && indent == depth
            && words.starts_with('}')
        {
            found.push((start + 1, at - start + 1));
            open = None;
        }
    }
    found
}

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    for source in &all() {
        for (line, length) in functions(&source.text) {
            if length > FUNCTION_LINES {
                complaints.push(format!(
                    "{}:{line}: a function of {length} lines",
                    source.path
                ));
            }
        }
    }
    report(&complaints);
}

#[test]
fn files_are_small_and_open_with_their_purpose() {
    let mut complaints = Vec::new();
    for source in &all() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            complaints.push(format!("{}: {lines} lines", source.path));
        }
        if !source.text.starts_with("//!") {
            complaints.push(format!("{}: does not open with `//!`", source.path));
        }
    }
    report(&complaints);
}

#[test]
fn lines_fit_a_screen() {
    let mut complaints = Vec::new();
    for source in &all() {
        for (at, line) in source.text.lines().enumerate() {
            // a table row or long literal that rustfmt cannot break is told apart by its quotes
            if line.chars().count() > COLUMNS && !line.contains('"') && !line.contains("//") {
                complaints.push(format!("{}:{}: too long", source.path, at + 1));
            }
        }
    }
    report(&complaints);
}
