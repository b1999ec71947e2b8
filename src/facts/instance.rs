//! Owns what an instance said of itself when it was surveyed: version, identity, settings,
//! tablespaces, databases and tables; how that is read from a facts file. Must not connect, and
//! must not compare it with the plan.
//!
//! ```yaml
//! instances:
//!   orders_db:
//!     version: "18.4"
//!     settings: {archive_mode: "on", wal_level: replica}
//!     tablespaces: {hot: {path: /srv/hot, size: 900 GiB}}
//!     databases:
//!       orders:
//!         size: 40 GiB
//!         tables:
//!           public.orders: {size: 30 GiB, changes: 120, refers: [public.customers]}
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::fields::{Fields, Reader};
use crate::quantity::{Amount, Bytes, Duration, parse_text};
use crate::yaml::{Node, Value};

/// What an instance said of itself. What it did not say is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instance {
    /// When it was asked, as an instant; older facts have a day.
    pub measured: Option<String>,
    /// Version of the engine, for example `18.4`.
    pub version: Option<String>,
    /// Identity of the source: for PostgreSQL its system identifier.
    pub identity: Option<String>,
    /// Its history: for PostgreSQL the timeline.
    pub timeline: Option<String>,
    /// How far its log reached: bytes since the history began.
    pub log_position: Option<u64>,
    /// Settings that matter to recovery.
    pub settings: BTreeMap<String, String>,
    /// Tablespaces by name, the built-in ones too.
    pub tablespaces: BTreeMap<String, TablespaceFacts>,
    /// Databases by name.
    pub databases: BTreeMap<String, DatabaseFacts>,
}

/// A tablespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablespaceFacts {
    /// Its folder on its host; none for the built-in ones.
    pub path: Option<String>,
    /// Bytes in it.
    pub size: Option<Bytes>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseFacts {
    /// Bytes in it, wherever they lie.
    pub size: Option<Bytes>,
    /// The tablespace of its catalog, when it is not the default one.
    pub tablespace: Option<String>,
    /// Tables by `schema.name`.
    pub tables: BTreeMap<String, TableFacts>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableFacts {
    /// Bytes of it, its indexes and its long values.
    pub size: Option<Bytes>,
    /// Rows inserted, updated and deleted since the engine began to count.
    pub changes: Option<u64>,
    /// True when the log does not protect it.
    pub unlogged: bool,
    /// Its tablespace, when it is not that of its database.
    pub tablespace: Option<String>,
    /// Tables that its foreign keys refer to, itself left out.
    pub refers: BTreeSet<String>,
}

impl Instance {
    /// Major version, when it is known.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        let version = self.version.as_ref()?;
        version.split('.').next()?.parse().ok()
    }

    /// A setting, when it is known.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The longest that committed log waits before the server itself ends a segment and hands it to
    /// planc; none when it does not, or not by the clock.
    #[must_use]
    pub fn ends_log_within(&self) -> Option<Duration> {
        let is = |name, value| self.setting(name) == Some(value);
        if !is("archive_command", "planc") || is("archive_mode", "off") {
            return None;
        }
        match parse_text(self.setting("archive_timeout")?) {
            Ok(Amount::Duration(within)) if within.0 > 0 => Some(within),
            _ => None,
        }
    }
}

impl DatabaseFacts {
    /// The tables that a name of the plan means: `schema.name` one, `name` those of all schemas.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a TableFacts)> {
        let tables = self.tables.iter();
        let tables = tables.filter(move |(full, _)| is_called(full, name));
        tables.map(|(full, table)| (full.as_str(), table))
    }
}

/// Is the table `schema.name` meant by this name of a plan?
#[must_use]
pub fn is_called(full: &str, name: &str) -> bool {
    full == name || full.split_once('.').is_some_and(|(_, own)| own == name)
}

const INSTANCE: &[&str] = &[
    "measured",
    "version",
    "identity",
    "timeline",
    "log_position",
    "settings",
    "tablespaces",
    "databases",
];
const TABLE: &[&str] = &["size", "changes", "unlogged", "tablespace", "refers"];

/// Reads one instance of a facts file.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Instance {
    let fields = reader.fields(node, "an instance", INSTANCE);
    Instance {
        measured: fields.text("measured", reader),
        version: fields.text("version", reader),
        identity: fields.text("identity", reader),
        timeline: fields.text("timeline", reader),
        log_position: fields.number("log_position", reader),
        settings: fields.texts("settings", reader).into_iter().collect(),
        tablespaces: map(fields, "tablespaces", reader, tablespace),
        databases: map(fields, "databases", reader, database),
    }
}

fn tablespace(node: &Node, reader: &mut Reader<'_>) -> TablespaceFacts {
    let fields = reader.fields(node, "a tablespace", &["path", "size"]);
    TablespaceFacts {
        path: fields.text("path", reader),
        size: fields.size("size", reader),
    }
}

fn database(node: &Node, reader: &mut Reader<'_>) -> DatabaseFacts {
    let fields = reader.fields(node, "a database", &["size", "tablespace", "tables"]);
    DatabaseFacts {
        size: fields.size("size", reader),
        tablespace: fields.text("tablespace", reader),
        tables: map(fields, "tables", reader, table),
    }
}

fn table(node: &Node, reader: &mut Reader<'_>) -> TableFacts {
    let fields = reader.fields(node, "a table", TABLE);
    TableFacts {
        size: fields.size("size", reader),
        changes: fields.number("changes", reader),
        unlogged: fields.flag("unlogged", reader),
        tablespace: fields.text("tablespace", reader),
        refers: names(fields, "refers", reader),
    }
}

fn names(fields: Fields<'_>, key: &str, reader: &mut Reader<'_>) -> BTreeSet<String> {
    let Some(entry) = fields.find(key) else {
        return BTreeSet::new();
    };
    let one = std::slice::from_ref(&entry.value);
    let nodes = match &entry.value.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => one,
    };
    let read = nodes.iter().filter_map(|node| reader.text_of(key, node));
    read.collect()
}

/// A field that is a map of names.
pub(super) fn map<T>(
    fields: Fields<'_>,
    name: &str,
    reader: &mut Reader<'_>,
    read: impl Fn(&Node, &mut Reader<'_>) -> T,
) -> BTreeMap<String, T> {
    let Some(entry) = fields.find(name) else {
        return BTreeMap::new();
    };
    let entries = reader.entries(&entry.value, name).iter();
    entries
        .map(|entry| (entry.key.clone(), read(&entry.value, reader)))
        .collect()
}
