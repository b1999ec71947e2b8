//! `retain` against a model: what stays is exactly what the definitions ask for, what was promised
//! can still be restored, and a crash between any two deletions changes nothing.

mod cases;
mod history;
mod model;
mod worlds;
