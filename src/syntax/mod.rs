//! Text of one plan file to [`ast::Ast`], and back to canonical text.
//! pest types appear only in `parser` and `expected`; later stages see owned trees.

pub mod ast;
