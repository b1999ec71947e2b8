//! Owns the one style of a plan: tokens and depth in, the same tokens with other blanks out, and
//! older spellings of words in today's. Must not change anything else, nor move or drop a token.
//! Lines that could not be read stay as they are.
//!
//! The style: two blanks a level, single blanks between words, two before a trailing comment, at
//! most one empty line, lists longer than 100 columns broken after a comma.

use std::borrow::Cow;
use std::ops::Range;

use super::parser;
use super::scan::{Token, TokenKind, tokens};
use super::structure;
use super::words::{OLDER, today};

/// Lines are broken to fit this many columns where a list allows it.
const COLUMNS: usize = 100;

/// How far further the rest of a broken list stands in.
const CONTINUED: usize = 4;

/// Why a text was not formatted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Braces or quotes are uneven, so the depth of lines cannot be told.
    #[error("braces or quotes are uneven; `planc check` says where")]
    Uneven,
    /// The result would not be the same plan.
    #[error("the formatted text would not be the same plan, so nothing was changed; this is a bug")]
    Changed,
}

/// The canonical text of a plan.
///
/// # Errors
/// When braces or quotes are uneven, or (a bug) when the result would not read as the same plan.
pub fn format(text: &str) -> Result<String, FormatError> {
    lay_out(&spelled_today(text)?)
}

/// The text with today's words for older spellings.
fn spelled_today(text: &str) -> Result<Cow<'_, str>, FormatError> {
    let may_be = OLDER.iter().any(|(older, _)| text.contains(older));
    if !may_be || !structure::is_even(&tokens(text)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    for word in parser::older_words(text) {
        new.push_str(&text[at..word.start]);
        new.push_str(today(&text[word.clone()]));
        at = word.end;
    }
    new.push_str(&text[at..]);
    if parser::shape(text) == parser::shape(&new) {
        Ok(Cow::Owned(new))
    } else {
        Err(FormatError::Changed)
    }
}

/// The text with the blanks of the canonical one; every word stays as it is spelt.
///
/// # Errors
/// Those of [`format()`].
pub fn lay_out(text: &str) -> Result<String, FormatError> {
    let before = tokens(text);
    if !structure::is_even(&before) {
        return Err(FormatError::Uneven);
    }
    let bad = parser::bad_lines(text);
    let printed = Printer::new(text, &before, &bad).print();
    let after = tokens(&printed);
    let same_words = words(text, &before) == words(&printed, &after);
    if same_words && parser::shape(text) == parser::shape(&printed) {
        Ok(printed)
    } else {
        Err(FormatError::Changed)
    }
}

/// Everything but line ends. The blanks at the end of a comment do not count, nor those before a
/// colon.
fn words(text: &str, tokens: &[Token]) -> Vec<String> {
    let mut words: Vec<String> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (token.kind, token.text(text), words.last_mut()) {
            (TokenKind::Newline, ..) => {}
            (TokenKind::Comment, comment, _) => words.push(comment.trim_end().to_owned()),
            (TokenKind::Word, ":", Some(last)) => last.push(':'),
            (_, word, _) => words.push(word.to_owned()),
        }
    }
    words
}

struct Printer<'p> {
    text: &'p str,
    tokens: &'p [Token],
    bad: &'p [Range<usize>],
    out: String,
    depth: usize,
    /// The line before opened a block, so no empty line may follow.
    fresh: bool,
}

impl<'p> Printer<'p> {
    fn new(text: &'p str, tokens: &'p [Token], bad: &'p [Range<usize>]) -> Self {
        Self {
            text,
            tokens,
            bad,
            out: String::with_capacity(text.len()),
            depth: 0,
            fresh: true,
        }
    }

    fn print(mut self) -> String {
        let mut at = 0;
        while at < self.tokens.len() {
            let empty = self.skip_line_ends(&mut at);
            let start = at;
            at = self.line_end(at);
            if start < at {
                self.line(start..at, empty > 1);
            }
        }
        self.out
    }

