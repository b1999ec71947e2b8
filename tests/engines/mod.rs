//! Tests of engines.
#![expect(clippy::unwrap_used, reason = "a test may fail at any line")]

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod sqlite;
mod support;
mod trees;
