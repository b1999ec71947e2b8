//! Tests of runs: graphs to their end, with fakes and with the real binary.

mod execution;
mod make;
