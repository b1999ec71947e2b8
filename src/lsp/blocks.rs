//! Owns which blocks stand around a place of a plan file, with the words that open them.

use crate::source::{SourceFile, Span};
use crate::syntax::ast::{Ast, Block, Clause, ClauseKind, ForEachPart, Item, ItemKind, PolicyPart};

/// A block around a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Around {
    /// Its word in the table of words: `backup`, `for each`, `service` …
    pub(super) word: &'static str,
    /// From its first word to its closing brace.
    pub(super) span: Span,
}

/// Words of blocks, as far as a statement that could not be read begins with one of them.
const BLOCKS: &[&str] = &[
    "backup",
    "archive",
    "objectives",
    "drill",
    "recovery",
    "switchover",
    "device",
    "service",
    "assume",
    "policy",
    "apply",
];

/// The blocks whose braces are around a byte, innermost first.
pub(super) fn around(ast: &Ast, file: &SourceFile, byte: usize) -> Vec<Around> {
    blocks(ast, &|span| holds(file, span, byte))
}

/// The blocks that a byte belongs to, as their head or in their braces, innermost first.
pub(super) fn with_heads(ast: &Ast, file: &SourceFile, byte: usize) -> Vec<Around> {
    let within = |span: Span| (span.start as usize..span.end as usize).contains(&byte);
    let text = |span: Span| file.text().get(span.start as usize..span.end as usize);
    let braced = |span: Span| text(span).is_some_and(|text| text.ends_with('}'));
    blocks(ast, &|span| within(span) && braced(span))
}

fn blocks(ast: &Ast, wanted: &dyn Fn(Span) -> bool) -> Vec<Around> {
    let mut found = Vec::new();
    for item in ast.items.iter().filter(|item| wanted(item.span)) {
        of_item(item, wanted, &mut found);
    }
    found.reverse();
    found
}

/// True when a byte lies behind the opening brace of a span and before its end.
fn holds(file: &SourceFile, span: Span, byte: usize) -> bool {
    let text = file.text().get(span.start as usize..span.end as usize);
    let open = text.and_then(|text| text.find('{'));
    let open = open.map(|at| span.start as usize + at);
    open.is_some_and(|open| open < byte) && byte < span.end as usize
}

fn of_item(item: &Item, wanted: &dyn Fn(Span) -> bool, found: &mut Vec<Around>) {
    let word = match &item.kind {
        ItemKind::Device(_) => "device",
        ItemKind::Service(_) => "service",
        ItemKind::Assume(_) => "assume",
        ItemKind::Policy(_) => "policy",
        ItemKind::ForEach(_) => "for each",
        ItemKind::Apply(_) => "apply",
        ItemKind::Block(block) => block.kind.keyword(),
        ItemKind::Bad { keyword, .. } => {
            let keyword = keyword.as_ref().map(|word| word.text.as_str());
            let known = BLOCKS.iter().find(|word| Some(**word) == keyword);
            known.copied().unwrap_or("file")
        }
        _ => return,
    };
    let span = item.span;
    found.push(Around { word, span });
    for block in parts(item).filter(|block| wanted(block.span)) {
        found.push(Around {
            word: block.kind.keyword(),
            span: block.span,
        });
    }
    if let ItemKind::Service(service) = &item.kind {
        let inner = service.body.iter().filter(|clause| is_database(clause));
        let inner = inner.filter(|clause| wanted(clause.span));
        found.extend(inner.map(|clause| Around {
            word: "database",
            span: clause.span,
        }));
    }
}

fn is_database(clause: &Clause) -> bool {
    matches!(clause.kind, ClauseKind::Database { .. })
}

/// The blocks of a policy or a loop.
pub(super) fn parts(item: &Item) -> impl Iterator<Item = &Block> {
    let (policy, each) = match &item.kind {
        ItemKind::Policy(policy) => (&*policy.body, &[][..]),
        ItemKind::ForEach(each) => (&[][..], &*each.body),
        _ => (&[][..], &[][..]),
    };
    let of_policy = policy.iter().filter_map(|part| match part {
        PolicyPart::Block(block) => Some(block),
        _ => None,
    });
    let of_each = each.iter().filter_map(|part| match part {
        ForEachPart::Block(block) => Some(block),
        _ => None,
    });
    of_policy.chain(of_each)
}
