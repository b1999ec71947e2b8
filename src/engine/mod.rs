//! Databases and file trees: how each is read while it lives, and how it is put back.
//!
//! # Contract (held by `engine::contract`, which every engine and the fake pass)
//! - An engine never writes to its source except what its hot-backup procedure needs.
//! - [`Engine::begin`] enters backup mode; dropping the session leaves it (R22). A session is used
//!   by one thread at a time but may move between threads.
//! - [`BackupSession::copy`] reads the source once and hands every byte to the sink.
//! - [`BackupSession::end`] leaves backup mode and tells the positions; only then may the part be
//!   committed.
//! - [`Engine::archive`] hands committed log to the sink in order and forgets none of it before
//!   [`LogSink::put`] has returned: the sink returns after the bytes are durable (R1).
//! - A restore works in a folder of its own ([`Engine::restore`]) and never touches the target.
//! - Every error says whether trying again can help ([`EngineError::retry`]).

pub mod backup;
pub mod base;
pub mod contract;
pub mod entry;
pub mod error;
pub mod fake;
pub mod files;
pub mod log;
pub mod lost;
pub mod memory;
pub mod piece;
pub mod postgres;
pub mod restore;
pub mod spec;
pub mod sqlite;
pub mod survey;
pub mod switch;
pub mod undo;

mod beneath;
mod huge;
mod identity;
pub(crate) mod large;
mod live;
mod store;
mod target;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::facts::capability::Capabilities;
use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::EngineKind;

pub use backup::{BackupSession, EndedBackup, PartSink};
pub use base::{BaseCopy, Selective, StoredLog};
pub use entry::{Entry, EntryKind};
pub use error::{EngineError, Retry};
pub use log::{Archived, LogHeld, LogRange, LogSink, TransactionSummary};
pub use lost::Lost;
pub use restore::{GoOn, RestoreSession, Wanted};
pub use spec::{SourceSpec, TableSet};
pub use survey::Survey;

/// Opens the engine that a source needs. Nothing of the source is read yet.
///
/// # Errors
/// When planc has no driver for the engine, or the inventory gives no path.
pub fn open(spec: &SourceSpec) -> Result<Box<dyn Engine>, EngineError> {
    match spec.engine {
        EngineKind::Sqlite => Ok(Box::new(sqlite::SqliteEngine::new(spec)?)),
        EngineKind::Files => Ok(Box::new(files::FilesEngine::new(spec)?)),
        EngineKind::Postgresql => {
            let spec = postgres::PostgresSpec::of(spec)?;
            Ok(Box::new(postgres::engine::PostgresEngine::new(spec)))
        }
        EngineKind::Mariadb => Err(EngineError::Unsupported {
            engine: spec.engine.word(),
            what: format!(
                "be driven by this version of planc (service {})",
                spec.service
            ),
        }),
    }
}

/// What came of a closer look at a restored copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    /// It was looked at and nothing is wrong; what was looked at.
    Looked(String),
    /// It was not looked at; why not.
    Left(String),
}

/// A source of one kind. Object-safe; one value a service.
pub trait Engine: Send + Sync {
    /// Its kind.
    fn kind(&self) -> EngineKind;

    /// Its row of the capability table.
    fn capabilities(&self) -> Capabilities {
        crate::facts::capability::of(self.kind())
    }

