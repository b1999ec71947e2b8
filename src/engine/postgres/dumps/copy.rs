//! Owns one dump of a group, a table or a database, inside the snapshot that all dumps of the
//! database share: what is read is checked first, then streamed to the devices.

use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;

use super::client::{self, Client};
use super::notes::DumpNotes;
use super::snapshot::{Snapshot, Snapshots};
use super::{DATA, DATABASE, GLOBALS, ROLES, SCHEMA, program};
use crate::engine::postgres::PostgresSpec;
use crate::engine::postgres::connect::{self, refused};
use crate::engine::postgres::tables::{self, Link, Meant, Place, Table};
use crate::engine::{
    BackupSession, EndedBackup, EngineError, Entry, EntryKind, PartSink, TableSet,
};

/// A dump that is being made.
pub struct Dumping {
    spec: PostgresSpec,
    database: String,
    snapshot: Arc<Snapshot>,
    client: Client,
    /// Empty for the whole database.
    tables: Vec<Table>,
    links: Vec<Link>,
    hanging: Vec<Table>,
    warnings: Vec<String>,
}

impl Dumping {
    /// Joins the snapshot and finds the tables; changes nothing.
    ///
    /// # Errors
    /// When the component is none that can be dumped, all its tables are gone, the client programs are
    /// older than the server, or the role may not read everything.
    pub fn begin(
        spec: &PostgresSpec,
        snapshots: &Snapshots,
        key: &str,
    ) -> Result<Self, EngineError> {
        let set = set(spec, key)?;
        let database = database(spec, set);
        let snapshot = snapshots.join(spec, &database)?;
        let least = snapshot.version / 10_000;
        let client = client::find(spec.programs.as_deref(), "pg_dump", least)?;
        let (meant, links) = look(spec, &snapshot, &database, &set.tables)?;
        let (tables, mut warnings) = (meant.tables, meant.gone);
        warnings.extend(tables::apart(&mut snapshot.client(), &tables)?);
        let hanging = tables::hanging(&mut snapshot.client(), &tables)?;
        Ok(Self {
            spec: spec.clone(),
            database,
            snapshot,
            client,
            tables,
            links,
            hanging,
            warnings,
        })
    }

    fn dump(&self) -> Result<Command, EngineError> {
        let program = self.client.folder.join("pg_dump");
        let mut command = connect::program(&self.spec, &self.database, &program)?;
        // the devices' own compression is better, and equal content stays equal
        command.args([
            "--format=custom",
            "--compress=0",
            "--no-password",
            "--no-sync",
        ]);
        command.arg(format!("--snapshot={}", self.snapshot.id));
        Ok(command)
    }

    fn globals(&self, what: &str) -> Result<Command, EngineError> {
        let program = self.client.folder.join("pg_dumpall");
        let mut command = connect::program(&self.spec, &self.database, &program)?;
        command.args(["--no-password", "--no-sync", what]);
        command.arg(format!("--database={}", self.database));
        if !self.snapshot.superuser {
            command.arg("--no-role-passwords");
        }
        Ok(command)
    }

    /// All files of the part.
    fn files(&self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        file(sink, GLOBALS, &mut self.globals("--globals-only")?)?;
        file(sink, ROLES, &mut self.globals("--roles-only")?)?;
        let mut dump = self.dump()?;
        if self.tables.is_empty() {
            return file(sink, DATABASE, dump.arg("--create"));
        }
        let mut schema = self.dump()?;
        schema.args(["--section=pre-data", "--create"]);
        file(sink, SCHEMA, &mut schema)?;
        for table in &self.tables {
            dump.arg("--table").arg(table.sql());
        }
        file(sink, DATA, &mut dump)
    }

    /// Adds what the snapshot's own session says when it is lost: a program that cannot connect does
    /// not always tell why.
    fn with_cause(&self, error: EngineError) -> EngineError {
        let EngineError::Refused { what, cause } = error else {
            return error;
        };
        let cause = match self.snapshot.client().batch_execute("select 1") {
            Ok(()) => cause,
            Err(lost) => {
                let lost = refused(format!("hold the snapshot of {}", self.database), &lost);
                format!("{cause}; {lost}")
            }
        };
        EngineError::Refused { what, cause }
    }
}

fn file(sink: &mut dyn PartSink, name: &str, command: &mut Command) -> Result<(), EngineError> {
    sink.entry(Entry {
        path: name.to_owned(),
        kind: EntryKind::File,
        mode: 0o600,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mtime: (Timestamp::now().as_second(), 0),
    })?;
    program::stream(command, sink)?;
    sink.close()
}

