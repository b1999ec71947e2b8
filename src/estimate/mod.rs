//! Pure estimates: the formulas behind every promise, and how long a graph takes when its steps
//! take as long as is known.
//!
//! A formula gives a [`Figure`] with its terms. It is an upper bound when nothing is missing;
//! only then may a promise be called proved. Stated facts and measured ones meet in [`Known`].

pub mod agenda;
pub mod calendar;
pub mod exposure;
mod figure;
pub mod growth;
pub mod horizon;
pub mod load;
pub mod log_space;
pub mod makespan;
pub mod pace;
pub mod recovery;
pub mod retention;
mod simulate;
pub mod survive;
pub mod volume;

pub use crate::facts::known::Known;
pub use agenda::Agenda;
pub use figure::Figure;
pub use simulate::{Bar, Simulation, play, simulate};
