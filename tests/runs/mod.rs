//! Tests of runs: graphs to their end, with fakes and with the real binary.

mod commands;
mod crash;
mod execution;
mod faults;
mod make;
mod refusals;
mod site;
