//! Owns the shared catalog: the rows of the catalogs of many hosts in one PostgreSQL database. Each
//! host keeps its own file, which is a copy of them; a change is made there and on the server in
//! one go, and before anything is read or changed the file takes over what other hosts changed.
//!
//! # On the server
//! `planc.catalog_row` has a line for each row of each table: owner, table, key and content as
//! JSON, and the number of its last change. The content of a row that was deleted is null. Changes
//! of one owner are made one after the other, so that who has seen a number has seen all before it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postgres::{Client, Transaction as Remote};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::replica::{self, Replica};
use super::store::sqlite;
use super::{CatalogError, schema};

/// Rows that are taken over at a time.
const BATCH: i64 = 10_000;

/// Makes the tables, unless another host has.
const CREATE: &str = "
    create schema if not exists planc;
    create table if not exists planc.catalog (
        owner text primary key, version int8 not null,
        id text not null default gen_random_uuid()::text);
    create table if not exists planc.catalog_row (
        owner text, kind text, key text, body text, number int8 not null,
        primary key (owner, kind, key));
    create unique index if not exists catalog_row_number on planc.catalog_row (owner, number);
";

/// Opens a session with the server, again when the last one broke.
pub type Connector = Box<dyn Fn() -> Result<Client, String> + Send>;

/// A catalog that several hosts share.
pub struct SharedSpec {
    /// Whose catalog it is: plan and environment.
    pub owner: String,
    /// How the server is reached.
    pub connect: Connector,
}

/// The server's side of a catalog.
pub(super) struct Shared {
    spec: SharedSpec,
    client: Mutex<Option<Client>>,
    replica: Replica,
}

/// What goes wrong on either side.
enum Fault {
    Server(postgres::Error),
    Connect(String),
    File(rusqlite::Error),
}

impl From<postgres::Error> for Fault {
    fn from(error: postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error)
    }
}

impl Fault {
    fn told(self, path: &str) -> CatalogError {
        let cause = match self {
            Self::File(cause) => return sqlite(path, &cause),
            Self::Connect(cause) => cause,
            Self::Server(cause) => match cause.as_db_error() {
                Some(answer) => answer.message().to_owned(),
                None => cause.to_string(),
            },
        };
        CatalogError::Shared { cause }
    }
}

