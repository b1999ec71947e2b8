//! Owns how much log a server holds and how much room is left for it.

use std::io::ErrorKind;

use super::files::cannot;
use super::server::ServerFacts;
use super::{PostgresSpec, connect};
use crate::engine::{EngineError, LogHeld};

/// Looks at the server's log folder; it must lie on this host.
///
/// # Errors
/// When server or folder cannot be asked.
pub(super) fn held(spec: &PostgresSpec) -> Result<LogHeld, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let facts = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    let folder = facts.data_directory.join("pg_wal");
    let entries = std::fs::read_dir(&folder).map_err(|error| cannot("list", &folder, error))?;
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(|error| cannot("list", &folder, error))?;
        match std::fs::metadata(entry.path()) {
            Ok(about) if about.is_file() => bytes += about.len(),
            Ok(_) => {}
            // a segment was removed or got another name meanwhile
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("look at", &entry.path(), error)),
        }
    }
    let room = rustix::fs::statvfs(&folder);
    let room = room.map_err(|error| cannot("look at", &folder, error.into()))?;
    Ok(LogHeld {
        bytes,
        free: room.f_bavail.saturating_mul(room.f_frsize),
        piece: facts.segment_size.bytes(),
    })
}
