//! Tests of engines.
#![expect(clippy::unwrap_used, reason = "a test may fail at any line")]

mod contract;
mod sqlite;
mod support;
mod trees;
