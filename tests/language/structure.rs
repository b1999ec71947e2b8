//! Uneven braces and quotes cost one finding each, and the rest of the file is still read.

use planc::syntax::ast::ItemKind;

use super::{parse, seen};

const JOB: &str = "  physical full every day\n  store on d\n";

fn blocks(text: &str) -> usize {
    let (ast, _) = parse(text);
    let block = |kind: &ItemKind| matches!(kind, ItemKind::Block(_));
    ast.items.iter().filter(|item| block(&item.kind)).count()
}

#[test]
fn each_brace_slip_costs_one_finding_and_no_block() {
    for (text, code, under, kept) in [
        (
            format!("planc 1\nbackup a of s {{\n{JOB}\nbackup b of s {{\n{JOB}}}\n"),
            "P0102",
            "{",
            2,
        ),
        (format!("planc 1\nbackup a of s {{\n{JOB}"), "P0102", "{", 1),
        (format!("planc 1\nbackup a of s {{ {{\n{JOB}}}\n"), "P0102", "{", 1),
        (format!("planc 1\nbackup a of s {{\n{JOB}}}\n}}\n"), "P0103", "}", 1),
        (format!("planc 1\nbackup a of s {{\n{JOB}}} }}\nplan x\n"), "P0103", "}", 1),
        (format!("planc 1\nbackup a of s  # why\n{JOB}}}\n"), "P0104", "", 1),
        (format!("planc 1\nbackup a of s banana\n{JOB}}}\nplan x\n"), "P0104", "", 0),
        (format!("planc 1\nbackup a of s {{\n{JOB}banana\nplan x\n"), "P0102", "{", 1),
        (
            "planc 1\nservice s is mariadb {\n  database d group g tables a }\n}\n".into(),
            "P0104",
            "}",
            0,
        ),
        (
            "planc 1\nservice s is mariadb {\n  database d {\n    group g tables a\n  database e\n}\n"
                .into(),
            "P0102",
            "{",
            0,
        ),
    ] {
        assert_eq!(seen(&text), [(code.to_owned(), under)], "{text}");
        assert_eq!(blocks(&text), kept, "{text}");
    }
}

#[test]
fn each_quote_slip_costs_one_finding() {
    let steps = "recovery r {\n  for loss of disk\n  restore service s to scratch\n";
    for (text, under) in [
        (
            "planc 1\nplan a \"title\nplan_b\n".replace("plan_b\n", ""),
            "\"",
        ),
        (
            format!("planc 1\n{steps}  probe a \"\"\"\n    select 1\n    from x\n  > 0\n}}\n"),
            "\"\"\"",
        ),
        (
            format!("planc 1\n{steps}  probe a \"\"\n    select 1\n  \"\"\" > 0\n}}\n"),
            "\"\"",
        ),
        (
            format!("planc 1\n{steps}  probe a \"\"\"\n    select 1\n  \"\" > 0\n}}\n"),
            "\"\"\"",
        ),
    ] {
        assert_eq!(seen(&text), [("P0105".to_owned(), under)], "{text}");
    }
}

#[test]
fn many_slips_give_many_findings_at_their_own_lines() {
    let text = "planc 1\nsite\nbackup a of s {\n  stroe on d\n  copy to\n\nwindow w every day 1\n\
                recovery r {\n  for loss of dis\n}\n";
    let (_, findings) = parse(text);
    let lines = findings.iter().map(|finding| {
        let at = finding.span().start as usize;
        text[..at].matches('\n').count() + 1
    });
    assert_eq!(lines.collect::<Vec<_>>(), [2, 3, 4, 5, 7, 9]);
}
