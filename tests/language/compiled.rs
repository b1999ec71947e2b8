//! Every plan that is shown to users compiles: no error in `plans`, no finding at all in
//! `examples`, and all are written as `planc fmt` prints them.

use std::path::{Path, PathBuf};

use planc::check::is_error;
use planc::cli::{find, load};
use planc::diagnostic::Diagnostic;

/// Open findings of each plan below a folder, imported files left out.
fn findings(folder: &str, counts: fn(&Diagnostic) -> bool) -> Vec<String> {
    let now = "2026-03-01T00:00:00Z".parse().expect("an instant");
    let mut found = Vec::new();
    for path in plans(folder) {
        let compiled = load::compile(&path, None, now).expect("readable");
        let open = compiled.judged.findings.iter();
        let open = open.filter(|finding| finding.allowed.is_none() && counts(finding));
        let name = path.display();
        found.extend(open.map(|finding| format!("{name}: {} {}", finding.code, finding.message)));
    }
    found
}

fn plans(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut plans = find::plans_below(&folder).expect("a folder");
    plans.retain(|path| !path.components().any(|part| part.as_os_str() == "lib"));
    assert!(plans.len() >= 3, "{}", folder.display());
    plans
}

#[test]
fn plans_have_no_errors() {
    assert_eq!(findings("plans", is_error), Vec::<String>::new());
}

#[test]
fn examples_have_no_findings() {
    assert_eq!(findings("examples", |_| true), Vec::<String>::new());
}

#[test]
fn examples_are_formatted() {
    for path in plans("examples") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let formatted = planc::syntax::format(&text).expect("a plan");
        assert_eq!(formatted, text, "{}", path.display());
    }
}
