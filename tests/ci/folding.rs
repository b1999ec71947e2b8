//! Ten thousand findings of one cause are one, and can be unfolded.

use std::fmt::Write as _;

use super::check;

const MANY: usize = 10_000;

/// A plan whose inventory has one slip in each of ten thousand hosts.
fn site() -> tempfile::TempDir {
    let folder = super::site(false);
    let mut inventory =
        super::INVENTORY.replace("hosts: {desk: {}, vault: {}}", "hosts:\n  desk: {}");
    inventory = inventory.replace("  desk: {}\n", &hosts());
    std::fs::write(folder.path().join("notes.yaml"), inventory).expect("written");
    folder
}

fn hosts() -> String {
    let mut hosts = String::from("  desk: {}\n  vault: {}\n");
    for n in 0..MANY {
        writeln!(hosts, "  h{n}: {{site: s{n}x, wirte: 1 GiB/s}}").expect("a string");
    }
    hosts
}

#[test]
fn one_cause_is_one_finding_unless_all_are_asked_for() {
    let at = site();
    let shown = |args: &[&str]| {
        let args = [
            args,
            &["--select", "P1101", "--format", "short", "notes.plan"],
        ]
        .concat();
        let (shown, code) = check(at.path(), &args);
        assert_eq!(code, 1);
        shown
    };
    let folded = shown(&[]);
    assert_eq!(folded.lines().count(), 1, "{folded}");
    assert!(
        folded.contains("`wirte` is not a field of a host"),
        "{folded}"
    );
    assert!(folded.contains("(and 9999 more like it)"), "{folded}");
    assert_eq!(shown(&["--expand-findings"]).lines().count(), MANY);
}

#[test]
fn the_human_form_is_capped() {
    let folder = site();
    let args = [
        "--select",
        "P1101",
        "--expand-findings",
        "--max",
        "2",
        "notes.plan",
    ];
    let (shown, _) = check(folder.path(), &args);
    assert_eq!(shown.matches("P1101\n").count(), 2, "{shown}");
    assert!(shown.contains("9998 more not shown"), "{shown}");
    assert!(shown.contains("plan notes: 10000 errors"), "{shown}");
}
