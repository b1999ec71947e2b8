//! Owns what the components of a cluster are: base, one tablespace, the directory of one
//! database; their keys, their object ids and their folders.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use serde::{Deserialize, Serialize};

use super::connect::refused;
use super::notes::Names;
use super::server::ServerFacts;
use crate::engine::EngineError;

/// A component by its name in the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Everything that is not a part of its own.
    Base,
    /// One tablespace.
    Tablespace(String),
    /// The directory of one database in the default tablespace.
    Database(String),
}

impl Component {
    /// Reads a component key, `service/kind/name`.
    ///
    /// # Errors
    /// When there is no physical part of that kind.
    pub fn parse(key: &str) -> Result<Self, EngineError> {
        let mut words = key.splitn(3, '/').skip(1);
        match (words.next(), words.next()) {
            (Some("base"), Some(_)) => Ok(Self::Base),
            (Some("tablespace"), Some(name)) => Ok(Self::Tablespace(name.to_owned())),
            (Some("database"), Some(name)) => Ok(Self::Database(name.to_owned())),
            _ => Err(EngineError::Unsupported {
                engine: "postgresql",
                what: format!("copy {key} physically: use `logical`, or back up its database"),
            }),
        }
    }
}

/// A folder below the data directory that is a part of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Place {
    /// The data directory.
    Base,
    /// A tablespace.
    Tablespace {
        /// Object id: the name of its link.
        oid: u32,
        /// Its name.
        name: String,
        /// Where it lies on its host.
        path: String,
    },
    /// The directory of a database.
    Database {
        /// Object id: the name of its folder.
        oid: u32,
        /// Its name.
        name: String,
    },
}

impl Place {
    /// Its folder, relative to the data directory; empty for base.
    #[must_use]
    pub fn folder(&self) -> String {
        match self {
            Self::Base => String::new(),
            Self::Tablespace { oid, .. } => format!("pg_tblspc/{oid}"),
            Self::Database { oid, .. } => format!("base/{oid}"),
        }
    }
}

/// The folder that holds a version's files in every tablespace.
#[must_use]
pub fn version_folder(facts: &ServerFacts) -> String {
    format!(
        "PG_{}_{}",
        facts.version.major, facts.version.catalog_version
    )
}

/// Finds a component on the server.
///
/// # Errors
/// When it does not exist, or is not a folder of its own.
pub fn find(
    client: &mut Client,
    service: &str,
    component: &Component,
) -> Result<Place, EngineError> {
    match component {
        Component::Base => Ok(Place::Base),
        Component::Tablespace(name) => tablespace(client, service, name),
        Component::Database(name) => database(client, service, name),
    }
}

/// Finds all components that are parts of their own: base leaves them out.
///
/// # Errors
/// As [`find`].
pub fn find_apart(
    client: &mut Client,
    service: &str,
    apart: &BTreeSet<Component>,
) -> Result<Vec<Place>, EngineError> {
    let apart = apart.iter().filter(|one| **one != Component::Base);
    apart.map(|one| find(client, service, one)).collect()
}

fn tablespace(client: &mut Client, service: &str, name: &str) -> Result<Place, EngineError> {
    let query = "select oid::int8, pg_tablespace_location(oid) from pg_tablespace \
                 where spcname = $1 and spcname not in ('pg_default', 'pg_global')";
    let row = client.query_opt(query, &[&name]);
    let what = format!("find tablespace {name} of {service}");
    let row = row.map_err(|error| refused(what.clone(), &error))?;
    let row = row.ok_or_else(|| missing(what.clone(), "there is no such tablespace"))?;
    let path: String = row.get(1);
    // one that lies in the data directory itself; a relative link leads out of it
    if path.starts_with("pg_tblspc/") {
        return Err(missing(what, "it lies inside the data directory"));
    }
    Ok(Place::Tablespace {
        oid: oid(row.get(0)),
        name: name.to_owned(),
        path,
    })
}

fn database(client: &mut Client, service: &str, name: &str) -> Result<Place, EngineError> {
    let query = "select d.oid::int8, t.spcname::text from pg_database d \
                 join pg_tablespace t on t.oid = d.dattablespace where d.datname = $1";
    let row = client.query_opt(query, &[&name]);
    let what = format!("find database {name} of {service}");
    let row = row.map_err(|error| refused(what.clone(), &error))?;
    let row = row.ok_or_else(|| missing(what.clone(), "there is no such database"))?;
    let place: String = row.get(1);
    if place != "pg_default" {
        let cause = format!("it lies in tablespace {place}: back up that tablespace");
        return Err(missing(what, &cause));
    }
    Ok(Place::Database {
        oid: oid(row.get(0)),
        name: name.to_owned(),
    })
}

/// The bytes of a name that all databases share: each of them wrote names in an encoding of its own,
/// so that they need not be text in this one.
macro_rules! raw {
    ($name:literal) => {
        concat!(
            "byteain(textout(replace(",
            $name,
            "::text, chr(92), repeat(chr(92), 2))))"
        )
    };
}
pub(super) use raw;

/// What tablespaces and databases are called now; bytes that are no text are replaced.
///
/// # Errors
/// What the server says.
pub fn names(client: &mut Client, service: &str) -> Result<Names, EngineError> {
    let mut ask = |query: &str| -> Result<BTreeMap<u32, String>, EngineError> {
        let rows = client.query(query, &[]);
        let rows = rows.map_err(|error| refused(format!("list the parts of {service}"), &error))?;
        let named = |row: &postgres::Row| {
            let name = String::from_utf8_lossy(row.get(1)).into_owned();
            (oid(row.get(0)), name)
        };
        Ok(rows.iter().map(named).collect())
    };
    Ok(Names {
        tablespaces: ask(concat!(
            "select oid::int8, ",
            raw!("spcname"),
            " from pg_tablespace"
        ))?,
        databases: ask(concat!(
            "select oid::int8, ",
            raw!("datname"),
            " from pg_database"
        ))?,
    })
}

fn oid(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn missing(what: String, cause: &str) -> EngineError {
    EngineError::Refused {
        what,
        cause: format!("{cause}; correct the plan or the server"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        assert_eq!(
            Component::parse("shop/base/base").ok(),
            Some(Component::Base)
        );
        let hot = Component::Tablespace("hot/cold".to_owned());
        assert_eq!(Component::parse("shop/tablespace/hot/cold").ok(), Some(hot));
        assert!(Component::parse("shop/group/orders.core").is_err());
        assert!(Component::parse("shop").is_err());
    }
}
