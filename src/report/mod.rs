//! People and machines outside: rendering of findings, graphs and runs.

pub mod columns;
pub mod diff;
pub mod events;
pub mod figures;
pub mod findings;
pub mod keeping;
pub mod progress;
pub mod proof;
pub mod render;
pub mod resolved;
pub mod schema;
pub mod summary;
pub mod timeline;
pub mod year;
