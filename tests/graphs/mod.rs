//! Tests of graphs and schedules.

mod due;
mod laws;
mod schedule;
