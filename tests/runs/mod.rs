//! Tests of runs: graphs to their end, with fakes and with the real binary.

mod chains;
mod commands;
mod crash;
mod days;
mod drills;
mod engine_faults;
mod execution;
mod expire;
mod faults;
mod hung;
mod key_changes;
mod leftovers;
mod lost;
mod make;
mod modes;
mod night;
mod refusals;
mod repairs;
mod run_logs;
mod shared_devices;
pub(crate) mod site;
mod terminal;
mod terms;
mod volumes;
