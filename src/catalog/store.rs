//! Owns the SQLite file: how it is opened and checked, and how values become text in it.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::shared::{Shared, SharedSpec};
use super::{CatalogError, schema};

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Memory for pages while a catalog is filled, and otherwise, in KiB as `SQLite` takes it.
const FILLING: i64 = -8192;
const USUAL: i64 = -2000;
/// Between two looks where `SQLite` does not wait by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// The open file.
pub(super) struct Store {
    pub(super) path: String,
    pub(super) db: Connection,
    shared: Option<Shared>,
}

impl Store {
    /// Opens or makes the file; `whole` checks all of it (R33).
    pub(super) fn open(path: &Path, whole: bool) -> Result<Self, CatalogError> {
        let shown = path.display().to_string();
        let db = Connection::open(path).map_err(|cause| sqlite(&shown, &cause))?;
        let mut store = Self {
            path: shown,
            db,
            shared: None,
        };
        store.prepare().map_err(|cause| store.opening(&cause))?;
        if whole {
            store.check()?;
        }
        store.create()?;
        let added = store.db.execute_batch(schema::ADDED);
        added.map_err(|cause| store.opening(&cause))?;
        store.index()?;
        Ok(store)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        self.db.busy_timeout(PATIENCE)?;
        self.db.pragma_update(None, "trusted_schema", false)?;
        self.db.pragma_update(None, "cell_size_check", true)?;
        self.db.pragma_update(None, "mmap_size", 0)?;
        let mode = self.log_ahead()?;
        // a file system without shared memory keeps another mode, which needs more syncs
        let level = if mode == "wal" { "FULL" } else { "EXTRA" };
        self.db.pragma_update(None, "synchronous", level)
    }

