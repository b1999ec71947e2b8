//! Owns the tokens of a plan as the eye sees them: words, strings, braces, comments, line ends.
//! Must not know any clause. The brace pass, the formatter and editors read these tokens.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Anything without blanks that is none of the others.
    Word,
    /// A string with its quotes.
    Text,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `,`
    Comma,
    /// `#` and the rest of its line.
    Comment,
    /// A line end.
    Newline,
}

/// How the quotes of a string stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// The token is no string, or its quotes are in order.
    Even,
    /// Opened by `"`, never closed on its line.
    Single,
    /// Opened by `"""`, closed nowhere it could be.
    Triple {
        /// How many quotes at the end of the token were meant to close it.
        closing: usize,
    },
    /// Opened by one or two quotes although three close it.
    Short {
        /// How many quotes open it.
        opening: usize,
    },
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// The state of its quotes.
    pub(super) quotes: Quotes,
}

impl Token {
    /// Its text.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Its place.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// All tokens of a text. Blanks are left out; every other byte lies in exactly one token.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        odd_triples: text.matches("\"\"\"").count() % 2 == 1,
        at: 0,
    };
    std::iter::from_fn(|| scanner.next_token()).collect()
}

/// True for the bytes that separate words.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// An odd number of `"""` means that one of them has lost its partner.
    odd_triples: bool,
    at: usize,
}

