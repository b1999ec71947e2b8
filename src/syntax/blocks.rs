//! Owns what the grammar leaves open about whole blocks: the version line (P0111), clauses that
//! may stand once (P0109), blocks that cannot work for want of a clause (P0110).
//! Must not look names up; a bad clause counts as "unknown but present".

use super::ast::{
    Ast, Block, BlockKind, Clause, ClauseKind, ForEachPart, Item, ItemKind, PolicyPart, Word,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;

/// The version of the language that this build reads.
const VERSION: &str = "1";

/// Reports what is wrong with the blocks of a file.
pub(super) fn check(ast: &Ast, out: &mut Diagnostics) {
    version(ast, out);
    single_statements(ast, out);
    for item in &ast.items {
        match &item.kind {
            ItemKind::Block(found) => block(found, out),
            ItemKind::Policy(policy) => {
                for part in &policy.body {
                    if let PolicyPart::Block(found) = part {
                        block(found, out);
                    }
                }
            }
            ItemKind::ForEach(each) => {
                for part in &each.body {
                    if let ForEachPart::Block(found) = part {
                        block(found, out);
                    }
                }
            }
            ItemKind::Device(device) => singles("device", &device.name, &device.body, out),
            _ => {}
        }
    }
}

fn version(ast: &Ast, out: &mut Diagnostics) {
    let found = ast.items.iter().find_map(|item| match &item.kind {
        ItemKind::Version(word) => Some(word),
        _ => None,
    });
    if let Some(word) = found {
        if word.text != VERSION {
            let message = format!(
                "this plan says `planc {}`; this planc reads {VERSION}",
                word.text
            );
            let finding = Diagnostic::new(Code(111), message, word.span, "unknown version");
            let help = format!("upgrade planc, or write the plan for `planc {VERSION}`");
            out.push(finding.help(help));
        }
        return;
    }
    let first = ast.items.first();
    if first.is_some_and(|item| matches!(item.kind, ItemKind::Bad { .. })) {
        return;
    }
    let span = Span::new(ast.file, 0, 0);
    let message = "the plan does not say which version of the language it is written in";
    let finding = Diagnostic::new(Code(111), message, span, "the first line of the file");
    let help = format!("begin the file with `planc {VERSION}`");
    out.push(
        finding
            .help(help)
            .fix(true, span, format!("planc {VERSION}\n")),
    );
}

fn single_statements(ast: &Ast, out: &mut Diagnostics) {
    let single = |item: &Item| match &item.kind {
        ItemKind::Version(_) => Some("planc"),
        ItemKind::Plan { .. } => Some("plan"),
        ItemKind::Timezone(_) => Some("timezone"),
        _ => None,
    };
    let found = ast
        .items
        .iter()
        .filter_map(|item| Some((single(item)?, item.span)));
    repeated(found, "the file", out);
}

fn block(block: &Block, out: &mut Diagnostics) {
    singles(block.kind.keyword(), &block.name, &block.body, out);
    let bad = |clause: &Clause| matches!(clause.kind, ClauseKind::Bad { .. });
    if block.body.iter().any(bad) {
        return;
    }
    let Some((lack, cure)) = lack(block) else {
        return;
    };
    let keyword = block.kind.keyword();
    let name = match block.kind {
        BlockKind::Objectives(_) => String::new(),
        _ => format!(" {}", block.name.text),
    };
    let message = format!("`{keyword}{name}` {lack}");
    let finding = Diagnostic::new(Code(110), message, block.head, "cannot work like this");
    out.push(finding.help(cure).subject(&block.name.text));
}

/// What the block lacks, and what to add.
fn lack(block: &Block) -> Option<(&'static str, &'static str)> {
    let has = |test: fn(&ClauseKind) -> bool| block.body.iter().any(|clause| test(&clause.kind));
    let acts =
        |kind: &ClauseKind| !matches!(kind, ClauseKind::Allow(_) | ClauseKind::Notify { .. });
    match block.kind {
        BlockKind::Backup(_) => {
            if !has(|kind| matches!(kind, ClauseKind::Take { .. })) {
                return Some((
                    "never says when to run",
                    "add `physical full every …` or `logical every …`",
                ));
            }
            (!has(|kind| matches!(kind, ClauseKind::Store(_))))
                .then_some(("never says where its copies go", "add `store on DEVICE`"))
        }
        BlockKind::Archive(_) => {
            let moves = |kind: &ClauseKind| {
                matches!(kind, ClauseKind::Ship { .. } | ClauseKind::Stream { .. })
            };
            (!has(moves)).then_some((
                "never says how the log leaves its host",
                "add `ship every … to DEVICE` or `stream to DEVICE`",
            ))
        }
        BlockKind::Objectives(_) => (!has(acts)).then_some((
            "promises nothing",
            "add for example `rpo 5min for loss of host`, or remove the block",
        )),
        BlockKind::Drill(_) => (!has(|kind| matches!(kind, ClauseKind::Restore { .. })))
            .then_some(("restores nothing", "add `restore SELECTOR to scratch`")),
        BlockKind::Recovery => {
            if !has(|kind| matches!(kind, ClauseKind::Covers(_))) {
                return Some((
                    "never says what it is for",
                    "add `for loss of disk`, `for loss of host`, `for human error` …",
                ));
            }
            let acts = |kind: &ClauseKind| {
                matches!(
                    kind,
                    ClauseKind::Restore { .. } | ClauseKind::Promote { .. }
                )
            };
            (!has(acts)).then_some(("brings nothing back", "add `restore …` or `promote …`"))
        }
        BlockKind::Switchover => (!has(|kind| matches!(kind, ClauseKind::Promote { .. })))
            .then_some(("promotes nothing", "add `promote STANDBY from SERVICE`")),
    }
}

/// Reports clauses that stand twice although a block can hold only one.
fn singles(block: &str, name: &Word, body: &[Clause], out: &mut Diagnostics) {
    let found = body
        .iter()
        .filter_map(|clause| Some((single(&clause.kind)?, clause.span)));
    repeated(found, &format!("`{block} {}`", name.text), out);
}

/// The word of a clause that a block holds at most once.
fn single(kind: &ClauseKind) -> Option<&'static str> {
    Some(match kind {
        ClauseKind::Store(_) => "store on",
        ClauseKind::Encrypt(_) => "encrypt",
        ClauseKind::Compress { .. } => "compress",
        ClauseKind::Throttle(_) => "throttle",
        ClauseKind::Parallel(_) => "parallel",
        ClauseKind::Memory(_) => "memory",
        ClauseKind::Verify(None) => "verify on write",
        ClauseKind::Verify(Some(_)) => "verify every",
        ClauseKind::After(_) => "after",
        ClauseKind::Finish(_) => "finish",
        ClauseKind::Stream { .. } => "stream",
        ClauseKind::RecoveryWindow(_) => "recovery window",
        ClauseKind::LogSpace(..) => "log space",
        ClauseKind::Copies { .. } => "copies",
        ClauseKind::DrillEvery(_) => "drill every",
        ClauseKind::Given(_) => "given",
        ClauseKind::Fence => "fence",
        ClauseKind::Rotate { .. } => "rotate",
        _ => return None,
    })
}

fn repeated(found: impl Iterator<Item = (&'static str, Span)>, place: &str, out: &mut Diagnostics) {
    let mut seen: Vec<(&'static str, Span)> = Vec::new();
    for (word, span) in found {
        let Some((_, first)) = seen.iter().find(|(known, _)| *known == word) else {
            seen.push((word, span));
            continue;
        };
        let message = format!("`{word}` is given twice in {place}");
        let help = match word {
            "store on" => "keep one; further copies use `copy to`",
            "after" => "keep one; it takes a list: `after a, b`",
            _ => "keep one of the two",
        };
        let finding = Diagnostic::new(Code(109), message, span, "again here");
        out.push(
            finding
                .help(help)
                .related("only one can hold", *first, "first here"),
        );
    }
}
