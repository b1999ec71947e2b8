//! Owns the judgement of lines that could not be read: which code, which words, which cure.
//! Must not read the tree; it asks `expected` how far a line can be read, and tries likely cures
//! to see whether they work.

use std::ops::Range;

use super::expected;
use super::place::Place;
use super::scan::{TokenKind, tokens};
use super::synonyms::synonym;
use super::words::{self, RESERVED, WordPage};
use crate::diagnostic::{Code, Diagnostic};
use crate::quantity;
use crate::similar;
use crate::source::Span;

/// After this many bad lines the rest is not looked at.
pub(super) const MOST: usize = 500;

/// Longer lines are not looked at in detail.
const LONGEST: usize = 4096;

/// The words of a line: ranges of words, strings and commas.
pub(super) fn words(line: &str) -> Vec<Range<usize>> {
    const SEEN: [TokenKind; 3] = [TokenKind::Word, TokenKind::Text, TokenKind::Comma];
    let seen = tokens(line)
        .into_iter()
        .filter(|token| SEEN.contains(&token.kind));
    seen.map(|token| token.range()).collect()
}

/// The last finding about bad lines of a file that has very many.
pub(super) fn too_many(span: Span) -> Diagnostic {
    let message = format!("more than {MOST} lines cannot be read; the rest is not listed");
    Diagnostic::new(Code(101), message, span, "from here on")
        .help("cure the first ones and check again")
}

/// A line that could not be read.
pub(super) struct Slip<'s> {
    /// Its text up to a brace or comment.
    pub(super) line: &'s str,
    /// A block opens on it.
    pub(super) opened: bool,
    /// Where it stands.
    pub(super) place: Place,
}

/// The finding for a bad line. `at` gives the span of a range of the line.
pub(super) fn judge(slip: &Slip<'_>, at: &dyn Fn(usize, usize) -> Span) -> Diagnostic {
    let case = Case {
        line: slip.line,
        text: if slip.opened {
            format!("{} {{}}", slip.line)
        } else {
            slip.line.to_owned()
        },
        words: words(slip.line),
        place: slip.place,
        at,
    };
    case.judge()
}

struct Case<'c> {
    line: &'c str,
    /// The line, with an empty block when one opens on it.
    text: String,
    words: Vec<Range<usize>>,
    place: Place,
    at: &'c dyn Fn(usize, usize) -> Span,
}

