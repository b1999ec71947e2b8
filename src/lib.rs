//! planc, a compiler for recovery.

// front end: pure
pub mod check;
pub mod diagnostic;
pub mod quantity;
pub mod resolve;
pub mod source;
pub mod syntax;

// planner: pure
pub mod facts;
pub mod graph;
pub mod schedule;

// runtime: IO
pub mod catalog;
pub mod engine;
pub mod media;
pub mod run;

// surface
pub mod cli;
pub mod report;
