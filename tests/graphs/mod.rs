//! Tests of graphs and schedules.

mod laws;
mod schedule;
