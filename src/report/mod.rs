//! People and machines outside: rendering of findings, graphs and runs.

pub mod findings;
pub mod render;