    /// Asks for a log ahead of the file; the mode that it is in then. `SQLite` does not wait here
    /// for another process that opens a new file at the same moment.
    fn log_ahead(&self) -> rusqlite::Result<String> {
        let began = Instant::now();
        loop {
            let mode = self
                .db
                .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            let busy = mode.as_ref().is_err_and(|cause| {
                cause.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
            });
            if !busy || began.elapsed() > PATIENCE {
                return mode;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn check(&self) -> Result<(), CatalogError> {
        let answer: String = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|cause| self.opening(&cause))?;
        if answer == "ok" {
            Ok(())
        } else {
            Err(self.unusable(answer))
        }
    }

    /// Makes the tables in an empty file; refuses another version or another application's file.
    fn create(&mut self) -> Result<(), CatalogError> {
        let path = self.path.clone();
        let change = self.change()?;
        let wrong = |cause| sqlite(&path, &cause);
        let version: i64 = change
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(wrong)?;
        let tables: i64 = change
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(wrong)?;
        match (version, tables) {
            (0, 0) => {
                change.execute_batch(schema::CREATE).map_err(wrong)?;
                change
                    .pragma_update(None, "user_version", schema::VERSION)
                    .map_err(wrong)?;
                change.commit().map_err(wrong)
            }
            (schema::VERSION, _) => Ok(()),
            (1, _) => {
                change.execute_batch(schema::FROM_1).map_err(wrong)?;
                change.commit().map_err(wrong)
            }
            (0, _) => Err(CatalogError::Unusable {
                path,
                detail: "it is a database of another application".into(),
            }),
            (version, _) => Err(CatalogError::Unusable {
                path,
                detail: format!(
                    "it has version {version}, this planc knows {}",
                    schema::VERSION
                ),
            }),
        }
    }

    /// Very many copies are about to be added to an empty file. Until [`Store::end_filling`] it
    /// is of no use to anybody, and what a crash leaves of it is no catalog: nothing is synced or
    /// logged ahead, and copies are found slowly.
    pub(super) fn begin_filling(&self) -> Result<(), CatalogError> {
        let begun = self.db.execute_batch(schema::NO_INDEX).and_then(|()| {
            self.db.pragma_update(None, "journal_mode", "OFF")?;
            self.db.pragma_update(None, "synchronous", "OFF")?;
            self.db.pragma_update(None, "cache_size", FILLING)
        });
        begun.map_err(|cause| sqlite(&self.path, &cause))
    }

    /// Makes the file durable and fit for use.
    pub(super) fn end_filling(&self) -> Result<(), CatalogError> {
        self.index()?;
        self.db
            .pragma_update(None, "cache_size", USUAL)
            .and_then(|()| self.prepare())
            .map_err(|cause| sqlite(&self.path, &cause))?;
        // last: the change of the mode is written to the file, too
        let synced = std::fs::File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|cause| self.unusable(cause.to_string()))
    }

    /// Ways to find copies by name; they are not part of the version.
    pub(super) fn index(&self) -> Result<(), CatalogError> {
        let made = self.db.execute_batch(schema::INDEX);
        made.map_err(|cause| self.opening(&cause))
    }

    /// Begins to gather changes: until [`Store::keep`] they are one.
    pub(super) fn gather(&mut self) -> Result<(), CatalogError> {
        self.batch("BEGIN IMMEDIATE")
    }

    /// Keeps the changes that were gathered.
    pub(super) fn keep(&mut self) -> Result<(), CatalogError> {
        self.batch("COMMIT")
    }

    fn batch(&mut self, sql: &str) -> Result<(), CatalogError> {
        let done = self.db.execute_batch(sql);
        done.map_err(|cause| sqlite(&self.path, &cause))
    }

    /// Begins a change; waits for another process that writes.
    pub(super) fn change(&mut self) -> Result<Transaction<'_>, CatalogError> {
        let path = &self.path;
        self.db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|cause| sqlite(path, &cause))
    }

    /// Shares the file's rows with other hosts from now on.
    pub(super) fn join(&mut self, spec: SharedSpec) -> Result<(), CatalogError> {
        self.shared = Some(Shared::join(&self.db, &self.path, spec)?);
        Ok(())
    }

    /// What is changed from now on is not shared: when it is again, all rows are compared.
    pub(super) fn leave(&self) -> Result<(), CatalogError> {
        let wrong = |cause| sqlite(&self.path, &cause);
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'shared_seen'";
        let shared: i64 = (self.db)
            .query_row(sql, [], |row| row.get(0))
            .map_err(wrong)?;
        if shared > 0 {
            self.db
                .execute("DELETE FROM shared_seen", [])
                .map_err(wrong)?;
        }
        Ok(())
    }

    /// One change, whole or not at all; one of those that are gathered, when some are.
    pub(super) fn write<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let path = self.path.clone();
        if !self.db.is_autocommit() {
            return change(&self.db).map_err(|cause| sqlite(&path, &cause));
        }
        if let Some(shared) = &self.shared {
            return shared.write(&self.db, &path, change);
        }
        let transaction = self.change()?;
        let answer = change(&transaction).map_err(|cause| sqlite(&path, &cause))?;
        transaction
            .commit()
            .map_err(|cause| sqlite(&path, &cause))?;
        Ok(answer)
    }

    /// One consistent look.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let wrong = |cause| sqlite(&self.path, &cause);
        if let Some(shared) = &self.shared {
            shared.refresh(&self.db, &self.path)?;
        }
        let transaction = self.db.unchecked_transaction().map_err(wrong)?;
        look(&transaction).map_err(wrong)
    }

    /// The UUID under which a device's name is known.
    pub(super) fn device(&self, name: &str) -> Result<Option<String>, CatalogError> {
        self.read(|db| {
            let sql = "SELECT identity FROM device WHERE name = ?1";
            db.query_row(sql, [name], |row| row.get(0)).optional()
        })
    }

    /// Names of devices, each with the UUID that it is known by.
    pub(super) fn devices(&self) -> Result<Vec<(String, String)>, CatalogError> {
        self.read(|db| {
            let mut query = db.prepare("SELECT name, identity FROM device ORDER BY name")?;
            let devices = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            devices.collect()
        })
    }

    pub(super) fn unusable(&self, detail: String) -> CatalogError {
        CatalogError::Unusable {
            path: self.path.clone(),
            detail,
        }
    }

    /// Damage is told apart from passing trouble.
    fn opening(&self, cause: &rusqlite::Error) -> CatalogError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match cause.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => self.unusable(cause.to_string()),
            _ => sqlite(&self.path, cause),
        }
    }
}

pub(super) fn sqlite(path: &str, cause: &rusqlite::Error) -> CatalogError {
    CatalogError::Sqlite {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}

/// A count or position as SQLite's signed integer; bits are kept.
pub(super) fn signed(value: u64) -> i64 {
    value.cast_signed()
}

/// The reverse of [`signed`].
pub(super) fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}

/// A moment as text that is read back exactly.
pub(super) fn time(text: &str) -> rusqlite::Result<Timestamp> {
    text.parse().map_err(conversion)
}

/// A value of the model as its word.
pub(super) fn word<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))
}

/// The reverse of [`word`].
pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(conversion)
}

fn conversion(cause: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(cause))
}