impl Case<'_> {
    fn word(&self, index: usize) -> &str {
        let range = self.words.get(index).cloned().unwrap_or_default();
        self.line.get(range).unwrap_or_default()
    }

    fn span(&self, index: usize) -> Span {
        match self.words.get(index) {
            Some(range) => (self.at)(range.start, range.end),
            None => (self.at)(self.line.len(), self.line.len()),
        }
    }

    fn finding(&self, code: u16, message: String, index: usize, label: &str) -> Diagnostic {
        Diagnostic::new(Code(code), message, self.span(index), label)
    }

    fn block(&self) -> String {
        match self.place {
            Place::File => "the top of the file".to_owned(),
            Place::Any => "this block".to_owned(),
            place => format!("`{}`", place.block()),
        }
    }

    fn judge(&self) -> Diagnostic {
        if self.words.is_empty() || self.word(0).starts_with('{') {
            return self
                .finding(
                    101,
                    "this `{` opens a block without a name".to_owned(),
                    0,
                    "",
                )
                .help("write what the block is before it, for example `backup nightly of …  {`");
        }
        if self.line.len() > LONGEST {
            return self.finding(101, "this line cannot be read".to_owned(), 0, "begins here");
        }
        if let Some(page) = self.place.page(self.line) {
            if expected::reads(self.place, &self.text) {
                return self.after_block();
            }
            return self.form(page);
        }
        if expected::reads_somewhere(&self.text) || self.known().is_some() {
            return self.wrong_block();
        }
        self.unknown()
    }

    fn after_block(&self) -> Diagnostic {
        let message = format!(
            "the block of `{}` is followed by more on its line",
            self.word(0)
        );
        self.finding(101, message, 0, "this block")
            .help("begin a new line after `}`; only a comment may follow it")
    }

    /// The page of the first word in any block.
    fn known(&self) -> Option<&'static WordPage> {
        let page = Place::ALL
            .iter()
            .find_map(|place| words::clause(place.block(), self.line));
        page.filter(|page| page.first() == words::today(self.word(0)))
    }

    // ---- the first word ----------------------------------------------------------------------

    fn wrong_block(&self) -> Diagnostic {
        let blocks = self.known().map_or(&[] as &[&str], |page| page.blocks);
        let names = blocks.iter().map(|block| match *block {
            "file" => "the top of the file".to_owned(),
            block => format!("`{block}`"),
        });
        let names = list(&names.collect::<Vec<_>>(), "or");
        let (word, block) = (self.word(0), self.block());
        let inside = if self.place == Place::File {
            "at"
        } else {
            "in"
        };
        let message = format!("`{word}` belongs in {names}, not {inside} {block}");
        let help = match blocks {
            ["file", ..] => "move it to the top of the file, outside of every block".to_owned(),
            [block, ..] => format!("move the line into the `{block}` it is meant for"),
            [] => "remove the line".to_owned(),
        };
        self.finding(108, message, 0, "not here")
            .help(help)
            .subject(word)
    }

    fn unknown(&self) -> Diagnostic {
        let word = self.word(0);
        let message = format!("`{word}` does not begin a clause of {}", self.block());
        let message = match self.place {
            Place::File => format!("`{word}` is not a statement of a plan"),
            Place::Any => format!("`{word}` is not a planc word"),
            _ => message,
        };
        let finding = self.finding(106, message, 0, "unknown").subject(word);
        if let Some(meant) = synonym(word) {
            return finding.help(format!("planc says {meant}"));
        }
        if let Some((meant, wide)) = self.meant(word) {
            let help = if wide {
                format!("did you mean `{meant}`? It belongs in another block")
            } else {
                format!("did you mean `{meant}`?")
            };
            let cured = self.replaced(0, meant);
            let sure = expected::reads(self.place, &cured);
            return finding.help(help).fix(sure, self.span(0), meant);
        }
        finding.help(self.choices())
    }

    /// The nearest first word, and whether it is of another block.
    fn meant(&self, word: &str) -> Option<(&'static str, bool)> {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let head = bare
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        let head = head.filter(|head| head.len() > 1)?;
        let here = self.place.pages();
        let near = similar::nearest(head, here.iter().map(|page| page.first()));
        let near = near.map(|near| (near, false));
        near.or_else(|| {
            let all = words::WORDS.iter().filter(|page| !page.blocks.is_empty());
            let close = |near: &&str| near.len() > 3;
            let near = similar::nearest(head, all.map(WordPage::first)).filter(close);
            near.map(|near| (near, true))
        })
    }

    fn choices(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for page in self.place.pages() {
            let name = format!("`{}`", page.word);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > 16 || names.is_empty() {
            return "`planc explain --list` prints all words".to_owned();
        }
        format!("clauses here begin with {}", list(&names, "or"))
    }

    // ---- the form of a known clause -----------------------------------------------------------

    fn form(&self, page: &'static WordPage) -> Diagnostic {
        let furthest = expected::furthest(self.place, &self.text).unwrap_or(0);
        let index = self.first_wrong(furthest);
        let near = [Some(index), index.checked_sub(1), Some(index + 1)];
        for at in near
            .into_iter()
            .flatten()
            .filter(|at| *at < self.words.len())
        {
            let found = self.as_quantity(at, page).or_else(|| self.as_clock(at));
            if let Some(finding) = found.or_else(|| self.as_other_word(at)) {
                return finding.subject(page.first());
            }
        }
        self.as_punctuation()
            .unwrap_or_else(|| self.missing(index, page))
            .subject(page.first())
    }

    /// The word that cannot be read, given how far the line was looked at. A reserved word is
    /// looked at to its end before it is refused as a name.
    fn first_wrong(&self, furthest: usize) -> usize {
        let index = self.words.iter().position(|word| furthest < word.end);
        let index = index.unwrap_or(self.words.len());
        let before = index.checked_sub(1).filter(|before| {
            let reserved = RESERVED.contains(&self.word(*before));
            reserved && self.words[*before].end == furthest
        });
        let Some(before) = before else {
            return index;
        };
        let named = self.replaced(before, "xname");
        let further = expected::furthest(self.place, &named).is_none_or(|at| {
            let end = self.words[before].start + "xname".len();
            at > end
        });
        if further { before } else { index }
    }

    /// The text with one word replaced.
    fn replaced(&self, index: usize, by: &str) -> String {
        self.replaced_range(self.words.get(index).cloned().unwrap_or_default(), by)
    }

    fn replaced_range(&self, range: Range<usize>, by: &str) -> String {
        let mut text = self.text.clone();
        text.replace_range(range, by);
        text
    }

    fn works(&self, index: usize, by: &str) -> bool {
        expected::reads(self.place, &self.replaced(index, by))
    }

    /// A number without unit, or with one that is none (P0302, P0301, P0303).
    fn as_quantity(&self, index: usize, page: &WordPage) -> Option<Diagnostic> {
        let word = self.word(index);
        let digits = word.len()
            - word
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        if digits == 0 {
            return None;
        }
        let (number, mut unit) = word.split_at(digits);
        let range = self.words[index].clone();
        let next = self.words.get(index + 1).cloned();
        let joined = next.map(|next| range.start..next.end);
        if unit.is_empty()
            && let Some(joined) = joined
            && expected::reads(self.place, &self.replaced_range(joined.clone(), "5min"))
            && self
                .word(index + 1)
                .starts_with(|c: char| c.is_alphabetic())
        {
            unit = self.word(index + 1);
            return self.wrong_unit(number, unit, joined);
        }
        if !self.works(index, "5min") {
            return None;
        }
        if unit.is_empty() {
            return Some(self.unit_missing(index, number, page));
        }
        self.wrong_unit(number, unit, range)
    }

    fn wrong_unit(&self, number: &str, unit: &str, range: Range<usize>) -> Option<Diagnostic> {
        let error = quantity::parse(number, unit).err()?;
        let span = (self.at)(range.start, range.end);
        let finding = Diagnostic::new(error.code, error.message, span, "").help(error.help);
        Some(match error.replacement {
            Some(unit) => {
                let blank = if unit.contains('B') { " " } else { "" };
                finding.fix(false, span, format!("{number}{blank}{unit}"))
            }
            None => finding,
        })
    }

    fn unit_missing(&self, index: usize, number: &str, page: &WordPage) -> Diagnostic {
        let units: &[&str] = match page.first() {
            "throttle" => &["MiB/s", "GiB/h"],
            "change" | "growth" => &["%/day"],
            "size" | "log" | "stream" => &["MiB", "GiB"],
            _ => &["s", "min", "h"],
        };
        let written = units.iter().map(|unit| {
            let blank = if unit.contains('B') { " " } else { "" };
            format!("`{number}{blank}{unit}`")
        });
        let message = format!(
            "`{} {number}`: {number} of what?",
            self.word(index.saturating_sub(1))
        );
        self.finding(302, message, index, "no unit").help(format!(
            "write {}",
            list(&written.collect::<Vec<_>>(), "or")
        ))
    }

    /// Something like a time of day that is none (P0304).
    fn as_clock(&self, index: usize) -> Option<Diagnostic> {
        let word = self.word(index);
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let plain = match word.split_once("..") {
            Some((from, to)) => format!("{}..{}", clock(from)?, clock(to)?),
            None => clock(word)?,
        };
        let cured = expected::reads(self.place, &self.replaced(index, &plain));
        if !cured || plain == word {
            return None;
        }
        let message = format!("`{word}` is not a time of day");
        let finding = self.finding(304, message, index, "not hours and minutes");
        Some(
            finding
                .help(format!("write `{plain}`"))
                .fix(false, self.span(index), plain),
        )
    }

    /// A reserved word as a name (P0107), a misspelt word, missing or needless quotes.
    fn as_other_word(&self, index: usize) -> Option<Diagnostic> {
        let word = self.word(index);
        if word == "," {
            return None;
        }
        if RESERVED.contains(&word) && self.works(index, "xname") {
            let message = format!("`{word}` is a planc word and cannot be a name");
            let quoted = format!("\"{word}\"");
            let help = if self.works(index, &quoted) {
                format!("choose another name, or quote a foreign one: `{quoted}`")
            } else {
                "choose another name".to_owned()
            };
            return Some(self.finding(107, message, index, "reserved").help(help));
        }
        let follow = self.following(index);
        let tokens = follow
            .iter()
            .flat_map(|name| name.split('`').skip(1).step_by(2));
        if let Some(meant) = similar::nearest(word, tokens)
            && self.works(index, meant)
        {
            let message = format!("`{word}` is not known after `{}`", self.before(index));
            let finding = self.finding(101, message, index, "unknown word");
            let help = format!("did you mean `{meant}`?");
            return Some(finding.help(help).fix(true, self.span(index), meant));
        }
        self.as_quotes(index, word)
    }

    fn as_quotes(&self, index: usize, word: &str) -> Option<Diagnostic> {
        if word.starts_with('"') && self.works(index, "xname") {
            let message = format!("{word} is in quotes where a name of the plan is expected");
            let finding = self.finding(101, message, index, "a name");
            return Some(finding.help("write names of the plan without quotes"));
        }
        let quoted = format!("\"{word}\"");
        if !word.starts_with('"') && self.works(index, &quoted) {
            let message = format!("`{word}` is foreign text and must be in quotes");
            let finding = self.finding(101, message, index, "not in quotes");
            let help = format!("write `{quoted}`");
            return Some(finding.help(help).fix(true, self.span(index), quoted));
        }
        if !word.is_ascii() && self.works(index, "xname") {
            let message = format!("`{word}` cannot be a name");
            let finding = self.finding(101, message, index, "letters that names cannot have");
            return Some(finding.help("use letters from a to z, digits, `_` and `-`"));
        }
        None
    }

    /// A sign at the end of the line that other languages want.
    fn as_punctuation(&self) -> Option<Diagnostic> {
        let kept = self.line.trim_end_matches([';', ',', '.', ':']).trim_end();
        let cut = kept.len()..self.line.len();
        if cut.is_empty() || !expected::reads(self.place, &self.replaced_range(cut.clone(), "")) {
            return None;
        }
        let sign = self.line.get(cut.clone()).unwrap_or_default().trim();
        let span = (self.at)(cut.start, cut.end);
        let message = format!("a clause ends with its line, not with `{sign}`");
        let finding = Diagnostic::new(Code(101), message, span, "not needed");
        Some(finding.help(format!("remove `{sign}`")).fix(true, span, ""))
    }

    fn following(&self, index: usize) -> Vec<String> {
        let start = self
            .words
            .get(index)
            .map_or(self.line.len(), |word| word.start);
        let beginning = self.line.get(..start).unwrap_or_default().trim_end();
        let comma = beginning.is_empty() || self.word(index) == ",";
        let blank = if comma { "" } else { " " };
        expected::following(self.place, &format!("{beginning}{blank}"))
    }

    /// Up to three words before this one.
    fn before(&self, index: usize) -> &str {
        let from = self
            .words
            .get(index.saturating_sub(3))
            .map_or(0, |word| word.start);
        let to = index.checked_sub(1).and_then(|last| self.words.get(last));
        let to = to.map_or(from, |word| word.end);
        self.line.get(from..to).unwrap_or_default()
    }

    fn missing(&self, index: usize, page: &WordPage) -> Diagnostic {
        let follow = self.following(index);
        let before = self.before(index);
        let only_end = follow.is_empty() || follow == ["the end of the line"];
        let shown: Vec<String> = follow.into_iter().take(6).collect();
        let wanted = list(&shown, "or");
        let word = self.word(index);
        let message = if index >= self.words.len() {
            format!("after `{before}` {wanted} is expected")
        } else if only_end {
            format!("`{word}` does not belong after `{before}`")
        } else {
            format!("after `{before}` {wanted} is expected, not `{word}`")
        };
        let label = if index >= self.words.len() {
            "something is missing here"
        } else {
            "not expected"
        };
        self.finding(101, message, index, label).help(format!(
            "the form is `{}`, for example `{}`",
            page.form, page.example
        ))
    }
}

/// A time of day in the language's form, from the forms people write; `None` when it is no such.
fn clock(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let (digits, add) = match lower.strip_suffix("pm") {
        Some(digits) => (digits, 12),
        None => (lower.strip_suffix("am").unwrap_or(&lower), 0),
    };
    let digits = digits.trim_end_matches(['h', '.']);
    let (hours, minutes) = match digits.split_once([':', '.', 'h']) {
        Some((hours, minutes)) => (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?),
        None if digits.len() == 4 => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            (hours.parse().ok()?, minutes.parse().ok()?)
        }
        None => (digits.parse().ok()?, 0),
    };
    let noon = word.len() != digits.len() && hours == 12;
    let hours = if noon { add } else { hours + add };
    (hours <= 24 && minutes < 60).then(|| format!("{hours:02}:{minutes:02}"))
}

/// `a`, `b` or `c`.
fn list(names: &[String], last: &str) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
