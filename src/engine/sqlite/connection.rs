//! Owns how connections are opened, and what `SQLite`'s answers mean. Every connection to the
//! source is made here: none may checkpoint when it closes, because a checkpoint that planc did
//! not plan breaks the log chain. Must not open the database file by any other way: closing such a
//! descriptor would drop the locks of every connection of this process.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::engine::EngineError;

/// How long a busy writer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the answer of the library means for us.
pub(super) fn failed(
    path: &Path,
    what: &'static str,
) -> impl Fn(rusqlite::Error) -> EngineError + use<> {
    let path = path.to_owned();
    move |error| {
        let name = path.display().to_string();
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                EngineError::Busy { what: name, cause }
            }
            Some(ErrorCode::NotADatabase) => EngineError::NotASource {
                path: path.clone(),
                expected: "a SQLite database",
                found: cause,
            },
            Some(ErrorCode::DatabaseCorrupt) => EngineError::Damaged {
                what: name,
                detail: cause,
            },
            _ => EngineError::refused(format!("{what} {name}"), cause),
        }
    }
}

/// Opens the live source.
pub(super) fn open(path: &Path) -> Result<Connection, EngineError> {
    let meta = std::fs::metadata(path).map_err(EngineError::io("open", path))?;
    if !meta.is_file() {
        return Err(EngineError::NotASource {
            path: path.to_owned(),
            expected: "a SQLite database",
            found: "not a regular file".to_owned(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let error = failed(path, "open");
    let connection = Connection::open_with_flags(path, flags).map_err(&error)?;
    harden(&connection).map_err(&error)?;
    connection.busy_timeout(PATIENCE).map_err(&error)?;
    Ok(connection)
}

/// Content of a database is not trusted to run code, and closing never checkpoints.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Opens a copy that nobody else uses, without leaving files beside it.
pub(super) fn open_copy(path: &Path) -> Result<Connection, EngineError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    open_private(path, flags, "immutable=1")
}

/// Opens a copy that an application may have begun to use, for reading only.
pub(super) fn open_used(path: &Path) -> Result<Connection, EngineError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    open_private(path, flags, "mode=ro")
}

fn open_private(path: &Path, flags: OpenFlags, options: &str) -> Result<Connection, EngineError> {
    let error = failed(path, "open");
    let connection = Connection::open_with_flags(uri(path, options), flags).map_err(&error)?;
    harden(&connection).map_err(&error)?;
    connection.busy_timeout(PATIENCE).map_err(&error)?;
    Ok(connection)
}

/// The path as a `file:` URI.
fn uri(path: &Path, options: &str) -> String {
    let mut text = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                text.push(char::from(*byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text + "?" + options
}

/// `wal`, `delete`, `truncate`, `persist`, `memory` or `off`.
pub(super) fn journal_mode(connection: &Connection, path: &Path) -> Result<String, EngineError> {
    connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(failed(path, "read the journal mode of"))
}

/// A file beside the database: `-wal`, `-shm`, `-journal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Begins a read transaction and makes sure that its snapshot is taken now.
pub(super) fn begin_read(connection: &Connection, path: &Path) -> Result<(), EngineError> {
    connection
        .execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1;")
        .map_err(failed(path, "begin to read"))
}

/// `PRAGMA integrity_check` on a copy that nobody uses.
///
/// # Errors
/// [`EngineError::Damaged`] with the first complaints.
pub(super) fn check_copy(path: &Path, what: &str) -> Result<(), EngineError> {
    let connection = open_copy(path)?;
    let error = failed(path, "check");
    let mut statement = connection
        .prepare("PRAGMA integrity_check(10)")
        .map_err(&error)?;
    let lines = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(&error)?;
    if lines == ["ok"] {
        return Ok(());
    }
    Err(EngineError::Damaged {
        what: what.to_owned(),
        detail: format!("integrity_check says: {}", lines.join("; ")),
    })
}
