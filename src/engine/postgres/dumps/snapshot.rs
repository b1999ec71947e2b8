//! Owns the snapshot that all dumps of one database share: it is exported by the first that begins
//! and lives until the last has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use postgres::Client;

use crate::engine::EngineError;
use crate::engine::postgres::connect::{self, refused};
use crate::engine::postgres::{PostgresSpec, facts};

/// One moment of one database, held open.
pub(super) struct Snapshot {
    /// As `pg_dump --snapshot` takes it.
    pub(super) id: String,
    /// Position of the log.
    pub(super) position: String,
    pub(super) taken_at: Timestamp,
    /// `server_version_num`.
    pub(super) version: u32,
    /// The role that the cluster was made with.
    pub(super) bootstrap: String,
    /// May this role read the passwords of others?
    pub(super) superuser: bool,
    client: Mutex<Client>,
}

impl Snapshot {
    /// The session that holds it.
    pub(super) fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The snapshots that are open, by database.
#[derive(Clone, Default)]
pub struct Snapshots(Arc<Mutex<BTreeMap<String, Weak<Snapshot>>>>);

impl fmt::Debug for Snapshots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Snapshots")
    }
}

impl Snapshots {
    /// The open snapshot of a database, or a new one.
    pub(super) fn join(
        &self,
        spec: &PostgresSpec,
        database: &str,
    ) -> Result<Arc<Snapshot>, EngineError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = open.get(database).and_then(Weak::upgrade) {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(export(spec, database)?);
        open.insert(database.to_owned(), Arc::downgrade(&snapshot));
        Ok(snapshot)
    }
}

/// Only newer servers have this limit.
const PATIENT: &str = "select set_config(name, '0', false) from pg_settings \
     where name = 'transaction_timeout'";
const BEGIN: &str = "begin transaction isolation level repeatable read, read only";

const EXPORT: &str = "select pg_export_snapshot(), \
     (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() \
     else pg_current_wal_insert_lsn() end)::text, \
     (extract(epoch from clock_timestamp()) * 1000000)::int8, \
     current_setting('server_version_num')::int8, \
     (select rolname::text from pg_roles where oid = 10), \
     current_setting('is_superuser') = 'on'";

fn export(spec: &PostgresSpec, database: &str) -> Result<Snapshot, EngineError> {
    let mut client = connect::open_database(&spec.service, &spec.connect, database)?;
    let what = || {
        format!(
            "export a snapshot of database {database} of {}",
            spec.service
        )
    };
    for statement in [PATIENT, BEGIN] {
        let done = client.batch_execute(statement);
        done.map_err(|error| refused(what(), &error))?;
    }
    let row = client.query_one(EXPORT, &[]);
    let row = row.map_err(|error| refused(what(), &error))?;
    let version = u32::try_from(row.get::<_, i64>(3)).unwrap_or(0);
    facts::of_server(version).map_err(|error| error.of(&spec.service))?;
    let moment = Timestamp::from_microsecond(row.get(2));
    Ok(Snapshot {
        id: row.get(0),
        position: row.get(1),
        taken_at: moment.unwrap_or(Timestamp::UNIX_EPOCH),
        version,
        bootstrap: row.get(4),
        superuser: row.get(5),
        client: Mutex::new(client),
    })
}
