//! Tests of the `SQLite` engine against real databases.

mod chain;
mod full;
mod laws;
mod storm;
