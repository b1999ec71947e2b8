//! Tests of engines.

mod sqlite;
mod support;
mod trees;
