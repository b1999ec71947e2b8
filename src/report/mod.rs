//! People and machines outside: rendering of findings, graphs and runs.

pub mod events;
pub mod findings;
pub mod progress;
pub mod render;
pub mod schema;
pub mod summary;
