//! Owns the pass before the grammar: braces and quotes are made even, so that one slip there
//! costs one finding and the grammar can read the rest. Must not know what a clause means.
//!
//! Even files pass through untouched. In uneven ones the indentation tells what was meant, for
//! people indent blocks even where a brace is missing.

use super::letters;
use super::repair::{Patch, Repaired};
use super::scan::{Quotes, Token, TokenKind, tokens};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};

/// Blocks nest at most two deep in the language; deeper ones are flattened.
const DEEPEST: usize = 6;

/// After this many findings about braces or quotes the rest is repaired in silence.
const MOST: usize = 100;

/// Reports what is uneven and returns a text that is even.
pub(super) fn repair(file: FileId, text: &str, out: &mut Diagnostics) -> Repaired {
    let tokens = tokens(text);
    let mut pass = Pass {
        file,
        text,
        tokens: &tokens,
        patches: Vec::new(),
        explained: Vec::new(),
        stack: Vec::new(),
        flattened: 0,
        closes_too_many: false,
        reported: 0,
        out,
    };
    letters::repair(&mut pass);
    pass.quotes();
    let lines = pass.lines();
    match balance(&tokens) {
        Balance::Even => {}
        Balance::Uneven { closes_too_many } => {
            pass.closes_too_many = closes_too_many;
            pass.braces(&lines);
        }
    }
    Repaired::new(text, pass.patches, pass.explained)
}

/// True when braces and quotes are in order, so that the text can be formatted.
pub(super) fn is_even(tokens: &[Token]) -> bool {
    matches!(balance(tokens), Balance::Even) && tokens.iter().all(|t| t.quotes == Quotes::Even)
}

enum Balance {
    Even,
    Uneven { closes_too_many: bool },
}

fn balance(tokens: &[Token]) -> Balance {
    let (mut depth, mut lowest, mut highest) = (0_i64, 0, 0);
    for token in tokens {
        depth += match token.kind {
            TokenKind::Open => 1,
            TokenKind::Close => -1,
            _ => 0,
        };
        lowest = depth.min(lowest);
        highest = depth.max(highest);
    }
    let deepest = i64::try_from(DEEPEST).unwrap_or(i64::MAX);
    if depth == 0 && lowest == 0 && highest <= deepest {
        return Balance::Even;
    }
    Balance::Uneven {
        closes_too_many: depth < 0 || (depth == 0 && lowest < 0),
    }
}

/// One line that holds more than a comment.
struct Line {
    /// First byte, blanks included.
    start: usize,
    /// How far its first token stands in.
    indent: usize,
    /// Its tokens, line end left out.
    tokens: std::ops::Range<usize>,
    /// The line before ended with a comma.
    continues: bool,
}

struct OpenBlock {
    brace: usize,
    indent: usize,
    line: usize,
}

/// The state of the pass.
pub(super) struct Pass<'p> {
    file: FileId,
    pub(super) text: &'p str,
    pub(super) tokens: &'p [Token],
    pub(super) patches: Vec<Patch>,
    explained: Vec<std::ops::Range<usize>>,
    stack: Vec<OpenBlock>,
    flattened: usize,
    closes_too_many: bool,
    reported: usize,
    out: &'p mut Diagnostics,
}

