//! Owns what a survey asks of a database file: its size, its journal, and how fast the log file
//! grows. Reads through the library and from the log file only, like everything here.

use std::fs::File;
use std::io::{ErrorKind, Seek};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, failed};
use super::wal::{Next, WalReader};
use crate::engine::EngineError;
use crate::engine::survey::{Survey, log_rates};
use crate::facts::instance::{DatabaseFacts, Instance};
use crate::quantity::Bytes;

const SETTINGS: [&str; 4] = [
    "application_id",
    "journal_mode",
    "page_size",
    "user_version",
];

/// Asks a database file everything; the log is watched for `sample`.
pub(super) fn ask(source: &Path, sample: Duration) -> Result<Survey, EngineError> {
    let connection = connection::open(source)?;
    let mut instance = Instance {
        version: Some(rusqlite::version().to_owned()),
        ..Instance::default()
    };
    for name in SETTINGS {
        let value = setting(&connection, source, name)?;
        instance.settings.insert(name.to_owned(), value);
    }
    let main = DatabaseFacts {
        size: Some(Bytes(super::backup::bytes(&connection, source)?)),
        ..DatabaseFacts::default()
    };
    instance.databases.insert("main".to_owned(), main);
    let mut survey = Survey {
        instance,
        ..Survey::default()
    };
    if survey.instance.setting("journal_mode") == Some("wal") {
        survey.log = log_rates(sample, || committed(source))?;
    } else {
        let note = "log rate: the journal mode is not `wal`, so there is no log to archive";
        survey.notes.push(note.to_owned());
    }
    Ok(survey)
}

fn setting(connection: &Connection, source: &Path, name: &str) -> Result<String, EngineError> {
    let value = connection.pragma_query_value(None, name, |row| row.get(0));
    let value: rusqlite::types::Value = value.map_err(failed(source, "ask"))?;
    Ok(match value {
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        _ => String::new(),
    })
}

/// Bytes of the log file that are committed in its present generation.
fn committed(source: &Path) -> Result<Option<u64>, EngineError> {
    let path = connection::beside(source, "-wal");
    let read = |cause| EngineError::io("read", &path)(cause);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(0)),
        Err(error) => return Err(read(error)),
    };
    end(file).map_err(read).map(Some)
}

fn end(file: impl std::io::Read + Seek) -> std::io::Result<u64> {
    let Some(mut reader) = WalReader::open(file)? else {
        return Ok(0);
    };
    while let Next::Commit(_) = reader.next(None)? {}
    Ok(reader.mark().offset())
}
