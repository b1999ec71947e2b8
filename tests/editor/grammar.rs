//! The files of `examples/editors` are what planc makes, and name what planc has.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/editors")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).expect(name)
}

/// Runs a program and gives what it prints.
fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect(program);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_grammar_is_the_one_that_planc_makes() {
    let made = printed(env!("CARGO_BIN_EXE_planc"), &["lsp", "--textmate"]);
    let path = example("vscode/syntaxes/planc.tmLanguage.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let kept = std::fs::read_to_string(path).expect("readable");
    assert_eq!(kept, made, "`UPDATE=1` rewrites it");
}

/// Applies each pattern of the grammar to each line of a plan, with another engine that has the
/// same operators; prints words with their colours.
const COLOUR: &str = r#"
import json, re, sys
grammar = json.load(open(sys.argv[1], encoding="utf-8"))
rules = [(re.compile(p["match"]), p) for p in grammar["patterns"] if "match" in p]
for line in open(sys.argv[2], encoding="utf-8"):
    at = 0
    while at < len(line):
        hits = [(r.search(line, at), n, p) for n, (r, p) in enumerate(rules)]
        hits = [(hit.start(), n, hit, p) for hit, n, p in hits if hit and hit.end() > at]
        if not hits:
            break
        _, _, hit, rule = min(hits, key=lambda h: h[:2])
        for n, capture in rule.get("captures", {"0": rule}).items():
            print(capture["name"].split(".planc")[0], hit.group(int(n)).strip(), sep="\t")
        at = hit.end()
"#;

#[test]
fn the_patterns_colour_a_plan() {
    let grammar = example("vscode/syntaxes/planc.tmLanguage.json");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = folder.path().join("x.plan");
    std::fs::write(&plan, super::PLAN).expect("written");
    let (grammar, plan) = (grammar.to_string_lossy(), plan.to_string_lossy());
    let shown = printed("python3", &["-c", COLOUR, &grammar, &plan]);
    for line in [
        "keyword.control\tbackup",
        "entity.name.type\tnightly",
        "keyword.control\tstore on",
        "keyword.control\trecovery window",
        "variable.parameter\t$log_every",
        "constant.numeric\t10min",
        "constant.numeric\t1 MiB",
        "constant.numeric\t01:00..05:30",
        "keyword.other\tduring",
    ] {
        assert!(
            shown.lines().any(|found| found == line),
            "{line} in\n{shown}"
        );
    }
    assert!(!shown.contains("\tnear"), "a device is no word");
}

#[test]
fn the_extension_is_whole() {
    let package: Value = serde_json::from_str(&text("vscode/package.json")).expect("JSON");
    let own = |name: &Value| example("vscode").join(name.as_str().expect("a path"));
    assert!(own(&package["main"]).exists());
    let contributes = &package["contributes"];
    for list in ["languages", "grammars"] {
        for one in contributes[list].as_array().expect("a list") {
            let path = one
                .get("path")
                .or(one.get("configuration"))
                .expect("a file");
            let text = std::fs::read_to_string(own(path)).expect("readable");
            serde_json::from_str::<Value>(&text).expect("JSON");
        }
    }
    let scope = &contributes["grammars"][0]["scopeName"];
    let path = "vscode/syntaxes/planc.tmLanguage.json";
    let grammar: Value = serde_json::from_str(&text(path)).expect("JSON");
    assert_eq!(grammar["scopeName"], *scope);
}

#[test]
fn the_problem_matcher_reads_the_short_form() {
    let package: Value = serde_json::from_str(&text("vscode/package.json")).expect("JSON");
    let pattern = &package["contributes"]["problemMatchers"][0]["pattern"];
    let line = "plans/a b.plan:44:3: error[P0602]: a site loss could cost 15min [env prod]";
    let read = "import re, sys; print(*re.match(sys.argv[1], sys.argv[2]).groups(), sep='|')";
    let regexp = pattern["regexp"].as_str().expect("a pattern");
    let shown = printed("python3", &["-c", read, regexp, line]);
    let parts: Vec<&str> = shown.trim_end().split('|').collect();
    let part = |name: &str| {
        parts[usize::try_from(pattern[name].as_u64().expect("a group") - 1).expect("small")]
    };
    assert_eq!(part("file"), "plans/a b.plan");
    assert_eq!(
        (part("line"), part("column"), part("code")),
        ("44", "3", "P0602")
    );
    assert_eq!(part("message"), "a site loss could cost 15min [env prod]");
}

#[test]
fn vim_and_neovim_start_the_server_that_exists() {
    let server = "[\"planc\", \"lsp\"]";
    assert!(
        text("vim/plugin/planc.vim")
            .replace('\'', "\"")
            .contains(server)
    );
    assert!(text("nvim/planc.lua").contains("cmd = { \"planc\", \"lsp\" }"));
    assert!(text("vscode/extension.js").contains("args: [\"lsp\"]"));
}
