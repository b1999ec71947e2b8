//! Tests of graphs and schedules.

mod chains;
mod compile;
mod due;
mod laws;
mod retention;
mod schedule;
