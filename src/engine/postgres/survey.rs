//! Owns what a server is asked by a survey: in read-only sessions, by catalog queries only, so
//! that it works from any host and under any role that may connect and read statistics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use postgres::{Client, Row};

use super::PostgresSpec;
use super::component::raw;
use super::configuration::Outside;
use super::connect::{self, refused};
use super::lsn::Timeline;
use super::server::timeline;
use crate::engine::survey::{Survey, log_rates};
use crate::engine::{EngineError, entry};
use crate::facts::instance::{DatabaseFacts, Instance, TableFacts, TablespaceFacts};
use crate::quantity::Bytes;

/// Settings that decide whether a copy can be recovered, or how.
const SETTINGS: [&str; 15] = [
    "archive_command",
    "archive_library",
    "archive_mode",
    "archive_timeout",
    "data_checksums",
    "fsync",
    "full_page_writes",
    "hot_standby",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_wal_senders",
    "summarize_wal",
    "wal_level",
    "wal_log_hints",
    "wal_segment_size",
];

const ABOUT: &str = concat!(
    "\
    select current_setting('server_version_num')::int8, \
           (select system_identifier from pg_control_system()), ",
    timeline!(),
    ", \
           pg_is_in_recovery()"
);

/// Bytes since the log began; a standby tells how far it received.
const POSITION: &str = "\
    select (case when pg_is_in_recovery() \
                 then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
                 else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::int8";

const SET: &str = "\
    select name, current_setting(name, true) from pg_settings where name = any($1)";

const TABLESPACES: &str = concat!(
    "select ",
    raw!("spcname"),
    ", ",
    raw!("pg_tablespace_location(oid)"),
    ", \
           case when has_tablespace_privilege(oid, 'create') \
                     or pg_has_role('pg_read_all_stats', 'usage') \
                then pg_tablespace_size(oid) end \
    from pg_tablespace"
);

const DATABASES: &str = concat!(
    "select ",
    raw!("datname"),
    ", \
           case when has_database_privilege(d.oid, 'connect') \
                     or pg_has_role('pg_read_all_stats', 'usage') \
                then pg_database_size(d.oid) end, \
           ",
    raw!("t.spcname"),
    ", \
           datallowconn and has_database_privilege(d.oid, 'connect') \
    from pg_database d join pg_tablespace t on t.oid = d.dattablespace \
    where not datistemplate"
);

const TABLES: &str = concat!(
    "select ",
    raw!("(n.nspname || '.' || c.relname)"),
    ", pg_total_relation_size(c.oid), \
           s.n_tup_ins + s.n_tup_upd + s.n_tup_del, c.relpersistence = 'u', ",
    raw!("t.spcname"),
    ", (select array_agg(distinct ",
    raw!("(fn.nspname || '.' || f.relname)"),
    ") from pg_constraint k \
            join pg_class f on f.oid = k.confrelid join pg_namespace fn on fn.oid = f.relnamespace \
            where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) \
    from pg_class c \
    join pg_namespace n on n.oid = c.relnamespace \
    left join pg_tablespace t on t.oid = c.reltablespace \
    left join pg_stat_all_tables s on s.relid = c.oid \
    where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' \
      and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
);

/// Asks a server everything; the log is watched for `sample`.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(super) fn ask(spec: &PostgresSpec, sample: Duration) -> Result<Survey, EngineError> {
    let mut session = Session::open(spec, &spec.connect)?;
    let mut instance = session.about()?;
    instance.settings = session.settings()?;
    let mut notes = Vec::new();
    instance.tablespaces = session.tablespaces(&mut notes)?;
    for (name, mut facts, open) in session.databases(&mut notes)? {
        if open {
            facts.tables = tables(spec, &name, &mut notes)?;
        } else {
            notes.push(format!("database {name}: the role may not connect to it"));
        }
        instance.databases.insert(name, facts);
    }
    for (name, one) in &instance.tablespaces {
        if one.size.is_none() {
            notes.push(format!(
                "size of tablespace {name}: grant pg_read_all_stats to the role"
            ));
        }
    }
    if let Some(data) = session.data()? {
        let outside = Outside::find(&mut session.client, &spec.service, &data)?;
        notes.extend(outside.note());
    }
    let log = log_rates(sample, || session.position())?;
    instance.log_position = session.position()?;
    Ok(Survey {
        instance,
        log,
        notes,
        ..Survey::default()
    })
}

struct Session<'a> {
    service: &'a str,
    client: Client,
}

impl<'a> Session<'a> {
    fn open(spec: &'a PostgresSpec, to: &connect::Connect) -> Result<Self, EngineError> {
        let mut client = connect::open(&spec.service, to)?;
        let only = "set default_transaction_read_only = on";
        let done = client.batch_execute(only);
        done.map_err(|error| refused(format!("ask {} to be read only", spec.service), &error))?;
        Ok(Self {
            service: &spec.service,
            client,
        })
    }

    fn rows(&mut self, what: &str, query: &str) -> Result<Vec<Row>, EngineError> {
        let rows = self.client.query(query, &[]);
        rows.map_err(|error| refused(format!("ask {} for {what}", self.service), &error))
    }