    fn skip_line_ends(&self, at: &mut usize) -> usize {
        let from = *at;
        while self.kind(*at) == Some(TokenKind::Newline) {
            *at += 1;
        }
        // the first line has no line end before it
        *at - from + usize::from(from == 0)
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// The end of the line that begins here; a comma carries it on over line ends and comments.
    fn line_end(&self, start: usize) -> usize {
        let mut carries = false;
        for at in start..self.tokens.len() {
            match self.tokens[at].kind {
                TokenKind::Newline if !carries => return at,
                TokenKind::Newline | TokenKind::Comment => {}
                kind => carries = kind == TokenKind::Comma,
            }
        }
        self.tokens.len()
    }

    fn line(&mut self, line: Range<usize>, spaced: bool) {
        let tokens = &self.tokens[line.clone()];
        let closes = tokens
            .first()
            .is_some_and(|token| token.kind == TokenKind::Close);
        if spaced && !self.fresh && !closes {
            self.out.push('\n');
        }
        if self.is_bad(tokens) {
            self.verbatim(tokens);
        } else {
            for row in self.rows(line) {
                self.row(row);
            }
        }
    }

    fn is_bad(&self, tokens: &[Token]) -> bool {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return false;
        };
        let at = self.bad.partition_point(|bad| bad.end <= first.start);
        self.bad.get(at).is_some_and(|bad| bad.start < last.end)
    }

