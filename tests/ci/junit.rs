//! JUnit XML says the same as the exit code, whatever the texts hold.

use std::process::Command;

use super::{check, site, text};

/// Suites with the names of their cases and what became of each, as another parser reads them.
const READ: &str = "
import sys, xml.etree.ElementTree as tree
for suite in tree.parse(sys.argv[1]).getroot():
    print(suite.get('name'), *(suite.get(n) for n in ('tests', 'failures', 'skipped')))
    for case in suite:
        inner = [c.tag + ':' + (c.get('type') or c.get('message') or '') for c in case]
        print(' ', case.get('name')[:5], case.get('file'), case.get('line'), *inner)
";

fn read(folder: &std::path::Path, args: &[&str]) -> (String, i32) {
    let (xml, code) = check(folder, &[&["--format", "junit"], args].concat());
    let path = folder.join("junit.xml");
    std::fs::write(&path, xml).expect("written");
    let output = Command::new("python3")
        .args(["-c", READ])
        .arg(&path)
        .output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", text(output.stderr));
    (text(output.stdout), code)
}

#[test]
fn findings_are_cases_and_what_fails_is_what_the_exit_code_says() {
    let folder = site(false);
    let (shown, code) = read(folder.path(), &["notes.plan"]);
    assert_eq!(code, 1);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("notes 2 1 1"), "{shown}");
    assert_eq!(
        lines.next(),
        Some("  P0610 notes.plan 7 failure:P0610"),
        "{shown}"
    );
    let allowed = "  P0710 notes.plan 9 skipped:allowed: the <pilot> & \"more\"";
    assert_eq!(lines.next(), Some(allowed), "{shown}");
}

#[test]
fn a_level_that_does_not_fail_passes_and_is_still_told() {
    let folder = site(false);
    let args = ["--ignore", "P0610,P0710", "notes.plan"];
    let (shown, code) = read(folder.path(), &args);
    assert_eq!(
        (shown.as_str(), code),
        ("notes 1 0 0\n  no fi None None\n", 0)
    );
    let plan = folder.path().join("notes.plan");
    let text = std::fs::read_to_string(&plan).expect("readable");
    let cut = text.find("objectives").expect("there")..text.find("backup").expect("there");
    std::fs::write(&plan, text.replace(&text[cut], "")).expect("written");
    let advice = |fail: &str| read(folder.path(), &["--fail-on", fail, "notes.plan"]);
    let (shown, code) = advice("error");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("P0612 notes.plan 6 system-out:"), "{shown}");
    let (shown, code) = advice("advice");
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("P0612 notes.plan 6 failure:P0612"),
        "{shown}"
    );
}
