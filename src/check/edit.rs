//! Owns where a repair changes the text of a clause.
//! Must not compute what the repair is; each rule does that.

use crate::source::{SourceMap, Span};

/// Where the quantity after a word stands: `5min` after `every ` in `ship every 5min or 64 MiB`.
/// A parameter is not replaced, because other clauses may use it too.
pub(in crate::check) fn quantity_after(
    sources: &SourceMap,
    clause: Span,
    word: &str,
) -> Option<Span> {
    let text = sources.text(clause);
    let start = text.find(word)? + word.len();
    let quantity = text[start..].split([' ', '\n', ',']).next()?;
    let is_quantity = quantity.starts_with(|c: char| c.is_ascii_digit())
        && quantity.ends_with(|c: char| c.is_ascii_alphabetic());
    let begin = clause.start as usize + start;
    is_quantity.then(|| Span::new(clause.file, begin, begin + quantity.len()))
}

/// Where the word after another one stands: `hour` after `every ` in `logical every hour`.
pub(in crate::check) fn word_after(sources: &SourceMap, clause: Span, word: &str) -> Option<Span> {
    let text = sources.text(clause);
    let start = text.find(word)? + word.len();
    let next = text[start..].split([' ', '\n', ',']).next()?;
    let begin = clause.start as usize + start;
    (!next.is_empty() && !next.starts_with('$'))
        .then(|| Span::new(clause.file, begin, begin + next.len()))
}

/// True when a place holds a quantity and not a parameter.
pub(in crate::check) fn is_quantity(sources: &SourceMap, span: Span) -> bool {
    let text = sources.text(span);
    text.starts_with(|c: char| c.is_ascii_digit())
}
