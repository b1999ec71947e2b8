//! Owns what a dump remembers for its restore: the notes of `EndedBackup`, by name, and the file
//! of foreign keys that lead out of a loaded copy.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::postgres::files::cannot;
use crate::engine::postgres::tables::{Link, Table};
use crate::engine::{EndedBackup, EngineError};

const NOTE: &str = "logical";
/// In a loaded copy: foreign keys between its tables and those that it lacks.
pub const OUTSIDE: &str = "outside-keys.json";

/// What a dump says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DumpNotes {
    /// The database.
    pub database: String,
    /// The tables; empty for the whole database.
    pub tables: Vec<Table>,
    /// Foreign keys between them and other tables.
    pub links: Vec<Link>,
    /// Indexes of partitions that are parts of indexes of other tables.
    #[serde(default)]
    pub hanging: Vec<Table>,
    /// The snapshot that all dumps of the database in one run share.
    pub snapshot: String,
    /// Position of the log when it was taken.
    pub position: String,
    /// `server_version_num`.
    pub server: u32,
    /// Major version of the `pg_dump` that wrote it.
    pub client: u32,
    /// The role that the cluster was made with.
    pub bootstrap: String,
    /// Are the passwords of roles in it?
    pub passwords: bool,
}

impl DumpNotes {
    pub(super) fn print(&self) -> BTreeMap<String, String> {
        // no map in it has keys that are no text
        let text = serde_json::to_string(self).unwrap_or_default();
        BTreeMap::from([(NOTE.to_owned(), text)])
    }

    pub(super) fn parse(ended: &EndedBackup) -> Result<Self, EngineError> {
        let damaged = |detail: String| EngineError::Damaged {
            what: format!("the note `{NOTE}` of a part"),
            detail,
        };
        let text = ended.notes.get(NOTE);
        let text = text.ok_or_else(|| damaged("it is missing".to_owned()))?;
        serde_json::from_str(text).map_err(|error| damaged(error.to_string()))
    }
}

/// Foreign keys that lead out of a restored copy; none of a copy of files.
///
/// # Errors
/// When the file that names them cannot be read.
pub fn outside(restored: &Path) -> Result<Vec<Link>, EngineError> {
    let path = restored.join(OUTSIDE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("read", &path, error)),
    };
    serde_json::from_slice(&text).map_err(|error| EngineError::Damaged {
        what: path.display().to_string(),
        detail: error.to_string(),
    })
}
