//! Tests of engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod sqlite;
mod support;
mod trees;