impl Shared {
    /// Joins a host's file and the shared rows: each takes over what only the other has.
    pub(super) fn join(
        db: &Connection,
        path: &str,
        spec: SharedSpec,
    ) -> Result<Self, CatalogError> {
        let watched = Replica::watch(db).map_err(|cause| sqlite(path, &cause))?;
        let shared = Self {
            spec,
            client: Mutex::new(None),
            replica: watched,
        };
        shared.prepare().map_err(|fault| fault.told(path))?;
        let known = replica::seen(db).map_err(|cause| sqlite(path, &cause))?;
        let joined = shared.with_turn(db, |remote, local, _| {
            let server = replica::seen(local)?.map(|(server, _)| server);
            if server == known.map(|(server, _)| server) {
                return Ok(());
            }
            shared.replica.offer_all(local)?;
            shared.offer_missing(remote, local)
        });
        joined.map_err(|fault| fault.told(path))?;
        Ok(shared)
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session; a new one when the last one broke.
    fn session<'a>(&self, client: &'a mut Option<Client>) -> Result<&'a mut Client, Fault> {
        let usable = client.take().filter(|client| !client.is_closed());
        let session = match usable {
            Some(session) => session,
            None => (self.spec.connect)().map_err(Fault::Connect)?,
        };
        Ok(client.insert(session))
    }

    fn prepare(&self) -> Result<(), Fault> {
        let mut client = self.client();
        let session = self.session(&mut client)?;
        let there =
            session.query_one("select to_regclass('planc.catalog_row') is not null", &[])?;
        let mut change = session.transaction()?;
        change.execute("select pg_advisory_xact_lock(7010214001)", &[])?;
        if !there.try_get::<_, bool>(0)? {
            change.batch_execute(CREATE)?;
        }
        let sql = "insert into planc.catalog (owner, version) values ($1, $2)
            on conflict (owner) do nothing";
        change.execute(sql, &[&self.spec.owner, &schema::VERSION])?;
        let sql = "select version from planc.catalog where owner = $1";
        let version: i64 = change.query_one(sql, &[&self.spec.owner])?.try_get(0)?;
        change.commit()?;
        if version == schema::VERSION {
            return Ok(());
        }
        Err(Fault::Connect(format!(
            "it has version {version}, this planc knows {}",
            schema::VERSION
        )))
    }

    /// One change on both sides, whole or not at all. When the server has it and this host dies,
    /// the host takes it over from there.
    pub(super) fn write<T>(
        &self,
        db: &Connection,
        path: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let written = self.with_turn(db, |remote, local, seen| {
            replica::forget(local)?;
            let answer = change(local)?;
            self.offer(remote, local, seen)?;
            Ok(answer)
        });
        written.map_err(|fault| fault.told(path))
    }

    /// Takes over what other hosts changed.
    pub(super) fn refresh(&self, db: &Connection, path: &str) -> Result<(), CatalogError> {
        let refreshed = || -> Result<(), Fault> {
            let mut client = self.client();
            let session = self.session(&mut client)?;
            let sql = "select c.id, coalesce(max(r.number), 0) from planc.catalog c
                left join planc.catalog_row r using (owner) where owner = $1 group by c.id";
            let row = session.query_opt(sql, &[&self.spec.owner])?;
            let state = row.map(|row| Ok::<_, postgres::Error>((row.try_get(0)?, row.try_get(1)?)));
            if state.transpose()? == replica::seen(db)? {
                return Ok(());
            }
            drop(client);
            self.with_turn(db, |_, _, _| Ok(()))
        };
        refreshed().map_err(|fault| fault.told(path))
    }

    /// Has the server for this host alone, and the file as new as the server.
    fn with_turn<T>(
        &self,
        db: &Connection,
        work: impl FnOnce(&mut Remote<'_>, &Transaction<'_>, i64) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut client = self.client();
        let session = self.session(&mut client)?;
        let mut remote = session.transaction()?;
        let lock = "select pg_advisory_xact_lock(hashtextextended('planc ' || $1, 0))";
        remote.execute(lock, &[&self.spec.owner])?;
        let local = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let seen = self.take_over(&mut remote, &local)?;
        let answer = work(&mut remote, &local, seen)?;
        replica::forget(&local)?;
        remote.commit()?;
        local.commit()?;
        Ok(answer)
    }

    /// Takes over the rows that were changed since this host looked; the number of the last one. A
    /// server that is another one, or went back in time, is read from its beginning.
    fn take_over(&self, remote: &mut Remote<'_>, local: &Transaction<'_>) -> Result<i64, Fault> {
        let owner = &self.spec.owner;
        let sql = "select id from planc.catalog where owner = $1";
        let row = remote.query_opt(sql, &[owner])?;
        let row = row.ok_or_else(|| Fault::Connect("its tables are gone".to_owned()))?;
        let id: String = row.try_get(0)?;
        let sql = "select coalesce(max(number), 0) from planc.catalog_row where owner = $1";
        let last: i64 = remote.query_one(sql, &[owner])?.try_get(0)?;
        let before = replica::seen(local)?;
        let mut seen = before
            .filter(|(known, number)| *known == id && *number <= last)
            .map_or(0, |(_, number)| number);
        let sql = "select kind, key, body, number from planc.catalog_row
            where owner = $1 and number > $2 order by number limit $3";
        while seen < last {
            let rows = remote.query(sql, &[owner, &seen, &BATCH])?;
            let Some(newest) = rows.last() else { break };
            seen = newest.try_get(3)?;
            for row in &rows {
                let (kind, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let body: Option<String> = row.try_get(2)?;
                self.replica.apply(local, &kind, &key, body.as_deref())?;
            }
        }
        replica::note(local, &id, seen)?;
        Ok(seen)
    }

    /// Gives the server what was changed in the file.
    fn offer(
        &self,
        remote: &mut Remote<'_>,
        local: &Transaction<'_>,
        seen: i64,
    ) -> Result<(), Fault> {
        let changed = replica::changed(local)?;
        if changed.is_empty() {
            return Ok(());
        }
        let (mut kinds, mut keys, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, key, body) in changed {
            kinds.push(kind);
            keys.push(key);
            bodies.push(body);
        }
        let sql = "insert into planc.catalog_row (owner, kind, key, body, number)
            select $1, kind, key, body, $2 + at
            from unnest($3::text[], $4::text[], $5::text[])
                with ordinality as changed (kind, key, body, at)
            on conflict (owner, kind, key)
                do update set body = excluded.body, number = excluded.number";
        remote.execute(sql, &[&self.spec.owner, &seen, &kinds, &keys, &bodies])?;
        let number = seen + i64::try_from(kinds.len()).unwrap_or(0);
        replica::number(local, number)?;
        Ok(())
    }

    /// Gives the server those rows of the file that it does not have; the others are as the server
    /// has them.
    fn offer_missing(&self, remote: &mut Remote<'_>, local: &Transaction<'_>) -> Result<(), Fault> {
        let sql = "select kind, key from planc.catalog_row where owner = $1";
        for row in remote.query(sql, &[&self.spec.owner])? {
            let (kind, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            replica::take_back(local, &kind, &key)?;
        }
        let seen = replica::seen(local)?.map_or(0, |(_, number)| number);
        self.offer(remote, local, seen)
    }
}
