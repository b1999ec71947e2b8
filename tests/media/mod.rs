//! Tests of media.

mod catalogs;
mod contracts;
mod damage;
mod faults;
mod fixture;
mod logs;
mod round_trip;
