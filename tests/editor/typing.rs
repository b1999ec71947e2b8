//! Findings while typing: of the buffer and not of the disk, in every file that has some.

use serde_json::json;

use super::{INVENTORY, PLAN, at, open, site};

#[test]
fn a_slip_is_found_and_its_correction_seen() {
    let folder = site();
    let mut editor = open(folder.path());
    assert_eq!(editor.codes("notes.plan"), Vec::<String>::new());
    let start = at(PLAN, "store", "near");
    let end =
        json!({"line": start["line"], "character": start["character"].as_u64().expect("n") + 4});
    let range = json!({"start": start, "end": end});
    editor.change("notes.plan", &json!([{"range": range, "text": "naer"}]));
    let findings = editor.findings("notes.plan");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["code"], "P0201");
    assert_eq!(findings[0]["severity"], 1);
    assert_eq!(findings[0]["range"], range);
    assert!(
        findings[0]["message"]
            .as_str()
            .expect("text")
            .contains("did you mean `near`?")
    );
    editor.change("notes.plan", &json!([{"range": range, "text": "near"}]));
    assert_eq!(editor.codes("notes.plan"), Vec::<String>::new());
    editor.leave();
}

#[test]
fn a_broken_promise_points_to_what_breaks_it() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    editor.write("notes.plan", &PLAN.replace("= 5min", "= 30min"));
    let findings = editor.findings("notes.plan");
    let broken = findings
        .iter()
        .find(|f| f["code"] == "P0602")
        .expect("found");
    assert_eq!(broken["range"]["start"], at(PLAN, "rpo", "rpo"));
    let related = &broken["relatedInformation"][0]["location"]["range"]["start"];
    assert_eq!(related["line"], at(PLAN, "ship", "ship")["line"]);
}

#[test]
fn half_a_line_hides_nothing_else() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    let typing = PLAN.replace("  store on near\n", "  store on near\n  cop");
    editor.write("notes.plan", &typing);
    let codes = editor.codes("notes.plan");
    assert!(
        codes.iter().all(|code| code.starts_with("P01")),
        "{codes:?}"
    );
    assert!(!codes.is_empty());
}

#[test]
fn buffers_of_imports_and_inventories_count_before_they_are_saved() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    editor.open("prod.yaml");
    editor.codes("notes.plan");
    editor.write(
        "prod.yaml",
        &INVENTORY.replace("engine: sqlite", "engine: sqlit"),
    );
    assert_eq!(editor.codes("prod.yaml"), ["P1101"]);
    editor.close("prod.yaml");
    assert_eq!(
        editor.codes("prod.yaml"),
        Vec::<String>::new(),
        "the disk counts again"
    );
    editor.open("lib/places.plan");
    editor.codes("notes.plan");
    let wrong = "planc 1\ndevice far is directory at nowhere\n";
    editor.write("lib/places.plan", wrong);
    assert_eq!(editor.codes("lib/places.plan"), ["P0201"]);
    let disk = std::fs::read_to_string(folder.path().join("lib/places.plan")).expect("readable");
    assert_eq!(disk, super::LIBRARY, "nothing is written");
}

#[test]
fn what_was_not_saved_is_forgotten_with_its_buffer() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    editor.write("notes.plan", &PLAN.replace("on near", "on naer"));
    assert_eq!(editor.codes("notes.plan"), ["P0201"]);
    editor.close("notes.plan");
    assert_eq!(editor.codes("notes.plan"), Vec::<String>::new());
}

#[test]
fn a_file_that_changes_on_disk_is_read_again() {
    let folder = site();
    let mut editor = open(folder.path());
    editor.codes("notes.plan");
    let changed = INVENTORY.replace("devices:", "devices:\n  spare: {host: nowhere, path: /x}");
    std::fs::write(folder.path().join("prod.yaml"), changed).expect("written");
    let uri = editor.uri("prod.yaml");
    let changes = json!({"changes": [{"uri": uri, "type": 2}]});
    editor.tell("workspace/didChangeWatchedFiles", changes);
    assert!(!editor.codes("prod.yaml").is_empty());
}