    fn about(&mut self) -> Result<Instance, EngineError> {
        let row = self.client.query_one(ABOUT, &[]);
        let what = || format!("ask {} what it is", self.service);
        let row = row.map_err(|error| refused(what(), &error))?;
        let number: i64 = row.get(0);
        let timeline = u32::try_from(row.get::<_, i64>(2)).unwrap_or(0);
        let timeline = Timeline::new(timeline).map_err(|error| error.of(self.service))?;
        Ok(Instance {
            version: Some(format!("{}.{}", number / 10_000, number % 10_000)),
            identity: Some(row.get::<_, i64>(1).cast_unsigned().to_string()),
            timeline: Some(timeline.to_string()),
            ..Instance::default()
        })
    }

    /// The data directory; none where the role may not see it.
    fn data(&mut self) -> Result<Option<PathBuf>, EngineError> {
        let rows = self.rows(
            "its data directory",
            "select setting from pg_settings where name = 'data_directory'",
        )?;
        let told = rows.first().and_then(|row| row.get::<_, Option<String>>(0));
        Ok(told.map(PathBuf::from))
    }

    /// Only those that the role may see and the version knows.
    fn settings(&mut self) -> Result<BTreeMap<String, String>, EngineError> {
        let names: Vec<&str> = SETTINGS.to_vec();
        let rows = self.client.query(SET, &[&names]);
        let what = || format!("ask {} for its settings", self.service);
        let rows = rows.map_err(|error| refused(what(), &error))?;
        let set = rows.iter().filter_map(|row| {
            let (name, value): (String, Option<String>) = (row.get(0), row.get(1));
            let value = match name.as_str() {
                "archive_command" => archiver(&value?).to_owned(),
                _ => value?,
            };
            Some((name, value))
        });
        Ok(set.collect())
    }

    fn tablespaces(
        &mut self,
        notes: &mut Vec<String>,
    ) -> Result<BTreeMap<String, TablespaceFacts>, EngineError> {
        let rows = self.rows("its tablespaces", TABLESPACES)?;
        let facts = |row: &Row| TablespaceFacts {
            path: text(row, 1).filter(|path| !path.is_empty()),
            size: bytes(row.get(2)),
        };
        let named = |row: &Row| Some((name(row, "a tablespace", notes)?, facts(row)));
        Ok(rows.iter().filter_map(named).collect())
    }

    /// Name, facts without tables, and whether it can be asked for its tables.
    fn databases(
        &mut self,
        notes: &mut Vec<String>,
    ) -> Result<Vec<(String, DatabaseFacts, bool)>, EngineError> {
        let rows = self.rows("its databases", DATABASES)?;
        let one = |row: &Row| {
            let facts = DatabaseFacts {
                size: bytes(row.get(1)),
                tablespace: text(row, 2).filter(|name| name != "pg_default"),
                tables: BTreeMap::new(),
            };
            Some((name(row, "a database", notes)?, facts, row.get(3)))
        };
        Ok(rows.iter().filter_map(one).collect())
    }

    fn position(&mut self) -> Result<Option<u64>, EngineError> {
        let row = self.client.query_one(POSITION, &[]);
        let what = || format!("ask {} how far its log reaches", self.service);
        let row = row.map_err(|error| refused(what(), &error))?;
        let position: Option<i64> = row.get(0);
        Ok(position.map(i64::cast_unsigned))
    }
}

fn tables(
    spec: &PostgresSpec,
    database: &str,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, TableFacts>, EngineError> {
    let mut to = spec.connect.clone();
    to.insert("database".to_owned(), database.to_owned());
    let rows = Session::open(spec, &to)?.rows(&format!("the tables of {database}"), TABLES)?;
    let table = |row: &Row| TableFacts {
        size: bytes(row.get(1)),
        changes: row.get::<_, Option<i64>>(2).map(i64::cast_unsigned),
        unlogged: row.get(3),
        tablespace: text(row, 4),
        refers: row
            .get::<_, Option<Vec<Vec<u8>>>>(5)
            .into_iter()
            .flatten()
            .filter_map(|name| String::from_utf8(name).ok())
            .collect(),
    };
    let what = format!("a table of {database}");
    let named = |row: &Row| Some((name(row, &what, notes)?, table(row)));
    Ok(rows.iter().filter_map(named).collect())
}

/// A column of bytes, where it holds text.
fn text(row: &Row, at: usize) -> Option<String> {
    String::from_utf8(row.get::<_, Option<Vec<u8>>>(at)?).ok()
}

/// What a row is about, by its first column. One whose name is no text is told: neither a plan nor
/// the facts can name it.
fn name(row: &Row, what: &str, notes: &mut Vec<String>) -> Option<String> {
    let found = text(row, 0);
    if found.is_none() {
        let shown = entry::encode(row.get(0));
        notes.push(format!(
            "{what} is left out, since its name is no text in UTF-8: {shown}"
        ));
    }
    found
}

/// Who archives: the command itself may hold secrets, and the facts are shared.
fn archiver(command: &str) -> &'static str {
    match command {
        "" | "(disabled)" => "none",
        own if own.contains("planc") && own.contains("log push") => "planc",
        _ => "other",
    }
}

/// A size; none when the role may not see it or the thing was dropped meanwhile.
fn bytes(size: Option<i64>) -> Option<Bytes> {
    size.and_then(|size| u64::try_from(size).ok()).map(Bytes)
}
