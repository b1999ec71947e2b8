//! Owns how places are said to an editor: paths as addresses, bytes as lines and UTF-16 columns.
//! Must not read files; out-of-range places are taken as the nearest one that exists.

use gen_lsp_types::{Location, Position, Range, Uri};

use crate::source::{SourceFile, SourceMap, Span};

const SCHEME: &str = "file://";

/// The absolute path of a `file:` address; none for other addresses.
pub(super) fn path_of(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix(SCHEME)?;
    let path = &rest[rest.find('/')?..];
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let code = rest.get(..2).filter(|_| byte == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        if let Some(decoded) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(decoded);
            left = &rest[2..];
        } else {
            bytes.push(byte);
            left = rest;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The address of an absolute path.
pub(super) fn uri_of(path: &str) -> Uri {
    use std::fmt::Write as _;
    let mut uri = String::from(SCHEME);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // writing to a string cannot fail
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    Uri(uri)
}

/// Where a byte stands.
pub(super) fn position(file: &SourceFile, byte: usize) -> Position {
    let byte = byte.min(file.text().len());
    let line = file.line_of(byte);
    let before = file.text().get(file.line_start(line)..byte);
    let units: usize = before
        .unwrap_or_default()
        .chars()
        .map(char::len_utf16)
        .sum();
    Position {
        line: number(line),
        character: number(units),
    }
}

/// The byte at a place; beyond the end of a line it is the line's end.
pub(super) fn offset(file: &SourceFile, at: Position) -> usize {
    let line = at.line as usize;
    let text = file.line(line);
    let mut units = 0;
    let inside = text.char_indices().find(|(_, c)| {
        let here = units;
        units += c.len_utf16();
        here >= at.character as usize
    });
    file.line_start(line) + inside.map_or(text.len(), |(at, _)| at)
}

/// The whole of a span.
pub(super) fn range(file: &SourceFile, span: Span) -> Range {
    Range {
        start: position(file, span.start as usize),
        end: position(file, span.end as usize),
    }
}

/// The whole of a text.
pub(super) fn whole(file: &SourceFile) -> Range {
    Range {
        start: Position::default(),
        end: position(file, file.text().len()),
    }
}

/// A span with the address of its file.
pub(super) fn location(sources: &SourceMap, span: Span) -> Location {
    let file = sources.file(span.file);
    Location {
        uri: uri_of(file.path()),
        range: range(file, span),
    }
}

/// True when two ranges have a place in common, their ends included.
pub(super) fn touches(a: Range, b: Range) -> bool {
    a.start <= b.end && b.start <= a.end
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_utf16_units() {
        let file = SourceFile::new("a.plan", "a\u{1F600}b\nx");
        let after = file.text().find('b').expect("there");
        let place = position(&file, after);
        assert_eq!((place.line, place.character), (0, 3));
        assert_eq!(offset(&file, place), after);
        let beyond = Position {
            line: 9,
            character: 9,
        };
        assert_eq!(offset(&file, beyond), file.text().len());
    }

    #[test]
    fn addresses_keep_every_path() {
        for path in ["/a b/größe.plan", "/x%41y", "/c:/d"] {
            assert_eq!(path_of(&uri_of(path).0).as_deref(), Some(path));
        }
        assert_eq!(path_of("file://host/a%2").as_deref(), Some("/a%2"));
        assert_eq!(path_of("untitled:one"), None);
    }

    proptest! {
        #[test]
        fn every_character_has_a_place_of_its_own(text in "\\PC{0,40}(\n\\PC{0,20}){0,3}") {
            let file = SourceFile::new("a.plan", text.clone());
            for (at, _) in text.char_indices().filter(|(_, c)| *c != '\n') {
                prop_assert_eq!(offset(&file, position(&file, at)), at);
            }
        }
    }
}
