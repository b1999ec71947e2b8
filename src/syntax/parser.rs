//! Owns the way from text to [`Ast`]: the generated parser, the cutting of a file into pieces, and
//! the helpers that turn grammar pairs into words and spans. Must not judge bad lines; `mistakes`
//! does, on request of the builders in `parser_items` and `parser_clauses`.

use pest::Parser as _;
use pest::error::InputLocation;
use pest::iterators::{Pair, Pairs};

use super::ast::{Ast, Item, ItemKind, Word};
use super::repair::Repaired;
use super::scan::{Token, TokenKind, tokens};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};

/// The parser generated from the grammar; [`Rule`] comes with it.
#[derive(pest_derive::Parser)]
#[grammar = "grammar/plan.pest"]
pub(super) struct PlanParser;

/// One node of the grammar's tree.
pub(super) type Node<'i> = Pair<'i, Rule>;

/// A file is parsed in pieces of about this size, so that the grammar's tree of a large plan is
/// never in memory as a whole.
const PIECE: usize = 64 << 10;

/// Reads a repaired text. What cannot be read is reported and kept as bad.
pub(super) fn parse(file: FileId, repaired: &Repaired, out: &mut Diagnostics) -> Ast {
    let mut items = Vec::new();
    let mut builder = Builder {
        file,
        repaired,
        base: 0,
        reported: 0,
        out,
    };
    for piece in pieces(&repaired.text) {
        builder.base = piece.start;
        let text = repaired.text.get(piece).unwrap_or_default();
        match PlanParser::parse(Rule::file, text) {
            Ok(pairs) => builder.file(pairs, &mut items),
            Err(error) => items.push(builder.unreadable(text, &error)),
        }
    }
    Ast { file, items }
}

/// The rules of a text in the order of its tree, for comparing two texts; `None` when some of it
/// cannot be read at all. Older and newer spellings of a word are the same.
pub(super) fn shape(text: &str) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    for piece in pieces(text) {
        let pairs = PlanParser::parse(Rule::file, text.get(piece)?).ok()?;
        let kept = |rule: &Rule| !matches!(rule, Rule::EOI | Rule::file | Rule::older);
        rules.extend(pairs.flatten().map(|pair| pair.as_rule()).filter(kept));
    }
    Some(rules)
}

/// The lines that only recovery could take, as ranges of the text.
pub(super) fn bad_lines(text: &str) -> Vec<std::ops::Range<usize>> {
    ranges(text, Rule::junk, Some)
}

/// The words of older spelling, as ranges of the text.
pub(super) fn older_words(text: &str) -> Vec<std::ops::Range<usize>> {
    ranges(text, Rule::older, |_| None)
}

/// Where a rule applies in the text; `unreadable` gives what stands for a piece without a tree.
fn ranges(
    text: &str,
    rule: Rule,
    unreadable: impl Fn(std::ops::Range<usize>) -> Option<std::ops::Range<usize>>,
) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for piece in pieces(text) {
        let base = piece.start;
        let part = text.get(piece.clone()).unwrap_or_default();
        match PlanParser::parse(Rule::file, part) {
            Ok(pairs) => {
                let nodes = pairs.flatten().filter(|pair| pair.as_rule() == rule);
                let spans = nodes.map(|pair| pair.as_span());
                found.extend(spans.map(|span| base + span.start()..base + span.end()));
            }
            Err(_) => found.extend(unreadable(piece)),
        }
    }
    found
}

/// Cuts an even text before statements of the top level.
fn pieces(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut depth, mut line_start) = (0, 0_usize, 0);
    let mut last: Option<Token> = None;
    for token in tokens(text) {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Comment => continue,
            TokenKind::Newline => {
                let ends = last.is_none_or(|last| last.kind != TokenKind::Comma);
                if depth == 0 && ends && token.end - start >= PIECE {
                    pieces.push(start..token.end);
                    start = token.end;
                }
                line_start = token.end;
                continue;
            }
            TokenKind::Word | TokenKind::Text | TokenKind::Comma => {}
        }
        last = Some(token);
    }
    if start < text.len() || line_start == 0 {
        pieces.push(start..text.len());
    }
    pieces
}

