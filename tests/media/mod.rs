//! Tests of media.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalogs;
mod contracts;
mod damage;
mod faults;
pub(crate) mod fixture;
mod keys;
mod logs;
mod pieces;
mod reader;
mod round_trip;
mod s3;
pub(crate) mod slow;
mod tombs;
mod trees;
mod volumes;