    fn verbatim(&mut self, tokens: &[Token]) {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return;
        };
        let head = self.text[..first.start]
            .rfind(['\n', '\r'])
            .map_or(0, |at| at + 1);
        let line = self.text.get(head..last.end).unwrap_or_default();
        self.out.push_str(line.trim_end());
        self.out.push('\n');
        for token in tokens {
            self.count(*token);
        }
        self.fresh = last.kind == TokenKind::Open;
    }

    fn count(&mut self, token: Token) {
        match token.kind {
            TokenKind::Open => self.depth += 1,
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Cuts a line after a `{` and before a `}` of a block that does not fit on it.
    fn rows(&self, line: Range<usize>) -> Vec<Range<usize>> {
        let tokens = &self.tokens[line.clone()];
        let code = tokens
            .iter()
            .filter(|token| token.kind != TokenKind::Comment);
        let width: usize = code
            .map(|token| token.text(self.text).chars().count() + 1)
            .sum();
        let depth = tokens
            .iter()
            .fold(0_isize, |depth, token| match token.kind {
                TokenKind::Open => depth + 1,
                TokenKind::Close => depth - 1,
                _ => depth,
            });
        let comments = tokens
            .iter()
            .rev()
            .skip(1)
            .any(|t| t.kind == TokenKind::Comment);
        if depth == 0 && !comments && self.depth * 2 + width <= COLUMNS {
            return vec![line];
        }
        let mut rows = Vec::new();
        let mut start = line.start;
        for at in line.clone() {
            let opened = at > start && self.kind(at - 1) == Some(TokenKind::Open);
            let closes = at > start && self.kind(at) == Some(TokenKind::Close);
            let comment = self.kind(at) == Some(TokenKind::Comment);
            let empty = closes && opened;
            if (opened || closes) && !comment && !empty {
                rows.push(start..at);
                start = at;
            }
        }
        rows.push(start..line.end);
        rows
    }

    fn row(&mut self, row: Range<usize>) {
        let tokens = &self.tokens[row];
        let closes = tokens
            .first()
            .is_some_and(|token| token.kind == TokenKind::Close);
        let indent = 2 * self.depth.saturating_sub(usize::from(closes));
        let mut column = indent;
        self.indent(indent);
        let mut before: Option<Token> = None;
        for (at, token) in tokens.iter().enumerate() {
            let text = token.text(self.text).trim_end();
            let after_comma = before.is_some_and(|token| token.kind == TokenKind::Comma);
            let broken = before.is_some_and(|token| token.kind == TokenKind::Comment);
            match token.kind {
                TokenKind::Newline => continue,
                _ if broken => column = self.next_row(indent),
                TokenKind::Comma => {}
                TokenKind::Comment if before.is_none() => {}
                TokenKind::Comment if self.own_line(*token) => column = self.next_row(indent),
                TokenKind::Comment => self.out.push_str("  "),
                _ if after_comma && column + self.item(&tokens[at..]) > COLUMNS => {
                    column = self.next_row(indent);
                }
                _ if before.is_some() && text != ":" => {
                    self.out.push(' ');
                    column += 1;
                }
                _ => {}
            }
            self.out.push_str(text);
            column += text.chars().count();
            self.count(*token);
            before = Some(*token);
        }
        self.out.push('\n');
        let last = tokens
            .iter()
            .rfind(|token| token.kind != TokenKind::Comment);
        self.fresh = last.is_some_and(|token| token.kind == TokenKind::Open);
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn next_row(&mut self, indent: usize) -> usize {
        self.out.push('\n');
        self.indent(indent + CONTINUED);
        indent + CONTINUED
    }

    /// True when a comment inside a list stands on a line of its own.
    fn own_line(&self, comment: Token) -> bool {
        let before = self.text[..comment.start].trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with(['\n', '\r'])
    }

    /// Columns that the next item of a list needs, its blank and comma included.
    fn item(&self, tokens: &[Token]) -> usize {
        const ENDS: [TokenKind; 3] = [TokenKind::Comma, TokenKind::Newline, TokenKind::Comment];
        let item = tokens
            .iter()
            .take_while(|token| !ENDS.contains(&token.kind));
        let width: usize = item
            .clone()
            .map(|token| token.text(self.text).chars().count() + 1)
            .sum();
        let ends = tokens.get(item.count()).map(|token| token.kind);
        width + usize::from(ends == Some(TokenKind::Comma))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        let once = format(text).expect("formatted");
        assert_eq!(
            format(&once).as_deref(),
            Ok(once.as_str()),
            "not idempotent"
        );
        once
    }

    #[test]
    fn blanks_are_the_only_thing_that_changes() {
        let text = "\n\nplanc   1 # first\r\n\r\n\r\nsite fra ,dub\nbackup a of b {\n\n\
                    store  on   x#y\n  # own\n\n}";
        let want = "planc 1  # first\n\nsite fra, dub\nbackup a of b {\n  store on x  #y\n  \
                    # own\n}\n";
        assert_eq!(formatted(text), want);
    }

    #[test]
    fn older_words_are_written_as_today_and_only_where_they_are_words() {
        let text = "backup keep of b {\n  keep on keep  daily 7  # keep\n}\n";
        let want = "backup keep of b {\n  retain on keep daily 7  # keep\n}\n";
        assert_eq!(formatted(text), want);
        let kept = want.replace("retain", "keep");
        assert_eq!(lay_out(text), Ok(kept));
    }

    #[test]
    fn long_lists_break_after_a_comma() {
        let names: Vec<String> = (0..40).map(|n| format!("name_{n}")).collect();
        let text = format!("site {}\n", names.join(", "));
        let out = formatted(&text);
        assert!(out.lines().all(|line| line.len() <= COLUMNS), "{out}");
        assert!(out.lines().count() > 3, "{out}");
    }

    #[test]
    fn blocks_on_one_line_stay_when_they_fit() {
        let text = "service s is mariadb {\n  database d { group g tables a }\n}\n";
        assert_eq!(formatted(text), text);
        let names: Vec<String> = (0..20).map(|n| format!("name_{n}")).collect();
        let long = format!("database d {{ group g tables {} }}", names.join(", "));
        let out = formatted(&format!("service s is mariadb {{ {long} }}\n"));
        assert!(
            out.contains("\n  database d {\n    group g tables name_0,"),
            "{out}"
        );
    }

    #[test]
    fn bad_lines_stay_and_uneven_text_is_refused() {
        let text = "planc 1\nbackup a of b {\n     stroe   on  x\n   store   on x\n}\n";
        let want = "planc 1\nbackup a of b {\n     stroe   on  x\n  store on x\n}\n";
        assert_eq!(formatted(text), want);
        assert_eq!(format("a {"), Err(FormatError::Uneven));
        assert_eq!(format("plan a \"b"), Err(FormatError::Uneven));
    }

    #[test]
    fn comments_inside_lists_keep_their_place() {
        let text = "site a,# one\n# two\n\n  b, c\n";
        assert_eq!(formatted(text), "site a,  # one\n    # two\n    b, c\n");
    }
}
