//! Object stores as devices, against a real server with signatures, conditional put and parts.

mod commands;
mod device;
mod faults;
mod proxy;
mod refusals;
mod server;
