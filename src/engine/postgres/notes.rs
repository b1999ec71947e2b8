//! Owns what a copy of a part remembers for its recovery: the notes of `EndedBackup`, by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::component::Place;
use super::configuration::Outside;
use super::label::{BackupLabel, MappedTablespace, parse_map};
use crate::engine::{EndedBackup, EngineError};

/// The backup label, byte for byte.
pub const LABEL: &str = "backup_label";
/// The tablespace map, byte for byte.
pub const MAP: &str = "tablespace_map";
const PLACE: &str = "place";
const APART: &str = "apart";
const SYSTEM: &str = "system-identifier";
const VERSION: &str = "server-version-num";
const NAMES: &str = "names";
const CHECKSUMS: &str = "checksums";
const GROUP: &str = "group-access";
const OUTSIDE: &str = "configuration-outside";

/// Names of a cluster's parts, by object id, when the bracket began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Tablespaces.
    #[serde(default)]
    pub tablespaces: BTreeMap<u32, String>,
    /// Databases.
    #[serde(default)]
    pub databases: BTreeMap<u32, String>,
}

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartNotes {
    /// The label, byte for byte.
    pub label_text: String,
    /// The label, read.
    pub label: BackupLabel,
    /// The map, byte for byte.
    pub map_text: String,
    /// Which folder it is a copy of.
    pub place: Place,
    /// Folders that base left out because they are parts of their own.
    pub apart: Vec<Place>,
    /// Identity of the cluster.
    pub system_identifier: u64,
    /// Version of the server that was copied.
    pub version_num: u32,
    /// What its parts are called; empty in parts that do not tell.
    pub names: Names,
    /// Were its pages protected by checksums? So it is taken to be with parts that do not tell.
    pub checksums: bool,
    /// May the group of its owner read the data directory? So it is not taken to be with parts that
    /// do not tell.
    pub group_access: bool,
    /// Files of the server outside of its data directory; of base only.
    pub(super) outside: Outside,
}

impl Names {
    /// Judges that there are databases of these names.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with those that there are.
    pub fn check_databases(&self, wanted: &[String]) -> Result<(), EngineError> {
        let known: Vec<&str> = self.databases.values().map(String::as_str).collect();
        let Some(unknown) = wanted.iter().find(|one| !known.contains(&one.as_str())) else {
            return Ok(());
        };
        let what = format!("restore only database {unknown}");
        let cause = if known.is_empty() {
            "the copy does not tell what its databases are called".to_owned()
        } else {
            format!("the copy has no such database; it has {}", known.join(", "))
        };
        Err(EngineError::refused(what, cause))
    }
}

impl PartNotes {
    /// The notes for a manifest.
    #[must_use]
    pub fn print(&self) -> BTreeMap<String, String> {
        // none of these types has a map with keys that are no text
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        BTreeMap::from([
            (LABEL.to_owned(), self.label_text.clone()),
            (MAP.to_owned(), self.map_text.clone()),
            (PLACE.to_owned(), json(serde_json::to_string(&self.place))),
            (APART.to_owned(), json(serde_json::to_string(&self.apart))),
            (SYSTEM.to_owned(), self.system_identifier.to_string()),
            (VERSION.to_owned(), self.version_num.to_string()),
            (NAMES.to_owned(), json(serde_json::to_string(&self.names))),
            (CHECKSUMS.to_owned(), self.checksums.to_string()),
            (GROUP.to_owned(), self.group_access.to_string()),
            (
                OUTSIDE.to_owned(),
                json(serde_json::to_string(&self.outside)),
            ),
        ])
    }

    /// Reads the notes of a manifest.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] when one is missing or wrong.
    pub fn parse(ended: &EndedBackup) -> Result<Self, EngineError> {
        let note = |name: &'static str| {
            let text = ended.notes.get(name);
            text.ok_or_else(|| damaged(name, "it is missing"))
        };
        let label_text = note(LABEL)?.clone();
        let wrong = |name: &'static str| move |error: &dyn std::fmt::Display| damaged(name, error);
        Ok(Self {
            label: BackupLabel::parse(&label_text).map_err(|error| wrong(LABEL)(&error))?,
            label_text,
            map_text: note(MAP)?.clone(),
            place: serde_json::from_str(note(PLACE)?).map_err(|error| wrong(PLACE)(&error))?,
            apart: serde_json::from_str(note(APART)?).map_err(|error| wrong(APART)(&error))?,
            system_identifier: note(SYSTEM)?
                .parse()
                .map_err(|error| wrong(SYSTEM)(&error))?,
            version_num: note(VERSION)?
                .parse()
                .map_err(|error| wrong(VERSION)(&error))?,
            names: match ended.notes.get(NAMES) {
                Some(text) => serde_json::from_str(text).map_err(|error| wrong(NAMES)(&error))?,
                None => Names::default(),
            },
            checksums: match ended.notes.get(CHECKSUMS) {
                Some(text) => text.parse().map_err(|error| wrong(CHECKSUMS)(&error))?,
                None => true,
            },
            group_access: match ended.notes.get(GROUP) {
                Some(text) => text.parse().map_err(|error| wrong(GROUP)(&error))?,
                None => false,
            },
            outside: match ended.notes.get(OUTSIDE) {
                Some(text) => serde_json::from_str(text).map_err(|error| wrong(OUTSIDE)(&error))?,
                None => Outside::default(),
            },
        })
    }

    /// The tablespaces of the cluster when the bracket ended.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    pub fn map(&self) -> Result<Vec<MappedTablespace>, EngineError> {
        parse_map(&self.map_text).map_err(|error| damaged(MAP, error))
    }
}

fn damaged(name: &str, detail: impl std::fmt::Display) -> EngineError {
    EngineError::Damaged {
        what: format!("the note `{name}` of a part"),
        detail: detail.to_string(),
    }
}
