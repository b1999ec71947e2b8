//! Outline, folding, colours and formatting.

use serde_json::Value;

use super::{PLAN, at, between, edited, open, site};

#[test]
fn the_outline_names_every_statement() {
    let folder = site();
    let mut editor = open(folder.path());
    let found = editor.ask_of("textDocument/documentSymbol", "notes.plan");
    let found = found.as_array().expect("a list");
    let names: Vec<&str> = found
        .iter()
        .map(|s| s["name"].as_str().expect("a name"))
        .collect();
    let all = [
        "notes",
        "prod",
        "staging",
        "lib",
        "log_every",
        "seal",
        "night",
        "objectives of notes",
        "nightly",
        "wal",
    ];
    assert_eq!(names, all);
    for symbol in found {
        let (whole, own) = (
            between(PLAN, &symbol["range"]),
            between(PLAN, &symbol["selectionRange"]),
        );
        assert!(whole.contains(own), "{symbol}");
    }
    let nightly = found
        .iter()
        .find(|s| s["name"] == "nightly")
        .expect("there");
    assert_eq!(nightly["detail"], "backup");
    assert!(between(PLAN, &nightly["range"]).ends_with("monthly 3\n}"));
}

#[test]
fn blocks_fold() {
    let folder = site();
    let mut editor = open(folder.path());
    let found = editor.ask_of("textDocument/foldingRange", "notes.plan");
    let starts = found.as_array().expect("a list").iter();
    let starts: Vec<u64> = starts
        .map(|r| r["startLine"].as_u64().expect("a line"))
        .collect();
    let line = |begin: &str| at(PLAN, begin, begin)["line"].as_u64().expect("a line");
    assert_eq!(
        starts,
        [
            line("assume"),
            line("objectives"),
            line("backup"),
            line("archive")
        ]
    );
}

/// Words with their colours.
fn coloured(text: &str, data: &Value, legend: &Value) -> Vec<(String, String)> {
    let numbers = data.as_array().expect("numbers").iter();
    let numbers: Vec<usize> = numbers
        .map(|n| usize::try_from(n.as_u64().expect("a number")).expect("small"))
        .collect();
    let lines: Vec<&str> = text.lines().collect();
    let (mut line, mut column) = (0, 0);
    let mut found = Vec::new();
    for token in numbers.chunks(5) {
        column = if token[0] == 0 {
            column + token[1]
        } else {
            token[1]
        };
        line += token[0];
        let units: Vec<u16> = lines[line].encode_utf16().collect();
        let word = String::from_utf16(&units[column..column + token[2]]).expect("whole letters");
        let colour = legend[token[3]].as_str().expect("a colour").to_owned();
        found.push((word, colour));
    }
    found
}

#[test]
fn colours_tell_names_from_words() {
    let folder = site();
    let mut editor = super::client::Editor::start(folder.path());
    // a window that is called like a word, and letters that are two units long
    let text = PLAN
        .replace("night ", "latest ")
        .replace("during night", "during latest")
        .replace("plan notes", "plan notes \"\u{1F4D3} x\"");
    editor.open_as("notes.plan", &text);
    let found = editor.ask_of("textDocument/semanticTokens/full", "notes.plan");
    let legend = serde_json::json!([
        "keyword",
        "string",
        "number",
        "comment",
        "namespace",
        "variable",
        "class",
        "property",
        "function",
        "enumMember"
    ]);
    let found = coloured(&text, &found["data"], &legend);
    let has = |word: &str, colour: &str| found.contains(&(word.to_owned(), colour.to_owned()));
    for (word, colour) in [
        ("store", "keyword"),
        ("near", "class"),
        ("lib", "namespace"),
        ("far", "class"),
        ("log_every", "variable"),
        ("latest", "enumMember"),
        ("5min", "number"),
        ("\"prod.yaml\"", "string"),
        ("\"\u{1F4D3} x\"", "string"),
        ("nightly", "function"),
    ] {
        assert!(has(word, colour), "{word} is no {colour} in {found:?}");
    }
    assert!(!has("latest", "keyword"));
}

#[test]
fn formatting_is_that_of_planc_fmt() {
    let folder = site();
    let mut editor = open(folder.path());
    let none = editor.ask_of("textDocument/formatting", "notes.plan");
    assert_eq!(none.as_array().expect("edits").len(), 0);
    let loose = PLAN
        .replace("  store on near", "store   on near")
        .replace("\n\nbackup", "\n\n\n\nbackup");
    editor.write("notes.plan", &loose);
    let edits = editor.ask_of("textDocument/formatting", "notes.plan");
    assert_eq!(edited(&loose, &edits), PLAN);
    editor.write("notes.plan", &PLAN.replacen('}', "", 1));
    let params = serde_json::json!({"textDocument": {"uri": editor.uri("notes.plan")},
        "options": {"tabSize": 2, "insertSpaces": true}});
    let refused = editor.response("textDocument/formatting", params);
    let message = refused["error"]["message"].as_str().expect("refused");
    assert!(message.contains("uneven"), "{message}");
}