/// Turns the grammar's tree into the owned one.
pub(super) struct Builder<'b> {
    pub(super) file: FileId,
    pub(super) repaired: &'b Repaired,
    /// Where the piece begins in the repaired text.
    base: usize,
    /// How many bad lines were looked at twice.
    pub(super) reported: usize,
    pub(super) out: &'b mut Diagnostics,
}

impl Builder<'_> {
    fn file(&mut self, pairs: Pairs<'_, Rule>, items: &mut Vec<Item>) {
        for file in pairs {
            for pair in file.into_inner() {
                if pair.as_rule() != Rule::EOI {
                    items.push(self.item(pair));
                }
            }
        }
    }

    /// The grammar takes every even text; this is for the case that it does not.
    fn unreadable(&mut self, text: &str, error: &pest::error::Error<Rule>) -> Item {
        let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
        let line = text.get(at..).unwrap_or_default().lines().next();
        let span = self.place(at, at + line.map_or(0, str::len));
        let finding = Diagnostic::new(Code(101), "this cannot be read", span, "")
            .help("compare with the forms that `planc explain` prints");
        self.out.push(finding);
        Item {
            kind: ItemKind::Bad {
                keyword: None,
                name: None,
                body: Vec::new(),
            },
            span: self.place(0, text.len()),
        }
    }

    /// A span of the original from places in the piece.
    pub(super) fn place(&self, start: usize, end: usize) -> Span {
        let start = self.repaired.original(self.base + start);
        let end = self.repaired.original(self.base + end);
        Span::new(self.file, start, end)
    }

    /// The span of a node.
    pub(super) fn span(&self, node: &Node<'_>) -> Span {
        let span = node.as_span();
        self.place(span.start(), span.end())
    }

    /// A node as a word: names as they stand, strings without quotes, variables without `$`.
    pub(super) fn word(&self, node: &Node<'_>) -> Word {
        let text = node.as_str();
        let quoted = node.as_rule() == Rule::string;
        let text = match node.as_rule() {
            Rule::string => unquote(text),
            Rule::var => text.trim_start_matches('$').to_owned(),
            _ => text.to_owned(),
        };
        Word {
            text,
            span: self.span(node),
            quoted,
        }
    }

    /// The words of a list.
    pub(super) fn words(&self, list: Node<'_>) -> Vec<Word> {
        list.into_inner().map(|node| self.word(&node)).collect()
    }
}

/// The text of a string: `"""` keeps all, `"` replaces `\"` and `\\`.
fn unquote(text: &str) -> String {
    if let Some(body) = text
        .strip_prefix("\"\"\"")
        .and_then(|t| t.strip_suffix("\"\"\""))
    {
        return body.to_owned();
    }
    let body = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let body = body.unwrap_or(text);
    let mut plain = String::with_capacity(body.len());
    let mut letters = body.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(next @ ('"' | '\\'))) => {
                plain.push(*next);
                letters.next();
            }
            _ => plain.push(letter),
        }
    }
    plain
}

/// The parts of a node, taken one after the other by rule.
pub(super) struct Parts<'i>(std::iter::Peekable<Pairs<'i, Rule>>);

impl<'i> Parts<'i> {
    /// The parts of this node.
    pub(super) fn of(node: Node<'i>) -> Self {
        Self(node.into_inner().peekable())
    }

    /// The next part, if it is of this rule.
    pub(super) fn take(&mut self, rule: Rule) -> Option<Node<'i>> {
        self.0.next_if(|node| node.as_rule() == rule)
    }

    /// The next part, if it is of one of these rules.
    pub(super) fn one_of(&mut self, rules: &[Rule]) -> Option<Node<'i>> {
        self.0.next_if(|node| rules.contains(&node.as_rule()))
    }

    /// The next part, whatever it is.
    pub(super) fn any(&mut self) -> Option<Node<'i>> {
        self.0.next()
    }

    /// All following parts of this rule.
    pub(super) fn all(&mut self, rule: Rule) -> Vec<Node<'i>> {
        std::iter::from_fn(|| self.take(rule)).collect()
    }
}
