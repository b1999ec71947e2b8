//! Quick fixes cure what they are offered for.

use serde_json::{Value, json};

use super::client::Editor;
use super::{PLAN, at, edited, open, site};

/// The actions at a place.
fn actions(editor: &mut Editor, position: &Value) -> Vec<Value> {
    let params = json!({"textDocument": {"uri": editor.uri("notes.plan")},
        "range": {"start": position, "end": position}, "context": {"diagnostics": []}});
    let found = editor.ask("textDocument/codeAction", params);
    found.as_array().expect("a list").clone()
}

fn applied(editor: &Editor, text: &str, action: &Value) -> String {
    let edits = &action["edit"]["changes"][editor.uri("notes.plan")];
    edited(text, edits)
}

#[test]
fn the_fix_of_a_finding_is_offered_and_cures_it() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    let wrong = PLAN.replace("on near", "on naer");
    editor.write("notes.plan", &wrong);
    assert_eq!(editor.codes("notes.plan"), ["P0201"]);
    let found = actions(&mut editor, &at(&wrong, "store on", "naer"));
    assert_eq!(
        found.len(),
        1,
        "an error of names cannot be allowed: {found:?}"
    );
    assert_eq!(found[0]["kind"], "quickfix");
    assert_eq!(found[0]["diagnostics"][0]["code"], "P0201");
    let cured = applied(&editor, &wrong, &found[0]);
    assert_eq!(cured, PLAN);
    editor.write("notes.plan", &cured);
    assert_eq!(editor.codes("notes.plan"), Vec::<String>::new());
}

#[test]
fn a_finding_can_be_allowed_with_a_reason_where_it_stands() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    let text = PLAN.replacen("  retain window 7d, monthly 3\n", "", 1);
    editor.write("notes.plan", &text);
    let codes = editor.codes("notes.plan");
    assert!(codes.contains(&"P0710".to_owned()), "{codes:?}");
    let found = actions(&mut editor, &at(&text, "backup nightly", "backup"));
    let allow = found.iter().find(|action| {
        let title = action["title"].as_str().expect("a title");
        title.starts_with("allow P0710")
    });
    let changed = applied(&editor, &text, allow.expect("offered"));
    let line = changed
        .lines()
        .find(|line| line.contains("allow"))
        .expect("written");
    assert!(
        line.starts_with("  allow P0710 until 2"),
        "in the block of the backup: {line}"
    );
    editor.write("notes.plan", &changed);
    let codes = editor.codes("notes.plan");
    assert!(!codes.contains(&"P0710".to_owned()), "{codes:?}");
    assert!(
        !codes.iter().any(|code| code.starts_with("P12")),
        "{codes:?}"
    );
}

#[test]
fn what_may_not_be_allowed_is_not_offered() {
    let folder = site();
    let mut editor = open(folder.path());
    let wrong = PLAN.replace("timezone Europe/Berlin", "timezone Moon/Base");
    editor.write("notes.plan", &wrong);
    let found = actions(&mut editor, &at(&wrong, "timezone", "Moon"));
    let allow = |action: &Value| {
        action["title"]
            .as_str()
            .expect("a title")
            .starts_with("allow")
    };
    assert!(!found.iter().any(allow), "{found:?}");
}
