//! Tests of graphs and schedules.

mod compile;
mod due;
mod laws;
mod retention;
mod schedule;
