//! A checked plan, what is known and an intent to one [`step::StepGraph`].

pub mod step;
