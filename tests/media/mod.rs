//! Tests of media.

mod fixture;
mod round_trip;
