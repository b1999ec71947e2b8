//! Nothing that an editor sends ends the server.

use serde_json::{Value, json};

use super::{PLAN, open, site};

const QUESTIONS: &[&str] = &[
    "textDocument/hover",
    "textDocument/completion",
    "textDocument/definition",
    "textDocument/references",
    "textDocument/documentHighlight",
    "textDocument/prepareRename",
    "textDocument/rename",
    "textDocument/formatting",
    "textDocument/codeAction",
    "textDocument/codeLens",
    "textDocument/documentSymbol",
    "textDocument/foldingRange",
    "textDocument/semanticTokens/full",
    "textDocument/inlayHint",
];

/// Every question about a place.
fn params(uri: &str, line: usize, character: usize) -> Value {
    let place = json!({"line": line, "character": character});
    json!({"textDocument": {"uri": uri}, "position": place, "newName": "other",
        "range": {"start": place, "end": place},
        "context": {"diagnostics": [], "includeDeclaration": false, "triggerKind": 1},
        "options": {"tabSize": 2, "insertSpaces": true}})
}

/// Half plans, as they stand while somebody types, and what is no plan at all.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = vec![
        String::new(),
        "\u{0}\u{FEFF}{{{".into(),
        "}".repeat(300),
        "\"\"\"".into(),
        "backup x of $ {".into(),
        "import \"notes.plan\" as me\nenvironment e inventory \"notes.plan\"\n".into(),
        "for each service $s { apply $s to $s with $s $s }\r\n".into(),
        PLAN.replace('\n', "\r\n"),
        PLAN.replace("near", "größe\u{1F4D3}"),
    ];
    let cuts = (0..PLAN.len())
        .step_by(61)
        .filter(|at| PLAN.is_char_boundary(*at));
    texts.extend(cuts.map(|at| PLAN[..at].to_owned()));
    texts
}

#[test]
fn every_question_about_any_text_is_answered() {
    let folder = site();
    let mut editor = open(folder.path());
    let uri = editor.uri("notes.plan");
    for (round, text) in texts().iter().enumerate() {
        editor.write("notes.plan", text);
        let lines = text.lines().count();
        let question = |at: usize| QUESTIONS[at % QUESTIONS.len()];
        for at in 0..QUESTIONS.len() {
            let line = (round * 7 + at * 3) % (lines + 2);
            let response = editor.response(question(at), params(&uri, line, (at * 5) % 40));
            assert!(response.get("result").is_some() || response.get("error").is_some());
        }
    }
    editor.write("notes.plan", PLAN);
    let alive = editor.ask_of("textDocument/documentSymbol", "notes.plan");
    assert!(!alive.as_array().expect("a list").is_empty());
    editor.leave();
}

#[test]
fn nonsense_is_refused_and_forgotten() {
    let folder = site();
    let mut editor = open(folder.path());
    for question in QUESTIONS {
        let response = editor.response(question, json!({"textDocument": 5}));
        assert_eq!(response["error"]["code"], -32602, "{question}");
        let elsewhere = editor.response(question, params("untitled:x", 0, 0));
        assert!(elsewhere["error"].is_null() || elsewhere["error"]["message"].is_string());
        editor.response(question, params("file:///nowhere/x.plan", 9, 9));
    }
    let unknown = editor.response("textDocument/dance", json!({}));
    assert_eq!(unknown["error"]["code"], -32601);
    editor.tell("textDocument/didChange", json!({"contentChanges": 1}));
    editor.tell("$/setTrace", json!({"value": "off"}));
    let far = json!({"line": 4_000_000_000_u32, "character": 4_000_000_000_u32});
    let change =
        json!([{"range": {"start": far, "end": {"line": 0, "character": 0}}, "text": "# x"}]);
    editor.change("notes.plan", &change);
    let alive = editor.ask_of("textDocument/documentSymbol", "notes.plan");
    assert!(!alive.as_array().expect("a list").is_empty());
    editor.leave();
}

#[test]
fn an_editor_that_dies_takes_the_server_along() {
    let folder = site();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_planc"));
    let command = command.arg("lsp").current_dir(folder.path());
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("planc: the editor"), "{said}");
}
