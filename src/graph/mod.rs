//! A checked plan, what is known and an intent to one [`step::StepGraph`].
//!
//! - [`build`] compiles; the result is plain data ([`step`]) that can be printed and drawn;
//! - [`due`] and [`calendar`] say what is due;
//! - [`order`] checks a graph, from wherever it comes.

mod backup;
mod base;
mod build;
mod chain;
mod choice;
mod draft;
pub mod due;
mod dumped;
pub mod error;
pub mod expire;
pub mod file;
mod hole;
pub mod ids;
mod inputs;
pub mod length;
mod lineage;
mod lostfiles;
mod merge;
mod moments;
mod notify;
pub mod order;
mod outline;
mod past;
mod place;
pub mod promise;
mod recover;
pub mod rehearse;
pub mod render;
pub mod repair;
mod restore;
pub mod retention;
mod select;
pub mod step;
pub mod support;
mod switchover;
pub mod taking;
mod undo;
mod verify;
mod whole;
mod world;

pub use crate::estimate::calendar;
pub use build::{behind_holes, build, judge, judge_parts, next_due};
pub use draft::RETRIES;
pub use error::GraphError;
pub use hole::Hole;
pub use world::{calendar, full_name, job_name};
