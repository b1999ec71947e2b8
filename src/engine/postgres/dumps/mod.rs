//! Copies of tables and databases in the server's own words: `pg_dump` inside one exported
//! snapshot of each database, `pg_restore` into a scratch cluster.
//!
//! A part holds `globals.sql` and `roles.sql` of `pg_dumpall`, and either `database.dump`, or
//! `schema.dump` (the definitions of the database, without rows) and `data.dump` (the tables).

mod client;
mod copy;
mod load;
mod notes;
mod program;
mod roles;
mod snapshot;

pub use copy::{Dumping, check, size};
pub use load::DumpRestore;
pub use notes::{OUTSIDE, outside};
pub use snapshot::Snapshots;

/// Roles, memberships, tablespaces and settings of roles.
const GLOBALS: &str = "globals.sql";
/// Roles and memberships.
const ROLES: &str = "roles.sql";
/// A whole database.
const DATABASE: &str = "database.dump";
/// Definitions of a database.
const SCHEMA: &str = "schema.dump";
/// Rows of some tables, and what belongs to them.
const DATA: &str = "data.dump";
