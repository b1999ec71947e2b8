//! Tests against real PostgreSQL servers that live in temporary folders.
//! They fail when a server is missing: `tests/install-postgres` installs all of them.

mod ahead;
mod archive;
mod backup;
mod bad_input;
mod campaign;
mod chains;
mod cluster;
mod command;
mod damaged;
mod driven;
mod extracts;
mod formats;
mod increment;
mod inplace;
mod ledger;
mod logical;
mod pace;
mod pair;
mod parts;
mod proof;
mod recover;
mod refused;
mod restored;
mod room;
mod scenarios;
mod shared_catalog;
mod site;
mod standby;
mod stream;
mod survey;
mod switchover;
mod template;
mod tls;
mod undo;