impl Pass<'_> {
    /// A span of the file.
    pub(super) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range.start, range.end)
    }

    /// Adds a finding, up to the limit.
    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.reported += 1;
        if self.reported <= MOST {
            self.out.push(finding);
        } else if self.reported == MOST + 1 {
            let message = format!("more than {MOST} slips with braces, quotes or odd letters");
            let rest = Diagnostic::new(Code(101), message, finding.span(), "from here on");
            self.out
                .push(rest.help("cure the first ones and check again; the rest is not listed"));
        }
    }

    fn patch(&mut self, range: std::ops::Range<usize>, text: impl Into<String>) {
        let text = text.into();
        self.patches.push(Patch { range, text });
    }

    fn blank(&mut self, token: Token) {
        self.patch(token.range(), " ");
    }

    fn explain(&mut self, line: &Line) {
        let last = line.tokens.clone().last();
        let end = last.map_or(line.start, |at| self.tokens[at].end);
        self.explained.push(line.start..end);
    }

    /// The words a block begins with, for messages.
    fn head(&self, line: &Line) -> String {
        let words = self.tokens[line.tokens.clone()].iter();
        let words = words.take_while(|t| !matches!(t.kind, TokenKind::Open | TokenKind::Comment));
        let words: Vec<&str> = words.take(3).map(|token| token.text(self.text)).collect();
        match words.as_slice() {
            [first, second @ ("of" | "each"), third] => format!("{first} {second} {third}"),
            [first, second, _] => format!("{first} {second}"),
            few => few.join(" "),
        }
    }

    fn line_number(&self, at: usize) -> usize {
        self.text[..at]
            .bytes()
            .filter(|byte| *byte == b'\n')
            .count()
            + 1
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let (mut first, mut start, mut comma) = (0, 0, false);
        let end = self.tokens.len();
        for at in 0..=end {
            let token = self.tokens.get(at);
            if token.is_some_and(|token| token.kind != TokenKind::Newline) {
                continue;
            }
            let line = &self.tokens[first..at];
            if let Some(head) = line.first().filter(|head| head.kind != TokenKind::Comment) {
                lines.push(Line {
                    start,
                    indent: head.start - start,
                    tokens: first..at,
                    continues: comma,
                });
                let code = line.iter().rfind(|token| token.kind != TokenKind::Comment);
                comma = code.is_some_and(|token| token.kind == TokenKind::Comma);
            }
            first = at + 1;
            start = token.map_or(start, |token| token.end);
        }
        lines
    }

    // ---- quotes ------------------------------------------------------------------------------

    fn quotes(&mut self) {
        for token in self.tokens {
            match token.quotes {
                Quotes::Even => continue,
                Quotes::Single => self.patch(token.end..token.end, "\""),
                Quotes::Triple { closing } => {
                    self.patch(token.end - closing..token.end, "\"\"\"");
                }
                Quotes::Short { opening } => {
                    self.patch(token.start..token.start + opening, "\"\"\"");
                }
            }
            self.report_quotes(*token);
            // the rest of the line belongs to the same slip
            let rest = &self.text[token.end..];
            let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
            let line = self.text[..token.start]
                .rfind(['\n', '\r'])
                .map_or(0, |at| at + 1);
            self.explained.push(line..token.end + end);
        }
    }

    fn report_quotes(&mut self, token: Token) {
        let opening = match token.quotes {
            Quotes::Triple { .. } => 3,
            Quotes::Short { opening } => opening,
            Quotes::Single | Quotes::Even => 1,
        };
        let quotes = &self.text[token.start..token.start + opening];
        let (message, help) = if matches!(token.quotes, Quotes::Short { .. }) {
            (
                format!("this string opens with `{quotes}` and closes with `\"\"\"`"),
                "open it with `\"\"\"` too",
            )
        } else if opening == 3 {
            (
                "this `\"\"\"` is never closed".to_owned(),
                "put `\"\"\"` on its own line after the text",
            )
        } else {
            (
                "this `\"` is never closed".to_owned(),
                "close the string on the same line, or use `\"\"\"` for several lines",
            )
        };
        let span = self.span(token.start..token.start + opening);
        let finding = Diagnostic::new(Code(105), message, span, "opened here").help(help);
        self.report(finding);
    }

    // ---- braces ------------------------------------------------------------------------------

    fn braces(&mut self, lines: &[Line]) {
        let wanted = self.missing_opens(lines);
        for (at, line) in lines.iter().enumerate() {
            if !line.continues {
                self.close_left_open(lines, line);
            }
            self.walk(lines, at);
            if wanted[at] {
                self.open_missing(lines, at);
            }
        }
        self.close_at_end(lines);
    }

    fn kind(&self, line: &Line) -> Option<TokenKind> {
        self.tokens.get(line.tokens.start).map(|token| token.kind)
    }

    fn begins_with_close(&self, line: &Line) -> bool {
        self.kind(line) == Some(TokenKind::Close)
    }

    fn last_code(&self, line: &Line) -> Option<Token> {
        let mut tokens = self.tokens[line.tokens.clone()].iter();
        tokens
            .rfind(|token| token.kind != TokenKind::Comment)
            .copied()
    }

    /// Lines after which a `{` is missing: deeper lines follow, and then a `}` that stands as far
    /// in as the line itself.
    fn missing_opens(&self, lines: &[Line]) -> Vec<bool> {
        let mut wanted = vec![false; lines.len()];
        if !self.closes_too_many {
            return wanted;
        }
        // lines still waiting for the line that ends their deeper part
        let mut waiting: Vec<usize> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            while let Some(head) = waiting.last().copied() {
                if line.indent > lines[head].indent {
                    break;
                }
                waiting.pop();
                let same = line.indent == lines[head].indent && self.begins_with_close(line);
                wanted[head] = same && at > head + 1;
            }
            if self.may_head(line) {
                waiting.push(at);
            }
        }
        wanted
    }

    fn may_head(&self, line: &Line) -> bool {
        let opens = |token: &Token| matches!(token.kind, TokenKind::Open | TokenKind::Close);
        let tokens = &self.tokens[line.tokens.clone()];
        let comma = self
            .last_code(line)
            .is_some_and(|t| t.kind == TokenKind::Comma);
        !line.continues && !comma && !tokens.iter().any(opens)
    }

    fn open_missing(&mut self, lines: &[Line], at: usize) {
        let line = &lines[at];
        let Some(last) = self.last_code(line).filter(|_| self.stack.len() < DEEPEST) else {
            return;
        };
        let head = self.head(line);
        let number = self.line_number(line.start);
        let span = self.span(last.end..last.end);
        let message = format!("indented lines follow `{head}`, but no block was opened");
        let finding = Diagnostic::new(Code(104), message, span, "`{` is missing here")
            .help(format!("end line {number} with `{{`"))
            .subject(head)
            .fix(true, span, " {");
        self.report(finding);
        self.explain(line);
        self.patch(last.end..last.end, " {");
        self.stack.push(OpenBlock {
            brace: last.end,
            indent: line.indent,
            line: at,
        });
    }

    /// Closes the blocks that must have ended before this line.
    fn close_left_open(&mut self, lines: &[Line], line: &Line) {
        let closes = self.begins_with_close(line);
        let word = self.tokens[line.tokens.start].text(self.text);
        // a single unknown word where a `}` is missing stands in its place
        let single = line.tokens.len() == 1 && !closes && super::words::page(word).is_none();
        while let Some(top) = self.stack.last() {
            let outside = if closes {
                let below = self.stack.len().checked_sub(2).map(|at| &self.stack[at]);
                line.indent < top.indent && below.is_some_and(|block| block.indent <= line.indent)
            } else {
                let starts = single || line.indent > 0 || super::words::begins_statement(word);
                line.indent < top.indent || (line.indent == top.indent && starts)
            };
            if !outside || self.flattened > 0 {
                return;
            }
            if single && line.indent == top.indent {
                self.explain(line);
            }
            self.left_open(lines, Some(line));
            self.patch(line.start..line.start, "}\n");
        }
    }

    fn left_open(&mut self, lines: &[Line], next: Option<&Line>) {
        let Some(block) = self.stack.pop().filter(|_| self.reported <= MOST) else {
            return;
        };
        let head = self.head(&lines[block.line]);
        let opened = self.line_number(block.brace);
        let end = (block.brace + 1).min(self.text.len());
        let span = self.span(block.brace..end);
        let (message, help) = match next {
            Some(line) => {
                let number = self.line_number(line.start);
                let what = self.head(line);
                (
                    format!("`{head}` (line {opened}) is still open where `{what}` begins"),
                    format!("add `}}` before line {number}"),
                )
            }
            None => (
                format!("`{head}` (line {opened}) is still open at the end of the file"),
                "add `}` at the end of the block".to_owned(),
            ),
        };
        let mut finding = Diagnostic::new(Code(102), message, span, "opened here").help(help);
        if let Some(line) = next {
            let first = self.tokens[line.tokens.start].range();
            finding = finding.label(self.span(first), "must be closed before this");
        }
        self.report(finding.subject(head));
    }

    fn close_at_end(&mut self, lines: &[Line]) {
        let end = self.text.len();
        while !self.stack.is_empty() {
            self.left_open(lines, None);
            self.patch(end..end, "\n}\n");
        }
    }

    /// Follows the braces of one line.
    fn walk(&mut self, lines: &[Line], at: usize) {
        let line = &lines[at];
        let mut before: Option<TokenKind> = None;
        for index in line.tokens.clone() {
            let token = self.tokens[index];
            match token.kind {
                TokenKind::Open if before == Some(TokenKind::Open) => {
                    self.spare_open(line, token);
                }
                TokenKind::Open if self.stack.len() >= DEEPEST || self.flattened > 0 => {
                    self.too_deep(line, token);
                }
                TokenKind::Open => self.stack.push(OpenBlock {
                    brace: token.start,
                    indent: line.indent,
                    line: at,
                }),
                TokenKind::Close if self.flattened > 0 => {
                    self.flattened -= 1;
                    self.blank(token);
                }
                TokenKind::Close => self.close(lines, at, index),
                _ => {}
            }
            before = Some(token.kind);
        }
    }

    fn close(&mut self, lines: &[Line], at: usize, index: usize) {
        let (line, token) = (&lines[at], self.tokens[index]);
        let first = index == line.tokens.start;
        let Some(top) = self.stack.last() else {
            return self.spare_close(lines, at, token);
        };
        let elsewhere = top.line != at && self.closes_too_many;
        if elsewhere && self.begins_with_close(line) && top.indent < line.indent {
            return self.spare_close(lines, at, token);
        }
        if elsewhere && !first && !self.begins_with_close(line) {
            return self.open_missing_on_line(line, token);
        }
        self.stack.pop();
    }

    fn spare_close(&mut self, lines: &[Line], at: usize, token: Token) {
        let line = &lines[at];
        let shared = !self.begins_with_close(line);
        if shared {
            return self.open_missing_on_line(line, token);
        }
        let span = self.span(token.range());
        let finding = Diagnostic::new(Code(103), "this `}` closes nothing", span, "spare")
            .help("remove it, or restore the `{` it belonged to")
            .fix(false, span, "");
        self.report(finding);
        self.blank(token);
    }

    /// A `}` behind other words of its line whose `{` stands nowhere on that line.
    fn open_missing_on_line(&mut self, line: &Line, token: Token) {
        let head = self.head(line);
        let span = self.span(token.range());
        let message = format!("`}}` ends the line of `{head}`, but no `{{` opens a block on it");
        let finding = Diagnostic::new(Code(104), message, span, "its `{` is missing")
            .help("put `{` before the first clause of the block")
            .subject(head);
        self.report(finding);
        self.blank(token);
        self.explain(line);
    }

    fn spare_open(&mut self, line: &Line, token: Token) {
        let span = self.span(token.range());
        let message = "this `{` opens a block that nothing closes";
        let finding = Diagnostic::new(Code(102), message, span, "spare")
            .help("remove it: one `{` opens the block")
            .fix(false, span, "");
        self.report(finding);
        self.blank(token);
        self.explain(line);
    }

    fn too_deep(&mut self, line: &Line, token: Token) {
        if self.flattened == 0 {
            let span = self.span(token.range());
            let message = format!("blocks nest more than {DEEPEST} deep");
            let finding = Diagnostic::new(Code(101), message, span, "one too many")
                .help("close the blocks before this one; planc needs two levels at most");
            self.report(finding);
        }
        self.flattened += 1;
        self.blank(token);
        self.explain(line);
    }
}