impl Scanner<'_> {
    fn next_token(&mut self) -> Option<Token> {
        while self.peek(0).is_some_and(is_blank) {
            self.at += 1;
        }
        let start = self.at;
        let (kind, end, quotes) = match self.peek(0)? {
            b'\r' if self.peek(1) == Some(b'\n') => (TokenKind::Newline, start + 2, Quotes::Even),
            b'\n' | b'\r' => (TokenKind::Newline, start + 1, Quotes::Even),
            b'{' => (TokenKind::Open, start + 1, Quotes::Even),
            b'}' => (TokenKind::Close, start + 1, Quotes::Even),
            b',' => (TokenKind::Comma, start + 1, Quotes::Even),
            b'#' => (TokenKind::Comment, self.line_end(start), Quotes::Even),
            b'"' => {
                let (end, quotes) = self.string(start);
                (TokenKind::Text, end, quotes)
            }
            _ => (TokenKind::Word, self.word_end(start), Quotes::Even),
        };
        self.at = end;
        Some(Token {
            kind,
            start,
            end,
            quotes,
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn word_end(&self, start: usize) -> usize {
        let stops = |byte: &u8| b" \t\r\n{},#\"".contains(byte);
        let rest = &self.bytes[start..];
        start + rest.iter().position(stops).unwrap_or(rest.len())
    }

    fn line_end(&self, start: usize) -> usize {
        let rest = &self.bytes[start..];
        let stops = |byte: &u8| *byte == b'\n' || *byte == b'\r';
        start + rest.iter().position(stops).unwrap_or(rest.len())
    }

    /// First byte of the line after the one that holds `at`, if there is one.
    fn next_line(&self, at: usize) -> Option<usize> {
        let end = self.line_end(at);
        let skip = if self.bytes[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        (end + skip < self.bytes.len()).then_some(end + skip)
    }

    fn indent(&self, line: usize) -> usize {
        let blanks = self.bytes[line..]
            .iter()
            .take_while(|byte| is_blank(**byte));
        blanks.count()
    }

    fn line_start(&self, at: usize) -> usize {
        let stops = |byte: &u8| *byte == b'\n' || *byte == b'\r';
        self.bytes[..at]
            .iter()
            .rposition(stops)
            .map_or(0, |n| n + 1)
    }

    fn string(&self, start: usize) -> (usize, Quotes) {
        if self.bytes[start..].starts_with(b"\"\"\"") {
            return self.triple(start);
        }
        let closed = self.single_end(start);
        let end = closed.unwrap_or_else(|| self.line_end(start));
        let alone = closed.is_none() || end == start + 2;
        if self.odd_triples
            && alone
            && self.text[end..self.line_end(end)].trim().is_empty()
            && let Some(close) = self.late_triple(start)
        {
            let opening = if closed.is_some() { 2 } else { 1 };
            return (close, Quotes::Short { opening });
        }
        match closed {
            Some(end) => (end, Quotes::Even),
            None => (self.trim_unclosed(start, end), Quotes::Single),
        }
    }

    fn single_end(&self, start: usize) -> Option<usize> {
        let mut at = start + 1;
        loop {
            match self.bytes.get(at)? {
                b'"' => return Some(at + 1),
                b'\n' | b'\r' => return None,
                b'\\' if !matches!(self.bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
                _ => at += 1,
            }
        }
    }

    /// An unclosed string ends before the brace that most likely opens a block.
    fn trim_unclosed(&self, start: usize, end: usize) -> usize {
        let body = self.text[start..end].trim_end();
        let head = body.strip_suffix('{').map_or(body, str::trim_end);
        start + head.len().max(1)
    }

    fn triple(&self, start: usize) -> (usize, Quotes) {
        let body = start + 3;
        let close = self.text[body..].find("\"\"\"").map(|at| body + at);
        match close {
            Some(close) if !self.odd_triples || !self.leaves_block(start, close) => {
                (close + 3, Quotes::Even)
            }
            _ => self.lost_triple(start),
        }
    }

    /// True when a line between is indented less than the one that opens the string.
    fn leaves_block(&self, start: usize, close: usize) -> bool {
        let indent = self.indent(self.line_start(start));
        let mut line = self.next_line(start);
        while let Some(at) = line.filter(|at| *at < close) {
            let blank = self.text[at..self.line_end(at)].trim().is_empty();
            let before_close = at + self.indent(at) < close;
            if !blank && before_close && self.indent(at) <= indent {
                return true;
            }
            line = self.next_line(at);
        }
        false
    }

    /// Where an unclosed `"""` most likely ends: after the lines indented deeper than its own.
    fn lost_triple(&self, start: usize) -> (usize, Quotes) {
        let indent = self.indent(self.line_start(start));
        let mut end = self.line_end(start);
        let mut line = self.next_line(start);
        while let Some(at) = line {
            let (stop, depth) = (self.line_end(at), self.indent(at));
            let rest = self.text[at..stop].trim();
            if !rest.is_empty() && depth <= indent {
                let quotes = rest.bytes().take_while(|byte| *byte == b'"').count();
                let test = ["<", ">", "=", "is "]
                    .iter()
                    .any(|sign| rest.starts_with(sign));
                if quotes > 0 || test {
                    return (at + depth + quotes, Quotes::Triple { closing: quotes });
                }
                break;
            }
            if !rest.is_empty() {
                end = stop;
            }
            line = self.next_line(at);
        }
        (end, Quotes::Triple { closing: 0 })
    }

    /// The end of a `"""` that begins a later line, all lines up to it being indented deeper.
    fn late_triple(&self, start: usize) -> Option<usize> {
        let indent = self.indent(self.line_start(start));
        let mut line = self.next_line(start);
        while let Some(at) = line {
            let (stop, depth) = (self.line_end(at), self.indent(at));
            let rest = self.text[at..stop].trim_start();
            if rest.starts_with("\"\"\"") {
                return Some(at + depth + 3);
            }
            if !rest.is_empty() && depth <= indent {
                return None;
            }
            line = self.next_line(at);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(TokenKind, &str)> {
        let all = tokens(text);
        all.iter()
            .map(|token| (token.kind, token.text(text)))
            .collect()
    }

    #[test]
    fn strings_and_comments_hide_braces() {
        use TokenKind::{Close, Comma, Comment, Newline, Open, Text, Word};
        assert_eq!(
            seen("a{ \"}\" # }\r\n}, x"),
            [
                (Word, "a"),
                (Open, "{"),
                (Text, "\"}\""),
                (Comment, "# }"),
                (Newline, "\r\n"),
                (Close, "}"),
                (Comma, ","),
                (Word, "x"),
            ]
        );
    }

    #[test]
    fn an_unclosed_string_ends_with_its_line_or_before_its_brace() {
        let all = tokens("database \"log {\n");
        assert_eq!(all[1].text("database \"log {\n"), "\"log");
        assert_eq!(all[1].quotes, Quotes::Single);
    }

    #[test]
    fn an_unclosed_triple_ends_with_the_deeper_lines() {
        let text = "  probe a \"\"\"\n    select 1\n  > 0\n  finish within 1h\n";
        let all = tokens(text);
        assert_eq!(all[2].quotes, Quotes::Triple { closing: 0 });
        assert!(
            all[2].text(text).ends_with("select 1\n  "),
            "{:?}",
            all[2].text(text)
        );
    }

    #[test]
    fn a_clipped_opener_still_spans_its_string() {
        let text = "  probe a \"\"\n    select 1\n  \"\"\" > 0\n";
        let all = tokens(text);
        assert_eq!(all[2].quotes, Quotes::Short { opening: 2 });
        assert!(all[2].text(text).ends_with("\"\"\""));
    }
}
