//! What will come of a plan, told before anything runs: the graphs of its recoveries, what a
//! change does to its promises, when what runs, and how it fares over a year of mishaps.
//!
//! - [`diff`] says what a change does to promises, retention, schedule and steps;
//! - [`figures`] tells every quantity of it as a sum;
//! - [`paths`] compiles every way back that the survival matrix names;
//! - [`timeline`] shows what runs when, ahead and afterwards;
//! - [`year`] plays a plan through time, with losses at random moments.
//!
//! Pure: it plays with plans, graphs and schedules; chance comes from a seed.

pub mod diff;
pub mod figures;
pub mod paths;
pub mod timeline;
mod words;
pub mod year;