impl BackupSession for Dumping {
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        self.files(sink).map_err(|error| self.with_cause(error))
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        // a session that was lost ended the snapshot, and what was read may be of two moments
        let alive = self.snapshot.client().batch_execute("select 1");
        let what = || format!("end the dump of {}", self.database);
        alive.map_err(|error| refused(what(), &error))?;
        let notes = DumpNotes {
            database: self.database.clone(),
            tables: self.tables.clone(),
            links: self.links.clone(),
            hanging: self.hanging.clone(),
            snapshot: self.snapshot.id.clone(),
            position: self.snapshot.position.clone(),
            server: self.snapshot.version,
            client: self.client.major,
            bootstrap: self.snapshot.bootstrap.clone(),
            passwords: self.snapshot.superuser,
        };
        Ok(EndedBackup {
            taken_at: self.snapshot.taken_at,
            from: None,
            until: None,
            warnings: self.warnings,
            notes: notes.print(),
        })
    }
}

fn set<'a>(spec: &'a PostgresSpec, key: &str) -> Result<&'a TableSet, EngineError> {
    spec.sets.get(key).ok_or_else(|| EngineError::Unsupported {
        engine: "postgresql",
        what: format!("copy {key} as `logical`: name a database, a group or a table"),
    })
}

fn database(spec: &PostgresSpec, set: &TableSet) -> String {
    let own = set.database.as_ref();
    let named = own.or_else(|| spec.connect.get("database"));
    named.map_or_else(|| "postgres".to_owned(), Clone::clone)
}

/// Finds the tables and makes sure that all that is dumped may be read.
fn look(
    spec: &PostgresSpec,
    snapshot: &Snapshot,
    database: &str,
    names: &[String],
) -> Result<(Meant, Vec<Link>), EngineError> {
    let mut client = snapshot.client();
    let place = Place {
        database,
        words: &spec.service,
        past: false,
    };
    check_rights(&mut client, place)?;
    if names.is_empty() {
        return Ok((Meant::default(), Vec::new()));
    }
    let meant = tables::find(&mut client, place, names)?;
    let links = tables::links(&mut client, &meant.tables)?;
    Ok((meant, links))
}

/// Refuses a role that may not read every table and sequence: a dump locks and reads them all, and
/// row security would leave rows out.
fn check_rights(client: &mut postgres::Client, place: Place<'_>) -> Result<(), EngineError> {
    let query = "select n.nspname || '.' || c.relname, \
                 has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') \
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind in ('r', 'p', 'S', 'm') and c.relpersistence <> 't' \
                 and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' \
                 and (not (has_table_privilege(c.oid, 'select') \
                 and has_schema_privilege(n.oid, 'usage')) \
                 or row_security_active(c.oid)) order by 1 limit 4";
    let rows = client.query(query, &[]);
    let what = format!("dump database {} of {}", place.database, place.words);
    let rows = rows.map_err(|error| refused(what.clone(), &error))?;
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let names = names.join(", ");
    Err(EngineError::refused(
        what,
        if first.get(1) {
            format!("row security hides rows of {names}: give the role the attribute BYPASSRLS")
        } else {
            format!("the role may not read {names}: grant pg_read_all_data to it")
        },
    ))
}

/// Refuses what could not be dumped as it is now. Changes nothing.
///
/// # Errors
/// As [`Dumping::begin`].
pub fn check(spec: &PostgresSpec, key: &str) -> Result<(), EngineError> {
    Dumping::begin(spec, &Snapshots::default(), key).map(drop)
}

/// Bytes of the tables of a component, with their large values, without indexes.
///
/// # Errors
/// When the server cannot be asked or all tables are gone.
pub fn size(spec: &PostgresSpec, key: &str) -> Result<u64, EngineError> {
    let set = set(spec, key)?;
    let database = database(spec, set);
    let mut client = connect::open_database(&spec.service, &spec.connect, &database)?;
    let place = Place {
        database: &database,
        words: &spec.service,
        past: false,
    };
    let wanted = if set.tables.is_empty() {
        tables::all(&mut client, place)?
    } else {
        tables::find(&mut client, place, &set.tables)?.tables
    };
    let query = "select coalesce(sum(pg_table_size(name::regclass)), 0)::int8 \
                 from unnest($1::text[]) name";
    let row = client.query_one(query, &[&tables::names(&wanted)]);
    let row = row.map_err(|error| refused(format!("measure {key}"), &error))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
