//! Text of one plan file to [`ast::Ast`], and back to canonical text.
//! pest types appear only in `parser*` and `expected`; later stages see owned trees.
//!
//! Three passes read a file. `structure` makes braces and quotes even, so that the grammar takes
//! every text. The grammar keeps each line that no clause fits as *bad*. `mistakes` then looks at
//! each bad line alone and says what is wrong with it. One slip gives one finding, and later
//! stages see what was bad as "unknown but present".

pub mod ast;
pub mod words;

mod blocks;
mod expected;
mod format;
mod letters;
mod mistakes;
mod parser;
mod parser_clauses;
mod parser_items;
mod parser_phrases;
mod place;
mod repair;
pub mod scan;
mod structure;
mod synonyms;
mod vocabulary;

pub use format::{FormatError, format, lay_out};

use crate::diagnostic::Diagnostics;
use crate::source::FileId;

/// Reads one plan file. Never fails: what cannot be read is reported and kept as bad.
#[must_use]
pub fn parse(file: FileId, text: &str, out: &mut Diagnostics) -> ast::Ast {
    let repaired = structure::repair(file, text, out);
    let ast = parser::parse(file, &repaired, out);
    blocks::check(&ast, out);
    ast
}
