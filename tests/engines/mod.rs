//! Tests of engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod sqlite;
pub(crate) mod support;
pub(crate) mod trees;
