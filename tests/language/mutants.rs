//! Single-token slips in the four plans: each word deleted, doubled, clipped or replaced.
//! No slip may panic, none that breaks the syntax may go unseen, and few may cost two findings.

use planc::syntax::ast::{
    Apply, Ast, Block, Clause, ClauseKind, ForEachPart, ItemKind, PolicyPart,
};

use super::{PLANS, parse};

/// Words as people and formatter see them: runs of letters, strings, and single signs.
fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let skip = rest.len() - rest.trim_start().len();
        if skip > 0 {
            at += skip;
            continue;
        }
        let length = if rest.starts_with('#') {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("\"\"\"") {
            3
        } else if let Some(body) = rest.strip_prefix('"') {
            body.find('"').map_or(1, |end| end + 2)
        } else {
            rest.find(|c: char| " \n,{}\"#".contains(c))
                .unwrap_or(rest.len())
                .max(1)
        };
        found.push(at..at + length);
        at += length;
    }
    found
}

fn mutants(text: &str) -> Vec<String> {
    let mut mutants = Vec::new();
    for range in words(text) {
        let word = &text[range.clone()];
        let cut = word.char_indices().last().map_or(0, |(at, _)| at);
        for with in ["", &format!("{word} {word}"), &word[..cut], "banana"] {
            let mut mutant = text.to_owned();
            mutant.replace_range(range.clone(), with);
            mutants.push(mutant);
        }
    }
    mutants
}

fn bad_clause(clause: &Clause) -> bool {
    match &clause.kind {
        ClauseKind::Bad { .. } => true,
        ClauseKind::Database { body, .. } => body.iter().any(bad_clause),
        ClauseKind::Override(inner) => bad_clause(inner),
        _ => false,
    }
}

fn bad_block(block: &Block) -> bool {
    block.body.iter().any(bad_clause)
}

fn bad_apply(apply: &Apply) -> bool {
    apply.body.iter().any(bad_clause)
}

/// True when something of the file could not be read.
fn has_bad(ast: &Ast) -> bool {
    ast.items.iter().any(|item| match &item.kind {
        ItemKind::Bad { .. } => true,
        ItemKind::Block(block) => bad_block(block),
        ItemKind::Apply(apply) => bad_apply(apply),
        ItemKind::Assume(body) => body.iter().any(bad_clause),
        ItemKind::Device(device) => device.body.iter().any(bad_clause),
        ItemKind::Service(service) => service.body.iter().any(bad_clause),
        ItemKind::Policy(policy) => policy.body.iter().any(|part| match part {
            PolicyPart::Bad(_) => true,
            PolicyPart::Block(block) => bad_block(block),
            PolicyPart::Param(_) => false,
        }),
        ItemKind::ForEach(each) => each.body.iter().any(|part| match part {
            ForEachPart::Bad(_) => true,
            ForEachPart::Block(block) => bad_block(block),
            ForEachPart::Apply(apply) => bad_apply(apply),
            ForEachPart::Expect { .. } => false,
        }),
        _ => false,
    })
}

#[test]
fn one_slip_gives_one_finding() {
    let (mut all, mut invalid, mut single) = (0, 0, 0);
    let mut worst: Vec<String> = Vec::new();
    for (name, text) in PLANS {
        for mutant in mutants(text) {
            all += 1;
            let (ast, findings) = parse(&mutant);
            if !has_bad(&ast) && findings.is_empty() {
                continue;
            }
            invalid += 1;
            assert!(
                !findings.is_empty(),
                "{name}: nothing was said about\n{mutant}"
            );
            single += usize::from(findings.len() == 1);
            if findings.len() > 1 {
                let said = findings.iter().map(|f| format!("{} {}", f.code, f.message));
                worst.push(format!("{name}: {}", said.collect::<Vec<_>>().join(" / ")));
            }
        }
    }
    assert!(all > 3000, "{all} mutants");
    assert!(invalid > 2000, "{invalid} invalid mutants");
    let share = single * 1000 / invalid;
    assert!(
        share >= 950,
        "{share} of 1000 give one finding:\n{}",
        worst.join("\n")
    );
}
