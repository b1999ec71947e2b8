//! The one integration binary. A file below `tests/` that is not declared here fails `tidy`.

mod ci;
mod demo;
mod diagnostics;
mod durable;
mod editor;
mod engines;
mod graphs;
mod language;
mod media;
mod outlook;
mod postgres;
mod rules;
mod runs;
mod tidy;
