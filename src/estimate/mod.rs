//! Pure estimates: how long a graph takes when its steps take as long as is known.

mod simulate;

pub use simulate::{Simulation, simulate};