    /// Refuses a way of copying that is not in its row. Every [`Engine::begin`] asks this first.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`].
    fn takes(&self, method: Method) -> Result<(), EngineError> {
        if self.capabilities().methods.contains(&method) {
            return Ok(());
        }
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: format!("take a {} copy", method.words()),
        })
    }

    /// The source's identity (R11): the same as long as it is the same source, another one after
    /// a restore or a replacement. Read-only.
    ///
    /// # Errors
    /// When the source cannot be read or is something else.
    fn identity(&self) -> Result<String, EngineError>;

    /// Refuses a source that cannot be copied or archived as it is now. Changes nothing.
    ///
    /// # Errors
    /// With the setting or the right that is missing.
    fn check_source(&self) -> Result<(), EngineError> {
        self.identity().map(drop)
    }

    /// As [`Engine::check_source`], for one component and the way it is to be copied.
    ///
    /// # Errors
    /// As [`Engine::check_source`].
    fn check_component(&self, _component: &str, _method: Method) -> Result<(), EngineError> {
        self.check_source()
    }

    /// Judges that a part tells of databases of these names.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with those that it has.
    fn check_databases(&self, _wanted: &[String], _part: &EndedBackup) -> Result<(), EngineError> {
        Ok(())
    }

    /// Size of a component in bytes, for estimates and space checks.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn size(&self, component: &str) -> Result<u64, EngineError>;

    /// What the source says of itself; its log is watched for `sample`. Read-only. An engine
    /// that says nothing gives an empty survey.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn survey(&self, _sample: Duration) -> Result<Survey, EngineError> {
        Ok(Survey::default())
    }

    /// Enters backup mode for a component (its key).
    ///
    /// # Errors
    /// When the source cannot be read, is busy, or the method is not supported.
    fn begin(
        &self,
        component: &str,
        method: Method,
        now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError>;

    /// Enters backup mode for a copy of what changed since `base`. `log` gives the stored log. That
    /// the changes cannot be told is no error: the session then reads everything and says so.
    ///
    /// # Errors
    /// When the source cannot be read, or the engine has no incremental copies.
    fn begin_changed(
        &self,
        component: &str,
        _base: &BaseCopy,
        _log: StoredLog<'_>,
        _now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: format!("copy only what changed of {component}"),
        })
    }

    /// Hands all log committed since `after` (the last position known to be stored) to the sink.
    ///
    /// # Errors
    /// When the source or the sink fails. A broken chain is no error: it is told in the answer.
    fn archive(
        &self,
        after: Option<&Position>,
        now: Timestamp,
        sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError>;

    /// What is archived already of a source that ends its log by itself at least as often as
    /// `within` says; none of one that must be told to.
    ///
    /// # Errors
    /// When the source cannot be asked, or does not archive what it ended.
    fn archived(&self, _within: Duration) -> Result<Option<Archived>, EngineError> {
        Ok(None)
    }

    /// How much log the source holds; none where it keeps it in the database itself.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn log_held(&self) -> Result<Option<LogHeld>, EngineError> {
        Ok(None)
    }

    /// Lists the transactions of a stored range.
    ///
    /// # Errors
    /// When the payload is not this engine's.
    fn inspect(&self, range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError>;

    /// Starts to build a restored copy in the empty folder `staging`.
    ///
    /// # Errors
    /// When the folder refuses.
    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError>;

    /// Starts to build a restored copy from parts in the engine's own words, in the empty folder
    /// `staging`.
    ///
    /// # Errors
    /// When the engine has no such parts, or the folder refuses.
    fn rebuild(&self, _staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: "restore a logical copy".to_owned(),
        })
    }

    /// Starts to put what is lost of a stopped source back where it was. `staging` is an empty
    /// folder for what is needed on the way.
    ///
    /// # Errors
    /// When the engine cannot, the source runs, or a place is not free.
    fn put_back(
        &self,
        lost: &Lost,
        _staging: &Path,
    ) -> Result<Box<dyn RestoreSession>, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: format!("put {lost} back in place"),
        })
    }

    /// Ends what an earlier process left at work in a staging folder that is about to be removed.
    fn abandon(&self, _staging: &Path) {}

    /// Ends what an earlier process of planc left at work in the source's own folder.
    fn abandon_in_place(&self) {}

    /// Refuses a target that exists with content or is the live source (R19).
    ///
    /// # Errors
    /// With the reason.
    fn check_target(&self, target: &Path) -> Result<(), EngineError>;

    /// Looks closely at a restored copy by the engine's own means, beyond what
    /// [`RestoreSession::check`] does. The copy may gain what the look needs.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    fn examine(&self, _restored: &Path) -> Result<Examined, EngineError> {
        Ok(Examined::Looked("the engine has no closer look".to_owned()))
    }

    /// Asks a restored copy a read-only question; rows as text, `None` for NULL.
    ///
    /// # Errors
    /// When the engine cannot, or refuses the query.
    fn query(&self, restored: &Path, sql: &str) -> Result<Vec<Vec<Option<String>>>, EngineError>;

    /// As [`Engine::query`], in one of the databases of a copy that has several.
    ///
    /// # Errors
    /// As [`Engine::query`].
    fn query_database(
        &self,
        restored: &Path,
        _database: Option<&str>,
        sql: &str,
    ) -> Result<Rows, EngineError> {
        self.query(restored, sql)
    }

    /// Asks the live source a read-only question.
    ///
    /// # Errors
    /// When the engine cannot, or refuses the query.
    fn query_live(&self, _database: Option<&str>, _sql: &str) -> Result<Rows, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: "be asked while it lives".to_owned(),
        })
    }

    /// Takes back what one transaction did: two restored copies show the state just before it and
    /// with it, and the live rows are merged with them.
    ///
    /// # Errors
    /// When the engine cannot, or the rows of a table cannot be told apart.
    fn undo(
        &self,
        _before: &Path,
        _after: &Path,
        _wish: &undo::UndoWish,
    ) -> Result<undo::Undone, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: "take one transaction back".to_owned(),
        })
    }

    /// Does one act of handing the work of this source over to a standby of it. Every act may be
    /// repeated: what is done already is found, not done twice.
    ///
    /// # Errors
    /// When the engine cannot, or the two servers are not as the act needs them.
    fn switch(&self, _wish: &switch::SwitchWish<'_>) -> Result<switch::Switched, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: "hand its work over to a standby".to_owned(),
        })
    }

    /// Refuses an extraction of which it can be seen that it would fail, while nothing is restored
    /// yet. Changes nothing.
    ///
    /// # Errors
    /// With the name that is taken, or the right or place that is missing.
    fn check_extract(&self, _wish: &Extraction) -> Result<(), EngineError> {
        Ok(())
    }

    /// Takes tables out of a restored copy into a live database; existing tables are never
    /// touched. `scratch` is an empty folder for what is needed on the way. What came to be and
    /// what could not, in words.
    ///
    /// # Errors
    /// When the engine cannot, or a table is missing or its name is taken.
    fn extract(
        &self,
        _restored: &Path,
        _scratch: &Path,
        wish: &Extraction,
    ) -> Result<Extracted, EngineError> {
        Err(EngineError::Unsupported {
            engine: self.kind().word(),
            what: format!("give {} away", wish.tables.join(", ")),
        })
    }

    /// Takes away the marks by which an extraction is known as one that was begun. Called when it
    /// is written down that it is done; may be repeated.
    ///
    /// # Errors
    /// When the live database cannot be reached or refuses.
    fn settle_extract(&self, _wish: &Extraction) -> Result<(), EngineError> {
        Ok(())
    }
}

/// Rows as text, `None` for NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Which tables go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// Tables, with their schema where it matters; patterns; `SCHEMA.*` for all of a schema. Empty
    /// for the whole database.
    pub tables: Vec<String>,
    /// The live database they go to; the one that is taken, when it is taken whole.
    pub database: Option<String>,
    /// Schema or prefix of the new names, or the new name of the database; none for the old ones.
    pub name: Option<String>,
    /// Tells it from others: equal when the same is taken of the same state to the same names. Hex
    /// digits.
    pub id: String,
}

/// What an extraction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The new tables, in words.
    pub tables: Vec<String>,
    /// What could not be brought, with the cause.
    pub lost: Vec<String>,
    /// Bytes of what was taken, as the copy holds it with its indexes; 0 when it does not tell.
    pub bytes: u64,
    /// How long these were taken out and brought in, apart from what it takes whatever they are.
    pub moving: Duration,
}
