//! Completion offers what may stand there, and not what may not.

use serde_json::{Value, json};

use super::{PLAN, open, site};

/// What is offered where a bar stands in this line, put before the line that begins so.
fn offered(before: &str, line: &str) -> Vec<Value> {
    let folder = site();
    let mut editor = open(folder.path());
    let index = PLAN
        .lines()
        .position(|l| l.trim_start().starts_with(before))
        .expect("there");
    let typed = line.replace('|', "");
    let mut lines: Vec<&str> = PLAN.lines().collect();
    lines.insert(index, &typed);
    editor.write("notes.plan", &(lines.join("\n") + "\n"));
    let character = line.find('|').expect("a bar");
    let place = json!({"line": index, "character": character});
    let found = editor.ask_at("textDocument/completion", "notes.plan", &place);
    if found.is_null() {
        return Vec::new();
    }
    found["items"].as_array().expect("a list").clone()
}

fn labels(before: &str, line: &str) -> Vec<String> {
    let items = offered(before, line);
    let label = |item: &Value| item["label"].as_str().expect("a label").to_owned();
    items.iter().map(label).collect()
}

#[test]
fn clauses_of_the_block_are_offered() {
    let found = labels("store on", "  |");
    for word in ["store on", "copy", "retain", "allow", "physical"] {
        assert!(
            found.iter().any(|label| label == word),
            "{word} of {found:?}"
        );
    }
    for word in ["rpo", "ship", "device", "restore"] {
        assert!(
            found.iter().all(|label| label != word),
            "{word} is no clause of a backup"
        );
    }
    let found = labels("objectives", "|");
    assert!(
        found.contains(&"backup".into()) && !found.contains(&"store on".into()),
        "{found:?}"
    );
    let found = labels("rpo", "  lo|");
    assert!(found.contains(&"log space".into()), "{found:?}");
}

#[test]
fn names_that_fit_are_offered() {
    for (before, line, fits, never) in [
        ("store on", "  store on |", "near", "night"),
        ("store on", "  copy to near, |", "lib.far", "prod"),
        ("store on", "  copy to |", "lib.far", "notes"),
        ("store on", "  store on lib.|", "lib.far", "notes"),
        (
            "store on",
            "  physical incremental every day during |",
            "night",
            "near",
        ),
        ("store on", "  after |", "wal", "near"),
        ("store on", "  copy to near |", "within", "near"),
        ("rpo", "  rpo 1h for loss of |", "disk", "near"),
        ("rpo", "  rpo 1h for |", "loss of", "near"),
        ("rpo", "  allow |", "P0606", "near"),
        ("ship", "  ship every $|", "$log_every", "$it"),
        ("objectives", "objectives of |", "notes", "near"),
        ("objectives", "backup x of service |", "notes", "near"),
        ("objectives", "device new is |", "s3", "sqlite"),
        ("objectives", "service new is |", "sqlite", "s3"),
        ("objectives", "device new is s3 at |", "home", "vault"),
        (
            "objectives",
            "recovery r { restore service notes to |",
            "vault",
            "near",
        ),
    ] {
        let found = labels(before, line);
        assert!(
            found.iter().any(|label| label == fits),
            "{line} {fits}: {found:?}"
        );
        assert!(
            found.iter().all(|label| label != never),
            "{line} {never}: {found:?}"
        );
    }
}

#[test]
fn an_item_replaces_what_was_typed_and_says_what_it_is() {
    let items = offered("store on", "  sto|");
    let item = items
        .iter()
        .find(|item| item["label"] == "store on")
        .expect("offered");
    assert_eq!(item["textEdit"]["newText"], "store on ");
    assert_eq!(item["textEdit"]["range"]["start"]["character"], 2);
    assert_eq!(item["textEdit"]["range"]["end"]["character"], 5);
    assert_eq!(item["detail"], "store on DEVICE");
    assert!(
        item["documentation"]["value"]
            .as_str()
            .expect("text")
            .contains("store on")
    );
}

#[test]
fn nothing_is_offered_in_comments_and_texts() {
    assert_eq!(labels("store on", "  # store on |"), Vec::<String>::new());
    assert_eq!(
        labels("objectives", "plan x \"a |b\""),
        Vec::<String>::new()
    );
}
