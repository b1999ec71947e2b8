//! Words that may not stand in the sources, and test files that nobody declared.

use std::path::Path;

use super::{report, sources};

fn banned() -> Vec<String> {
    // put together here so that this file does not find itself
    ["to", "fix"]
        .iter()
        .zip(["do!", "me"])
        .map(|(a, b)| format!("{a}{b}"))
        .chain(["dbg!(", "unimplemented!(", "xxx"].map(|word| word.replace("xxx", &"x".repeat(4))))
        .collect()
}

#[test]
fn no_unfinished_work_is_left() {
    let words = banned();
    let mut complaints = Vec::new();
    for source in sources("src").iter().chain(&sources("examples")) {
        for (at, line) in source.text.lines().enumerate() {
            let low = line.to_lowercase();
            for word in words.iter().filter(|word| low.contains(word.as_str())) {
                complaints.push(format!("{}:{}: `{word}`", source.path, at + 1));
            }
        }
    }
    report(&complaints);
}

#[test]
fn production_code_does_not_unwrap() {
    let mut complaints = Vec::new();
    for source in &sources("src") {
        for (at, line) in source.production().lines().enumerate() {
            if line.contains(".unwrap()") {
                complaints.push(format!("{}:{}: unwrap", source.path, at + 1));
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_test_file_is_declared() {
    let mut complaints = Vec::new();
    for source in &sources("tests") {
        let path = Path::new(&source.path);
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(parent) = path.parent() else {
            continue;
        };
        let (owner, module) = match name {
            "main" => continue,
            "mod" => {
                let folder = parent
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                let above = parent.parent().unwrap_or(parent);
                let main = above.join("main.rs");
                let owner = if main.exists() {
                    main
                } else {
                    above.join("mod.rs")
                };
                (owner, folder.to_owned())
            }
            _ => (parent.join("mod.rs"), name.to_owned()),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join(&owner)).unwrap_or_default();
        if !text
            .lines()
            .any(|line| line.trim_end().ends_with(&format!("mod {module};")))
        {
            complaints.push(format!(
                "{} is not declared in {}",
                source.path,
                owner.display()
            ));
        }
    }
    report(&complaints);
}

#[test]
fn main_is_a_doorway() {
    let main = sources("src")
        .into_iter()
        .find(|source| source.path == "src/main.rs");
    let lines = main.expect("there is a main").text.lines().count();
    assert!(
        lines <= 30,
        "src/main.rs has {lines} lines; it only reads arguments and exits"
    );
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    const ALLOWED: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "grammar",
        "plans",
        "examples",
        "tests",
        "README.md",
        "target",
        "demo",
    ];
    let root = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the crate can be listed");
    let mut complaints = Vec::new();
    for entry in root.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !ALLOWED.contains(&name.as_str()) {
            complaints.push(format!("{name} does not belong at the top level"));
        }
    }
    report(&complaints);
}
