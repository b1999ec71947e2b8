//! Owns where each key and value of a YAML tree stands: walks text and tree together, in order.
//! Must not decide what the text means; the tree is right, and where the two part the walk looks
//! for the next key and goes on, so that places may be coarse but are never missing.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};
use crate::yaml::{Entry, Node, Value};

/// Fills in the places of a tree that was read from `text`, spells numbers as written, and
/// reports repeated keys (P1102), anchors, aliases, merge keys and tags (P1101).
pub(crate) fn locate(file: FileId, text: &str, node: &mut Node, out: &mut Diagnostics) {
    let mut walk = Walk {
        file,
        text,
        at: 0,
        out,
    };
    walk.node(node, false, None);
}

/// How far a lost walk looks ahead; bounds the cost of a text it cannot follow.
const NEAR: usize = 4096;

struct Walk<'t, 'o> {
    file: FileId,
    text: &'t str,
    at: usize,
    out: &'o mut Diagnostics,
}

impl Walk<'_, '_> {
    fn byte(&self) -> u8 {
        self.peek(0)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    /// A node and all below it. `key` is the place an empty value is shown at.
    fn node(&mut self, node: &mut Node, flow: bool, key: Option<Span>) {
        if matches!(node.value, Value::Null) {
            node.span = self.null(key);
            return;
        }
        self.gap();
        if let Some(alias) = self.properties() {
            place_all(node, alias);
            return;
        }
        let start = self.at;
        match &mut node.value {
            Value::Map(entries) => self.map(entries),
            Value::List(items) => self.list(items),
            Value::Text(text) => self.scalar(flow, Some(text)),
            Value::Number(number) => {
                self.scalar(flow, None);
                if let Some(written) = self.text.get(start..self.at) {
                    written.clone_into(number);
                }
            }
            Value::Bool(_) | Value::Null => self.scalar(flow, None),
        }
        node.span = self.span(start);
    }

    /// An empty value, or one that says so.
    fn null(&mut self, key: Option<Span>) -> Span {
        self.blanks();
        let start = self.at;
        for word in ["null", "Null", "NULL", "~"] {
            if self.text[start..].starts_with(word) {
                self.at += word.len();
                return self.span(start);
            }
        }
        key.unwrap_or_else(|| self.span(start))
    }

    fn map(&mut self, entries: &mut Vec<Entry>) {
        let flow = self.byte() == b'{';
        self.at += usize::from(flow);
        for entry in entries.iter_mut() {
            self.entry(entry, flow);
        }
        if flow {
            self.close(b'}');
        }
        self.duplicates(entries);
    }

    fn entry(&mut self, entry: &mut Entry, flow: bool) {
        self.between(flow);
        if self.byte() == b'?' && matches!(self.peek(1), b' ' | b'\n') {
            self.at += 1;
            self.gap();
        }
        self.properties();
        let start = self.key(&entry.key, flow);
        entry.key_span = self.span(start);
        // in quotes it is a name like others
        if entry.key == "<<" && self.text.as_bytes().get(start) == Some(&b'<') {
            self.refuse(entry.key_span, "merge keys");
        }
        self.blanks();
        if self.byte() == b':' {
            self.at += 1;
        }
        self.node(&mut entry.value, flow, Some(entry.key_span));
    }

    /// Moves behind a key; returns where it began.
    fn key(&mut self, key: &str, flow: bool) -> usize {
        let start = self.at;
        self.scalar(flow, None);
        let quoted = matches!(self.text.as_bytes().get(start), Some(b'"' | b'\''));
        if quoted || self.text.get(start..self.at) == Some(key) {
            return start;
        }
        // the walk has lost the tree: go on at the next place near by where this key can stand
        let near = &self.text[start..self.text.floor_char_boundary(start + NEAR)];
        let found = near.match_indices(key).find(|(at, _)| {
            let after = near[at + key.len()..].trim_start_matches(['"', '\'']);
            after.trim_start_matches(' ').starts_with(':')
        });
        let start = found.map_or(start, |(at, _)| start + at);
        self.at = found.map_or(start, |_| start + key.len());
        start
    }

    fn list(&mut self, items: &mut [Node]) {
        let flow = self.byte() == b'[';
        self.at += usize::from(flow);
        for item in items {
            self.between(flow);
            if !flow && self.byte() == b'-' {
                self.at += 1;
            }
            self.node(item, flow, None);
        }
        if flow {
            self.close(b']');
        }
    }

    /// Skips what stands between two entries.
    fn between(&mut self, flow: bool) {
        self.gap();
        if flow && self.byte() == b',' {
            self.at += 1;
            self.gap();
        }
    }

    fn close(&mut self, bracket: u8) {
        self.between(true);
        if self.byte() == bracket {
            self.at += 1;
        }
    }

    /// Skips blanks of this line.
    fn blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t') {
            self.at += 1;
        }
    }

    /// Skips blanks, line ends, comments and the mark that begins a document.
    fn gap(&mut self) {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.line(),
                b'-' if self.line_begins() && self.text[self.at..].starts_with("---") => {
                    self.at += 3;
                }
                b'%' if self.line_begins() => self.line(),
                0xEF if self.at == 0 && self.text.starts_with('\u{feff}') => self.at += 3,
                _ => return,
            }
        }
    }

    fn line_begins(&self) -> bool {
        self.at == 0 || self.text.as_bytes().get(self.at - 1) == Some(&b'\n')
    }

    /// Moves to the end of the line.
    fn line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    /// Skips and reports anchors and tags; an alias ends the node and gives its place.
    fn properties(&mut self) -> Option<Span> {
        loop {
            let what = match self.byte() {
                b'&' => "anchors",
                b'*' => "aliases",
                b'!' => "tags",
                _ => return None,
            };
            let start = self.at;
            let rest = &self.text[start..];
            self.at += rest
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}'))
                .unwrap_or(rest.len());
            let span = self.span(start);
            self.refuse(span, what);
            if what == "aliases" {
                return Some(span);
            }
            self.gap();
        }
    }

    fn refuse(&mut self, span: Span, what: &str) {
        let message = format!("{what} are not used here: a reader could not see what they bring");
        self.out.push(
            Diagnostic::new(Code(1101), message, span, "").help("write the value out in full"),
        );
    }

    /// Moves behind a scalar. `value` is its content, when it is a text that can span lines.
    fn scalar(&mut self, flow: bool, value: Option<&str>) {
        match self.byte() {
            b'"' => self.quoted(b'"'),
            b'\'' => self.quoted(b'\''),
            b'|' | b'>' if !flow => self.block(),
            _ => self.plain(flow, value),
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.at += 1;
        while self.at < self.text.len() {
            match self.byte() {
                b'\\' if quote == b'"' => self.at += 2,
                found if found == quote => {
                    self.at += 1;
                    if quote == b'"' || self.byte() != quote {
                        return;
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
    }

    /// A block scalar: all following lines indented like its first one.
    fn block(&mut self) {
        self.line();
        let mut indent = 0;
        loop {
            let next = self.at + 1;
            let Some(rest) = self.text.get(next..) else {
                return;
            };
            let line = rest.split('\n').next().unwrap_or("");
            let depth = line.len() - line.trim_start_matches(' ').len();
            let blank = line.trim().is_empty();
            if !blank && indent == 0 {
                indent = depth;
            }
            if rest.is_empty() || !blank && (depth < indent || depth == 0) {
                return;
            }
            self.at = next + line.len();
        }
    }

    fn plain(&mut self, flow: bool, value: Option<&str>) {
        let start = self.at;
        self.plain_line(flow);
        let Some(value) = value else { return };
        let mut read = self.at - start;
        // line ends inside a plain text are folded into blanks
        while read < value.len() && self.at < self.text.len() {
            let before = self.at;
            self.gap();
            let piece = self.at;
            self.plain_line(flow);
            if self.at == piece {
                self.at = before;
                return;
            }
            read += 1 + self.at - piece;
        }
    }

    /// One line of a plain scalar, without the blanks at its end.
    fn plain_line(&mut self, flow: bool) {
        let bytes = self.text.as_bytes();
        let mut last = self.at;
        let mut at = self.at;
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at + 1).copied().unwrap_or(b'\n');
            let ends = match byte {
                b'\n' | b'\r' => true,
                b':' => matches!(next, b' ' | b'\t' | b'\n' | b'\r') || flow && is_flow(next),
                b'#' => at > self.at && matches!(bytes[at - 1], b' ' | b'\t'),
                other => flow && is_flow(other),
            };
            if ends {
                break;
            }
            at += 1;
            if !matches!(byte, b' ' | b'\t') {
                last = at;
            }
        }
        self.at = last;
    }

    /// Reports keys given twice and keeps the first of them.
    fn duplicates(&mut self, entries: &mut Vec<Entry>) {
        let repeated = repeated(entries);
        for (first, again) in &repeated {
            let (first, again) = (&entries[*first], &entries[*again]);
            let message = format!(
                "`{}` appears twice; YAML readers would keep the last",
                again.key
            );
            self.out.push(
                Diagnostic::new(Code(1102), message, again.key_span, "again here")
                    .label(first.key_span, "first here")
                    .help("remove or rename one of the two")
                    .subject(again.key.clone()),
            );
        }
        for (_, again) in repeated.iter().rev() {
            entries.remove(*again);
        }
    }
}

fn is_flow(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}

/// Pairs of the first and a later entry with the same key, by the later one.
fn repeated(entries: &[Entry]) -> Vec<(usize, usize)> {
    if entries.len() <= 8 {
        let first = |at: usize| entries[..at].iter().position(|e| e.key == entries[at].key);
        return (0..entries.len())
            .filter_map(|at| Some((first(at)?, at)))
            .collect();
    }
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    let mut pairs = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match seen.get(entry.key.as_str()) {
            Some(first) => pairs.push((*first, at)),
            None => {
                seen.insert(&entry.key, at);
            }
        }
    }
    pairs
}

fn place_all(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| place_all(item, span)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = span;
                place_all(&mut entry.value, span);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    /// Every key and scalar of a text with the text its span covers.
    fn places(text: &str) -> Vec<String> {
        let mut out = Diagnostics::new();
        let node = parse(FileId(0), text, &mut out).expect("readable");
        let mut found = Vec::new();
        collect(text, &node, &mut found);
        found
    }

    fn collect(text: &str, node: &Node, found: &mut Vec<String>) {
        let cut = |span: Span| text[span.start as usize..span.end as usize].to_owned();
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    found.push(cut(entry.key_span));
                    collect(text, &entry.value, found);
                }
            }
            Value::List(items) => items.iter().for_each(|item| collect(text, item, found)),
            _ => found.push(cut(node.span)),
        }
    }

    #[test]
    fn block_and_flow_forms_are_placed() {
        let text = "---\n# top\na: 1 # one\n\"b c\": {d: [x, 'y z', \"q\\\"\"], e: , f: ~}\nlist:\n- g: h\n  i: j k\n-\n  - 017\nurl: {at: https://x.org:80/a}\n";
        let expected = [
            "a",
            "1",
            "\"b c\"",
            "d",
            "x",
            "'y z'",
            "\"q\\\"\"",
            "e",
            "e",
            "f",
            "~",
            "list",
            "g",
            "h",
            "i",
            "j k",
            "017",
            "url",
            "at",
            "https://x.org:80/a",
        ];
        assert_eq!(places(text), expected);
    }

    #[test]
    fn texts_over_several_lines_are_placed() {
        let text = "a: one\n  two\nb: |\n  x: y\n\n  z\nc: 'd\n  e'\nf: >-\n   g\nh: i\n";
        let expected = [
            "a",
            "one\n  two",
            "b",
            "|\n  x: y\n\n  z",
            "c",
            "'d\n  e'",
            "f",
            ">-\n   g",
            "h",
            "i",
        ];
        assert_eq!(places(text), expected);
    }

    fn findings(text: &str) -> Vec<(u16, String)> {
        let mut out = Diagnostics::new();
        parse(FileId(0), text, &mut out);
        let cut = |span: Span| text[span.start as usize..span.end as usize].to_owned();
        out.iter()
            .map(|found| (found.code.0, cut(found.span())))
            .collect()
    }

    #[test]
    fn repeated_keys_show_both_places() {
        let text = "devices:\n  nvme: {a: 1}\n  tapes: {}\n  nvme: {}\n";
        let mut out = Diagnostics::new();
        let node = parse(FileId(0), text, &mut out).expect("readable");
        let found: Vec<_> = out.iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, Code(1102));
        assert_eq!(
            found[0].span().start as usize,
            text.rfind("nvme").expect("there")
        );
        assert_eq!(
            found[0].labels[1].span.start as usize,
            text.find("nvme").expect("there")
        );
        let devices = node.get("devices").expect("kept");
        assert_eq!(devices.entries().map(<[_]>::len), Some(2));
        assert!(devices.get("nvme").and_then(|nvme| nvme.get("a")).is_some());
    }

    #[test]
    fn hidden_meanings_are_refused() {
        assert_eq!(
            findings("a: &x 1\nb: *x\n"),
            [(1101, "&x".into()), (1101, "*x".into())]
        );
        assert_eq!(findings("a: !!str 1\n"), [(1101, "!!str".into())]);
        assert_eq!(findings("<<: {a: 1}\n"), [(1101, "<<".into())]);
        assert_eq!(findings("\"<<\": {a: 1}\n"), []);
        assert_eq!(findings("a: !x 1\n").len(), 1);
    }

    #[test]
    fn a_syntax_error_is_one_finding_at_its_place() {
        let found = findings("a: 1\nb: {c: 2\nd: 3\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(findings("a: 1\n b: 2\n")[0].0, 1101);
    }
}
