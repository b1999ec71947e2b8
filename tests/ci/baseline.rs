//! A baseline silences what is known, by names and not by lines, and nothing else.

use super::{check, planc, site, text};

#[test]
fn known_findings_do_not_count_and_new_ones_do() {
    let folder = site(false);
    let at = folder.path();
    let (_, code) = check(at, &["--write-baseline", "known.json", "notes.plan"]);
    assert_eq!(code, 0, "what was just written is known");
    let kept = std::fs::read_to_string(at.join("known.json")).expect("written");
    assert!(
        kept.contains("\"P0610:notes:notes:loss of disk\""),
        "{kept}"
    );
    assert!(
        !kept.contains("P0710"),
        "allowed findings need no baseline: {kept}"
    );

    // other lines, same names
    let plan = at.join("notes.plan");
    let before = std::fs::read_to_string(&plan).expect("readable");
    let moved = before.replacen("planc 1\n", "planc 1\n# one\n# two\n", 1);
    std::fs::write(&plan, &moved).expect("written");
    let with = ["--baseline", "known.json", "notes.plan"];
    let (shown, code) = check(at, &with);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("plan notes: 1 allowed, 1 known"), "{shown}");

    // a new slip is told
    std::fs::write(&plan, moved.replace("on near", "on naer")).expect("written");
    let (shown, code) = check(at, &with);
    assert_eq!(code, 1);
    assert!(
        shown.contains("P0201") && !shown.contains("P0610"),
        "{shown}"
    );
}

#[test]
fn a_cured_entry_is_told_and_does_not_fail() {
    let folder = site(true);
    let at = folder.path();
    check(at, &["--write-baseline", "known.json", "notes.plan"]);
    let plan = at.join("notes.plan");
    let before = std::fs::read_to_string(&plan).expect("readable");
    let cured = before
        .replace("naer", "near")
        .replace("  rpo 5min", "  rpo 2d");
    std::fs::write(&plan, cured).expect("written");
    let args = [
        "check",
        "--now",
        super::NOW,
        "--baseline",
        "known.json",
        "notes.plan",
    ];
    let output = planc(at, &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(output.stdout));
    let said = text(output.stderr);
    assert!(said.contains("of known.json are cured"), "{said}");
}

#[test]
fn what_is_no_baseline_is_not_judged() {
    let folder = site(false);
    std::fs::write(folder.path().join("known.json"), "{}").expect("written");
    for name in ["known.json", "missing.json"] {
        let (shown, code) = check(folder.path(), &["--baseline", name, "notes.plan"]);
        assert_eq!((shown.as_str(), code), ("", 2), "{name}");
    }
}
