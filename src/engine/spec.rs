//! Owns where a source is, as the inventory says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::EngineError;
use crate::resolve::plan::EngineKind;

/// Where a source is: what the inventory says of it, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// The service's name.
    pub service: String,
    /// Its engine.
    pub engine: EngineKind,
    /// File or folder, absolute.
    pub path: Option<PathBuf>,
    /// Folder with the programs of the server's version, absolute.
    pub programs: Option<PathBuf>,
    /// Folder that planc may use for state about this source, absolute.
    pub state_dir: PathBuf,
    /// Connection fields, secrets by source only.
    pub connect: BTreeMap<String, String>,
    /// Keys of the components that are copied physically as parts of their own.
    pub apart: BTreeSet<String>,
    /// What the components are that can be copied in the engine's own words, by key.
    pub sets: BTreeMap<String, TableSet>,
}

/// Tables that are copied together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSet {
    /// The database they are in; none for the one that the inventory connects to.
    pub database: Option<String>,
    /// Tables by name or pattern; empty for all of the database.
    pub tables: Vec<String>,
}

impl SourceSpec {
    /// The path, for engines that cannot do without.
    pub(super) fn required_path(&self) -> Result<&Path, EngineError> {
        self.path.as_deref().ok_or_else(|| {
            EngineError::refused(
                format!("open service {}", self.service),
                "the inventory gives no `path`",
            )
        })
    }
}
