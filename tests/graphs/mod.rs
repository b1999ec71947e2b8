//! Tests of graphs and schedules.

mod chains;
mod choice;
mod compile;
mod due;
mod laws;
mod retention;
mod schedule;
