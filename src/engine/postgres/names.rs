//! Owns asking a running server how the files of relations are called. The names are those of now:
//! a relation that was rewritten or dropped since has none.

use std::collections::{BTreeMap, BTreeSet};

use super::PostgresSpec;
use super::changes::Relation;
use super::connect::{self, refused};
use crate::engine::EngineError;

/// `database.schema.name` by file.
pub type Names = BTreeMap<Relation, String>;

const DEFAULT_TABLESPACE: u32 = 1663;

/// Asks for the names of these files; what has none is left out.
///
/// # Errors
/// When the server cannot be asked.
pub fn ask(spec: &PostgresSpec, relations: &[Relation]) -> Result<Names, EngineError> {
    let mut names = Names::new();
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let rows = client.query("select oid::int8, datname::text from pg_database", &[]);
    let what = || format!("ask {} for names", spec.service);
    let rows = rows.map_err(|error| refused(what(), &error))?;
    let wanted: BTreeSet<u32> = relations.iter().map(|one| one.database).collect();
    for row in rows {
        let (oid, database): (i64, String) = (row.get(0), row.get(1));
        let oid = u32::try_from(oid).unwrap_or(0);
        if wanted.contains(&oid) {
            let own = relations.iter().filter(|one| one.database == oid);
            names.extend(of_database(spec, &database, own));
        }
    }
    Ok(names)
}

/// The names of databases; those that are gone have none.
///
/// # Errors
/// When the server cannot be asked.
pub fn databases(spec: &PostgresSpec, oids: &BTreeSet<u32>) -> Result<Vec<String>, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let query = "select datname::text from pg_database where oid::int8 = any($1) order by 1";
    let oids: Vec<i64> = oids.iter().map(|oid| i64::from(*oid)).collect();
    let rows = client.query(query, &[&oids]);
    let rows = rows.map_err(|error| refused(format!("ask {} for names", spec.service), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A database that the role may not enter has no names.
fn of_database<'a>(
    spec: &PostgresSpec,
    database: &str,
    relations: impl Iterator<Item = &'a Relation>,
) -> Names {
    let mut to = spec.connect.clone();
    to.insert("database".to_owned(), database.to_owned());
    let Ok(mut client) = connect::open(&spec.service, &to) else {
        return Names::new();
    };
    let query = "select n.nspname || '.' || c.relname from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.oid = pg_filenode_relation($1::int8::oid, $2::int8::oid)";
    let mut names = Names::new();
    for relation in relations {
        let tablespace = match relation.tablespace {
            DEFAULT_TABLESPACE => 0,
            other => i64::from(other),
        };
        let number = i64::from(relation.number);
        if let Ok(Some(row)) = client.query_opt(query, &[&tablespace, &number]) {
            names.insert(*relation, format!("{database}.{}", row.get::<_, &str>(0)));
        }
    }
    names
}
