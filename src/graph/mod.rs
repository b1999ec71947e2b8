//! A checked plan, what is known and an intent to one [`step::StepGraph`].

pub mod error;
pub mod order;
pub mod step;

pub use error::GraphError;
