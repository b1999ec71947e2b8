//! Names lead to their declarations and uses, across imports and into inventories, and can be
//! changed everywhere at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{INVENTORY, LIBRARY, PLAN, at, edited, open, site};

/// `file:line` of places, lines from 1.
fn places(found: &Value) -> Vec<String> {
    let list = found.as_array().expect("a list");
    let place = |place: &Value| {
        let uri = place["uri"].as_str().expect("an address");
        let name = uri.rsplit('/').next().expect("a name");
        let line = place["range"]["start"]["line"].as_u64().expect("a line") + 1;
        format!("{name}:{line}")
    };
    list.iter().map(place).collect()
}

#[test]
fn a_name_leads_to_its_declaration() {
    let folder = site();
    let mut editor = open(folder.path());
    let mut go = |line: &str, word: &str| {
        let found = editor.ask_at(
            "textDocument/definition",
            "notes.plan",
            &at(PLAN, line, word),
        );
        places(&found)
    };
    assert_eq!(go("physical", "night"), ["notes.plan:10"]);
    assert_eq!(go("ship", "log_every"), ["notes.plan:7"]);
    let far = go("copy to", "far");
    assert_eq!(far, ["places.plan:3"], "across the import");
    assert_eq!(go("store on", "near"), ["prod.yaml:10", "staging.yaml:10"]);
    assert_eq!(go("objectives", "notes"), ["prod.yaml:8", "staging.yaml:8"]);
    assert_eq!(
        go("environment prod", "prod.yaml"),
        ["prod.yaml:1"],
        "a path leads to its file"
    );
    assert_eq!(go("import", "lib/places"), ["places.plan:1"]);
    assert_eq!(go("copy to", "lib."), ["notes.plan:6"], "the prefix");
}

#[test]
fn a_name_knows_its_uses() {
    let folder = site();
    let mut editor = open(folder.path());
    let mut uses = |name: &str, text: &str, line: &str, word: &str| {
        places(&editor.ask_at("textDocument/references", name, &at(text, line, word)))
    };
    let near = [
        "notes.plan:23",
        "notes.plan:30",
        "prod.yaml:10",
        "staging.yaml:10",
    ];
    let mut found = uses("notes.plan", PLAN, "store on", "near");
    found.sort();
    assert_eq!(found, near);
    let mut found = uses("prod.yaml", INVENTORY, "near", "near");
    found.sort();
    assert_eq!(found, near, "asked from the inventory");
    let far = uses("lib/places.plan", LIBRARY, "device far", "far");
    assert_eq!(
        far,
        ["notes.plan:24", "notes.plan:31", "places.plan:3"],
        "asked from the import"
    );
    let vault = uses("prod.yaml", INVENTORY, "vault", "vault");
    let vault: Vec<&String> = vault.iter().filter(|at| at.starts_with("prod")).collect();
    assert_eq!(vault, ["prod.yaml:5", "prod.yaml:10"]);
}

/// All texts after a rename.
fn renamed(edit: &Value) -> BTreeMap<String, String> {
    let texts = [
        ("notes.plan", PLAN),
        ("places.plan", LIBRARY),
        ("prod.yaml", INVENTORY),
        ("staging.yaml", INVENTORY),
    ];
    let changes = edit["changes"].as_object().expect("changes");
    let changes = changes.iter().map(|(uri, edits)| {
        let name = uri.rsplit('/').next().expect("a name");
        let (_, text) = texts
            .iter()
            .find(|(known, _)| *known == name)
            .expect("known");
        (name.to_owned(), edited(text, edits))
    });
    changes.collect()
}

#[test]
fn a_device_is_renamed_in_the_plan_and_both_inventories() {
    let folder = site();
    let mut editor = open(folder.path());
    let place = at(PLAN, "store on", "near");
    let about = editor.ask_at("textDocument/prepareRename", "notes.plan", &place);
    assert_eq!(about["placeholder"], "near");
    let params = json!({"textDocument": {"uri": editor.uri("notes.plan")}, "position": place,
        "newName": "close_by"});
    let texts = renamed(&editor.ask("textDocument/rename", params));
    assert_eq!(
        texts["notes.plan"],
        PLAN.replace("on near", "on close_by")
            .replace("to near", "to close_by")
    );
    let inventory = INVENTORY.replace("  near:", "  close_by:");
    assert_eq!(texts["prod.yaml"], inventory);
    assert_eq!(texts["staging.yaml"], inventory);
    for (name, text) in &texts {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let checked = assert_cmd::Command::new(env!("CARGO_BIN_EXE_planc"))
        .args(["check", "--format", "short", "notes.plan"])
        .current_dir(folder.path())
        .output()
        .expect("runs");
    assert_eq!(
        String::from_utf8_lossy(&checked.stdout),
        "",
        "the plan means what it meant"
    );
}

#[test]
fn a_parameter_keeps_its_dollar_sign_and_an_import_its_prefix() {
    let folder = site();
    let mut editor = open(folder.path());
    let uri = editor.uri("notes.plan");
    let mut rename = |line: &str, word: &str, new: &str| {
        let params = json!({"textDocument": {"uri": uri}, "position": at(PLAN, line, word),
            "newName": new});
        renamed(&editor.ask("textDocument/rename", params))
    };
    let texts = rename("ship", "log_every", "$often");
    assert_eq!(texts["notes.plan"], PLAN.replace("log_every", "often"));
    let texts = rename("copy to", "far", "distant");
    assert_eq!(texts["notes.plan"], PLAN.replace("lib.far", "lib.distant"));
    assert_eq!(
        texts["places.plan"],
        LIBRARY.replace("device far", "device distant")
    );
    let texts = rename("copy to", "lib.", "elsewhere");
    assert!(
        texts["notes.plan"].contains("copy to elsewhere.far within 6h"),
        "{texts:?}"
    );
}

#[test]
fn what_cannot_be_renamed_is_refused_with_the_reason() {
    let folder = site();
    let mut editor = open(folder.path());
    let uri = editor.uri("notes.plan");
    let mut refusal = |line: &str, word: &str, new: &str| {
        let params = json!({"textDocument": {"uri": uri}, "position": at(PLAN, line, word),
            "newName": new});
        let response = editor.response("textDocument/rename", params);
        response["error"]["message"]
            .as_str()
            .expect("refused")
            .to_owned()
    };
    assert!(refusal("store on", "near", "backup").contains("a word of the language"));
    assert!(refusal("store on", "near", "a b").contains("is no name"));
    assert!(refusal("backup nightly", "nightly", "wal").contains("there is a job `wal` already"));
    assert!(refusal("recovery window", "recovery", "x").contains("nothing is named here"));
}

#[test]
fn highlights_stay_in_the_file() {
    let folder = site();
    let mut editor = open(folder.path());
    let place = at(PLAN, "store on", "near");
    let found = editor.ask_at("textDocument/documentHighlight", "notes.plan", &place);
    assert_eq!(found.as_array().expect("a list").len(), 2, "{found}");
}
