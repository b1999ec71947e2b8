//! Pure estimates: the formulas behind every promise, and how long a graph takes when its steps
//! take as long as is known.
//!
//! A formula gives a [`Figure`] with its terms. It is an upper bound when nothing is missing;
//! only then may a promise be called proved.

pub mod exposure;
mod figure;
pub mod known;
mod simulate;
pub mod survive;

pub use figure::Figure;
pub use known::Known;
pub use simulate::{Simulation, simulate};
