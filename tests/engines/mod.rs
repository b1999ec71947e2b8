//! Tests of engines.

mod contract;
mod sqlite;
mod support;
mod trees;
