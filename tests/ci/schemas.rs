//! What planc prints fits the schemas it prints, and SARIF fits the official one.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{NOW, check, official, planc, site, text, validate};

/// Writes what a command prints beside the plan.
fn printed(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, planc(folder, args).stdout).expect("written");
    path
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Plans with many kinds of findings: the examples of the repository, and one with slips.
fn judged() -> Vec<(PathBuf, Vec<&'static str>)> {
    let plans = [
        "plans/orders.plan",
        "plans/fleet.plan",
        "plans/notes.plan",
        "plans/shop.plan",
    ];
    plans.iter().map(|plan| (root(), vec![*plan])).collect()
}

fn each_output(format: &str, look: impl Fn(&Path)) {
    let folder = site(true);
    let mut all = judged();
    all.push((folder.path().to_path_buf(), vec!["notes.plan"]));
    for (at, plans) in all {
        let args = [&["--format", format], &plans[..]].concat();
        let (printed, code) = check(&at, &args);
        assert!(matches!(code, 0 | 1), "{plans:?} ended with {code}");
        let path = folder.path().join("document.json");
        std::fs::write(&path, printed).expect("written");
        look(&path);
    }
}

#[test]
fn json_fits_its_printed_schema() {
    let folder = site(true);
    let schema = printed(folder.path(), "schema.json", &["schema", "diagnostics"]);
    each_output("json", |document| {
        assert_eq!(validate(&schema, document), "");
    });
}

#[test]
fn the_schema_of_findings_refuses_what_is_broken() {
    let folder = site(true);
    let schema = printed(folder.path(), "schema.json", &["schema", "diagnostics"]);
    let args = ["check", "--now", NOW, "--format", "json", "notes.plan"];
    let good = text(planc(folder.path(), &args).stdout);
    let breaks: [(&str, &str); 4] = [
        ("/format", "\"planc-diagnostics/2.0\""),
        ("/diagnostics/0/code", "\"602\""),
        ("/diagnostics/0/severity", "\"fatal\""),
        ("/diagnostics/0/range/start/line", "0"),
    ];
    for (place, value) in breaks {
        let mut document: Value = serde_json::from_str(&good).expect("JSON");
        *document.pointer_mut(place).expect(place) = serde_json::from_str(value).expect("JSON");
        let path = folder.path().join("broken.json");
        std::fs::write(&path, document.to_string()).expect("written");
        assert!(
            !validate(&schema, &path).is_empty(),
            "{place} = {value} was taken"
        );
    }
}

#[test]
fn sarif_fits_the_official_schema() {
    let schema = official("sarif-2.1.0.json");
    each_output("sarif", |document| {
        assert_eq!(validate(&schema, document), "");
    });
}

/// YAML as JSON, by the parser that planc itself reads with.
fn as_json(yaml: &Path, to: &Path) {
    let text = std::fs::read_to_string(yaml).expect("readable");
    let value: Value = serde_yaml::from_str(&text).expect("YAML");
    std::fs::write(to, value.to_string()).expect("written");
}

fn yaml_files(ending: &str) -> Vec<PathBuf> {
    let files = ["plans/inventory", "examples"]
        .into_iter()
        .flat_map(|folder| {
            let walk = walkdir::WalkDir::new(root().join(folder)).into_iter();
            walk.map(|entry| entry.expect("listed").into_path())
        });
    let named = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
    let facts = |path: &PathBuf| path.to_string_lossy().ends_with(".facts.yaml");
    files
        .filter(|path| named(path) && (ending == ".facts.yaml" || !facts(path)))
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("readable");
            ending == ".facts.yaml" || text.contains("inventory: 1")
        })
        .collect()
}

#[test]
fn resolved_plans_fit_their_printed_schema() {
    let folder = site(true);
    let schema = printed(folder.path(), "schema.json", &["schema", "resolved"]);
    for (at, plans) in judged() {
        let show = ["show", "resolved", "--now", NOW, "--format", "json", "-p"];
        let output = planc(&at, &[&show[..], &plans[..]].concat());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{plans:?}: {}",
            text(output.stderr)
        );
        let document = folder.path().join("document.json");
        std::fs::write(&document, output.stdout).expect("written");
        assert_eq!(validate(&schema, &document), "", "{plans:?}");
    }
}

#[test]
fn inventories_and_facts_fit_their_schemas() {
    let folder = site(true);
    for (of, ending) in [("inventory", ".yaml"), ("facts", ".facts.yaml")] {
        let schema = printed(folder.path(), "schema.json", &["schema", of]);
        let files = yaml_files(ending);
        assert!(!files.is_empty(), "no {of} to look at");
        for file in files {
            let document = folder.path().join("document.json");
            as_json(&file, &document);
            let complaints = validate(&schema, &document);
            assert_eq!(complaints, "", "{}", file.display());
        }
    }
}

#[test]
fn what_the_inventory_schema_refuses_planc_refuses_too() {
    let folder = site(false);
    let schema = printed(folder.path(), "schema.json", &["schema", "inventory"]);
    let inventory = folder.path().join("notes.yaml");
    let good = std::fs::read_to_string(&inventory).expect("readable");
    for (from, to) in [
        ("host: vault", "hots: vault"),
        ("inventory: 1", "inventory: 2"),
        ("engine: sqlite", "engine: oracle"),
        ("path: /srv/copies", "path: /srv/copies, capacity: 3 TB"),
        ("path: /srv/copies", "path: /srv/copies, append: maybe"),
    ] {
        std::fs::write(&inventory, good.replace(from, to)).expect("written");
        let document = folder.path().join("document.json");
        as_json(&inventory, &document);
        assert!(
            !validate(&schema, &document).is_empty(),
            "the schema takes {to}"
        );
        let (printed, code) = check(folder.path(), &["--format", "short", "notes.plan"]);
        assert_eq!(code, 1, "planc takes {to}: {printed}");
    }
}
